package rollout

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// sim is a cluster with memory, driven by virtual time. Plan and Desired run on it exactly as the
// controller runs them; every line it prints is something that happened, in order, and after every
// line the invariants of a safe rollout are checked.
type sim struct {
	t     reporter
	now   time.Time
	begin time.Time
	c     *v1beta1.Canary

	target          Target
	primary, canary *pods
	apex            Apex
	route           Route
	answers         map[string]Answer
	asked           map[string]bool
	events          []event
	out             strings.Builder

	// startup is how long a pod takes to be ready; broken revisions never are.
	startup time.Duration
	broken  map[string]bool
	// reply answers a question; a false one never answers.
	reply func(s *sim, q Question) (Answer, bool)
	// jitter delays answers and pods by chance; nil is none.
	jitter *rand.Rand
	// follows is false while the proxies do not follow the route.
	inProxy v1beta1.Weight
	follows bool
	// lost is when the operator first saw that users are sent to a canary without pods, though the primary
	// has some; zero where they are not.
	lost time.Time
	// silent: the cluster takes all nodes for lost, so that no address is ready, and counts stand as they were.
	silent bool
	// blind: the proxies stand still, and nobody could say so.
	blind  bool
	writes int
	// wrote: the present turn has changed the world.
	wrote   bool
	command *Command
	// given counts the commands: each has an id of its own.
	given int
	ahead string
	seen  []v1beta1.RevisionStatus
	// stamp is the highest transition that the world carries.
	stamp int64
	// problems are what the user has to mend, and refused is what the API server takes no write to: the
	// canary, the primary, the route, the Service or the target; empty for nothing.
	problems []Problem
	refused  string
	// crash kills the operator after a commit; nil never does.
	crash func(*sim) bool
	// back is what a release finds and leaves.
	back handback
}

// pods is one clone with the cluster's view of it.
type pods struct {
	revision string
	replicas int32
	ready    int32 // of the present revision
	old      int32 // of the revision before
	floor    int32
}

// event is something that the cluster or a user does. What it does it does to the sim that it is given:
// a sim can be forked with everything that is still to come.
type event struct {
	at time.Time
	// kind tells what the cluster does apart, what is a user's and is printed.
	kind, what string
	do         func(*sim)
	// alarm: the plan asked to be woken.
	alarm bool
}

// What the cluster does by itself.
const (
	watched  = "watch event"
	answered = "answer"
	followed = "the proxies follow"
	retried  = "retry"
)

// reporter is a test, or whoever else hears of a broken invariant.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var simStart = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func newSim(t reporter, edit func(*v1beta1.Canary)) *sim {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "apps", UID: "u", Generation: 1}}
	c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	lower := 99.0
	c.Spec.Analysis = &v1beta1.CanaryAnalysis{Interval: "10s", Threshold: 2, StepWeight: 20, MaxWeight: 40,
		Metrics: []v1beta1.CanaryMetric{{Name: v1beta1.MetricSuccessRate, Interval: "1m", ThresholdRange: &v1beta1.ThresholdRange{Min: &lower}}}}
	if edit != nil {
		edit(c)
	}
	s := &sim{t: t, now: simStart, begin: simStart, c: c, startup: 4 * time.Second, broken: map[string]bool{},
		answers: map[string]Answer{}, asked: map[string]bool{}, reply: healthy, follows: true}
	s.target = Target{Exists: true, Revision: rev("6.0.0"), Replicas: 2, SizeField: "spec.replicas"}
	s.apex = Apex{Exists: true}
	s.route.Weighted = true
	return s
}

func rev(tag string) v1beta1.RevisionStatus {
	return v1beta1.RevisionStatus{Name: "podinfo-" + tag, Image: "podinfo:" + tag, Images: []string{"podinfo:" + tag}}
}

// healthy passes every check and sees the share that the proxies serve.
func healthy(s *sim, q Question) (Answer, bool) {
	switch q.Kind {
	case AskShare:
		n := int64(s.inProxy) * 2
		return Answer{Counts: analysis.Counts{Primary: 2000 - n, Canary: n, Known: true}}, true
	case AskTraffic:
		if s.inProxy > 0 {
			return Answer{Traffic: analysis.Traffic{Known: true, ActiveKnown: true, New: 100}}, true
		}
		return Answer{Traffic: analysis.Traffic{Known: true, ActiveKnown: true}}, true
	case AskImages:
		return Answer{Images: Images{Known: true}}, true
	case AskHook:
		return Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: 1}}, true
	default:
		return Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: 99.8, Requests: 412}}, true
	}
}

// succeedingAt answers metrics with a success rate.
func succeedingAt(rate float64) func(*sim, Question) (Answer, bool) {
	return func(s *sim, q Question) (Answer, bool) {
		a, ok := healthy(s, q)
		if q.Kind == AskMetric {
			a.Measurement.Value = rate
		}
		return a, ok
	}
}

