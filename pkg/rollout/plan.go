package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Plan decides what comes next. It makes one transition at most: the next one is planned on what
// the world looks like after it.
func Plan(o Observed) Decision {
	p := &plan{Observed: o, spec: &o.Object.Spec, status: o.Object.Status.DeepCopy()}
	p.dispatch()
	return p.decide()
}

func (p *plan) dispatch() {
	if p.obey(); p.moved {
		return
	}
	if p.Release || p.status.Release != nil {
		p.release()
		return
	}
	if p.suspended() {
		return
	}
	if len(p.Problems) > 0 {
		p.stall(p.Problems[0])
		if !p.ending() {
			p.lost()
			return
		}
	}
	p.repair()
	switch p.status.Phase {
	case "", v1beta1.PhaseInitializing:
		p.initialize()
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		p.idle()
	default:
		p.run()
	}
}

// run dispatches a rollout's sub-step.
func (p *plan) run() {
	if p.lost() {
		return
	}
	switch p.status.Rollout.Step {
	case v1beta1.StepConfirming:
		p.confirm()
	case v1beta1.StepStarting:
		p.start()
	case v1beta1.StepAnalysing:
		p.analyse()
	case v1beta1.StepCopying:
		p.copy()
	case v1beta1.StepRestoring:
		p.restore()
	case v1beta1.StepBaking:
		p.bake()
	case v1beta1.StepShiftingBack:
		p.shiftBack()
	case v1beta1.StepDraining:
		p.drain()
	case v1beta1.StepScalingDown:
		p.scaleDown()
	default: // the other steps are an adoption's
	}
}

// plan is one planning in progress: what was observed, and a copy of the status that becomes the
// next one if something changes.
type plan struct {
	Observed
	spec   *v1beta1.CanarySpec
	status *v1beta1.CanaryStatus

	// moved is set by a transition; waiting says what the present state waits for, in stable words.
	moved     bool
	waiting   hold
	questions []Question
	told      int32
	wake      time.Time
}

// hold is what a state waits for. stalled means that the user must act.
type hold struct {
	reason, message string
	stalled         bool
}

// decide closes the planning: conditions follow from where it came to, and a status that equals the
// present one is no decision.
func (p *plan) decide() Decision {
	d := Decision{Questions: p.questions, WakeAt: p.wake}
	before := &p.Object.Status
	if p.status.CanaryWeight != before.CanaryWeight || rulesOf(p.status) != rulesOf(before) {
		p.status.WeightTransition = p.status.Transition
	}
	p.conditions()
	p.status.ObservedGeneration = p.Object.Generation
	if !p.moved && sameStatus(before, p.status) {
		return d
	}
	if p.moved {
		d.Questions = nil // they belong to the status that was left
	}
	trimJournal(p.status)
	d.Next = p.status
	return d
}

// rulesOf names the rules that a status asks the route for.
func rulesOf(s *v1beta1.CanaryStatus) string {
	if s.Rollout == nil {
		return ""
	}
	return digest(s.Rollout.Rules)
}

// move is one transition: the counter goes up, the journal and the tellings say what was decided.
func (p *plan) move(t Telling) {
	p.touch()
	p.status.LastTransitionTime = second(p.Now)
	p.status.Journal = append(p.status.Journal, v1beta1.JournalEntry{
		At: second(p.Now), Transition: p.status.Transition, Index: p.told,
		Reason: t.Reason, Moment: string(t.Moment), Severity: string(t.Severity), Muted: t.Muted, Rollout: p.rolloutOf(t),
		What: clip(t.What), Why: clip(t.Why), Next: clip(t.Next),
	})
	p.told++
}

// rolloutOf numbers the rollout that a telling is about.
func (p *plan) rolloutOf(t Telling) int64 {
	if p.status.Rollout == nil || t.Moment == Notice {
		return 0
	}
	return p.status.Rollout.Number
}

const (
	maxHistory = 10
	// maxPromotions is what the widest rollback window looks back on, and what serves.
	maxPromotions = 11
)

// touch makes a transition of a change that needs no words: an attempt, a clock.
func (p *plan) touch() {
	if !p.moved {
		p.status.Transition = max(p.status.Transition, p.HighestStamp) + 1
	}
	p.moved = true
}

// enter begins a sub-step of the rollout. A zero deadline means that the step cannot be overdue.
func (p *plan) enter(s v1beta1.Step, deadline time.Duration) {
	r := p.status.Rollout
	r.Step, r.Since, r.Until, r.NextCheckAt = s, micro(p.Now), nil, nil
	r.PassedHooks, r.Held, r.Gate, r.Queued = nil, "", nil, nil
	r.Attempt++
	if deadline > 0 {
		until := micro(p.Now.Add(deadline))
		r.Until = &until
	}
}

