// Package event is what the receiver tells of the messages it got.
package event

// Kind is how a message came about.
type Kind string

const (
	// Posted in the channel.
	Posted Kind = "posted"
	// Answered in a message's thread.
	Answered Kind = "thread"
	// Broadcast is an answer that is shown in the channel, too.
	Broadcast Kind = "thread and channel"
	// Edited in place.
	Edited Kind = "edited"
	// Hooked came by an incoming webhook.
	Hooked Kind = "webhook"
)

// Event is one message, or one edit of it.
type Event struct {
	Kind Kind `json:"kind"`
	// Message identifies it; an edit has the timestamp of what it edits.
	Message string `json:"message"`
	// Thread is the message that it answers.
	Thread string `json:"thread,omitempty"`
	// Lines as a reader sees them.
	Lines []string `json:"lines"`
}
