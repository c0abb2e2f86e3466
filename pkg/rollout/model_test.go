package rollout

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// model explores what a canary and the world around it can come to. From every moment that was not met
// before it lets happen, one by one and each in a world of its own, whatever may: what is under way ends
// or does not, questions are answered well, badly or not at all, deadlines pass, users and others meddle,
// the operator is killed. The sim checks each write; the model checks each plan, and that from every
// moment the canary comes to rest once it is let.
//
// Time is counted by what has passed and revisions by the part they play, so that there is an end of it.
// Meddling is tried once wherever a rollout looks alike from afar, and all that can come of it is followed
// as often as most says.
type model struct {
	t *testing.T
	// most is how often a rollout is meddled with and followed on every way from there.
	most int

	moments map[string]*moment
	queue   []*moment
	edges   map[edge]bool
	// tried is what was meddled with where.
	tried map[string]bool
	// restful are the moments, by their keys, from which the canary comes to rest.
	restful     map[string]bool
	transitions int
}

// moment is a world that was met, how it came to that, and how often it was meddled with since rest. It
// hears of broken invariants and tells them with its story.
type moment struct {
	*sim
	m     *model
	from  *moment
	event string
	spent int
}

// edge is a transition of the state machine: where it left, why, and where it came to.
type edge struct{ from, why, to string }

func explore(t *testing.T, most int, tried map[string]bool, sc scene) *model {
	m := &model{t: t, most: most, tried: tried, moments: map[string]*moment{}, edges: map[edge]bool{}, restful: map[string]bool{}}
	first := &moment{m: m, event: "a Canary is created"}
	first.sim = newSim(first, func(c *v1beta1.Canary) {
		c.Spec.ProgressDeadlineSeconds = new(int32)
		*c.Spec.ProgressDeadlineSeconds = 60
		sc.edit(c)
	})
	if sc.play != nil {
		sc.play(first.sim)
	}
	first.back.pods, first.back.running = 2, first.target.Revision.Name
	first.at(0, watched, func(*sim) {})
	m.meet(first)
	for len(m.queue) > 0 && !t.Failed() {
		from := m.queue[0]
		m.queue = m.queue[1:]
		for _, h := range happenings(from.sim) {
			if h.meddles && m.wasTried(from, h) {
				continue
			}
			m.step(from, h)
		}
	}
	return m
}

func (m *model) wasTried(from *moment, h happening) bool {
	key := from.outline() + h.name
	was := m.tried[key]
	m.tried[key] = true
	return was
}

// outline is what a moment looks like from afar.
func (at *moment) outline() string {
	st := &at.c.Status
	text := fmt.Sprint(place(st), st.CanaryWeight > 0, st.PausedAt != nil, st.SuspendedAt != nil, at.route.CanaryWeight == st.CanaryWeight, at.inProxy > 0,
		at.primary.up(), at.canary.up(), at.broken[st.LastPromotedSpec], at.spent)
	if r := st.Rollout; r != nil && r.EndedAt == nil {
		text += fmt.Sprint(r.Rules != nil, r.Outcome, r.Gate != nil, r.Held, r.Pinned, overdue(at.now, r.Until), at.target.Revision.Name == r.Revision.Name, at.canary != nil && at.canary.revision == r.Revision.Name)
	}
	return text
}

// step lets something happen in a world of its own, and takes up what came of it.
func (m *model) step(from *moment, h happening) {
	next := from.after(h.name)
	if h.meddles {
		next.spent++
	}
	before := &from.c.Status
	h.do(next.sim)
	m.transitions++
	m.book(before, &next.c.Status)
	next.check()
	m.meet(next)
}

// meet queues a moment that is new, or that was met after more meddling only.
func (m *model) meet(at *moment) {
	if at.rests() && at.calm() {
		at.spent = 0
	}
	key := at.key()
	known, ok := m.moments[key]
	if ok && known.spent <= at.spent {
		return
	}
	m.moments[key] = at
	if at.spent <= m.most {
		m.queue = append(m.queue, at)
	}
	if !ok {
		m.letRest(at)
	}
}

