package suite

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

// TestOperatorKilled kills the operator in mid-step. The next one goes on where it was, once the Lease
// of the dead one has run out.
func TestOperatorKilled(t *testing.T) {
	s := open(t, "killed", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	s.killOperator()
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantShares("6.0.1", 5*time.Second)
}

// killOperator ends its process as a crash would. Deleting its pod would not: even without a grace
// period the kubelet asks politely first, and the Lease is handed on.
func (s *scene) killOperator() {
	s.Helper()
	pods := s.operators()
	if len(pods) != 1 {
		s.Fatalf("%d pods of the operator, want 1", len(pods))
	}
	s.signal(s.program(pods[0], "serin"), syscall.SIGKILL)
}

func (s *scene) operators() []corev1.Pod {
	s.Helper()
	var pods corev1.PodList
	s.must(s.Client.List(s.background(), &pods, client.InNamespace(s.Operator), client.MatchingLabels{"app.kubernetes.io/name": "serin"}))
	return pods.Items
}

// TestLeaderPaused stops the leader in mid-step until another one leads, and lets it go on: it believes
// for a moment that it leads still.
func TestLeaderPaused(t *testing.T) {
	s := open(t, "leader", quick)
	s.scaler(s.Operator, s.Release)(2)
	s.must(s.RolledOut(t.Context(), s.Operator, s.Release))
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	first := s.leader()
	process := s.program(first, "serin")
	s.signal(process, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(process.pid, syscall.SIGCONT) }) // whatever failed; it may have ended by then
	s.must(stage.Until(t.Context(), time.Minute, "another operator leads", func(context.Context) (bool, error) {
		if now := s.leader(); now.Name == first.Name {
			return false, fmt.Errorf("%s leads", now.Name)
		}
		return false, nil
	}))
	s.signal(process, syscall.SIGCONT)
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
}

// leader is the operator that holds the Lease.
func (s *scene) leader() corev1.Pod {
	s.Helper()
	var leases coordinationv1.LeaseList
	s.must(s.Client.List(s.Context(), &leases, client.InNamespace(s.Operator)))
	for _, lease := range leases.Items {
		for _, pod := range s.operators() {
			if strings.HasPrefix(ptr.Deref(lease.Spec.HolderIdentity, ""), pod.Name+"_") {
				return pod
			}
		}
	}
	s.Fatalf("no pod of the operator holds one of %d Leases", len(leases.Items))
	return corev1.Pod{}
}

const faultsManifest = `apiVersion: v1
kind: ConfigMap
metadata:
  name: gateway-faults
  namespace: gloo-system
data: %s
`

// TestGatewayPaused takes the gateway's control plane away: the route says what Envoy does not do, and
// such a step does not count.
func TestGatewayPaused(t *testing.T) {
	const away = 40 * time.Second
	s := open(t, "paused", quick)
	// In two seconds the other users send 300 requests, by which 20 % can be 30 %, and another step is taken.
	s.load("more-users", s.through("/version", 2*userRate))
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	// Only once Envoy follows is there a difference to see.
	s.sleep(s.gateway.reaction)
	resume := s.pauseGateway()
	begin := time.Now()
	hold(away, "while Envoy could not follow", s) // by gRPC come too few for anybody to tell
	s.both(func(s *scene) {
		t.Logf("while it was away users in %s got %v", s.ns, s.users(begin.Add(s.gateway.reaction), begin.Add(away-settle)))
	})
	resume()
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
}

// hold asserts that for a time none of the routes is given more than the one step that was due already.
func hold(d time.Duration, why string, routes ...*scene) {
	before := make([][]int64, len(routes))
	for i, s := range routes {
		before[i] = s.route.values(s.T)
	}
	routes[0].sleep(d)
	for i, s := range routes {
		s.Helper()
		if after := s.route.values(s.T); len(after) > len(before[i])+1 {
			s.Errorf("weights in %s %v became %v %s: want one step more at most", s.ns, before[i], after, why)
		}
	}
}

// pauseGateway takes the gateway's control plane away; the function that it returns brings it back.
func (s *scene) pauseGateway() (resume func()) {
	s.Helper()
	gone := []string{"-n", s.Gateway, "delete", "configmap", "gateway-faults", "--ignore-not-found"}
	s.Cleanup(func() { _, _ = set.KubectlOutput(s.background(), gone...) })
	s.must(s.ApplyText(s.Context(), fmt.Sprintf(faultsManifest, `{paused: "true"}`)))
	return func() { s.kubectl(gone...) }
}

// TestPrometheusAway takes the measurements away: the weight holds, nothing is counted, and the run goes
// on when they are back.
func TestPrometheusAway(t *testing.T) {
	const away = 75 * time.Second
	s := open(t, "prometheus", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	scale := s.scaler(s.Operator, s.Prometheus())
	scale(0)
	s.kubectl("-n", s.Operator, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=serin-prometheus", "--timeout=60s")
	hold(away, "without any measurement", s, s.grpc)
	s.both(func(s *scene) {
		c, err := s.Canary(t.Context(), s.ns)
		s.must(err)
		if c.Status.FailedChecks != 0 || c.Status.Phase != v1beta1.PhaseProgressing {
			t.Errorf("phase %s with %d failed checks: an outage is not a verdict", c.Status.Phase, c.Status.FailedChecks)
		}
	})
	scale(1)
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
}
