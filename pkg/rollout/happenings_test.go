package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// happening is something that may come to pass.
type happening struct {
	name string
	// meddles: it is somebody's doing, and no rollout is spared it for ever.
	meddles bool
	do      func(*sim)
}

// fork is the same world once more, with everything that is still to come.
func (s *sim) fork(t reporter) *sim {
	f := *s
	f.t, f.out = t, strings.Builder{}
	c := *s.c
	f.c = &c
	f.primary, f.canary = s.primary.copy(), s.canary.copy()
	f.events = slices.Clone(s.events)
	f.seen = slices.Clone(s.seen)
	f.broken = maps.Clone(s.broken)
	f.answers, f.asked = maps.Clone(s.answers), maps.Clone(s.asked)
	return &f
}

// forget drops what makes no difference any more: answers that nothing waits for, pods that are up, and
// what was decided before the last transition.
func (s *sim) forget() {
	st := &s.c.Status
	first := slices.IndexFunc(st.Journal, func(e v1beta1.JournalEntry) bool { return e.Transition == st.Transition })
	st.Journal = st.Journal[max(first, 0):]
	st.History = nil
	maps.DeleteFunc(s.answers, func(key string, _ Answer) bool { return !Waits(s.c, key) })
	maps.DeleteFunc(s.asked, func(key string, _ bool) bool { return !Waits(s.c, key) })
	s.events = slices.DeleteFunc(s.events, func(e event) bool {
		return e.kind == "primary pods ready" && s.primary.up() || e.kind == "canary pods ready" && s.canary.up()
	})
}

func (p *pods) copy() *pods {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func (p *pods) up() bool { return p == nil || p.ready == p.replicas && p.old == 0 }

// happenings are what may come to pass in a world.
func happenings(s *sim) []happening {
	return slices.Concat(underWay(s), commands(s), mischiefs(s), lastThings(s))
}

// tempers are how whoever is asked answers.
var tempers = []struct {
	name  string
	reply func(*sim, Question) (Answer, bool)
}{
	{"answers are good", wellMeaning},
	{"answers are bad", hostile},
	{"answers hold nothing", blindly(silent)},
	{"nobody can be asked", blindly(unavailable)},
}

func wellMeaning(s *sim, q Question) (Answer, bool) {
	a, ok := healthy(s, q)
	if q.Kind == AskHook && q.Hook.HookType() == v1beta1.HookRollback {
		a.Measurement.Value = 0
	}
	return a, ok
}

func hostile(s *sim, q Question) (Answer, bool) {
	a, ok := wellMeaning(s, q)
	switch q.Kind {
	case AskMetric:
		a.Measurement.Value = 90
	case AskHook:
		a.Measurement.Value = 1 - a.Measurement.Value
	case AskImages:
		a.Images.Drift = "another image"
	default: // what was counted was counted
	}
	return a, ok
}

func silent(*sim, Question) (Answer, bool) {
	const m = "no series"
	return Answer{Measurement: analysis.Measurement{Evidence: analysis.NoData, Message: m}, Counts: analysis.Counts{Message: m},
		Traffic: analysis.Traffic{Message: m}, Images: Images{Message: m}}, true
}

// blindly answers without a look at the proxies. Where those stand still too, a drain ends after a while
// that nothing has confirmed: it is said, and accepted.
func blindly(reply func(*sim, Question) (Answer, bool)) func(*sim, Question) (Answer, bool) {
	return func(s *sim, q Question) (Answer, bool) {
		s.blind = s.blind || q.Kind == AskTraffic && !s.follows
		return reply(s, q)
	}
}

// underWay is what comes by itself: what was begun ends, in any order, or does not before the next alarm
// or the next deadline. The operator sees what it wrote itself before anything else.
func underWay(s *sim) []happening {
	var all []happening
	kinds := map[string]bool{}
	for _, e := range s.events {
		kinds[e.kind] = true
	}
	if kinds[watched] {
		return []happening{{name: watched, do: func(s *sim) { s.let(watched) }}}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		switch kind {
		case "": // an alarm
			all = append(all, happening{name: "time passes", do: func(s *sim) { s.let("") }},
				happening{name: "deadlines pass", do: func(s *sim) { s.now = s.now.Add(71 * time.Second); s.let("") }})
		case answered:
			for _, t := range tempers {
				all = append(all, happening{name: t.name, do: func(s *sim) { s.reply = t.reply; s.let(answered) }})
			}
		default:
			all = append(all, happening{name: kind, do: func(s *sim) { s.let(kind) }})
		}
	}
	return all
}

// let makes the soonest event of a kind happen; of answers, all that are due with it.
func (s *sim) let(kind string) {
	slices.SortStableFunc(s.events, func(a, b event) int { return a.at.Compare(b.at) })
	i := slices.IndexFunc(s.events, func(e event) bool { return e.kind == kind })
	if kind == answered {
		for j := len(s.events) - 1; j > i; j-- {
			if s.events[j].kind == answered {
				s.events[j].do(s)
				s.events = slices.Delete(s.events, j, j+1)
			}
		}
	}
	s.passTo(i)
}

// soonest makes the next event happen as time has it.
func (s *sim) soonest() {
	s.passTo(slices.IndexFunc(s.events, func(e event) bool {
		return e.at.Equal(slices.MinFunc(s.events, func(a, b event) int { return a.at.Compare(b.at) }).at)
	}))
}

// passTo makes an event happen. The alarms before are forgotten: every plan asks for its own anew.
func (s *sim) passTo(i int) {
	e := s.events[i]
	s.events = slices.Delete(s.events, i, i+1)
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.alarm })
	for late := s.late(e.at); late >= 0; late = s.late(e.at) {
		s.events[late].do(s)
		s.events = slices.Delete(s.events, late, late+1)
	}
	s.events = append(s.events, e)
	s.happen(len(s.events) - 1)
	s.forget()
}

