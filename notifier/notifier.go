// Package notifier is the contract between a rollout's decisions and the people who want to hear of
// them. An implementation is one package below this one and one line in cmd/serin; notifiertest
// holds the suite that all of them pass.
package notifier

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/pkg/dial"
)

// Severity orders messages by how much they ask of the reader.
type Severity string

const (
	Info    Severity = "info"
	Warning Severity = "warn"
	Error   Severity = "error"
)

// Reaches tells whether a message of this severity is for a reader who asked for messages from another
// on. An empty one is info.
func (s Severity) Reaches(from Severity) bool { return rank[s] >= rank[from] }

var rank = map[Severity]int{Info: 0, Warning: 1, Error: 2}

// Kind says where in a rollout a message stands.
type Kind string

const (
	// Started opens a rollout.
	Started Kind = "Started"
	// Moved is a decision that needs nobody: a weight was raised, a check passed.
	Moved Kind = "Moved"
	// Held is a decision that somebody may want to act on: a failed check, missing evidence, a stall.
	Held Kind = "Held"
	// Ended closes a rollout, whatever its outcome.
	Ended Kind = "Ended"
	// Notice belongs to no rollout: an adoption, a repaired foreign write.
	Notice Kind = "Notice"
)

// Message is one decision and the state of its rollout after it. Texts are single lines without
// markup; times are absolute.
type Message struct {
	// Key is unique per decision and the same when a message is repeated.
	Key      string
	Kind     Kind
	Severity Severity
	Canary   types.NamespacedName
	// Cluster is the installation's name; empty when it was given none.
	Cluster string
	// Rollout numbers the run; every message of one run carries the same number.
	Rollout int64
	// From and To are the promoted and the new revision's images, shortened for reading: 6.0.1.
	From, To string
	// FromImage and ToImage are the same images in full: registry.example/podinfo:6.0.1. They may be
	// empty.
	FromImage, ToImage string
	// What happened, why (with the arithmetic), and what happens next or what to do. What is a clause
	// of its own, but for Ended: there it goes on from the canary and its revision, without the time
	// it took ("rolled back").
	What, Why, Next string
	// Outcome of an Ended message: Promoted, Failed, Superseded or Reverted.
	Outcome string
	// State of the rollout, for sinks that draw it.
	Phase string
	// Weight is the canary's share of the traffic in percent, down to tenths.
	Weight      float64
	Step, Steps int32
	StartedAt   time.Time
	NextCheckAt time.Time
	Checks      []Check
	At          time.Time
}

// Check is one metric as it was judged last.
type Check struct {
	Name      string
	Verdict   string // Passed, Failed or Inconclusive
	Value     string // with its unit, or why there is none
	Threshold string // with its unit and relation: ≥ 99 %
	Requests  int64  // that the value stands on; 0 when not known
}

// Notifier delivers messages to one sink. The receipt is what Notify returned for the rollout's
// last message, or "" for its first; it lets a sink edit and thread. It is to be kept beside an error
// too: part of the message may have been delivered. A receipt that means nothing to the sink is none,
// and a Notice hands its receipt back as it came. A repeated message (same Key) may be shown twice.
// Implementations are safe for concurrent use and honour the context. No error names a secret, the
// address included; one may wrap a *RetryAfter or a *Refused.
type Notifier interface {
	Notify(ctx context.Context, m Message, receipt string) (string, error)
}

// RetryAfter says how long the sink wants to be left alone.
type RetryAfter struct {
	After time.Duration
	Err   error
}

func (e *RetryAfter) Error() string { return e.Err.Error() }
func (e *RetryAfter) Unwrap() error { return e.Err }

// Refused is a message that the sink will refuse again until somebody has acted: its webhook is gone,
// its token is wrong. Any other error may be over the next time.
type Refused struct{ Err error }

func (e *Refused) Error() string { return e.Err.Error() }
func (e *Refused) Unwrap() error { return e.Err }

// Config is everything a notifier is built from, secrets resolved.
type Config struct {
	// Address is the sink's URL (an incoming webhook, or an API base).
	Address string
	// Token authenticates instead of a secret address.
	Token string
	// SigningKey signs what is sent, for sinks that can check it.
	SigningKey string
	// Channel and Username as the sink knows them.
	Channel, Username string
	// Proxy is a URL; empty means the environment's HTTPS_PROXY.
	Proxy string
	// Guard makes the transport of all requests, those to the proxy included.
	Guard *dial.Guard `json:"-"`
	// Template of the text that takes the place of the message's sentence, as docs/alerts.md has it;
	// empty means the sentence.
	Template string
}

// Factory validates the configuration and builds a notifier without calling it.
type Factory func(Config) (Notifier, error)
