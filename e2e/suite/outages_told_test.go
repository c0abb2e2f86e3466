package suite

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
	"github.com/serin-dev/serin/e2e/slackd/event"
	"github.com/serin-dev/serin/pkg/rollout"
)

// TestOutageSlack plays a rollout while Slack breaks off calls, then answers 500, and another one while
// it asks for pauses: neither waits for it, and Slack is told all of both afterwards.
func TestOutageSlack(t *testing.T) {
	t.Parallel()
	s := open(t, "slack", quick)
	t.Cleanup(func() { s.must(set.Misbehave(s.background(), "slack", event.Fault{})) })
	s.setImage("6.0.1")
	usual := took(s.untilEnded("6.0.1", v1beta1.OutcomePromoted))
	s.untilTold(2 * time.Minute)
	before := s.inChannel()

	s.refuseSlack()
	s.setImage("6.0.2")
	s.untilWeight("6.0.2", 40)
	s.answerSlack()
	s.must(s.Misbehave(t.Context(), "slack", event.Fault{Status: http.StatusInternalServerError}))
	down := took(s.untilEnded("6.0.2", v1beta1.OutcomePromoted))
	if n := s.inChannel(); n != before {
		t.Errorf("%d events in the channel while Slack was down, want the %d before it", n, before)
	}
	s.untilBehind("slack")

	s.must(s.Misbehave(t.Context(), "slack", event.Fault{Status: http.StatusTooManyRequests, RetryAfter: 5}))
	s.setImage("6.1.0")
	limited := took(s.untilEnded("6.1.0", v1beta1.OutcomePromoted))
	begin := time.Now()
	s.must(s.Misbehave(t.Context(), "slack", event.Fault{}))
	c := s.untilTold(7 * time.Minute) // pauses grow up to five
	t.Logf("all was told %v after Slack was well again", time.Since(begin).Round(time.Second))
	s.wantTold(c, 2)
	s.wantTold(c, 3)
	t.Logf("runs took %v while Slack was up, %v while it was down, %v while it limited", usual, down, limited)
	if most := usual + usual/2 + 10*time.Second; down > most || limited > most {
		t.Errorf("more than %v: Slack delays nothing but its own messages", most)
	}
	s.serves("6.1.0")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0, 10, 20, 30, 40, 50, 0, 10, 20, 30, 40, 50, 0)
}

func took(c *v1beta1.Canary) time.Duration {
	return c.Status.Rollout.EndedAt.Sub(c.Status.Rollout.StartedAt.Time).Round(time.Second / 10)
}

// refuseSlack makes new connections to Slack be refused, and breaks off the calls on those that there are.
func (s *scene) refuseSlack() {
	s.Helper()
	s.Cleanup(s.answerSlack)
	s.slackPort(9) // nobody listens there
	s.must(s.Misbehave(s.Context(), "slack", event.Fault{HangUp: true}))
}

func (s *scene) answerSlack() { s.slackPort(8443) }

func (s *scene) slackPort(port int) {
	s.Helper()
	namespace, name := s.SlackService()
	_, err := s.KubectlOutput(s.background(), "-n", namespace, "patch", "service", name,
		"-p", fmt.Sprintf(`{"spec":{"ports":[{"port":443,"targetPort":%d}]}}`, port))
	s.must(err)
}

// untilTold waits until everybody has been told everything.
func (s *scene) untilTold(limit time.Duration) *v1beta1.Canary {
	s.Helper()
	var last *v1beta1.Canary
	s.must(s.WaitCanary(s.Context(), s.ns, limit, "everybody is told", func(c *v1beta1.Canary) (bool, error) {
		last = c
		newest := c.Status.Journal[len(c.Status.Journal)-1].Transition
		if c.Status.Told == newest && len(c.Status.Sinks) == 0 {
			return false, nil
		}
		return false, fmt.Errorf("told %d of %d, behind: %v", c.Status.Told, newest, c.Status.Sinks)
	}))
	return last
}

// untilBehind waits until the Canary says that somebody has not been told.
func (s *scene) untilBehind(sink string) {
	s.Helper()
	s.must(s.WaitCanary(s.Context(), s.ns, 3*time.Minute, "NotTold: "+sink, func(c *v1beta1.Canary) (bool, error) {
		i := slices.IndexFunc(c.Status.Sinks, func(st v1beta1.SinkStatus) bool { return st.Name == sink })
		if i < 0 || !strings.Contains(stage.Why(c), "NotTold: ") {
			return false, fmt.Errorf("behind: %v; %s", c.Status.Sinks, stage.Why(c))
		}
		s.Logf("the sink: %s, told %d: %s", sink, c.Status.Sinks[i].Told, c.Status.Sinks[i].Message)
		s.Logf("the conditions: %s", stage.Why(c))
		return false, nil
	}))
}