// late is a route that proxies which follow have by then; -1 for none.
func (s *sim) late(then time.Time) int {
	if then.Before(s.now) {
		then = s.now
	}
	return slices.IndexFunc(s.events, func(e event) bool { return e.kind == followed && then.Sub(e.at) >= SettleTime })
}

// meddle is somebody's doing, which wakes the operator.
func meddle(name string, do func(*sim)) happening {
	return happening{name: name, meddles: true, do: func(s *sim) {
		s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.alarm })
		do(s)
		s.turn()
		s.forget()
	}}
}

// commands are given as users give them.
func commands(s *sim) []happening {
	var all []happening
	for _, tag := range []string{"6.0.0", "6.0.1", "6.0.2"} {
		if s.target.Exists && s.target.Revision.Name != rev(tag).Name {
			h := meddle("set image podinfo:"+tag, func(s *sim) { s.target.Revision = rev(tag) })
			h.meddles = !s.calm()
			all = append(all, h)
		}
	}
	for _, text := range []string{"pause", "resume", "promote", "promote --full", "abort", "retry", "rollback", "restart"} {
		all = append(all, meddle("kubectl serin "+text, func(s *sim) { s.give(text) }))
	}
	suspend := !s.c.Spec.Suspend
	return append(all, meddle(fmt.Sprintf("spec.suspend %t", suspend), func(s *sim) { s.c.Spec.Suspend = suspend }))
}

