package canary

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func called(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "apps", Name: name}
}

// started runs lanes that end with the test.
func started(t *testing.T, l *lanes) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = l.run(ctx) }()
	t.Cleanup(func() { cancel(); <-stopped })
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
}

// TestOneCanarysTasksLeaveRoomForOthers: a hundred that hang are a few at a time.
func TestOneCanarysTasksLeaveRoomForOthers(t *testing.T) {
	l := newLanes(4, 2)
	started(t, l)
	begun := make(chan struct{}, 100)
	for range 100 {
		l.add(called("hung"), func(ctx context.Context) { begun <- struct{}{}; <-ctx.Done() })
	}
	within(t, "the first task", begun)
	within(t, "the second task", begun)
	for i := range 20 {
		done := make(chan struct{})
		l.add(called("other"), func(context.Context) { close(done) })
		within(t, fmt.Sprintf("task %d of another canary", i), done)
	}
	if len(begun) > 0 {
		t.Errorf("%d tasks too many of one canary are under way", len(begun))
	}
}

// TestTasksTakeTurns: a canary that comes late does not wait for all of those before it.
func TestTasksTakeTurns(t *testing.T) {
	l := newLanes(1, 1)
	var mu sync.Mutex
	var got []string
	end := make(chan struct{})
	add := func(name string, n int) {
		for i := range n {
			l.add(called(name), func(context.Context) {
				mu.Lock()
				defer mu.Unlock()
				if got = append(got, fmt.Sprintf("%s%d", name, i)); len(got) == 6 {
					close(end)
				}
			})
		}
	}
	add("a", 3)
	add("b", 2)
	add("c", 1)
	started(t, l) // nothing begins before
	within(t, "all tasks", end)
	if diff := cmp.Diff([]string{"a0", "b0", "c0", "a1", "b1", "a2"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestNothingIsKeptOfWhatIsDone: canaries come and go for years.
func TestNothingIsKeptOfWhatIsDone(t *testing.T) {
	l := newLanes(8, 2)
	started(t, l)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Add(1)
		l.add(called(fmt.Sprint("c", i%20)), func(context.Context) { wg.Done() })
	}
	wg.Wait()
	empty := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.running == 0 && len(l.busy) == 0 && len(l.waiting) == 0 && len(l.turns) == 0
	}
	for deadline := time.Now().Add(10 * time.Second); !empty(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left over: %d running, %v busy, %v waiting, %v", l.running, l.busy, len(l.waiting), slices.Clone(l.turns))
		}
	}
}