// wait says what keeps the present state longer than its step explains. It is written to status, so
// it is for what users want to know and not for what passes by itself in a moment.
func (p *plan) wait(reason, message string) {
	if p.waiting.reason == "" {
		p.waiting = hold{reason: reason, message: message}
	}
}

// trouble says why a workload's pods do not come up, where the cluster says so.
func (p *plan) trouble(reason, name string, w Workload) {
	if w.Trouble != "" {
		p.wait(reason, name+": "+w.Trouble)
	}
}

// stall says that the user must act. The first of several is shown.
func (p *plan) stall(pr Problem) {
	if p.waiting.stalled {
		return
	}
	p.waiting = hold{reason: pr.Reason, message: pr.Message, stalled: true}
	if c := condition(p.Object.Status.Conditions, v1beta1.ConditionStalled); c == nil ||
		c.Status != metav1.ConditionTrue || c.Reason != pr.Reason || c.Message != clip(pr.Message) {
		p.move(Telling{Reason: pr.Reason, Moment: Held, Severity: Warning, What: pr.Message})
	}
}

// lastingly says that the user must act, where that has been told. The first of several is shown.
func (p *plan) lastingly(reason, message string) {
	if p.waiting.reason == "" {
		p.waiting = hold{reason: reason, message: message, stalled: true}
	}
}

// wakeAt asks for a planning at t at the latest.
func (p *plan) wakeAt(t time.Time) {
	if !t.IsZero() && (p.wake.IsZero() || t.Before(p.wake)) {
		p.wake = t
	}
}

// ask returns the answer to a question, or puts the question.
func (p *plan) ask(q Question) (Answer, bool) {
	q.Subject = p.key(q, -1)
	a, ok := p.Answers[q.Key]
	if !ok {
		p.questions = append(p.questions, q)
	}
	return a, ok
}

// turns is how many turns back an answer still counts: a slow one is not thrown away because the
// next turn has begun.
const turns = 4

// poll puts a question anew with every turn and returns the newest answer there is.
func (p *plan) poll(q Question, turn int64) (Answer, bool) {
	q.Key = p.key(q, turn)
	if a, ok := p.ask(q); ok {
		return a, true
	}
	for t := turn - 1; t >= max(0, turn-turns); t-- {
		if a, ok := p.Answers[p.key(q, t)]; ok {
			return a, true
		}
	}
	return Answer{}, false
}

// key names a question of the present step: one of another run, step or attempt never answers it. A
// gate is asked all along its step, however often that is judged meanwhile.
func (p *plan) key(q Question, turn int64) string {
	attempt := attemptKey(p.Object, p.status)
	if q.gate {
		attempt = gateKey(p.Object, p.status)
	}
	return fmt.Sprintf("%s%d/%s/%s/%d", attempt, turn, p.wording(q), q.Kind, q.Index)
}

// wording is what users wrote of a question. An edit of anything else leaves its answer as good as it was:
// who edits a Canary again and again would otherwise keep every answer from counting.
func (p *plan) wording(q Question) string {
	b, err := json.Marshal([]any{q.Metric, q.Hook, p.spec.Provider, p.spec.MetricsServer})
	if err != nil {
		panic(err) // plain data: it never does
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4])
}

// stepKey begins the keys of a step's questions. Run and step are named by when they began too: a canary
// whose status was lost counts its runs anew, and each weight is a step of the same name.
func stepKey(c *v1beta1.Canary, s *v1beta1.CanaryStatus) string {
	r := s.Rollout
	return fmt.Sprintf("%s/%d-%x/%s-%x/", c.UID, r.Number, r.StartedAt.UnixMicro(), r.Step, r.Since.UnixMicro())
}

func attemptKey(c *v1beta1.Canary, s *v1beta1.CanaryStatus) string {
	return fmt.Sprintf("%s%d.", stepKey(c, s), s.Rollout.Attempt)
}

func gateKey(c *v1beta1.Canary, s *v1beta1.CanaryStatus) string { return stepKey(c, s) + "gate." }

// Waits is true for the keys of questions that a status waits for.
func Waits(c *v1beta1.Canary, key string) bool {
	if r := c.Status.Rollout; r == nil || r.EndedAt != nil {
		return false
	}
	return strings.HasPrefix(key, attemptKey(c, &c.Status)) || strings.HasPrefix(key, gateKey(c, &c.Status))
}

// ending is true while a rollout is on its way back to rest: nothing but the world may hold it.
func (p *plan) ending() bool {
	r := p.status.Rollout
	return r != nil && r.EndedAt == nil && r.Outcome != ""
}

func micro(t time.Time) metav1.MicroTime {
	return metav1.NewMicroTime(t.UTC().Truncate(time.Microsecond))
}

func overdue(now time.Time, until *metav1.MicroTime) bool {
	return until != nil && !now.Before(until.Time)
}

func deadlineOf(until *metav1.MicroTime) time.Time {
	if until == nil {
		return time.Time{}
	}
	return until.Time
}
