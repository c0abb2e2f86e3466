package suite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestABTesting: who matches gets the new revision and nobody else does, until it is promoted.
func TestABTesting(t *testing.T) {
	t.Parallel()
	openSample(t, "ab", "canary-ab.yaml").testsAB()
}

func (s *scene) testsAB() {
	s.Helper()
	s.loadWith("insiders", "x-canary", "insider")
	s.loadWith("always", "cookie", "theme=dark; canary=always")
	s.setImage("6.0.1")
	s.untilRules("6.0.1", func(r *v1beta1.RouteRules) bool { return len(r.Match) > 0 })
	s.sleep(s.gateway.reaction)
	from := time.Now().Truncate(time.Second)
	s.sleep(10*time.Second + settle)
	to := from.Add(10 * time.Second)
	s.wantVersion("users", "6.0.0", from, to)
	s.wantVersion("insiders", "6.0.1", from, to)
	s.wantVersion("always", "6.0.1", from, to)
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0)
}

// TestBlueGreen: nobody meets the new revision before its checks, and everybody afterwards.
func TestBlueGreen(t *testing.T) {
	t.Parallel()
	s := openSample(t, "bluegreen", "canary-blue-green.yaml")
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 100)
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 100, 0)
	s.both(func(s *scene) {
		for _, w := range s.route.seen(t) {
			if w.canary != 100 {
				continue
			}
			if before := s.users(time.Unix(0, 0), w.at.Truncate(time.Second)); before.Versions["6.0.1"] > 0 {
				t.Errorf("before the switch users got %v", before)
			}
		}
	})
}

// TestMirroring: the canary is judged by copies of requests while its answers reach nobody.
func TestMirroring(t *testing.T) {
	t.Parallel()
	openSample(t, "mirror", "canary-mirror.yaml").copiesFirst()
}

func (s *scene) copiesFirst() {
	s.Helper()
	s.setImage("6.0.1")
	s.untilRules("6.0.1", func(r *v1beta1.RouteRules) bool { return r.Mirror > 0 })
	from := time.Now().Truncate(time.Second)
	s.both(func(s *scene) {
		s.Helper()
		c := s.until("a weight after the copies", func(c *v1beta1.Canary) bool { return isRunning(c, "6.0.1") && c.Status.CanaryWeight > 0 })
		if n := len(c.Status.Checks); n == 0 || c.Status.Checks[0].Samples == 0 {
			s.Errorf("checks %+v: want one that counted the copies", c.Status.Checks)
		}
		for _, w := range s.route.seen(s.T) {
			if w.canary > 0 {
				s.wantOwnVersion("users", "6.0.0", from, w.at.Truncate(time.Second))
				break
			}
		}
	})
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
}

// TestSessionAffinity: who has met the canary stays on it at any weight, and is let go with its end.
func TestSessionAffinity(t *testing.T) {
	t.Parallel()
	openSample(t, "affinity", "canary-affinity.yaml").keepsUsers()
}

func (s *scene) keepsUsers() {
	s.Helper()
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 10)
	s.both(func(s *scene) { s.loadOwnWith("kept", "cookie", s.cookie()) })
	s.sleep(s.gateway.reaction)
	from := time.Now().Truncate(time.Second)
	s.sleep(5*time.Second + settle)
	s.wantVersion("kept", "6.0.1", from, from.Add(5*time.Second))
	s.both(func(s *scene) {
		s.Helper()
		seen, cookie := s.users(from, from.Add(5*time.Second)), s.cookie()
		if seen.Cookies[cookie] == 0 || seen.Cookies[cookie] != seen.Versions["6.0.1"] {
			s.Errorf("%d answers of the canary, %d of them with cookie %s", seen.Versions["6.0.1"], seen.Cookies[cookie], cookie)
		}
	})
	s.command("abort")
	s.untilEnded("6.0.1", v1beta1.OutcomeFailed)
	s.serves("6.0.0")
	let := time.Now().Truncate(time.Second)
	s.sleep(2*time.Second + settle)
	s.wantVersion("kept", "6.0.0", let, let.Add(2*time.Second))
}

// cookie keeps its users on the canary.
func (s *scene) cookie() string {
	s.Helper()
	c, err := s.Canary(s.Context(), s.ns)
	s.must(err)
	return c.Spec.Analysis.SessionAffinity.CookieName + "=" + c.Status.SessionAffinityCookie
}

// TestSteps walks a list that begins with insiders and a fraction of a percent.
func TestSteps(t *testing.T) {
	t.Parallel()
	openSample(t, "steps", "canary-steps.yaml").walksSteps()
}

func (s *scene) walksSteps() {
	s.Helper()
	s.loadWith("insiders", "x-canary", "insider")
	s.setImage("6.0.1")
	s.untilRules("6.0.1", func(r *v1beta1.RouteRules) bool { return len(r.Match) > 0 })
	s.sleep(s.gateway.reaction)
	from := time.Now().Truncate(time.Second)
	s.sleep(3*time.Second + settle)
	s.wantVersion("insiders", "6.0.1", from, from.Add(3*time.Second))
	s.wantVersion("users", "6.0.0", from, from.Add(3*time.Second))
	c := s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	want := []int64{0}
	for _, step := range c.Spec.Analysis.Steps {
		if step.Weight != nil && int64(*step.Weight) != want[len(want)-1] {
			want = append(want, int64(*step.Weight))
		}
	}
	s.both(func(s *scene) {
		s.Helper()
		var got []int64
		for _, w := range s.route.seen(s.T) {
			got = append(got, w.tenths)
		}
		if fmt.Sprint(got) != fmt.Sprint(append(want, 0)) {
			s.Errorf("weights in tenths of a percent %v, want %v", got, append(want, 0))
		}
	})
}

