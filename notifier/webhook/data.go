package webhook

import (
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
)

// data is all that is known of a message.
type data struct {
	Text      string    `json:"text"`
	Kind      string    `json:"kind"`
	Severity  string    `json:"severity"`
	Cluster   string    `json:"cluster,omitempty"`
	Namespace string    `json:"namespace"`
	Canary    string    `json:"canary"`
	Rollout   int64     `json:"rollout,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	From      string    `json:"from,omitempty"`
	To        string    `json:"to,omitempty"`
	FromImage string    `json:"fromImage,omitempty"`
	ToImage   string    `json:"toImage,omitempty"`
	What      string    `json:"what"`
	Why       string    `json:"why,omitempty"`
	Next      string    `json:"next,omitempty"`
	Phase     string    `json:"phase,omitempty"`
	Weight    float64   `json:"weight"`
	Step      int32     `json:"step,omitempty"`
	Steps     int32     `json:"steps,omitempty"`
	At        time.Time `json:"at,omitzero"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	NextCheck time.Time `json:"nextCheckAt,omitzero"`
	Checks    []check   `json:"checks,omitempty"`
}

type check struct {
	Name      string `json:"name"`
	Verdict   string `json:"verdict"`
	Value     string `json:"value,omitempty"`
	Threshold string `json:"threshold,omitempty"`
	Requests  int64  `json:"requests,omitempty"`
}

func dataOf(m notifier.Message, text string) data {
	d := data{
		Text: text, Kind: string(m.Kind), Severity: string(m.Severity), Cluster: m.Cluster,
		Namespace: m.Canary.Namespace, Canary: m.Canary.Name, Rollout: m.Rollout, Outcome: m.Outcome,
		From: m.From, To: m.To, FromImage: m.FromImage, ToImage: m.ToImage,
		What: m.What, Why: m.Why, Next: m.Next, Phase: m.Phase, Weight: m.Weight, Step: m.Step, Steps: m.Steps,
		At: m.At.UTC(), StartedAt: m.StartedAt.UTC(), NextCheck: m.NextCheckAt.UTC(),
	}
	for _, c := range m.Checks {
		d.Checks = append(d.Checks, check{c.Name, c.Verdict, c.Value, c.Threshold, c.Requests})
	}
	return d
}

const (
	// maxChecks and maxCheck keep an event below the 64 KiB that every receiver of CloudEvents takes.
	maxChecks = 32
	maxCheck  = 120
)

// bounded cuts what would make an event too large, and no word of a decision: these are bounded where
// they are made.
func bounded(m notifier.Message) notifier.Message {
	const most = 1024
	for _, text := range []*string{&m.What, &m.Why, &m.Next, &m.Phase, &m.Cluster, &m.From, &m.To, &m.FromImage, &m.ToImage, &m.Canary.Namespace, &m.Canary.Name} {
		*text = card.Clip(card.OneLine(*text), most)
	}
	checks := m.Checks[:min(len(m.Checks), maxChecks)]
	m.Checks = make([]notifier.Check, 0, len(checks))
	for _, c := range checks {
		c.Name, c.Value, c.Threshold = card.Clip(card.OneLine(c.Name), maxCheck), card.Clip(card.OneLine(c.Value), maxCheck), card.Clip(card.OneLine(c.Threshold), maxCheck)
		m.Checks = append(m.Checks, c)
	}
	return m
}