// mischiefs are what else may go wrong.
func mischiefs(s *sim) []happening {
	all := []happening{
		meddle("the status is lost", func(s *sim) { s.c.Status = v1beta1.CanaryStatus{} }),
		meddle("somebody scales the template", func(s *sim) { s.target.Replicas = 2 }),
		meddle("somebody turns the Service", func(s *sim) { s.apex.ToPrimary = false }),
		meddle("the operator is killed after its next commit", func(s *sim) { s.crash = once }),
	}
	for _, what := range []string{"primary", "canary", "route", "Service", "target"} {
		all = append(all, meddle("the API server refuses to write the "+what, func(s *sim) { s.refused = what }))
	}
	all = append(all, meddle("writes are taken again", func(s *sim) { s.refused = "" }))
	if s.route.Exists {
		all = append(all,
			meddle("somebody edits the route", func(s *sim) { s.route.CanaryWeight = foreign }),
			meddle("the gateway rejects the route", func(s *sim) { s.route.Rejected = "no such upstream" }),
			meddle("the gateway stands still", func(s *sim) { s.follows = false }),
			meddle("the gateway is well", func(s *sim) {
				s.route.Rejected, s.route.Problem, s.follows, s.blind = "", nil, true, false
				s.inProxy = s.route.CanaryWeight
			}),
			meddle("no listener leads to the route", func(s *sim) { s.route.Problem = &Problem{"NotAttached", "no listener"} }))
	}
	if p := s.primary; p != nil {
		all = append(all, meddle("the primary's pods die", func(s *sim) { s.die("primary") }),
			meddle("the operator is killed after its next commit, and the primary's pods die", func(s *sim) { s.crash = bereft("primary") }))
	}
	if s.failing() && !s.broken[s.c.Status.LastPromotedSpec] {
		all = append(all, meddle("what is promoted does not start any more", (*sim).losePromoted),
			meddle("what is promoted does not start any more, and a fix is pushed", func(s *sim) { s.losePromoted(); s.target.Revision = rev("6.0.9") }))
	}
	if s.canary != nil {
		all = append(all, meddle("the canary's pods die", func(s *sim) { s.die("canary") }),
			meddle("the operator is killed after its next commit, and the canary's pods die", func(s *sim) { s.crash = bereft("canary") }),
			meddle("somebody deletes the canary's Deployment", func(s *sim) { s.canary = nil }))
	}
	if s.problems == nil {
		all = append(all, meddle("the spec cannot be worked with", func(s *sim) { s.problems = []Problem{{"MetricTemplateMissing", "no such template"}} }))
	} else {
		all = append(all, meddle("the spec is mended", func(s *sim) { s.problems = nil }))
	}
	for kind := range kinds {
		c := v1beta1.Canary{Spec: v1beta1.CanarySpec{Analysis: &v1beta1.CanaryAnalysis{}}}
		strategy(&c, kind)
		if kind < 2 {
			all = append(all, meddle(fmt.Sprintf("the strategy is edited to %d", kind), func(s *sim) {
				s.c.Generation++
				strategy(s.c, kind)
			}))
		}
	}
	return append(all, meddle("somebody else goes first", func(s *sim) { s.ahead = "another canary" }))
}

// lastThings are a release, what may go wrong with it, and the way back from it.
func lastThings(s *sim) []happening {
	if !s.back.asked {
		return []happening{
			meddle("delete the Canary", func(s *sim) {
				s.c.DeletionTimestamp = &metav1.Time{Time: s.now}
				s.back.asked = true
			}),
			meddle("serin release", func(s *sim) { s.back.asked = true }),
		}
	}
	all := []happening{
		meddle("delete the Deployment", func(s *sim) { s.target.Exists, s.back.pods = false, 0 }),
		meddle("Argo CD keeps the template", func(s *sim) { s.target.Keeper = "Argo CD" }),
		meddle("the route cannot be handed back", func(s *sim) { s.back.stuckRoute = true }),
		meddle("something cannot be removed", func(s *sim) { s.back.stuck = true }),
	}
	if s.c.DeletionTimestamp == nil {
		all = append(all, meddle("serin resume", func(s *sim) { s.takeBack() }))
	}
	return all
}

// takeBack asks for the adoption again. What was released is as it was before the first one.
func (s *sim) takeBack() {
	s.back.asked = false
	if s.c.Status.Phase != v1beta1.PhaseTerminated {
		return
	}
	s.back.released, s.back.removed = false, false
	s.primary, s.canary, s.route, s.apex, s.inProxy = nil, nil, Route{Weighted: true}, Apex{Exists: true}, 0
}

func (s *sim) die(role string) {
	if p := s.side(role); p != nil {
		p.ready, p.old = 0, 0
		s.grow(role, p)
	}
}

// failing is true while a promotion is tried or taken back: the canary has what has passed its analysis.
func (s *sim) failing() bool {
	r := s.c.Status.Rollout
	return r != nil && r.EndedAt == nil && s.c.Status.Release == nil && (r.Step == v1beta1.StepCopying || r.Step == v1beta1.StepRestoring) &&
		s.canary != nil && s.canary.revision == r.Revision.Name
}

// losePromoted takes the primary's pods, for ever.
func (s *sim) losePromoted() {
	s.broken[s.c.Status.LastPromotedSpec] = true
	s.die("primary")
}

