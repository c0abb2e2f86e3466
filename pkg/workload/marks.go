package workload

import "strings"

// trackingMarks are the labels and annotations by which GitOps tools, Helm and kubectl recognise
// what is theirs. A copy that carried them would be pruned or fought over.
var trackingMarks = []string{
	"argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/",
	"meta.helm.sh/", "helm.sh/", "kubectl.kubernetes.io/", "deployment.kubernetes.io/",
	"serin.dev/", "flagger.app/",
}

// argoInstance is Argo CD's default tracking label. On pods it is the application's own; on an
// object it claims the object.
const argoInstance = "app.kubernetes.io/instance"

// withoutMarks copies an object's labels or annotations except the marks of its owners.
func withoutMarks(in map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range in {
		if !isMark(k) {
			out[k] = v
		}
	}
	return out
}

func isMark(key string) bool {
	if key == argoInstance {
		return true
	}
	for _, prefix := range trackingMarks {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}
