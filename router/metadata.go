package router

import "strings"

// tracking are the keys by which GitOps tools and Helm recognise what they manage. A copy of one on
// an object of ours makes them prune it.
var tracking = []string{
	"app.kubernetes.io/instance",
	"app.kubernetes.io/managed-by",
	"argocd.argoproj.io/",
	"kustomize.toolkit.fluxcd.io/",
	"helm.toolkit.fluxcd.io/",
	"meta.helm.sh/",
	"helm.sh/",
}

// Untracked returns the labels or annotations without those by which other tools track objects.
func Untracked(m map[string]string) map[string]string {
	kept := make(map[string]string, len(m))
	for k, v := range m {
		if !isTracking(k) {
			kept[k] = v
		}
	}
	return kept
}

func isTracking(key string) bool {
	for _, t := range tracking {
		if key == t || strings.HasSuffix(t, "/") && strings.HasPrefix(key, t) {
			return true
		}
	}
	return false
}
