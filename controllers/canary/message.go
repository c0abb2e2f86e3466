package canary

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/rollout"
)

// event creates the entry's event under a name made of its transition: telling it again is a no-op.
func (a *audience) event(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, _ string) (string, error) {
	return "", a.say(ctx, c, e, "", e.Reason, text(e))
}

// say creates an event about an entry; mark tells several about the same one apart.
func (a *audience) say(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, mark, reason, message string) error {
	err := a.client.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: fmt.Sprintf("%.200s.%x.%x.%x%s", c.Name, uidTail(c), e.Transition, e.Index, mark)},
		InvolvedObject: corev1.ObjectReference{APIVersion: v1beta1.GroupVersion.String(), Kind: "Canary",
			Namespace: c.Namespace, Name: c.Name, UID: c.UID, ResourceVersion: c.ResourceVersion},
		Reason: reason, Message: clip(message, 1024), Type: eventType(e),
		Source:         corev1.EventSource{Component: v1beta1.FieldManager},
		FirstTimestamp: e.At, LastTimestamp: e.At, Count: 1,
		ReportingController: "serin.dev/serin",
	})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return nil // nobody is left to read it
	}
	return err
}

// eventType is an entry's severity as events know it.
func eventType(e v1beta1.JournalEntry) string {
	if e.Severity != string(rollout.Info) {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

func uidTail(c *v1beta1.Canary) string {
	uid := string(c.UID)
	return uid[max(0, len(uid)-4):]
}

// text joins an entry's parts into one line.
func text(e v1beta1.JournalEntry) string {
	parts := []string{e.What}
	for _, p := range []string{e.Why, e.Next} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ". ")
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-3], "") + "…"
}

// message is an entry with the state of its rollout, as the sinks draw it.
func message(c *v1beta1.Canary, e v1beta1.JournalEntry, cluster string) notifier.Message {
	m := notifier.Message{
		Key: entryKey(c, e), Kind: notifier.Kind(e.Moment),
		Severity: notifier.Severity(e.Severity), Canary: client.ObjectKeyFromObject(c), Cluster: cluster,
		What: e.What, Why: e.Why, Next: e.Next, At: e.At.Time,
		Phase: string(c.Status.Phase), Weight: c.Status.CanaryWeight.Percent(),
	}
	r := runOf(c, e)
	if r == nil {
		return m
	}
	m.Rollout, m.StartedAt = r.Number, r.StartedAt.Time
	m.From, m.To = shortTag(r.From.Image, r.Revision.Image)
	m.FromImage, m.ToImage = fullImage(r.From), fullImage(r.Revision)
	m.Step, m.Steps = r.WeightIndex, r.Weights
	if r.NextCheckAt != nil {
		m.NextCheckAt = r.NextCheckAt.Time
	}
	if m.Kind == notifier.Ended {
		m.What, m.Outcome, m.Phase = ended(r.Outcome), string(r.Outcome), string(endPhase(r.Outcome))
	}
	if r != c.Status.Rollout {
		m.Weight = 0 // it is over
		return m
	}
	for _, ch := range c.Status.Checks {
		m.Checks = append(m.Checks, notifier.Check{Name: ch.Name, Verdict: string(ch.Verdict),
			Value: ch.Value, Threshold: ch.Threshold, Requests: ch.Samples})
	}
	return m
}

// entryKey is the same whenever an entry is told again.
func entryKey(c *v1beta1.Canary, e v1beta1.JournalEntry) string {
	return fmt.Sprintf("%s/%d.%d", c.UID, e.Transition, e.Index)
}

// runOf is the rollout that an entry is about, nil outside of one. Of one that another has followed only
// the record is left.
func runOf(c *v1beta1.Canary, e v1beta1.JournalEntry) *v1beta1.RolloutStatus {
	if r := c.Status.Rollout; r != nil && r.Number == e.Rollout {
		return r
	}
	for _, h := range slices.Backward(c.Status.History) {
		if h.Number == e.Rollout {
			return &v1beta1.RolloutStatus{Number: h.Number, Revision: v1beta1.RevisionStatus{Name: h.Revision, Image: h.Image},
				StartedAt: metav1.NewMicroTime(h.StartedAt.Time), Outcome: h.Outcome, Reason: h.Reason, Message: h.Message}
		}
	}
	return nil
}

// endPhase is the phase that a rollout ends in.
func endPhase(o v1beta1.Outcome) v1beta1.Phase {
	switch o {
	case v1beta1.OutcomePromoted:
		return v1beta1.PhaseSucceeded
	case v1beta1.OutcomeFailed:
		return v1beta1.PhaseFailed
	default:
		return v1beta1.PhaseInitialized
	}
}

// fullImage is the first container's image with its registry.
func fullImage(r v1beta1.RevisionStatus) string {
	if len(r.Images) > 0 {
		return r.Images[0]
	}
	return r.Image
}

func ended(o v1beta1.Outcome) string {
	switch o {
	case v1beta1.OutcomePromoted:
		return "promoted"
	case v1beta1.OutcomeFailed:
		return "rolled back"
	case v1beta1.OutcomeSuperseded:
		return "superseded"
	default:
		return "reverted"
	}
}

// shortTag shortens two images to their tags where only these differ.
func shortTag(from, to string) (string, string) {
	f, fTag, okF := strings.Cut(from, ":")
	t, tTag, okT := strings.Cut(to, ":")
	if okF && okT && f == t {
		return fTag, tTag
	}
	return from, to
}