func (s *sim) observed() Observed {
	return s.seeRelease(Observed{Now: s.now, HighestStamp: s.stamp, Object: s.c.DeepCopy(), Problems: s.problems, Target: s.target, Primary: s.workload(s.primary),
		Canary: s.workload(s.canary), Apex: s.apex, Route: s.route, Answers: s.answers, Command: s.command, Ahead: s.ahead, Revisions: s.snapshots()})
}

func (s *sim) workload(p *pods) Workload {
	if p == nil {
		return Workload{}
	}
	listed := p.ready
	if s.silent {
		listed = 0
	}
	return Workload{Exists: true, Ours: true, Revision: p.revision, Images: []string{strings.Replace(p.revision, "-", ":", 1)}, Replicas: p.replicas, Pods: p.ready + p.old,
		Updated: p.ready, Available: p.ready + p.old, Synced: true, Endpoints: listed}
}

// turn is one reconcile.
func (s *sim) turn() {
	o := s.observed()
	d := Plan(o)
	if d.Next != nil {
		s.commit(d.Next)
		o.Object = s.c.DeepCopy()
		if s.crash != nil && s.crash(s) { // between the commit and what follows it
			s.at(0, watched, func(*sim) {})
			return
		}
	}
	w := Desired(o)
	s.wrote = false
	if !s.apply(w) {
		s.at(retry, retried, func(*sim) {})
		return
	}
	s.checkLost()
	if d.Next != nil || s.wrote {
		s.at(0, watched, func(*sim) {}) // the operator's own writes
	}
	if d.Next != nil {
		return
	}
	for _, q := range d.Questions {
		s.put(q)
	}
	for _, t := range []time.Time{d.WakeAt, w.WakeAt} {
		if !t.IsZero() {
			s.wakeAt(t)
		}
	}
}

// retry is when a turn that a write ended is taken again.
const retry = time.Second

// wakeAt keeps one alarm for a moment, as a work queue does.
func (s *sim) wakeAt(t time.Time) {
	for _, e := range s.events {
		if e.alarm && e.at.Equal(t) {
			return
		}
	}
	s.events = append(s.events, event{at: t, alarm: true, do: func(*sim) {}})
}

func (s *sim) commit(next *v1beta1.CanaryStatus) {
	before := s.c.Status.Transition
	s.c.Status = *next
	s.writes++
	for _, e := range next.Journal {
		if e.Transition > before {
			parts := []string{e.What}
			for _, p := range []string{e.Why, e.Next} {
				if p != "" {
					parts = append(parts, p)
				}
			}
			s.line("tell", "%s %s: %s", e.Severity, e.Reason, strings.Join(parts, ". "))
		}
	}
	s.stamp = max(s.stamp, next.Transition)
	if next.Transition > before {
		s.line("commit", "%d %s", next.Transition, cursor(next))
	}
}

func cursor(st *v1beta1.CanaryStatus) string {
	out := string(st.Phase)
	if st.Initialization != nil {
		out += "/" + string(st.Initialization.Step)
	} else if r := st.Rollout; r != nil && r.EndedAt == nil {
		out += "/" + string(r.Step)
	} else if rel := st.Release; rel != nil && rel.Until != nil {
		out += "/" + string(rel.Step)
	}
	return fmt.Sprintf("%s weight %s", out, st.CanaryWeight)
}

func (s *sim) put(q Question) {
	if s.asked[q.Key] {
		return
	}
	s.asked[q.Key] = true
	s.at(100*time.Millisecond, answered, func(s *sim) {
		if a, ok := s.reply(s, q); ok {
			s.answers[q.Key] = a
		}
	})
}

// apply does what the controller's converge does, in its order. It is false where a write was refused:
// that ends the turn.
func (s *sim) apply(w World) bool {
	for _, step := range []struct {
		what string
		do   func(World)
	}{
		{"primary", func(w World) { s.clone("primary", &s.primary, w.Primary) }},
		{"canary", func(w World) { s.clone("canary", &s.canary, w.Canary) }},
		{"route", s.setRoute},
		{"Service", s.turnApex},
		{"target", s.handBack},
		{"target", s.emptyTarget},
	} {
		if s.refused == step.what {
			return false
		}
		step.do(w)
	}
	return true
}