// wayOut does what the status says where the primary cannot go back to what is promoted.
func (s *sim) wayOut() {
	st := &s.c.Status
	r := st.Rollout
	obeyed := s.command == nil || st.Command != nil && st.Command.ID == s.command.ID
	if r == nil || r.EndedAt != nil || r.Step != v1beta1.StepRestoring || st.Release != nil || !s.broken[st.LastPromotedSpec] || !obeyed {
		return
	}
	if s.target.Revision.Name == st.LastPromotedSpec {
		s.target.Revision = r.Revision
	} else {
		s.give("retry")
	}
	s.at(0, watched, func(*sim) {})
}

// give gives a command now.
func (s *sim) give(text string) {
	s.given++
	c, err := v1beta1.ParseCommand(fmt.Sprintf("%s id=%d by=alice", text, s.given))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.command = &Command{Command: c}
}

// once kills the operator at its next commit.
func once(s *sim) bool {
	s.crash = nil
	return true
}

// bereft kills the operator at its next commit, and the pods of a side before the next one looks.
func bereft(role string) func(*sim) bool {
	return func(s *sim) bool {
		s.die(role)
		return once(s)
	}
}

// foreign is a weight that no strategy lists.
const foreign = v1beta1.Weight(370)

// gatewayWell: the proxies have what was written last. What somebody else wrote is repaired before they
// have it.
func (s *sim) gatewayWell() {
	s.route.Rejected, s.route.Problem, s.follows, s.blind = "", nil, true, false
	if s.route.CanaryWeight != foreign {
		s.inProxy = s.route.CanaryWeight
	}
}

// allWell ends whatever was wrong.
func (s *sim) allWell() {
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.alarm })
	s.reply, s.refused, s.problems, s.ahead = wellMeaning, "", nil, ""
	s.gatewayWell()
	s.back.stuck, s.back.stuckRoute = false, false
	s.c.Spec.Suspend = false
	if !s.failing() && len(s.broken) > 0 {
		clear(s.broken)
		s.grow("primary", s.primary)
	}
	if !s.back.asked {
		s.target.Exists = true
	}
	s.at(0, watched, func(*sim) {})
	if s.c.Status.PausedAt != nil {
		s.give("resume")
	}
}

// calm is true where nothing is left of any meddling.
func (s *sim) calm() bool {
	st := &s.c.Status
	p := s.primary
	return p != nil && p.ready == p.replicas && p.old == 0 && s.target.Exists && s.target.Replicas == 0 && s.target.Keeper == "" && s.apex.ToPrimary &&
		s.route.Exists && s.route.Rejected == "" && s.route.Problem == nil && s.follows && s.route.CanaryWeight == s.inProxy &&
		s.refused == "" && s.problems == nil && s.ahead == "" && s.crash == nil && !s.c.Spec.Suspend && s.c.Generation == 1 &&
		st.PausedAt == nil && st.Repairs == nil && !s.back.asked
}

// key tells apart moments that can go on differently. Times count by whether they have passed, revisions
// by the part they play, and of what a rollout has behind it nothing.
func (s *sim) key() string {
	k := &key{names: map[string]byte{"": '-'}}
	st := &s.c.Status
	k.add(st.Phase, st.CanaryWeight, k.name(st.LastPromotedSpec), st.PausedAt != nil, st.SuspendedAt != nil,
		st.Promoted != nil, st.WeightTransition <= s.route.Stamp)
	if in := st.Initialization; in != nil {
		k.add(in.Step, age(s.now, in.Since.Time, SettleTime, adoptionEnds), overdue(s.now, in.Until))
	}
	if r := st.Rollout; r != nil && r.EndedAt == nil {
		s.rolloutKey(k, r)
	}
	if rel := st.Release; rel != nil {
		k.add(rel.Step, age(s.now, rel.Since.Time, SettleTime), overdue(s.now, rel.Until), rel.Served, rel.Stays)
	}
	if n := st.Repairs; n != nil {
		k.add(fightOver(st), n.LastAt != nil && s.now.Sub(n.LastAt.Time) < recheck)
	}
	k.add(k.name(st.Rejected), s.broken[st.LastPromotedSpec])
	if n := len(st.Promotions); n > 1 {
		k.add(k.name(st.Promotions[n-2]))
	}
	if c := condition(st.Conditions, v1beta1.ConditionStalled); c != nil && c.Status == metav1.ConditionTrue {
		k.add(c.Reason)
	}
	s.worldKey(k)
	return k.String()
}

