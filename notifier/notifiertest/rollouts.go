package notifiertest

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/notifier"
)

// Start is when the rollouts of this package start.
var Start = time.Date(2026, 11, 21, 23, 44, 29, 0, time.UTC)

// Rollback is what is told of a rollout whose new revision fails.
func Rollback() []notifier.Message {
	return run(
		started(),
		shifted(31*time.Second, 5, 1, 10),
		shifted(51*time.Second, 15, 3, 10, passing()...),
		held(71*time.Second, 15, 3),
		notifier.Message{
			Kind: notifier.Ended, Severity: notifier.Error, Phase: "Failed", Outcome: "Failed",
			What: "rolled back", Why: "success rate 96.2 % < 99 % in 5 checks",
			Next:   "All traffic on 6.0.1. Push a fix, or: kubectl serin -n apps retry podinfo",
			At:     Start.Add(85 * time.Second),
			Checks: failing(),
		},
	)
}

// Promotion is what is told of a rollout whose new revision holds.
func Promotion() []notifier.Message {
	return run(
		started(),
		shifted(31*time.Second, 25, 1, 2, passing()...),
		shifted(51*time.Second, 50, 2, 2, passing()...),
		notifier.Message{
			Kind: notifier.Moved, Severity: notifier.Info, Phase: "Promoting", Weight: 50, Step: 2, Steps: 2,
			What: "copying 6.0.2 to podinfo-primary", Why: "all checks passed at 50 %",
			Next:   "Traffic follows when its pods are ready, at the latest 23:55:20Z",
			At:     Start.Add(71 * time.Second),
			Checks: passing(),
		},
		notifier.Message{
			Kind: notifier.Ended, Severity: notifier.Info, Phase: "Succeeded", Outcome: "Promoted",
			What: "promoted", Why: "6 of 6 checks passed", Next: "All traffic on 6.0.2",
			At:     Start.Add(141 * time.Second),
			Checks: passing(),
		},
	)
}

// Adoption is a message that belongs to no rollout.
func Adoption() notifier.Message {
	return notifier.Message{
		Key: "7", Kind: notifier.Notice, Severity: notifier.Info, Cluster: "production",
		Canary: types.NamespacedName{Namespace: "apps", Name: "podinfo"},
		What:   "podinfo:6.0.1 serves from podinfo-primary",
		Next:   "A change of the template of podinfo starts a rollout",
		At:     Start,
	}
}

// run adds what all messages of one rollout have in common.
func run(messages ...notifier.Message) []notifier.Message {
	for i := range messages {
		m := &messages[i]
		m.Key = fmt.Sprintf("3/%d", i+1)
		m.Canary = types.NamespacedName{Namespace: "apps", Name: "podinfo"}
		m.Cluster, m.Rollout = "production", 3
		m.From, m.To = "6.0.1", "6.0.2"
		m.FromImage, m.ToImage = "registry.example/shop/podinfo:6.0.1", "registry.example/shop/podinfo:6.0.2"
		m.StartedAt = Start
	}
	return messages
}

func started() notifier.Message {
	return notifier.Message{
		Kind: notifier.Started, Severity: notifier.Info, Phase: "Progressing",
		What: "new revision", Next: "Starting 2 canary pods, at the latest until 23:54:29Z",
		At: Start,
	}
}

func shifted(after time.Duration, weight, step, steps int32, checks ...notifier.Check) notifier.Message {
	m := notifier.Message{
		Kind: notifier.Moved, Severity: notifier.Info, Phase: "Progressing",
		What:   fmt.Sprintf("%d %% of the traffic to 6.0.2 (step %d of %d)", weight, step, steps),
		Weight: float64(weight), Step: step, Steps: steps,
		At: Start.Add(after), NextCheckAt: Start.Add(after + 20*time.Second),
		Checks: checks,
	}
	if len(checks) > 0 {
		m.Why = "success rate 99.94 % ≥ 99 %, p99 latency 48 ms ≤ 500 ms"
	}
	return m
}

func held(after time.Duration, weight, step int32) notifier.Message {
	return notifier.Message{
		Kind: notifier.Held, Severity: notifier.Warning, Phase: "Progressing",
		What: "check 1 of 5 failed", Why: "success rate 96.2 % < 99 %: 38 of 1,004 requests failed in 60s",
		Next:   "The 5th rolls back",
		Weight: float64(weight), Step: step, Steps: 10,
		At: Start.Add(after), NextCheckAt: Start.Add(after + 20*time.Second),
		Checks: failing(),
	}
}

func passing() []notifier.Check {
	return []notifier.Check{
		{Name: "success rate", Verdict: "Passed", Value: "99.94 %", Threshold: "≥ 99 %", Requests: 1204},
		{Name: "p99 latency", Verdict: "Passed", Value: "48 ms", Threshold: "≤ 500 ms"},
	}
}

func failing() []notifier.Check {
	return []notifier.Check{
		{Name: "success rate", Verdict: "Failed", Value: "96.2 %", Threshold: "≥ 99 %", Requests: 1004},
		{Name: "p99 latency", Verdict: "Passed", Value: "61 ms", Threshold: "≤ 500 ms"},
		{Name: "checkout conversions", Verdict: "Inconclusive", Value: "no data in 60s", Threshold: "≥ 3 %"},
	}
}
