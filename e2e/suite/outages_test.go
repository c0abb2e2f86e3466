package suite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

// TestOutageAPIServer kills the API server in mid-run and brings it back after 20 s: longer than the
// operator may lead without it.
func TestOutageAPIServer(t *testing.T) {
	const away = 20 * time.Second
	s := open(t, "apiserver", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	before := s.restarts()
	api := s.daemon("kube-apiserver")
	s.signal(api, syscall.SIGKILL)
	begin := time.Now()
	s.sleep(away)
	s.startDaemon(api)
	s.must(stage.Until(t.Context(), 2*time.Minute, "the API server answers", func(ctx context.Context) (bool, error) {
		_, err := s.Canary(ctx, s.ns)
		return false, err
	}))
	t.Logf("the API server answers again after %v", time.Since(begin).Round(time.Second/10))
	s.promotedInSpite("6.0.1")
	t.Logf("the operator was started %d times more", s.restarts()-before)
}

// TestOutageSlowEtcd lets etcd work one second in three.
func TestOutageSlowEtcd(t *testing.T) {
	s := open(t, "etcd", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 10)
	before := s.restarts()
	s.pulse(s.daemon("etcd"), 40*time.Second, 2*time.Second, time.Second)()
	s.promotedInSpite("6.0.1")
	t.Logf("the operator was started %d times more", s.restarts()-before)
}

// TestOutageSlowPrometheus lets Prometheus work three seconds in fifteen: about half of the queries get
// their answers after their time. The probes of its pod meet it awake often enough.
func TestOutageSlowPrometheus(t *testing.T) {
	s := open(t, "slowmetrics", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	var pods corev1.PodList
	s.must(s.Client.List(t.Context(), &pods, client.InNamespace(s.Operator), client.MatchingLabels{"app.kubernetes.io/name": s.Prometheus()}))
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods of Prometheus, want 1", len(pods.Items))
	}
	wait := s.pulse(s.program(pods.Items[0], "prometheus"), 90*time.Second, 12*time.Second, 3*time.Second)
	c := s.until("the operator says so", func(c *v1beta1.Canary) bool { return c.Status.Reason == "ProviderUnavailable" })
	t.Logf("the condition: %s", stage.Why(c))
	wait()
	s.promotedInSpite("6.0.1")
	s.said("ProviderUnavailable", "no answer within 5s")
}

// pulse stops a process and lets it work, again and again for a time; the function that it returns
// waits for the end.
func (s *scene) pulse(p process, total, stopped, working time.Duration) (wait func()) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.background(), total)
	var done sync.WaitGroup
	pause := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	done.Go(func() {
		for ctx.Err() == nil {
			err := syscall.Kill(p.pid, syscall.SIGSTOP)
			pause(stopped)
			if err = cmp.Or(syscall.Kill(p.pid, syscall.SIGCONT), err); err != nil {
				s.Errorf("stop and go on %s: %v", p.argv[0], err)
				return
			}
			pause(working)
		}
	})
	s.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return done.Wait
}

// promotedInSpite asserts that the run takes each of its steps once and ends well whatever happened, and
// shows what the operator said.
func (s *scene) promotedInSpite(tag string) {
	s.Helper()
	c := s.untilEnded(tag, v1beta1.OutcomePromoted)
	s.serves(tag)
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	if c.Status.FailedChecks != 0 {
		s.Errorf("%d failed checks: an outage is not a verdict", c.Status.FailedChecks)
	}
	s.show()
}

// show logs what the operator said of the run.
func (s *scene) show() {
	s.Helper()
	c, err := s.Canary(s.Context(), s.ns)
	s.must(err)
	for _, e := range c.Status.Journal {
		s.Logf("%s %s: %s", e.At.Format(time.TimeOnly), e.Reason, strings.Join([]string{e.What, e.Why, e.Next}, " | "))
	}
}

// restarts are how often the operator's container was started anew.
func (s *scene) restarts() int32 {
	s.Helper()
	var n int32
	for _, pod := range s.operators() {
		for _, c := range pod.Status.ContainerStatuses {
			n += c.RestartCount
		}
	}
	return n
}

// TestOutageRouterCRD takes Gloo's control plane away, and the CRD of RouteTables with all there are, as
// an uninstall of Gloo does; Envoy goes on with what it was told. Then both come back.
func TestOutageRouterCRD(t *testing.T) {
	const away = 45 * time.Second
	s := open(t, "crd", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	plane := s.scaler(s.Gateway, "gloo")
	install := []string{"apply", "--server-side", "--force-conflicts", "-f", s.Path("e2e", "gateway", "crds", "routetables.yaml")}
	t.Cleanup(func() { _, _ = set.KubectlOutput(s.background(), install...) })
	plane(0)
	s.kubectl("-n", s.Gateway, "wait", "--for=delete", "pod", "-l", "gloo=gloo", "--timeout=60s")
	before := s.restarts()
	s.kubectl("delete", "crd", "routetables.gateway.solo.io", "--timeout=1m")
	begin := time.Now()
	c := s.until("the operator says so", func(c *v1beta1.Canary) bool { return c.Status.Reason == "GlooNotInstalled" })
	t.Logf("said after %v at weight %s: %s", time.Since(begin).Round(time.Second/10), c.Status.CanaryWeight, stage.Why(c))
	had := s.route.values(t)
	s.sleep(time.Until(begin.Add(away)))
	s.wantQuiet()

	s.kubectl(install...)
	begin = time.Now()
	s.must(stage.Until(t.Context(), 3*time.Minute, "the route is back at its weight", func(context.Context) (bool, error) {
		if now := s.route.values(t); len(now) < len(had)+2 {
			return false, fmt.Errorf("weights %v", now)
		}
		return false, nil
	}))
	t.Logf("the route was back %v after its kind", time.Since(begin).Round(time.Second/10))
	plane(1)
	s.must(s.RolledOut(t.Context(), s.Gateway, "gloo"))
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.show()
	steps := []int64{0, 10, 20, 30, 40, 50, 0}
	// A route that is made anew has everything on the primary at first.
	want := append(slices.Clone(had), 0)
	s.wantWeights(append(want, steps[slices.Index(steps, int64(c.Status.CanaryWeight.Percent())):]...)...)
	if n := s.restarts() - before; n > 0 {
		t.Errorf("the operator was started %d times more, want it to live", n)
	}
}

// wantQuiet asserts that the operator is at rest, by its log: whatever fails again and again is there.
func (s *scene) wantQuiet() {
	s.Helper()
	const most = 60
	out, err := s.KubectlOutput(s.Context(), "-n", s.Operator, "logs", "deployment/"+s.Release, "--since=30s")
	s.must(err)
	lines := strings.Count(out, "\n")
	s.Logf("the operator wrote %d lines in 30 s to its log", lines)
	if lines > most {
		s.Errorf("more than %d: it does not come to rest:\n%s", most, out)
	}
}
