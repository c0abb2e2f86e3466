package suite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestDeletion deletes the Canary in the midst of a rollout: podinfo serves by itself again, with what
// was promoted, to users of the gateway and of its Service.
func TestDeletion(t *testing.T) {
	t.Parallel()
	open(t, "deletion", quick).letsGo()
}

func (s *scene) letsGo() {
	s.Helper()
	s.both(func(s *scene) { s.loadDirect("direct") })
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	begin := time.Now()
	s.deleteCanaries("--cascade=foreground")
	s.Logf("released after %v", time.Since(begin).Round(time.Second/10))
	s.handedBack("6.0.0")
}

// TestUninstall uninstalls the chart while podinfo is under load.
func TestUninstall(t *testing.T) {
	s := open(t, "uninstall", quick)
	s.both(func(s *scene) { s.loadDirect("direct") })
	t.Cleanup(func() { s.must(s.InstallOperator(s.background())) })
	begin := time.Now()
	s.must(s.UninstallOperator(t.Context()))
	t.Logf("uninstalled after %v", time.Since(begin).Round(time.Second/10))
	s.both(func(s *scene) {
		c, err := s.Canary(t.Context(), s.ns)
		s.must(err)
		if c.Status.Phase != v1beta1.PhaseTerminated || len(c.Finalizers) > 0 {
			t.Errorf("phase %s, finalizers %v: want it released", c.Status.Phase, c.Finalizers)
		}
	})
	s.handedBack("6.0.0")
}

// deleteCanaries in mid-run, both at once, and wait for their end.
func (s *scene) deleteCanaries(options ...string) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.kubectl(append([]string{"-n", s.ns, "delete", "canary", "podinfo", "--wait=false"}, options...)...)
	})
	s.both(func(s *scene) {
		s.Helper()
		s.kubectl("-n", s.ns, "wait", "--for=delete", "canary/podinfo", "--timeout=4m")
	})
}

// loadDirect lets users in to podinfo's Service, with no gateway between.
func (s *scene) loadDirect(name string) {
	s.Helper()
	direct := s.to(s.ns, "podinfo", "", "/version", userRate)
	s.loadUsers(name, direct, strings.NewReplacer("http:", "https:", ":9898/", ":9899/").Replace(direct.URL))
}

// handedBack asserts that nothing of Serin is left and that users get one version. The pods of the
// primary end meanwhile, and the connections to them.
func (s *scene) handedBack(tag string) {
	s.Helper()
	s.both(func(s *scene) { s.Helper(); s.isReleased() })
	s.sleep(20 * time.Second)
	s.usersGet(tag)
}

func (s *scene) isReleased() {
	s.Helper()
	for _, name := range []string{"podinfo-primary", "podinfo-canary"} {
		for _, o := range []client.Object{&appsv1.Deployment{}, &corev1.Service{}} {
			err := s.Client.Get(s.Context(), client.ObjectKey{Namespace: s.ns, Name: name}, o)
			if !apierrors.IsNotFound(err) {
				s.Errorf("%T %s: %v, want none", o, name, err)
			}
		}
	}
	var svc corev1.Service
	s.must(s.Client.Get(s.Context(), client.ObjectKey{Namespace: s.ns, Name: "podinfo"}, &svc))
	if got := fmt.Sprint(svc.Spec.Selector); got != "map[app:podinfo]" {
		s.Errorf("the Service selects %s", got)
	}
	if set, _, err := s.Replicas(s.Context(), s.ns, "podinfo"); err != nil || set < 2 {
		s.Errorf("podinfo is set to %d pods (%v), want at least 2", set, err)
	}
}