// book notes a transition of the state machine with the reasons that were told.
func (m *model) book(before, after *v1beta1.CanaryStatus) {
	from, to := place(before), place(after)
	var why []string
	for _, e := range after.Journal {
		if e.Transition > before.Transition {
			why = append(why, e.Reason)
		}
	}
	if from != to || len(why) > 0 {
		m.edges[edge{from, strings.Join(why, ", "), to}] = true
	}
}

// place is where a status stands: its phase and sub-step.
func place(st *v1beta1.CanaryStatus) string {
	at := string(st.Phase)
	if at == "" {
		return "New"
	}
	if st.Release != nil {
		if st.Phase != v1beta1.PhaseTerminated {
			at += " / " + string(st.Release.Step)
		}
		return at
	}
	if st.Initialization != nil {
		return at + " / " + string(st.Initialization.Step)
	}
	if r := st.Rollout; r != nil && r.EndedAt == nil {
		at += " / " + string(r.Step)
	}
	return at
}

// after is the world as it is, for something to happen in it.
func (at *moment) after(event string) *moment {
	next := &moment{m: at.m, from: at, event: event, spent: at.spent}
	next.sim = at.fork(next)
	return next
}

func (at *moment) Helper() {}

func (at *moment) Fatalf(format string, args ...any) { at.Errorf(format, args...) }

// Errorf tells what is broken, and every step that led there.
func (at *moment) Errorf(format string, args ...any) {
	var story []string
	for m := at; m != nil; m = m.from {
		text := fmt.Sprintf("%7.1fs  * %s", m.now.Sub(m.begin).Seconds(), m.event)
		if m.out.Len() > 0 {
			text += "\n" + strings.TrimSuffix(m.out.String(), "\n")
		}
		story = append(story, text)
	}
	slices.Reverse(story)
	at.m.t.Errorf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(story, "\n"))
}

// rests is true where the canary has nothing under way and nothing more comes.
func (at *moment) rests() bool {
	switch at.c.Status.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed, v1beta1.PhaseTerminated:
		return len(at.events) == 0
	default:
		return false
	}
}

// untimed are the sub-steps that may last: each waits for the healthy side, or for somebody who is named.
var untimed = []v1beta1.Step{v1beta1.StepConfirming, v1beta1.StepShiftingBack, v1beta1.StepDraining, v1beta1.StepScalingDown}

// check holds a plan against what has to be true of all.
func (at *moment) check() {
	st := &at.c.Status
	if st.CanaryWeight < 0 || st.CanaryWeight > v1beta1.FullWeight {
		at.Errorf("the weights are %s and %s", v1beta1.FullWeight-st.CanaryWeight, st.CanaryWeight)
	}
	if r := st.Rollout; r != nil && r.Rules != nil && (r.Rules.Mirror < 0 || r.Rules.Mirror > v1beta1.FullWeight) {
		at.Errorf("%s %% of the requests are copied", r.Rules.Mirror)
	}
	ready := condition(st.Conditions, v1beta1.ConditionReady)
	switch {
	case st.Phase == "":
		return
	case ready == nil || ready.Reason == "" || ready.Reason == "Unknown" || ready.Message == "":
		at.Errorf("nothing says why it is %s: %+v", place(st), ready)
	}
	if r := st.Rollout; r != nil && r.EndedAt == nil && r.Until == nil && !slices.Contains(untimed, r.Step) {
		at.Errorf("%s has no deadline", r.Step)
	}
	if len(at.events) == 0 && !at.rests() && !at.held(ready.Reason) {
		at.Errorf("%s waits for nothing: %s, %s", place(st), ready.Reason, ready.Message)
	}
}

