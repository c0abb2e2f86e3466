package canary

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
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

// asker puts questions to the outside with a bounded number of workers, keeps the answers until
// their step is over, and wakes the canary for each. It holds nothing that matters: after a restart
// the plan puts the same questions again.
type asker struct {
	workers int
	answer  func(context.Context, inquiry) rollout.Answer
	wake    func(types.NamespacedName)
	queue   workqueue.TypedInterface[string]

	mu    sync.Mutex
	open  map[string]inquiry
	found map[types.NamespacedName]map[string]rollout.Answer
}

func newAsker(workers int, answer func(context.Context, inquiry) rollout.Answer, wake func(types.NamespacedName)) *asker {
	return &asker{workers: max(workers, 1), answer: answer, wake: wake, queue: workqueue.NewTyped[string](),
		open: map[string]inquiry{}, found: map[types.NamespacedName]map[string]rollout.Answer{}}
}

// ask queues the questions that are not being asked already.
func (a *asker) ask(v *view, questions []rollout.Question) {
	for _, q := range questions {
		in := inquiry{Question: q, canary: v.canary}
		if v.router != nil {
			in.telemetry = v.router.Telemetry(v.routed)
		}
		a.mu.Lock()
		_, asked := a.open[q.Key]
		if !asked {
			a.open[q.Key] = in
		}
		a.mu.Unlock()
		if !asked {
			a.queue.Add(q.Key)
		}
	}
}

// answers returns what has been answered for a canary.
func (a *asker) answers(c *v1beta1.Canary) map[string]rollout.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]rollout.Answer{}
	maps.Copy(out, a.found[client.ObjectKeyFromObject(c)])
	return out
}

// keep drops the answers of steps that the committed status has left.
func (a *asker) keep(c *v1beta1.Canary) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := client.ObjectKeyFromObject(c)
	prefix := rollout.KeyPrefix(c)
	for k := range a.found[key] {
		if prefix == "" || !strings.HasPrefix(k, prefix) {
			delete(a.found[key], k)
		}
	}
	if len(a.found[key]) == 0 {
		delete(a.found, key)
	}
}

func (a *asker) forget(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.found, name)
}

// run works the queue until the context ends.
func (a *asker) run(ctx context.Context) error { return work(ctx, a.workers, a.next, a.queue.ShutDown) }

// longestQuestion bounds a question whatever its own timeouts say.
const longestQuestion = 10 * time.Minute

func (a *asker) next(ctx context.Context) bool {
	key, stop := a.queue.Get()
	if stop {
		return false
	}
	defer a.queue.Done(key)
	a.mu.Lock()
	in := a.open[key]
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	answer := a.answer(ctx, in)
	name := client.ObjectKeyFromObject(in.canary)
	a.mu.Lock()
	delete(a.open, key)
	if a.found[name] == nil {
		a.found[name] = map[string]rollout.Answer{}
	}
	a.found[name][key] = answer
	a.mu.Unlock()
	a.wake(name)
	return true
}