// TestGates: a rollout waits for somebody who says yes, and goes back when somebody says no.
func TestGates(t *testing.T) {
	t.Parallel()
	s := prepare(t, "gates")
	s.both(func(s *scene) {
		s.must(s.ApplyFolder(t.Context(), "deploy/loadtester", s.ns))
		s.must(s.RolledOut(t.Context(), s.ns, "loadtester"))
		s.applySamples("gloo-virtualservice.yaml", "canary-gates.yaml")
	})
	s.open()
	s.setImage("6.0.1")
	s.both(func(s *scene) {
		s.until("it waits for somebody", func(c *v1beta1.Canary) bool {
			return c.Status.Phase == v1beta1.PhaseWaitingPromotion && c.Status.Reason == "WaitingForApproval"
		})
		s.loadtester("gate", "open")
	})
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.both(func(s *scene) { s.loadtester("gate", "close") })
	s.setImage("6.0.2")
	s.untilWeight("6.0.2", 10)
	s.both(func(s *scene) { s.loadtester("rollback", "open") })
	if c := s.untilEnded("6.0.2", v1beta1.OutcomeFailed); c.Status.Rollout.Reason != "RollbackRequested" {
		t.Errorf("rolled back because of %s: %s", c.Status.Rollout.Reason, c.Status.Rollout.Message)
	}
	s.serves("6.0.1")
}

// loadtester opens and closes its gates for the scene's Canary.
func (s *scene) loadtester(args ...string) {
	s.Helper()
	s.kubectl(append(append([]string{"-n", s.ns, "exec", "deploy/loadtester", "--", "loadtester"}, args...), "podinfo."+s.ns)...)
}

// TestBake: what fails after its promotion goes back at once, because the revision before is still warm.
func TestBake(t *testing.T) {
	t.Parallel()
	s := openSample(t, "bake", "canary-bake.yaml")
	s.setImage("6.0.1")
	s.both(func(s *scene) {
		s.until("the revision before is warm", func(c *v1beta1.Canary) bool { return c.Status.Reason == "Baking" && s.isWarm("6.0.0") })
	})
	faults := s.through("/status/500", faultRate)
	faults.Expect = 500
	s.load("faults", faults)
	s.grpc.command("abort") // podinfo fails nobody there
	if c := s.untilEnded("6.0.1", v1beta1.OutcomeFailed); c.Status.Rollout.Reason != "BakeFailed" {
		t.Errorf("rolled back because of %s: %s", c.Status.Rollout.Reason, c.Status.Rollout.Message)
	}
	s.serves("6.0.0")
	s.both(func(s *scene) {
		if weights := s.route.values(t); weights[len(weights)-2] != 100 {
			t.Errorf("weights %v, want all of the traffic on the warm revision before the end", weights)
		}
	})
}

// isWarm is true where all pods of the canary are of a version, and up.
func (s *scene) isWarm(tag string) bool {
	s.Helper()
	d := &appsv1.Deployment{}
	s.must(s.Client.Get(s.Context(), client.ObjectKey{Namespace: s.ns, Name: "podinfo-canary"}, d))
	n := d.Status
	return strings.HasSuffix(d.Spec.Template.Spec.Containers[0].Image, ":"+tag) && n.ObservedGeneration == d.Generation &&
		n.AvailableReplicas > 0 && n.AvailableReplicas == n.Replicas && n.UpdatedReplicas == n.Replicas
}

// untilRules waits until the route has rules for a revision.
func (s *scene) untilRules(tag string, done func(*v1beta1.RouteRules) bool) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.until("the rules of "+tag, func(c *v1beta1.Canary) bool {
			return isRunning(c, tag) && c.Status.Rollout.Rules != nil && done(c.Status.Rollout.Rules)
		})
	})
}

// loadWith starts a stream whose requests have a header.
func (s *scene) loadWith(name, header, value string) {
	s.Helper()
	s.both(func(s *scene) { s.Helper(); s.loadOwnWith(name, header, value) })
}

func (s *scene) loadOwnWith(name, header, value string) {
	s.Helper()
	spec := s.through("/version", faultRate)
	spec.Headers = map[string]string{header: value}
	s.load(name, spec)
}

// wantVersion asserts that all of a stream's answers in a span came from one version.
func (s *scene) wantVersion(load, tag string, from, to time.Time) {
	s.Helper()
	s.both(func(s *scene) { s.Helper(); s.wantOwnVersion(load, tag, from, to) })
}

func (s *scene) wantOwnVersion(load, tag string, from, to time.Time) {
	s.Helper()
	report, err := s.Load(s.Context(), s.ns+"-"+load, from)
	s.must(err)
	if got := report.Between(from, to); got.Share(tag) != 100 {
		s.Errorf("%s got %v, want %s only", load, got, tag)
	}
}

// command gives one as kubectl serin does.
func (s *scene) command(text string) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.kubectl("-n", s.ns, "annotate", "canary", "podinfo", "--overwrite",
			v1beta1.CommandAnnotation+"="+text+" id="+fmt.Sprint(time.Now().UnixNano()))
	})
	s.Log("kubectl serin " + text)
}