func (s *sim) setRoute(w World) {
	if w.Route == nil || s.route.Exists && s.route.CanaryWeight == w.Route.CanaryWeight && s.route.Rules == w.Route.Rules.Digest() {
		return
	}
	s.checkRaise(w.Route.CanaryWeight)
	if s.route.Rules != w.Route.Rules.Digest() {
		s.checkRules(w.Route.Rules)
	}
	s.route.Exists, s.route.CanaryWeight, s.route.Stamp = true, w.Route.CanaryWeight, s.c.Status.Transition
	s.line("write", "route %s/%s", v1beta1.FullWeight-w.Route.CanaryWeight, w.Route.CanaryWeight)
	s.at(time.Second, followed, func(s *sim) {
		if s.follows {
			s.inProxy = s.route.CanaryWeight
		}
	})
}

func (s *sim) turnApex(w World) {
	if w.ApexToPrimary && !s.apex.ToPrimary {
		s.apex.ToPrimary = true
		s.line("write", "apex Service selects the primary")
	}
}

func (s *sim) emptyTarget(w World) {
	if w.EmptyTarget && s.target.Replicas != 0 {
		s.target.Original = max(s.target.Original, s.target.Replicas)
		s.target.Replicas, s.back.pods = 0, 0
		s.line("write", "target scaled to zero")
	}
}

func (s *sim) clone(role string, at **pods, wish *Clone) {
	if wish == nil {
		return
	}
	born := *at == nil
	if born {
		*at = &pods{replicas: 1}
		if wish.Revision == "" {
			wish = &Clone{Revision: s.c.Status.LastPromotedSpec, Replicas: wish.Replicas}
		}
	}
	p := *at
	p.floor = wish.Floor
	if wish.Revision != "" && wish.Revision != p.revision {
		if role == "canary" && p.revision != "" && s.inProxy > 0 && !s.blind {
			s.t.Errorf("the canary's template changes while %s %% of the traffic is on it\n%s", s.inProxy, s.out.String())
		}
		if role == "primary" {
			s.checkCopy(wish.Revision)
		}
		p.revision, p.old, p.ready = wish.Revision, p.old+p.ready, 0
		s.line("write", "%s := %s", role, wish.Revision)
		s.grow(role, p)
	}
	if wish.Replicas != nil && *wish.Replicas != p.replicas {
		if role == "canary" && !born && *wish.Replicas < p.replicas && s.inProxy > 0 && !s.blind {
			s.t.Errorf("the canary is made smaller while %s %% of the traffic is on it\n%s", s.inProxy, s.out.String())
		}
		p.replicas = *wish.Replicas
		p.ready = min(p.ready, p.replicas)
		if p.replicas == 0 {
			p.old = 0
		}
		s.line("write", "%s replicas %d", role, p.replicas)
		s.grow(role, p)
	}
}

// grow brings a clone's pods up after their startup time, and takes the older ones away then.
func (s *sim) grow(role string, p *pods) {
	revision := p.revision
	s.at(s.startup, role+" pods ready", func(s *sim) {
		p := s.side(role)
		if p == nil || p.revision != revision || s.broken[revision] || p.ready == p.replicas && p.old == 0 {
			return
		}
		p.ready, p.old = p.replicas, 0
		s.line("cluster", "%s %s ready %d/%d", role, revision, p.ready, p.replicas)
	})
}

func (s *sim) side(role string) *pods {
	if role == "primary" {
		return s.primary
	}
	return s.canary
}

func (s *sim) at(d time.Duration, kind string, do func(*sim)) {
	if s.jitter != nil {
		d += time.Duration(s.jitter.Int64N(int64(3 * time.Second)))
	}
	s.events = append(s.events, event{at: s.now.Add(d), kind: kind, do: do})
}

// snapshots are the revisions that the target ever held.
func (s *sim) snapshots() []Snapshot {
	if len(s.seen) == 0 || s.seen[len(s.seen)-1].Name != s.target.Revision.Name {
		s.seen = slices.DeleteFunc(s.seen, func(r v1beta1.RevisionStatus) bool { return r.Name == s.target.Revision.Name })
		s.seen = append(s.seen, s.target.Revision)
	}
	var all []Snapshot
	for i := range s.seen {
		r := s.seen[len(s.seen)-1-i]
		all = append(all, Snapshot{RevisionStatus: r, Number: int64(len(s.seen) - i), Commit: "c0ffee" + strings.ReplaceAll(r.Name, ".", "")})
	}
	return all
}

// tell gives the canary a command after d.
func (s *sim) tell(d time.Duration, text string) {
	s.user(d, "kubectl serin "+text, func() { s.give(text) })
}

// user does something after d.
func (s *sim) user(d time.Duration, what string, do func()) {
	s.events = append(s.events, event{at: s.begin.Add(d), what: what, do: func(*sim) { do() }})
}

func (s *sim) setImage(d time.Duration, tag string) {
	s.user(d, "set image podinfo:"+tag, func() { s.target.Revision = rev(tag) })
}

