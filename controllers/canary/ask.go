package canary

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/router"
)

// inquiry is a question with all that is needed to ask it: the status that it belongs to may be
// gone by the time that its turn comes.
type inquiry struct {
	rollout.Question
	canary    *v1beta1.Canary
	telemetry router.Telemetry
}

// asker puts questions to the outside, keeps the answers until their step is over, and wakes the
// canary for each. It holds nothing that matters: after a restart the plan puts the same questions
// again. Hooks are the users' and may take as long as they like, so they are asked apart from the
// metrics; neither waits for another canary's.
type asker struct {
	answer         func(context.Context, inquiry) rollout.Answer
	wake           func(types.NamespacedName)
	queries, hooks *lanes

	mu sync.Mutex
	// open are the questions that are not answered yet, by their subject; found the newest answers.
	open  map[string]*asking
	found map[types.NamespacedName]map[string]answered
}

// answered is an answer to the question with a key.
type answered struct {
	key string
	rollout.Answer
}

// asking is a question that is not answered yet. Its turn moves on while it is being asked; the hook
// knows it by the key that it was first put with. stop is set once it has been put.
type asking struct {
	inquiry
	name   types.NamespacedName
	latest string
	stop   context.CancelFunc
}

const (
	// hookLanes is how many hooks are under way for each metric query that may be: they mostly wait.
	hookLanes = 8
	// hooksEach bounds the hooks of one canary that are under way.
	hooksEach = 8
	// longestQuery and longestHook bound a question whatever its own timeouts say.
	longestQuery, longestHook = 10 * time.Minute, time.Hour
)

func newAsker(limit int, answer func(context.Context, inquiry) rollout.Answer, wake func(types.NamespacedName)) *asker {
	limit = max(limit, 1)
	return &asker{answer: answer, wake: wake,
		queries: newLanes(limit, max(limit/4, 2)), hooks: newLanes(limit*hookLanes, hooksEach),
		open: map[string]*asking{}, found: map[types.NamespacedName]map[string]answered{}}
}

// ask queues the questions that are not being asked already.
func (a *asker) ask(v *view, questions []rollout.Question) {
	for _, q := range questions {
		in := inquiry{Question: q, canary: v.canary}
		if v.router != nil {
			in.telemetry = v.router.Telemetry(v.routed)
		}
		if o := a.note(in); o != nil {
			a.lane(in).add(o.name, func(ctx context.Context) { a.put(ctx, o) })
		}
	}
}

// note is nil when the subject is being asked about already: one that is slow has one call under way
// and not one for each turn, and its answer is one to the latest. It is nil too when the answer came
// while the turn was under way that did not know it yet.
func (a *asker) note(in inquiry) *asking {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o, asked := a.open[in.Subject]; asked {
		o.latest = in.Key
		return nil
	}
	name := client.ObjectKeyFromObject(in.canary)
	if a.found[name][in.Subject].key == in.Key {
		return nil
	}
	o := &asking{inquiry: in, name: name, latest: in.Key}
	a.open[in.Subject] = o
	return o
}

func (a *asker) lane(in inquiry) *lanes {
	if in.Kind == rollout.AskHook {
		return a.hooks
	}
	return a.queries
}

// answers returns what has been answered for a canary.
func (a *asker) answers(c *v1beta1.Canary) map[string]rollout.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]rollout.Answer{}
	for _, found := range a.found[client.ObjectKeyFromObject(c)] {
		out[found.key] = found.Answer
	}
	return out
}

// keep drops the questions and answers of steps that the committed status has left.
func (a *asker) keep(c *v1beta1.Canary) {
	a.drop(client.ObjectKeyFromObject(c), func(subject string) bool { return !rollout.Waits(c, subject) })
}

func (a *asker) forget(name types.NamespacedName) {
	a.drop(name, func(string) bool { return true })
}

// drop lets go of a canary's questions and answers that are over. A hook that is being called for a
// step that is over is hung up on: it would only keep others waiting.
func (a *asker) drop(name types.NamespacedName, over func(subject string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for subject, o := range a.open {
		if o.name != name || !over(subject) {
			continue
		}
		delete(a.open, subject)
		if o.stop != nil {
			o.stop()
		}
	}
	maps.DeleteFunc(a.found[name], func(subject string, _ answered) bool { return over(subject) })
	if len(a.found[name]) == 0 {
		delete(a.found, name)
	}
}

// run lets questions be put until the context ends.
func (a *asker) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.hooks.run(ctx) })
	err := a.queries.run(ctx)
	wg.Wait()
	return err
}

// put asks one question, unless it is over before its turn has come.
func (a *asker) put(ctx context.Context, o *asking) {
	ctx, ok := a.begin(ctx, o)
	if !ok {
		return
	}
	defer o.stop()
	answer, err := rescued(o.name, func() (rollout.Answer, error) { return a.answer(ctx, o.inquiry), nil })
	if err != nil {
		answer = unanswered(err)
	}
	if a.file(o, answer) {
		a.wake(o.name)
	}
}

func (a *asker) begin(ctx context.Context, o *asking) (context.Context, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[o.Subject] != o {
		return nil, false
	}
	limit := longestQuery
	if o.Kind == rollout.AskHook {
		limit = longestHook
	}
	ctx, o.stop = context.WithTimeout(ctx, limit)
	return ctx, true
}

// file keeps an answer; it is false when nobody waits for it any more.
func (a *asker) file(o *asking, answer rollout.Answer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[o.Subject] != o {
		return false
	}
	delete(a.open, o.Subject)
	if a.found[o.name] == nil {
		a.found[o.name] = map[string]answered{}
	}
	a.found[o.name][o.Subject] = answered{o.latest, answer}
	return true
}
