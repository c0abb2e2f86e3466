package gloo

import (
	"fmt"
	"strconv"
	"strings"

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

// names are the objects of a target, as this field's dashboards already know them.
type names struct{ router.Target }

// prefix of the side's Upstreams, of which there is one for each port the target ever had.
func (n names) prefix(s side) string {
	return fmt.Sprintf("%s-%s-%supstream-", n.Canary.Namespace, n.Apex, s)
}

func (n names) upstream(s side) string {
	return n.prefix(s) + strconv.Itoa(int(n.Port))
}

func (n names) upstreamKey(s side) client.ObjectKey {
	return client.ObjectKey{Namespace: n.Canary.Namespace, Name: n.upstream(s)}
}

// outOfSight is true of a namespace in which nothing can be read.
func (n names) outOfSight(namespace string) bool { return n.Watched != "" && namespace != n.Watched }

// owner is the value of v1beta1.CanaryLabel on what is this target's.
func (n names) owner() string { return v1beta1.LabelValue(n.Canary.Name) }

func (n names) service(s side) string {
	if s == canary {
		return n.CanaryService
	}
	return n.PrimaryService
}

func (n names) tableKey() client.ObjectKey {
	return client.ObjectKey{Namespace: n.Canary.Namespace, Name: n.Apex}
}

// sideOf tells which side an Upstream of this target is, on whatever port.
func (n names) sideOf(upstream string) (side, bool) {
	for _, s := range sides {
		port, ok := strings.CutPrefix(upstream, n.prefix(s))
		if !ok {
			continue
		}
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return s, true
		}
	}
	return "", false
}

// cluster is Envoy's name for a side in its statistics.
func (n names) cluster(s side) string {
	return n.upstream(s) + "_" + n.Canary.Namespace
}

// gatewayCluster is that name where Gloo also serves the Kubernetes Gateway API: it then describes
// the Service behind an Upstream as well.
func (n names) gatewayCluster(s side) string {
	return fmt.Sprintf("kube-upstream_%s_%s_%s_%d", n.cluster(s), n.Canary.Namespace, n.service(s), n.Port)
}
