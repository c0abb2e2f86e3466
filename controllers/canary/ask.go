package canary

import (
	"context"
	"maps"
	"strings"
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

	mu    sync.Mutex
	open  map[string]*asking
	found map[types.NamespacedName]map[string]rollout.Answer
}

// asking is a question that is not answered yet. stop is set once it has been put.
type asking struct {
	inquiry
	stop context.CancelFunc
}

func (a *asking) name() types.NamespacedName { return client.ObjectKeyFromObject(a.canary) }

const (
	// hookLanes is how many hooks are under way for each metric query that may be: they mostly wait.
	hookLanes = 8
	// hooksEach bounds the hooks of one canary that are under way.
	hooksEach = 8
	// longestQuery bounds a question whatever its own timeouts say. Hooks have a bound of their own.
	longestQuery = 10 * time.Minute
)

func newAsker(limit int, answer func(context.Context, inquiry) rollout.Answer, wake func(types.NamespacedName)) *asker {
	limit = max(limit, 1)
	return &asker{answer: answer, wake: wake,
		queries: newLanes(limit, max(limit/4, 2)), hooks: newLanes(limit*hookLanes, hooksEach),
		open: map[string]*asking{}, found: map[types.NamespacedName]map[string]rollout.Answer{}}
}

// ask queues the questions that are not being asked already.
func (a *asker) ask(v *view, questions []rollout.Question) {
	for _, q := range questions {
		in := inquiry{Question: q, canary: v.canary}
		if v.router != nil {
			in.telemetry = v.router.Telemetry(v.routed)
		}
		if a.note(in) {
			a.lane(in).add(client.ObjectKeyFromObject(in.canary), func(ctx context.Context) { a.put(ctx, in.Key) })
		}
	}
}

// note is false when the question is being asked already.
func (a *asker) note(in inquiry) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, asked := a.open[in.Key]; asked {
		return false
	}
	a.open[in.Key] = &asking{inquiry: in}
	return true
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
	maps.Copy(out, a.found[client.ObjectKeyFromObject(c)])
	return out
}

// keep drops the questions and answers of steps that the committed status has left.
func (a *asker) keep(c *v1beta1.Canary) {
	prefix := rollout.KeyPrefix(c)
	a.drop(client.ObjectKeyFromObject(c), func(key string) bool { return prefix == "" || !strings.HasPrefix(key, prefix) })
}

func (a *asker) forget(name types.NamespacedName) {
	a.drop(name, func(string) bool { return true })
}

// drop lets go of a canary's questions and answers that are over. A hook that is being called for a
// step that is over is hung up on: it would only keep others waiting.
func (a *asker) drop(name types.NamespacedName, over func(key string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, o := range a.open {
		if o.name() != name || !over(key) {
			continue
		}
		delete(a.open, key)
		if o.stop != nil {
			o.stop()
		}
	}
	maps.DeleteFunc(a.found[name], func(key string, _ rollout.Answer) bool { return over(key) })
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
func (a *asker) put(ctx context.Context, key string) {
	a.mu.Lock()
	o := a.open[key]
	if o == nil {
		a.mu.Unlock()
		return
	}
	if o.Kind == rollout.AskHook {
		ctx, o.stop = context.WithCancel(ctx)
	} else {
		ctx, o.stop = context.WithTimeout(ctx, longestQuery)
	}
	a.mu.Unlock()
	defer o.stop()
	answer := a.answer(ctx, o.inquiry)
	if a.file(o, answer) {
		a.wake(o.name())
	}
}

// file keeps an answer; it is false when nobody waits for it any more.
func (a *asker) file(o *asking, answer rollout.Answer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[o.Key] != o {
		return false
	}
	delete(a.open, o.Key)
	if a.found[o.name()] == nil {
		a.found[o.name()] = map[string]rollout.Answer{}
	}
	a.found[o.name()][o.Key] = answer
	return true
}
