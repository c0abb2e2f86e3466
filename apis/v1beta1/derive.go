package v1beta1

import (
	"time"

	"k8s.io/utils/ptr"
)

// What a field means when it is not set. These are no defaults of the schema: they would be written
// into users' objects and could never change.
const (
	defaultInterval         = time.Minute
	defaultHookTimeout      = 10 * time.Second
	defaultProgressDeadline = 10 * time.Minute
	// minInterval keeps a typing error from turning into a busy loop.
	minInterval = time.Second
)

// ApexName is the name of the Service that users and routes know. The Services of the two sides are
// this name with -primary and -canary.
func (c *Canary) ApexName() string {
	if c.Spec.Service.Name != "" {
		return c.Spec.Service.Name
	}
	return c.Spec.TargetRef.Name
}

// PrimaryName is the name of the workload that runs the promoted revision.
func (c *Canary) PrimaryName() string { return c.Spec.TargetRef.Name + "-" + RolePrimary }

// CanaryName is the name of the workload that runs the revision under analysis.
func (c *Canary) CanaryName() string { return c.Spec.TargetRef.Name + "-" + RoleCanary }

// PrimaryServiceName is the name of the Service of the promoted revision's pods.
func (c *Canary) PrimaryServiceName() string { return c.ApexName() + "-" + RolePrimary }

// CanaryServiceName is the name of the Service of the pods under analysis.
func (c *Canary) CanaryServiceName() string { return c.ApexName() + "-" + RoleCanary }

// ReleaseServiceName is the name of the Service that shows the target's own pods during a release.
func (c *Canary) ReleaseServiceName() string { return c.ApexName() + "-" + RoleRelease }

// HandsBack is true unless the traffic is to stay where it is when the Canary is deleted.
func (c *Canary) HandsBack() bool { return ptr.Deref(c.Spec.RevertOnDeletion, true) }

// ProgressDeadline bounds each wait for pods to become ready.
func (c *Canary) ProgressDeadline() time.Duration {
	if s := c.Spec.ProgressDeadlineSeconds; s != nil && *s > 0 {
		return time.Duration(*s) * time.Second
	}
	return defaultProgressDeadline
}

// IntervalDuration is the time between two checks. The receiver may be nil, here and below: without
// an analysis the defaults hold.
func (a *CanaryAnalysis) IntervalDuration() time.Duration {
	if a == nil {
		return defaultInterval
	}
	return max(duration(a.Interval, defaultInterval), minInterval)
}

// BakeDuration is how long a promoted revision is watched; 0 for not at all.
func (a *CanaryAnalysis) BakeDuration() time.Duration {
	if a == nil {
		return 0
	}
	return duration(a.BakeTime, 0)
}

// MaxFailedChecks is how many failed checks end a rollout.
func (a *CanaryAnalysis) MaxFailedChecks() int32 {
	if a == nil {
		return 1
	}
	return max(a.Threshold, 1)
}

// InconclusiveChecks is how many checks without evidence end a rollout.
func (a *CanaryAnalysis) InconclusiveChecks() int32 {
	if a == nil || a.InconclusiveLimit == nil {
		return a.MaxFailedChecks()
	}
	return *a.InconclusiveLimit
}

// PrimaryReadyPercent is the share of the primary's pods that must be available.
func (a *CanaryAnalysis) PrimaryReadyPercent() int32 {
	if a == nil {
		return 100
	}
	return ptr.Deref(a.PrimaryReadyThreshold, 100)
}

// CanaryReadyPercent is the share of the canary's pods that must be available.
func (a *CanaryAnalysis) CanaryReadyPercent() int32 {
	if a == nil {
		return 100
	}
	return ptr.Deref(a.CanaryReadyThreshold, 100)
}

// IntervalDuration is the time that the query looks back over.
func (m CanaryMetric) IntervalDuration() time.Duration {
	return max(duration(m.Interval, defaultInterval), minInterval)
}

// HookType is the type with its default.
func (w CanaryWebhook) HookType() string {
	if w.Type == "" {
		return HookRollout
	}
	return w.Type
}

// RemindAfterDuration is after how long a gate is told of again; 0 for never.
func (w CanaryWebhook) RemindAfterDuration() time.Duration { return duration(w.RemindAfter, 0) }

// DeadlineDuration is how long a gate may keep a rollout waiting; 0 for ever.
func (w CanaryWebhook) DeadlineDuration() time.Duration { return duration(w.Deadline, 0) }

// TimeoutDuration bounds one call.
func (w CanaryWebhook) TimeoutDuration() time.Duration {
	return duration(w.Timeout, defaultHookTimeout)
}

func (a *CanaryAnalysis) maxWeight() int32 {
	if a.MaxWeight <= 0 {
		return 100
	}
	return min(a.MaxWeight, 100)
}

// evenSteps are the multiples of step below limit, then limit.
func evenSteps(step, limit int32) []Weight {
	var steps []Weight
	// Compared as limit-w > step, not w+step < limit: a step near the top of int32 would overflow.
	for w := int32(0); limit-w > step; {
		w += step
		steps = append(steps, Percent(w))
	}
	return append(steps, Percent(limit))
}

// cappedSteps ends a list at its first weight of 100 or more: the canary has all traffic then.
func cappedSteps(weights []int32) []Weight {
	var steps []Weight
	for _, w := range weights {
		if w >= 100 {
			return append(steps, FullWeight)
		}
		steps = append(steps, Percent(w))
	}
	return steps
}

// duration takes a text that the schema's pattern let through but that is longer than a duration can
// be for one that is not set. Zero counts as not set too: nothing can be done in no time.
func duration(text string, unset time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return unset
	}
	return d
}
