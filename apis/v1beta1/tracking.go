package v1beta1

import "strings"

// tracking are the labels and annotations by which GitOps tools and Helm recognise what is theirs.
// A copy that carried one would be pruned or fought over. A trailing slash stands for all below it.
var tracking = []string{
	"app.kubernetes.io/instance", // on pods it is the application's own; on an object Argo CD claims it by this
	"app.kubernetes.io/managed-by",
	"argocd.argoproj.io/",
	"kustomize.toolkit.fluxcd.io/",
	"helm.toolkit.fluxcd.io/",
	"meta.helm.sh/",
	"helm.sh/",
}

// Untracked returns an object's labels or annotations without the marks of other tools. It is never nil.
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

// keepers are the marks of tools that write an object again as they have it, and the tools' names.
var keepers = []struct{ prefix, tool string }{
	{"argocd.argoproj.io/", "Argo CD"},
	{"kustomize.toolkit.fluxcd.io/", "Flux"},
	{"helm.toolkit.fluxcd.io/", "Flux"},
	{"meta.helm.sh/", "Helm"},
}

// Keeper names the tool whose marks are among an object's labels or annotations; empty without. The
// label app.kubernetes.io/instance alone is no mark: people set it too.
func Keeper(marks ...map[string]string) string {
	for _, k := range keepers {
		for _, m := range marks {
			for key := range m {
				if strings.HasPrefix(key, k.prefix) {
					return k.tool
				}
			}
		}
	}
	return ""
}