// setContents changes what a ConfigMap of a revision holds, and nothing else.
func (s *sim) setContents(d time.Duration, tag, contents string) {
	s.user(d, "write "+contents+" into ConfigMap podinfo-config", func() {
		s.target.Revision = rev(tag)
		s.target.Revision.Name += "-" + contents
		s.target.Change = "ConfigMap podinfo-config changed"
		s.target.ContentsDiffer = s.target.Change
	})
}

// run plays until the end of the given time.
func (s *sim) run(d time.Duration) {
	end := s.begin.Add(d)
	s.turn()
	for turns := 0; ; turns++ {
		if turns > 5000 {
			s.t.Fatalf("hot loop: more than 5000 turns in %s\n%s", d, s.out.String())
		}
		slices.SortStableFunc(s.events, func(a, b event) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
		if len(s.events) == 0 || s.events[0].at.After(end) {
			return
		}
		s.happen(0)
	}
}

// happen lets the i-th event come to pass, and the operator see it.
func (s *sim) happen(i int) {
	e := s.events[i]
	s.events = slices.Delete(s.events, i, i+1)
	if e.at.After(s.now) {
		s.now = e.at
	}
	if e.what != "" {
		s.line("user", "%s", e.what)
	}
	e.do(s)
	s.turn()
}

// checkRules: no request is sent or copied to a canary that is not there.
func (s *sim) checkRules(rules v1beta1.RouteRules) {
	s.route.Rules = rules.Digest()
	var what []string
	if n := len(rules.Match); n > 0 {
		what = append(what, fmt.Sprintf("%d matches", n))
	}
	if rules.Mirror > 0 {
		what = append(what, fmt.Sprintf("%s %% copied", rules.Mirror))
	}
	if rules.Affinity != nil {
		what = append(what, "kept by cookie "+rules.Affinity.CookieName)
	}
	if len(what) == 0 {
		what = []string{"none"}
	} else if r := s.c.Status.Rollout; s.canary.revision != r.Revision.Name || s.canary.ready == 0 {
		s.t.Errorf("rules %v for a canary that is not ready: %+v", what, s.canary)
	}
	s.line("write", "rules: %s", strings.Join(what, ", "))
}

func (s *sim) line(who, format string, args ...any) {
	s.wrote = s.wrote || who == "write"
	at := s.now.Sub(s.begin).Round(100 * time.Millisecond)
	fmt.Fprintf(&s.out, "%7.1fs  %-8s %s\n", at.Seconds(), who, fmt.Sprintf(format, args...))
}

// checkRaise: no weight is raised on a side without ready pods of the revision under analysis, and
// none returns to a primary that has none.
func (s *sim) checkRaise(weight v1beta1.Weight) {
	if weight > s.route.CanaryWeight && s.route.Exists {
		r := s.c.Status.Rollout
		if s.canary == nil || s.canary.revision != r.Revision.Name && s.canary.revision != s.c.Status.LastPromotedSpec || s.canary.ready < capacity(s.primary.replicas, weight) {
			s.t.Errorf("weight raised to %s on a canary that cannot carry it: %+v", weight, s.canary)
		}
	}
	if weight < s.route.CanaryWeight && s.route.CanaryWeight != foreign && (s.primary == nil || s.primary.ready+s.primary.old == 0) {
		s.t.Errorf("weight lowered to %s with no ready pod on the primary: %+v\n%s", weight, s.primary, s.out.String())
	}
}

// checkLost: users are not sent to a canary without pods for longer than a flap of its probes lasts, unless
// the primary has none either.
func (s *sim) checkLost() {
	st := &s.c.Status
	carries := st.CanaryWeight > 0 || st.Rollout != nil && st.Rollout.Rules != nil && len(st.Rollout.Rules.Match) > 0
	switch {
	case !carries || s.canary != nil && s.canary.ready > 0 || s.primary == nil || s.primary.ready+s.primary.old == 0 || s.c.Spec.Suspend:
		s.lost = time.Time{}
	case s.lost.IsZero():
		s.lost = s.now
	case s.now.Sub(s.lost) > recheck:
		s.t.Errorf("%s %% of the traffic is on a canary without pods since %s: %+v\n%s", st.CanaryWeight, s.lost.Sub(s.begin), s.canary, s.out.String())
	}
}

// checkCopy: the primary gets what is promoted, or what has passed its analysis.
func (s *sim) checkCopy(revision string) {
	st := &s.c.Status
	r := st.Rollout
	if copying := r != nil && r.EndedAt == nil && r.Step == v1beta1.StepCopying && revision == r.Revision.Name; revision != st.LastPromotedSpec && !copying {
		s.t.Errorf("the primary gets %s while %s is promoted\n%s", revision, st.LastPromotedSpec, s.out.String())
	}
}
