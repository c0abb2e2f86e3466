package canary

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// lanes does what waits for the outside, for all canaries at once: a bounded number of tasks in all,
// fewer of one canary's, and canaries in turns. Whatever one of them waits for, the others go on. It
// costs nothing while there is nothing to do.
type lanes struct {
	// total bounds the tasks under way, each those of one canary.
	total, each int

	mu      sync.Mutex
	ctx     context.Context // that tasks run in; nil before run
	wg      sync.WaitGroup
	running int
	busy    map[types.NamespacedName]int
	waiting map[types.NamespacedName][]func(context.Context)
	// turns are the canaries that have tasks waiting, the next one first.
	turns []types.NamespacedName
}

func newLanes(total, each int) *lanes {
	return &lanes{total: max(total, 1), each: max(each, 1),
		busy: map[types.NamespacedName]int{}, waiting: map[types.NamespacedName][]func(context.Context){}}
}

// add queues a task of a canary. Those of one canary begin in the order in which they were added.
func (l *lanes) add(name types.NamespacedName, task func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting[name]) == 0 {
		l.turns = append(l.turns, name)
	}
	l.waiting[name] = append(l.waiting[name], task)
	l.start()
}

// run lets tasks begin until the context ends, and waits for those that are under way.
func (l *lanes) run(ctx context.Context) error {
	l.mu.Lock()
	l.ctx = ctx
	l.start()
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	l.ctx = nil
	l.mu.Unlock()
	l.wg.Wait()
	return nil
}

// start begins as many tasks as there is room for. The lock is held.
func (l *lanes) start() {
	for l.ctx != nil && l.running < l.total {
		name, ok := l.turn()
		if !ok {
			return
		}
		task := l.waiting[name][0]
		l.waiting[name] = l.waiting[name][1:]
		if len(l.waiting[name]) == 0 {
			delete(l.waiting, name)
		} else {
			l.turns = append(l.turns, name)
		}
		l.running++
		l.busy[name]++
		ctx := l.ctx
		l.wg.Go(func() {
			task(ctx)
			l.done(name)
		})
	}
}

// turn takes the first canary that has room out of the line.
func (l *lanes) turn() (types.NamespacedName, bool) {
	for i, name := range l.turns {
		if l.busy[name] < l.each {
			l.turns = append(l.turns[:i:i], l.turns[i+1:]...)
			return name, true
		}
	}
	return types.NamespacedName{}, false
}

func (l *lanes) done(name types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.busy[name]--; l.busy[name] == 0 {
		delete(l.busy, name)
	}
	l.start()
}
