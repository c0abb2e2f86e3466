package canary

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/webhook"
)

// inRun is a canary in a rollout, so that its questions have a step to belong to.
func inRun(name string) *v1beta1.Canary {
	c := &v1beta1.Canary{}
	c.Namespace, c.Name, c.UID = "apps", name, types.UID(name)
	c.Status.Rollout = &v1beta1.RolloutStatus{Number: 1, Step: v1beta1.StepAnalysing}
	return c
}

// subjects begins the keys of questions that a canary's status waits for.
func subjects(t *testing.T, c *v1beta1.Canary) string {
	t.Helper()
	r := c.Status.Rollout
	prefix := fmt.Sprintf("%s/%d-%x/%s-%x/%d.", c.UID, r.Number, r.StartedAt.UnixMicro(), r.Step, r.Since.UnixMicro(), r.Attempt)
	if !rollout.Waits(c, prefix) {
		t.Fatalf("keys begin otherwise than with %s", prefix)
	}
	return prefix
}

func ask(t *testing.T, a *asker, c *v1beta1.Canary, kind rollout.QuestionKind, hook *v1beta1.CanaryWebhook, n int) {
	var questions []rollout.Question
	for i := range n {
		subject := fmt.Sprintf("%s%s/%d", subjects(t, c), kind, i)
		questions = append(questions, rollout.Question{Key: subject + "/0", Subject: subject, Kind: kind, Hook: hook, Index: i})
	}
	a.ask(&view{canary: c}, questions)
}

// hung is a server that never answers, and the hook that calls it.
func hung(t *testing.T) (*v1beta1.CanaryWebhook, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // before, the server does not notice
		<-r.Context().Done()               // that the caller hangs up
	}))
	t.Cleanup(s.Close) // once those who call it have stopped
	return &v1beta1.CanaryWebhook{Name: "hung", URL: s.URL, Timeout: "5m"}, &calls
}

// askingHooks asks hooks for real and answers everything else at once.
func askingHooks(t *testing.T) (*asker, chan types.NamespacedName) {
	t.Helper()
	h := hooks{caller: webhook.New(nil, nil, "")}
	woken := make(chan types.NamespacedName, 1000)
	a := newAsker(2, func(ctx context.Context, in inquiry) rollout.Answer {
		if in.Kind != rollout.AskHook {
			return rollout.Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: 99.8}}
		}
		_, err := h.call(ctx, in.canary, *in.Hook, payload(in.canary, *in.Hook), in.Key)
		return rollout.Answer{Measurement: analysis.Measurement{Evidence: analysis.Unavailable, Message: fmt.Sprint(err)}}
	}, func(name types.NamespacedName) { woken <- name })
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = a.run(ctx) }()
	t.Cleanup(func() { cancel(); <-stopped })
	return a, woken
}

