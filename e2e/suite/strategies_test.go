package suite

import (
	"fmt"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestABTesting: who matches gets the new revision and nobody else does, until it is promoted.
func TestABTesting(t *testing.T) {
	t.Parallel()
	openSample(t, "ab", "canary-ab.yaml").testsAB()
}

func (s *scene) testsAB() {
	s.Helper()
	insiders, always := s.through("/version", faultRate), s.through("/version", faultRate)
	insiders.Headers = map[string]string{"x-canary": "insider"}
	always.Headers = map[string]string{"Cookie": "theme=dark; canary=always"}
	s.load("insiders", insiders)
	s.load("always", always)
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
	for _, w := range s.route.seen(t) {
		if w.canary != 100 {
			continue
		}
		if before := s.users(time.Unix(0, 0), w.at.Truncate(time.Second)); before.Versions["6.0.1"] > 0 {
			t.Errorf("before the switch users got %v", before)
		}
	}
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
	c := s.until("a weight after the copies", func(c *v1beta1.Canary) bool { return isRunning(c, "6.0.1") && c.Status.CanaryWeight > 0 })
	if n := len(c.Status.Checks); n == 0 || c.Status.Checks[0].Samples == 0 {
		s.Errorf("checks %+v: want one that counted the copies", c.Status.Checks)
	}
	for _, w := range s.route.seen(s.T) {
		if w.canary > 0 {
			s.wantVersion("users", "6.0.0", from, w.at.Truncate(time.Second))
			break
		}
	}
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
	c := s.untilWeight("6.0.1", 10)
	cookie := c.Spec.Analysis.SessionAffinity.CookieName + "=" + c.Status.SessionAffinityCookie
	kept := s.through("/version", faultRate)
	kept.Headers = map[string]string{"Cookie": cookie}
	s.load("kept", kept)
	s.sleep(s.gateway.reaction)
	from := time.Now().Truncate(time.Second)
	s.sleep(5*time.Second + settle)
	s.wantVersion("kept", "6.0.1", from, from.Add(5*time.Second))
	seen := s.users(from, from.Add(5*time.Second))
	if seen.Cookies[cookie] == 0 || seen.Cookies[cookie] != seen.Versions["6.0.1"] {
		s.Errorf("%d answers of the canary, %d of them with cookie %s", seen.Versions["6.0.1"], seen.Cookies[cookie], cookie)
	}
	s.command("abort")
	s.untilEnded("6.0.1", v1beta1.OutcomeFailed)
	s.serves("6.0.0")
	let := time.Now().Truncate(time.Second)
	s.sleep(2*time.Second + settle)
	s.wantVersion("kept", "6.0.0", let, let.Add(2*time.Second))
}

// TestSteps walks a list that begins with insiders and a fraction of a percent.
func TestSteps(t *testing.T) {
	t.Parallel()
	openSample(t, "steps", "canary-steps.yaml").walksSteps()
}

func (s *scene) walksSteps() {
	s.Helper()
	insiders := s.through("/version", faultRate)
	insiders.Headers = map[string]string{"x-canary": "insider"}
	s.load("insiders", insiders)
	s.setImage("6.0.1")
	c := s.untilRules("6.0.1", func(r *v1beta1.RouteRules) bool { return len(r.Match) > 0 })
	s.sleep(s.gateway.reaction)
	from := time.Now().Truncate(time.Second)
	s.sleep(3*time.Second + settle)
	s.wantVersion("insiders", "6.0.1", from, from.Add(3*time.Second))
	s.wantVersion("users", "6.0.0", from, from.Add(3*time.Second))
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	want := []int64{0}
	for _, step := range c.Spec.Analysis.Steps {
		if step.Weight != nil && int64(*step.Weight) != want[len(want)-1] {
			want = append(want, int64(*step.Weight))
		}
	}
	var got []int64
	for _, w := range s.route.seen(s.T) {
		got = append(got, w.tenths)
	}
	if fmt.Sprint(got) != fmt.Sprint(append(want, 0)) {
		s.Errorf("weights in tenths of a percent %v, want %v", got, append(want, 0))
	}
}

// TestGates: a rollout waits for somebody who says yes, and goes back when somebody says no.
func TestGates(t *testing.T) {
	t.Parallel()
	s := prepare(t, "gates")
	s.must(s.ApplyFolder(t.Context(), "deploy/loadtester", s.ns))
	s.must(s.RolledOut(t.Context(), s.ns, "loadtester"))
	s.applySamples("gloo-virtualservice.yaml", "canary-gates.yaml")
	s.open()
	s.setImage("6.0.1")
	s.until("it waits for somebody", func(c *v1beta1.Canary) bool {
		return c.Status.Phase == v1beta1.PhaseWaitingPromotion && c.Status.Reason == "WaitingForApproval"
	})
	s.kubectl("-n", s.ns, "exec", "deploy/loadtester", "--", "loadtester", "gate", "open", "podinfo."+s.ns)
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.kubectl("-n", s.ns, "exec", "deploy/loadtester", "--", "loadtester", "gate", "close", "podinfo."+s.ns)
	s.setImage("6.0.2")
	s.untilWeight("6.0.2", 10)
	s.kubectl("-n", s.ns, "exec", "deploy/loadtester", "--", "loadtester", "rollback", "open", "podinfo."+s.ns)
	if c := s.untilEnded("6.0.2", v1beta1.OutcomeFailed); c.Status.Rollout.Reason != "RollbackRequested" {
		t.Errorf("rolled back because of %s: %s", c.Status.Rollout.Reason, c.Status.Rollout.Message)
	}
	s.serves("6.0.1")
}

// TestBake: what fails after its promotion goes back at once, because the revision before is still warm.
func TestBake(t *testing.T) {
	t.Parallel()
	s := openSample(t, "bake", "canary-bake.yaml")
	s.setImage("6.0.1")
	s.until("the revision before is warm", func(c *v1beta1.Canary) bool {
		_, pods, err := s.Replicas(t.Context(), s.ns, "podinfo-canary")
		return c.Status.Reason == "Baking" && err == nil && pods > 0
	})
	faults := s.through("/status/500", faultRate)
	faults.Expect = 500
	s.load("faults", faults)
	if c := s.untilEnded("6.0.1", v1beta1.OutcomeFailed); c.Status.Rollout.Reason != "BakeFailed" {
		t.Errorf("rolled back because of %s: %s", c.Status.Rollout.Reason, c.Status.Rollout.Message)
	}
	s.serves("6.0.0")
	if weights := s.route.values(t); weights[len(weights)-2] != 100 {
		t.Errorf("weights %v, want all of the traffic on the warm revision before the end", weights)
	}
}

// untilRules waits until the route has rules for a revision.
func (s *scene) untilRules(tag string, done func(*v1beta1.RouteRules) bool) *v1beta1.Canary {
	s.Helper()
	return s.until("the rules of "+tag, func(c *v1beta1.Canary) bool {
		return isRunning(c, tag) && c.Status.Rollout.Rules != nil && done(c.Status.Rollout.Rules)
	})
}

// wantVersion asserts that all of a stream's answers in a span came from one version.
func (s *scene) wantVersion(load, tag string, from, to time.Time) {
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
	s.kubectl("-n", s.ns, "annotate", "canary", "podinfo", "--overwrite",
		v1beta1.CommandAnnotation+"="+text+" id="+fmt.Sprint(time.Now().UnixNano()))
	s.Log("kubectl serin " + text)
}