// held is true where somebody else has to act first, whose act wakes the operator: a stall and a
// suspension say so; a way back to rest waits for pods, for a route that is written, and for nothing else.
func (at *moment) held(reason string) bool {
	st := &at.c.Status
	stalled := condition(st.Conditions, v1beta1.ConditionStalled)
	return stalled.Status == "True" || reason == "Suspended" || reason == "PrimaryNotReady"
}

// letRest plays on with everything well until the canary is at rest, or comes to a moment from which it
// is known to get there.
func (m *model) letRest(at *moment) {
	next := at.after("all is well from here on")
	next.allWell()
	var passed []string
	for range 2000 {
		key := next.key()
		if m.restful[key] {
			break
		}
		passed = append(passed, key)
		next.wayOut()
		if len(next.events) == 0 {
			next.checkEnd()
			break
		}
		next.soonest()
	}
	if len(next.events) > 0 && !m.restful[next.key()] {
		next.Errorf("it does not come to rest in %s", next.now.Sub(at.now).Round(time.Second))
	}
	for _, key := range passed {
		m.restful[key] = true
	}
}

// checkEnd is what the world has to look like at rest.
func (at *moment) checkEnd() {
	st := at.c.Status
	switch st.Phase {
	case v1beta1.PhaseTerminated:
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		if fightOver(&st) {
			at.target.Replicas = 0
		}
		at.checkRest()
	default:
		at.Errorf("it stands still as %s: %s", place(&st), st.Reason)
	}
}

// deep follows what comes of each meddling on every way, for each strategy on its own.
var deep = flag.Bool("deep", false, "explore the model in depth: minutes instead of seconds")

// specs are what is explored.
func specs() []scene {
	var all []scene
	for kind := range kinds {
		all = append(all, scene{name: fmt.Sprintf("strategy %d", kind), edit: func(c *v1beta1.Canary) {
			if strategy(c, kind); kind > 0 && !*deep {
				c.Spec.Analysis.Threshold = 1 // that checks are counted shows with the first
			}
		}})
	}
	return append(all,
		scene{name: "analysis skipped", edit: func(c *v1beta1.Canary) { c.Spec.SkipAnalysis = true }},
		scene{name: "rollback window", edit: func(c *v1beta1.Canary) {
			strategy(c, 0)
			c.Spec.RollbackWindow = &v1beta1.RollbackWindow{Revisions: 2}
			c.Spec.Analysis.Threshold = 1
		}},
		scene{name: "a hook asks for rollbacks", edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.Threshold = 1
			c.Spec.Analysis.StepWeight = 50
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookRollback, Name: "panic"}, v1beta1.CanaryWebhook{Name: "load"})
		}},
		scene{name: "nothing shares traffic", edit: func(c *v1beta1.Canary) { iterate(c, 2); c.Spec.Analysis.Threshold = 1 }, play: func(s *sim) { s.route.Weighted = false }})
}

// TestModel explores every state that a canary can be in, whatever happens, and holds docs/reference/states.md
// against the transitions that it saw.
func TestModel(t *testing.T) {
	edges, tried := map[edge]bool{}, map[string]bool{}
	moments, transitions := 0, 0
	for _, sc := range specs() {
		t.Run(sc.name, func(t *testing.T) {
			most := 0
			if *deep {
				most, tried = 1, map[string]bool{}
			}
			m := explore(t, most, tried, sc)
			t.Logf("%d states, %d transitions", len(m.moments), m.transitions)
			moments, transitions = moments+len(m.moments), transitions+m.transitions
			maps.Copy(edges, m.edges)
		})
	}
	t.Logf("%d states, %d transitions; the state machine has %d edges", moments, transitions, len(edges))
	if t.Failed() || *deep { // the page has what the short form sees, which runs with every change
		return
	}
	path := filepath.Join("..", "..", "docs", "reference", "states.md")
	page, err := os.ReadFile(path)
	want := statesPage(edges)
	if *update {
		err = os.WriteFile(path, []byte(want), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(page)); diff != "" && !*update {
		t.Errorf("%s is not what the code does; run go generate ./pkg/rollout (-want +got):\n%s", path, diff)
	}
}