func (s *sim) rolloutKey(k *key, r *v1beta1.RolloutStatus) {
	st := &s.c.Status
	k.add(r.Step, k.name(r.Revision.Name), k.name(r.From.Name), r.Pinned, r.Outcome, overdue(s.now, r.Until), overdue(s.now, r.NextCheckAt), r.NextCheckAt != nil,
		r.PrimaryReplicas, r.CanaryReplicas, digest(r.Rules), r.ExposedSince != nil, k.name(nameOf(r.Queued)))
	k.add(!s.lost.IsZero(), r.LostAt != nil, r.LostAt != nil && s.now.Sub(r.LostAt.Time) >= recheck)
	if r.Step == v1beta1.StepDraining {
		k.add(age(s.now, r.Since.Time, recheck, drainBlind, drainDeadline))
	}
	if r.Outcome == "" || r.Step == v1beta1.StepBaking {
		passed := true
		for _, c := range st.Checks {
			passed = passed && c.Verdict == v1beta1.VerdictPassed
		}
		k.add(r.Skipped != "", r.Forced, r.WeightIndex, r.Passed, r.PassedHooks, r.Held, st.FailedChecks, st.InconclusiveChecks, passed)
		if g := r.Gate; g != nil {
			k.add(g.Name, s.now.Sub(g.Since.Time) >= gateTime, g.ToldAt != nil)
		}
		if r.StepSince != nil {
			k.add(s.now.Sub(r.StepSince.Time) >= stepTime)
		}
	}
	newest := map[string]string{}
	for _, name := range slices.SortedFunc(maps.Keys(s.answers), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }) {
		parts := strings.Split(name, "/")
		a := s.answers[name]
		newest[parts[len(parts)-2]+parts[len(parts)-1]] = fmt.Sprint(a.Measurement.Evidence, a.Measurement.Value, a.Counts.Known, a.Counts.Canary > 0, a.Traffic.Known, a.Traffic.New > 0, a.Images.Known, a.Images.Drift)
	}
	k.add(newest)
}

// stepTime and gateTime are the longest that a step and a gate of the strategies last.
const (
	stepTime = 25 * time.Second
	gateTime = 30 * time.Second
)

func (s *sim) worldKey(k *key) {
	for _, p := range []*pods{s.primary, s.canary} {
		if p == nil {
			k.add("none")
			continue
		}
		k.add(k.name(p.revision), p.replicas, p.ready, p.old)
	}
	t, b := &s.target, &s.back
	k.add(t.Exists, k.name(t.Revision.Name), t.Replicas, t.Keeper, s.apex.Exists, s.apex.ToPrimary, s.apex.ToTarget,
		s.route.Exists, s.route.CanaryWeight, s.route.Rules, s.route.Rejected, s.route.Problem != nil, s.inProxy, s.follows, s.blind,
		len(s.problems), s.refused, s.crash != nil, s.ahead, s.c.Spec.Suspend, s.c.Spec.Analysis.StepWeight, s.c.Spec.Analysis.StepWeights)
	if b.asked || s.c.Status.Phase == "" {
		k.add(b.asked, s.c.DeletionTimestamp != nil, b.pods, k.name(b.running), b.probed, b.released, b.removed, b.stuck, b.stuckRoute, s.now.Sub(b.apexAt) < SettleTime)
	}
	if c := s.command; c != nil && (s.c.Status.Command == nil || s.c.Status.Command.ID != c.ID) {
		k.add(c.Verb, c.Full)
	}
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, e.kind)
	}
	slices.Sort(kinds)
	k.add(slices.Compact(kinds))
}

// key is written piece by piece.
type key struct {
	strings.Builder
	names map[string]byte
}

func (k *key) add(parts ...any) {
	for _, p := range parts {
		fmt.Fprint(k, p)
		k.WriteByte('|')
	}
}

// name is a letter for a revision, by the order in which they come up.
func (k *key) name(revision string) string {
	if _, ok := k.names[revision]; !ok {
		k.names[revision] = byte('a' + len(k.names) - 1)
	}
	return string(k.names[revision])
}

// age is how many of the moments at which plans look at it something is past.
func age(now, since time.Time, moments ...time.Duration) int {
	i, _ := slices.BinarySearch(moments, now.Sub(since)+1)
	return i
}