func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestHungHooksOfOneCanaryKeepNobodyWaiting: a hundred of them leave another canary's metric, its own
// hooks and the first one's metrics to be answered at once.
func TestHungHooksOfOneCanaryKeepNobodyWaiting(t *testing.T) {
	hook, calls := hung(t)
	a, woken := askingHooks(t)
	ask(t, a, inRun("hung"), rollout.AskHook, hook, 100)
	soon(t, "hooks are called", func() bool { return calls.Load() == hooksEach })

	gone := httptest.NewServer(nil)
	gone.Close()
	for _, test := range []struct {
		canary string
		kind   rollout.QuestionKind
	}{{"other", rollout.AskMetric}, {"other", rollout.AskHook}, {"hung", rollout.AskMetric}} {
		ask(t, a, inRun(test.canary), test.kind, &v1beta1.CanaryWebhook{Name: "gone", URL: gone.URL}, 5)
		for range 5 {
			select {
			case name := <-woken:
				if name.Name != test.canary {
					t.Fatalf("woke %s, want %s", name, test.canary)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("the %s of %s is not answered", test.kind, test.canary)
			}
		}
	}
	if n := calls.Load(); n != hooksEach {
		t.Errorf("%d hooks of one canary are under way, want %d", n, hooksEach)
	}
}

// TestHooksOfAStepThatIsOverAreHungUpOn: they would take the place of those that matter now.
func TestHooksOfAStepThatIsOverAreHungUpOn(t *testing.T) {
	hook, calls := hung(t)
	a, woken := askingHooks(t)
	c := inRun("podinfo")
	ask(t, a, c, rollout.AskHook, hook, 20)
	soon(t, "hooks are called", func() bool { return calls.Load() == hooksEach })
	c.Status.Rollout.Attempt++
	a.keep(c)
	soon(t, "nothing is asked any more", func() bool {
		a.hooks.mu.Lock()
		defer a.hooks.mu.Unlock()
		return a.hooks.running == 0 && len(a.hooks.waiting) == 0
	})
	if n := calls.Load(); n != hooksEach || len(woken) > 0 || len(a.answers(c)) > 0 {
		t.Errorf("%d calls, %d wakes and %v, want %d calls and nothing else", n, len(woken), a.answers(c), hooksEach)
	}
}

// TestAQuestionIsPutOnce while it is being asked, and again when its answer was dropped.
func TestAQuestionIsPutOnce(t *testing.T) {
	hook, calls := hung(t)
	a, woken := askingHooks(t)
	c := inRun("podinfo")
	for range 3 {
		ask(t, a, c, rollout.AskHook, hook, 1)
	}
	soon(t, "the hook is called", func() bool { return calls.Load() == 1 })
	a.forget(called("podinfo"))
	ask(t, a, c, rollout.AskHook, hook, 1)
	soon(t, "the hook is called again", func() bool { return calls.Load() == 2 })
	ask(t, a, c, rollout.AskMetric, nil, 1)
	<-woken
	if got := a.answers(c); len(got) != 1 || calls.Load() != 2 {
		t.Errorf("%d calls and the answers %v", calls.Load(), got)
	}
	ask(t, a, c, rollout.AskMetric, nil, 1) // by a turn that began before the answer came
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.open) != 1 {
		t.Errorf("%d questions are open, want the hook only", len(a.open))
	}
}

// TestASlowAnswerIsOneToTheLatestTurn: a gate that thinks for longer than it is asked anew has one call
// under way, and what it says counts.
func TestASlowAnswerIsOneToTheLatestTurn(t *testing.T) {
	a, woken := askingHooks(t)
	release := make(chan struct{})
	var keys []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		<-release
	}))
	t.Cleanup(s.Close)
	c := inRun("podinfo")
	prefix := subjects(t, c)
	for turn := range 10 {
		a.ask(&view{canary: c}, []rollout.Question{{Key: fmt.Sprint(prefix, turn), Subject: prefix, Kind: rollout.AskHook,
			Hook: &v1beta1.CanaryWebhook{Name: "gate", URL: s.URL}}})
	}
	close(release)
	<-woken
	if diff := cmp.Diff([]string{prefix + "0"}, keys); diff != "" {
		t.Errorf("keys that the gate was called with (-want +got):\n%s", diff)
	}
	if _, ok := a.answers(c)[prefix+"9"]; !ok || len(a.answers(c)) != 1 {
		t.Errorf("answers: %v", a.answers(c))
	}
}

// TestOneAnswerIsKeptOfAGate that is asked for days.
func TestOneAnswerIsKeptOfAGate(t *testing.T) {
	a, woken := askingHooks(t)
	c := inRun("podinfo")
	prefix := subjects(t, c)
	for turn := range 50 {
		a.ask(&view{canary: c}, []rollout.Question{{Key: fmt.Sprint(prefix, turn), Subject: prefix, Kind: rollout.AskMetric}})
		<-woken
	}
	if got := a.answers(c); len(got) != 1 || len(a.open) > 0 {
		t.Errorf("%d answers are kept", len(got))
	}
}
