package gatewayapi

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// side is one of the two workloads of a target.
type side string

const (
	primary side = "primary"
	canary  side = "canary"
)

var sides = []side{primary, canary}

// names are the objects of a target.
type names struct{ router.Target }

func (n names) routeKey() client.ObjectKey {
	return client.ObjectKey{Namespace: n.Canary.Namespace, Name: n.Apex}
}

// owner is the value of v1beta1.CanaryLabel on what is this target's.
func (n names) owner() string { return v1beta1.LabelValue(n.Canary.Name) }

func (n names) service(s side) string {
	if s == canary {
		return n.CanaryService
	}
	return n.PrimaryService
}

// sideOf tells which side a backend is, on whatever port.
func (n names) sideOf(b backend) (side, bool) {
	service, ok := n.ownService(b)
	for _, s := range sides {
		if ok && service == n.service(s) {
			return s, true
		}
	}
	return "", false
}

// isApex reports whether a backend is the target's port of the apex Service.
func (n names) isApex(b backend) bool {
	service, ok := n.ownService(b)
	port, _ := b["port"].(int64)
	return ok && service == n.Apex && port == int64(n.Port)
}

// ownService is the name of the Service of the target's namespace that a backend is.
func (n names) ownService(b backend) (string, bool) {
	group, _ := b["group"].(string)
	kind, _ := b["kind"].(string)
	namespace, _ := b["namespace"].(string)
	name, _ := b["name"].(string)
	return name, group == "" && (kind == "" || kind == "Service") && (namespace == "" || namespace == n.Canary.Namespace)
}
