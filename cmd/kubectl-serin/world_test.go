package main

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
	"github.com/serin-dev/serin/pkg/rollout"
)

// world plays the operator's own plan on a cluster in which everything that is asked for is there at
// once, so that what the plugin is shown is what an operator writes.
type world struct {
	c               *v1beta1.Canary
	now             time.Time
	target          rollout.Target
	primary, canary rollout.Workload
	apex            rollout.Apex
	route           rollout.Route
	command         *rollout.Command
	problems        []rollout.Problem
	warnings        []rollout.Problem
	revisions       []rollout.Snapshot
	answers         map[string]rollout.Answer
	// rate is the success rate that is measured; a nil one is no data.
	rate *float64
	// closed gates say no; the pods of a starting canary, and of a broken primary, are never ready.
	closed, starting, broken bool
	// release is asked for.
	release bool
}

var begin = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// adopted is a world at rest in which 6.0.0 serves.
func adopted(edit func(*v1beta1.Canary)) *world {
	w := fresh(edit)
	w.until(30 * time.Second)
	return w
}

// fresh is a world whose Canary was just created.
func fresh(edit func(*v1beta1.Canary)) *world {
	w := &world{now: begin, answers: map[string]rollout.Answer{}, rate: new(99.8)}
	w.c = &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "test", UID: "u", Generation: 1}}
	w.c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	w.c.Spec.Service.Port = 9898
	w.c.Spec.Analysis = &v1beta1.CanaryAnalysis{Interval: "10s", Threshold: 2, StepWeight: 20, MaxWeight: 40,
		Metrics: []v1beta1.CanaryMetric{{Name: v1beta1.MetricSuccessRate, Interval: "1m", ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)}}}}
	if edit != nil {
		edit(w.c)
	}
	w.apex.Exists, w.route.Weighted, w.target.Exists, w.target.Replicas = true, true, true, 2
	w.target.SizeField = "spec.replicas"
	w.hold("6.0.0")
	return w
}

// hold puts an image into the target's template.
func (w *world) hold(tag string) {
	w.target.Revision = v1beta1.RevisionStatus{Name: "podinfo-" + tag, Image: "podinfo:" + tag, Images: []string{"registry/podinfo:" + tag}}
	for _, s := range w.revisions {
		if s.Name == w.target.Revision.Name {
			return
		}
	}
	w.revisions = append([]rollout.Snapshot{{RevisionStatus: w.target.Revision, Number: int64(len(w.revisions) + 1)}}, w.revisions...)
}

// tell gives a command.
func (w *world) tell(text string) {
	c, err := v1beta1.ParseCommand(text)
	w.command = &rollout.Command{Command: c, Written: text, SelfReported: true}
	if err != nil {
		w.command.Wrong = err.Error()
	}
	w.turn()
}

// until plays to a time after the beginning.
func (w *world) until(d time.Duration) {
	end := begin.Add(d)
	for {
		wake := w.turn()
		if wake.IsZero() || wake.After(end) {
			w.now = end
			w.turn()
			return
		}
		w.now = wake
	}
}

// turn plans until nothing follows by itself, and returns when something will.
func (w *world) turn() time.Time {
	for {
		o := w.observed()
		d := rollout.Plan(o)
		if d.Next != nil {
			w.c.Status = *d.Next
			o = w.observed()
		}
		desired := rollout.Desired(o)
		w.apply(desired)
		after := w.observed()
		moved := !reflect.DeepEqual([]any{o.Primary, o.Canary, o.Apex, o.Route, o.Target}, []any{after.Primary, after.Canary, after.Apex, after.Route, after.Target})
		for _, q := range d.Questions {
			if _, ok := w.answers[q.Key]; !ok {
				w.answers[q.Key], moved = w.answer(q), true
			}
		}
		if d.Next != nil || moved {
			continue
		}
		return later(w.now, d.WakeAt, desired.WakeAt)
	}
}

// later is the first of the times that is still to come.
func later(now time.Time, times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func (w *world) observed() rollout.Observed {
	return rollout.Observed{Now: w.now, Object: w.c.DeepCopy(), Target: w.target, Primary: w.primary, Canary: w.canary, Apex: w.apex, Route: w.route,
		Command: w.command, Problems: w.problems, Warnings: w.warnings, Revisions: w.revisions, Answers: w.answers, Release: w.release}
}

func (w *world) apply(d rollout.World) {
	w.clone(&w.primary, d.Primary, !w.broken)
	w.clone(&w.canary, d.Canary, !w.starting)
	w.apex.ToPrimary = w.apex.ToPrimary || d.ApexToPrimary
	if d.Route != nil {
		w.route.Exists, w.route.CanaryWeight, w.route.Stamp = true, d.Route.CanaryWeight, w.c.Status.Transition
		w.route.Rules = d.Route.Rules.Digest()
	}
	if d.EmptyTarget {
		w.target.Replicas = 0
	}
}

func (w *world) clone(now *rollout.Workload, wish *rollout.Clone, ready bool) {
	if wish == nil {
		return
	}
	now.Exists, now.Synced = true, true
	if wish.Revision != "" {
		now.Revision = wish.Revision
	}
	if wish.Replicas != nil {
		now.Replicas = *wish.Replicas
	}
	now.Replicas = max(now.Replicas, wish.Floor)
	now.Pods, now.Updated = now.Replicas, now.Replicas
	now.Available, now.Endpoints = 0, 0
	if ready {
		now.Available, now.Endpoints = now.Replicas, now.Replicas
	}
}

func (w *world) answer(q rollout.Question) rollout.Answer {
	switch q.Kind {
	case rollout.AskShare:
		n := int64(w.route.CanaryWeight) * 2
		return rollout.Answer{Counts: analysis.Counts{Primary: 2000 - n, Canary: n, Known: true}}
	case rollout.AskTraffic:
		return rollout.Answer{Traffic: analysis.Traffic{Known: true, ActiveKnown: true}}
	case rollout.AskImages:
		return rollout.Answer{Images: rollout.Images{Known: true}}
	case rollout.AskHook:
		if w.closed {
			return rollout.Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Message: "HTTP 403: closed"}}
		}
		return rollout.Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: 1}}
	default:
		if w.rate == nil {
			return rollout.Answer{Measurement: analysis.Measurement{Evidence: analysis.NoData, Message: "no samples in the last 1m0s"}}
		}
		return rollout.Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: *w.rate, Requests: 412}}
	}
}

func TestTheWorldIsLikeTheOperators(t *testing.T) {
	w := adopted(nil)
	w.hold("6.0.1")
	w.until(5 * time.Minute)
	if s := w.c.Status; s.Phase != v1beta1.PhaseSucceeded || s.Promoted.Image != "podinfo:6.0.1" || len(s.History) != 1 {
		t.Errorf("phase %s, promoted %+v, history %+v", s.Phase, s.Promoted, s.History)
	}
}
