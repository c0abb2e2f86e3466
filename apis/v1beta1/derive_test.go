package v1beta1

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"
)

func TestSteps(t *testing.T) {
	tests := map[string]struct {
		analysis *CanaryAnalysis
		want     []Weight
	}{
		"no analysis has no steps":                 {nil, nil},
		"iterations have no steps":                 {&CanaryAnalysis{Iterations: 5}, nil},
		"a step that divides the maximum":          {&CanaryAnalysis{StepWeight: 20, MaxWeight: 60}, weights(20, 40, 60)},
		"a step that would pass the maximum":       {&CanaryAnalysis{StepWeight: 20, MaxWeight: 50}, weights(20, 40, 50)},
		"no maximum is 100":                        {&CanaryAnalysis{StepWeight: 50}, weights(50, 100)},
		"one step of everything":                   {&CanaryAnalysis{StepWeight: 100}, weights(100)},
		"a step above the maximum is the maximum":  {&CanaryAnalysis{StepWeight: 80, MaxWeight: 50}, weights(50)},
		"a step that overflows":                    {&CanaryAnalysis{StepWeight: math.MaxInt32}, weights(100)},
		"a list is taken as it is":                 {&CanaryAnalysis{StepWeights: []int32{1, 10, 80}}, weights(1, 10, 80)},
		"a list's own end counts, not the maximum": {&CanaryAnalysis{StepWeights: []int32{1, 80}, MaxWeight: 50}, weights(1, 80)},
		"a list ends at 100":                       {&CanaryAnalysis{StepWeights: []int32{42, 101, 150}}, weights(42, 100)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, weightsOf(tt.analysis)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIntervals(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                      time.Minute,
		"0s":                    time.Minute,
		"not a duration":        time.Minute,
		"99999999999999999999m": time.Minute,
		"500ms":                 time.Second,
		"1s":                    time.Second,
		"1m30s":                 90 * time.Second,
	} {
		if got := (&CanaryAnalysis{Interval: text}).IntervalDuration(); got != want {
			t.Errorf("analysis interval %q: got %s, want %s", text, got, want)
		}
		if got := (CanaryMetric{Interval: text}).IntervalDuration(); got != want {
			t.Errorf("metric interval %q: got %s, want %s", text, got, want)
		}
	}
}

func TestHookDefaults(t *testing.T) {
	if w := (CanaryWebhook{}); w.HookType() != HookRollout || w.TimeoutDuration() != 10*time.Second {
		t.Errorf("got %s, %s", w.HookType(), w.TimeoutDuration())
	}
	if w := (CanaryWebhook{Type: HookRollback, Timeout: "500ms"}); w.HookType() != HookRollback || w.TimeoutDuration() != 500*time.Millisecond {
		t.Errorf("got %s, %s", w.HookType(), w.TimeoutDuration())
	}
}

func TestLimits(t *testing.T) {
	type limits struct{ Failed, Inconclusive, Primary, Canary int32 }
	tests := map[string]struct {
		analysis *CanaryAnalysis
		want     limits
	}{
		"no analysis":                       {nil, limits{1, 1, 100, 100}},
		"nothing set":                       {&CanaryAnalysis{}, limits{1, 1, 100, 100}},
		"no evidence follows the threshold": {&CanaryAnalysis{Threshold: 5}, limits{5, 5, 100, 100}},
		"all set": {&CanaryAnalysis{
			Threshold: 5, InconclusiveLimit: ptr.To[int32](10),
			PrimaryReadyThreshold: ptr.To[int32](50), CanaryReadyThreshold: ptr.To[int32](0),
		}, limits{5, 10, 50, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := tt.analysis
			got := limits{a.MaxFailedChecks(), a.InconclusiveChecks(), a.PrimaryReadyPercent(), a.CanaryReadyPercent()}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := (*CanaryAnalysis)(nil).IntervalDuration(); got != time.Minute {
		t.Errorf("interval without analysis: %s", got)
	}
}

func TestNames(t *testing.T) {
	c := &Canary{Spec: CanarySpec{TargetRef: LocalObjectReference{Name: "podinfo"}}}
	names := func() []string {
		return []string{c.ApexName(), c.PrimaryServiceName(), c.CanaryServiceName(), c.PrimaryName(), c.CanaryName()}
	}
	want := []string{"podinfo", "podinfo-primary", "podinfo-canary", "podinfo-primary", "podinfo-canary"}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("named after the target (-want +got):\n%s", diff)
	}
	c.Spec.Service.Name = "shop"
	want = []string{"shop", "shop-primary", "shop-canary", "podinfo-primary", "podinfo-canary"}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("with a Service of another name (-want +got):\n%s", diff)
	}
}

func TestProgressDeadline(t *testing.T) {
	c := &Canary{}
	if got := c.ProgressDeadline(); got != 10*time.Minute {
		t.Errorf("not set: %s", got)
	}
	c.Spec.ProgressDeadlineSeconds = ptr.To[int32](60)
	if got := c.ProgressDeadline(); got != time.Minute {
		t.Errorf("60: %s", got)
	}
}

func weights(percents ...int32) []Weight {
	var all []Weight
	for _, p := range percents {
		all = append(all, Percent(p))
	}
	return all
}

// weightsOf are the shares that an analysis gives the canary, without its steps that give it none.
func weightsOf(a *CanaryAnalysis) []Weight {
	var all []Weight
	for _, s := range a.Listed(true) {
		if s.Weight > 0 && a.Iterations == 0 {
			all = append(all, s.Weight)
		}
	}
	return all
}
