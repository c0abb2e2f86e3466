package rollout

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// conditions derives what machines read from where the planning came to. All of it follows from
// the status and what it waits for, so that a restart writes the same.
func (p *plan) conditions() {
	s := p.status
	reason, message := p.explain()
	s.Reason = reason
	s.Step = p.stepText()

	ready, reconciling, stalled := metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionFalse
	switch s.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseTerminated:
	case v1beta1.PhaseFailed:
		// Nothing goes on until the template changes: to kstatus that is stalled.
		ready, stalled = metav1.ConditionFalse, metav1.ConditionTrue
	default:
		ready, reconciling = metav1.ConditionUnknown, metav1.ConditionTrue
	}
	if p.waiting.stalled {
		ready, reconciling, stalled = metav1.ConditionFalse, metav1.ConditionFalse, metav1.ConditionTrue
	} else if p.waiting.reason == "Suspended" {
		ready, reconciling = metav1.ConditionUnknown, metav1.ConditionFalse
	}
	p.set(v1beta1.ConditionReady, ready, reason, message)
	p.set(v1beta1.ConditionReconciling, reconciling, reason, message)
	if stalled == metav1.ConditionTrue {
		p.set(v1beta1.ConditionStalled, stalled, reason, message)
	} else {
		p.set(v1beta1.ConditionStalled, stalled, "NotStalled", "")
	}
	p.set(v1beta1.ConditionPromoted, promoted(s.Phase), string(phaseReason(s.Phase)), p.promotedMessage())
	p.warn()
}

// explain says in a word and a sentence why the canary is where it is.
func (p *plan) explain() (reason, message string) {
	if p.waiting.reason != "" {
		return p.waiting.reason, p.waiting.message
	}
	s := p.status
	switch s.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		return "WaitingForRevision", fmt.Sprintf("%s serves; a change of the template of %s starts a rollout", s.Promoted.Image, p.spec.TargetRef.Name)
	case v1beta1.PhaseFailed:
		return s.Rollout.Reason, fmt.Sprintf("%s was rolled back: %s. %s serves; push a fix, the rejected template is held until it changes",
			s.Rollout.Revision.Image, s.Rollout.Message, s.Promoted.Image)
	case v1beta1.PhaseInitializing:
		return string(s.Initialization.Step), p.explainAdoption()
	case v1beta1.PhaseTerminating, v1beta1.PhaseTerminated:
		return p.explainRelease()
	case "":
		return "Pending", "nothing has been done yet"
	default:
		return p.explainRollout()
	}
}

func (p *plan) explainAdoption() string {
	switch in := p.status.Initialization; in.Step {
	case v1beta1.StepCloning:
		return fmt.Sprintf("%s is becoming ready, until %s", p.Object.PrimaryName(), clock(in.Until.Time))
	case v1beta1.StepRouting:
		return "the route turns to the primary"
	case v1beta1.StepTurning:
		return fmt.Sprintf("Service %s turns to the primary once the proxies have followed the route", p.Object.ApexName())
	default:
		return fmt.Sprintf("%s goes to zero pods once the traffic has settled on the primary", p.spec.TargetRef.Name)
	}
}

// explainRollout words a running rollout from its status alone, so that it changes with it and not
// in between: every write of a status has to be worth it.
func (p *plan) explainRollout() (reason, message string) {
	r := p.status.Rollout
	reason = string(r.Step)
	switch r.Step {
	case v1beta1.StepConfirming:
		return reason, fmt.Sprintf("%s waits until it is confirmed; nothing has been started", r.Revision.Image)
	case v1beta1.StepStarting:
		return reason, fmt.Sprintf("the pods of %s start, until %s", r.Revision.Image, clock(r.Until.Time))
	case v1beta1.StepAnalysing:
		return reason, fmt.Sprintf("%s is judged at %s %% of the traffic; next check %s", r.Revision.Image, p.status.CanaryWeight, clock(r.NextCheckAt.Time))
	case v1beta1.StepCopying:
		return reason, fmt.Sprintf("%s rolls to %s, until %s", p.Object.PrimaryName(), r.Revision.Image, clock(r.Until.Time))
	case v1beta1.StepBaking:
		return reason, fmt.Sprintf("%s serves and is watched until %s; %s is kept warm", r.Revision.Image, clock(r.Until.Time), r.From.Image)
	case v1beta1.StepRestoring:
		message = fmt.Sprintf("%s goes back to %s: %s", p.Object.PrimaryName(), r.From.Image, r.Message)
		if queued := p.queued(); queued != "" {
			message += ". " + queued
		}
		return reason, message
	default:
		return reason, fmt.Sprintf("%s: %s", r.Reason, r.Message)
	}
}

func (p *plan) stepText() string {
	r := p.status.Rollout
	if r == nil || r.EndedAt != nil || r.Outcome != "" || r.Step != v1beta1.StepAnalysing {
		return ""
	}
	if step := p.step(); step.Checks > 1 {
		return fmt.Sprintf("%d/%d", r.Passed, step.Checks)
	}
	return fmt.Sprintf("%d/%d", r.WeightIndex, max(r.Weights, r.WeightIndex))
}

// promoted has the values that this field's scripts wait for.
func promoted(ph v1beta1.Phase) metav1.ConditionStatus {
	switch ph {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		return metav1.ConditionTrue
	case v1beta1.PhaseFailed:
		return metav1.ConditionFalse
	default:
		return metav1.ConditionUnknown
	}
}

func phaseReason(ph v1beta1.Phase) v1beta1.Phase {
	if ph == "" {
		return v1beta1.PhaseInitializing
	}
	return ph
}

func (p *plan) promotedMessage() string {
	if p.status.Promoted == nil {
		return "nothing has been promoted yet"
	}
	if p.status.Phase == v1beta1.PhaseFailed {
		return fmt.Sprintf("%s was not promoted; %s serves", p.status.Rollout.Revision.Image, p.status.Promoted.Image)
	}
	return p.status.Promoted.Image + " serves"
}

func (p *plan) warn() {
	if len(p.Warnings) == 0 {
		meta.RemoveStatusCondition(&p.status.Conditions, v1beta1.ConditionWarning)
		return
	}
	var texts []string
	for _, w := range p.Warnings {
		texts = append(texts, w.Message)
	}
	p.set(v1beta1.ConditionWarning, metav1.ConditionTrue, p.Warnings[0].Reason, strings.Join(texts, "; "))
}

func (p *plan) set(kind string, status metav1.ConditionStatus, reason, message string) {
	c := metav1.Condition{Type: kind, Status: status, Reason: reason, Message: clip(message),
		ObservedGeneration: p.Object.Generation, LastTransitionTime: second(p.Now)}
	if c.Reason == "" {
		c.Reason = "Unknown"
	}
	meta.SetStatusCondition(&p.status.Conditions, c)
}

func condition(cs []metav1.Condition, kind string) *metav1.Condition {
	return meta.FindStatusCondition(cs, kind)
}

func sameStatus(a, b *v1beta1.CanaryStatus) bool { return equality.Semantic.DeepEqual(a, b) }