// inChannel counts the channel's events that are the scene's.
func (s *scene) inChannel() int {
	s.Helper()
	events, err := s.Slack(s.Context(), 0)
	s.must(err)
	n, own := 0, map[string]bool{}
	for _, e := range events {
		if e.Kind == event.Posted && strings.Contains(e.Lines[0], s.ns+"/podinfo") {
			own[e.Message] = true
		}
		if own[e.Message] || own[e.Thread] {
			n++
		}
	}
	return n
}

// wantTold asserts that the thread of a rollout has a line for each decision, in order, and no other.
func (s *scene) wantTold(c *v1beta1.Canary, number int64) {
	s.Helper()
	events, err := s.Slack(s.Context(), 0)
	s.must(err)
	var cards []string
	for _, e := range events {
		if e.Kind == event.Posted && strings.HasPrefix(e.Lines[0], "🐣") && strings.Contains(e.Lines[0], s.ns+"/podinfo") {
			cards = append(cards, e.Message)
		}
	}
	if int64(len(cards)) != c.Status.Rollout.Number {
		s.Fatalf("%d messages in the channel for %d rollouts", len(cards), c.Status.Rollout.Number)
	}
	var lines []string
	for _, e := range events {
		if e.Thread == cards[number-1] {
			lines = append(lines, e.Lines[0])
		}
	}
	decided := slices.DeleteFunc(slices.Clone(c.Status.Journal), func(e v1beta1.JournalEntry) bool { return e.Rollout != number || e.Muted })
	if len(decided) == 0 || len(lines) != len(decided) {
		s.Errorf("rollout %d: %d lines for %d decisions:\n%s", number, len(lines), len(decided), strings.Join(lines, "\n"))
		return
	}
	for i, e := range decided {
		if e.Moment == string(rollout.Ended) { // its thread knows the revision, and measures the time itself
			_, e.What, _ = strings.Cut(e.What, " ")
			e.What, _, _ = strings.Cut(e.What, " after ")
		}
		if !strings.Contains(lines[i], strings.TrimSuffix(e.What, ".")) {
			s.Errorf("rollout %d, line %d: %q, want %q", number, i, lines[i], e.What)
		}
	}
}

const hangingHooks = `
    webhooks:
    - {name: smoke-test, type: rollout, url: %[1]s, timeout: 3s}
    - {name: audit, type: event, url: %[1]s, timeout: 3s}
`

// TestOutageHooks gives one canary a check and a receiver of events that take a call and never answer,
// and plays another rollout beside it.
func TestOutageHooks(t *testing.T) {
	t.Parallel()
	s := prepare(t, "hooks")
	t.Cleanup(func() { s.must(set.Misbehave(s.background(), "hook", event.Fault{})) })
	s.both(func(s *scene) {
		s.applySamples(s.gateway.samples...)
		s.apply(strings.TrimSuffix(quick.canary(), "\n") + fmt.Sprintf(hangingHooks, s.HookURL()))
	})
	s.open()
	other := open(t, "hooks-beside", quick)
	other.setImage("6.0.1")
	usual := took(other.untilEnded("6.0.1", v1beta1.OutcomePromoted))

	s.must(s.Misbehave(t.Context(), "hook", event.Fault{Hang: true}))
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 10)
	other.setImage("6.0.2")
	c := s.untilEnded("6.0.1", v1beta1.OutcomeFailed)
	if r := c.Status.Rollout; r.Reason != "NoEvidence" || !strings.Contains(r.Message, "did not answer in 3s") {
		t.Errorf("rolled back because of %s: %s", r.Reason, r.Message)
	}
	s.said("Inconclusive", "did not answer in 3s")
	s.show()
	s.serves("6.0.0")
	beside := took(other.untilEnded("6.0.2", v1beta1.OutcomePromoted))
	t.Logf("the other's runs took %v before, %v beside it", usual, beside)
	if most := usual + usual/2 + 10*time.Second; beside > most {
		t.Errorf("more than %v: a hook that hangs slows nobody else", most)
	}
	s.untilBehind("hook/1-audit")

	s.must(s.Misbehave(t.Context(), "hook", event.Fault{}))
	begin := time.Now()
	s.setImage("6.0.2")
	s.untilEnded("6.0.2", v1beta1.OutcomePromoted)
	s.serves("6.0.2")
	s.wantWeights(0, 10, 0, 10, 20, 30, 40, 50, 0)
	s.untilTold(7 * time.Minute)
	t.Logf("all was told %v after the hook was well again", time.Since(begin).Round(time.Second))
	other.serves("6.0.2")
	other.wantWeights(0, 10, 20, 30, 40, 50, 0, 10, 20, 30, 40, 50, 0)
}
