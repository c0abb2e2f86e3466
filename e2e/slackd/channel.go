package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/serin-dev/serin/e2e/slackd/event"
)

// channel remembers what happened in it, and which messages can be edited or answered.
type channel struct {
	mu     sync.Mutex
	events []event.Event
	known  map[string]bool
}

func newChannel() *channel { return &channel{known: map[string]bool{}} }

// post adds a message and returns the timestamp that identifies it.
func (c *channel) post(kind event.Kind, thread string, lines []string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ts := fmt.Sprintf("1795304669.%06d", len(c.known)+1)
	c.known[ts] = true
	c.add(event.Event{Kind: kind, Message: ts, Thread: thread, Lines: lines})
	return ts
}

// edit is false when there is no such message.
func (c *channel) edit(ts string, lines []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known[ts] {
		return false
	}
	c.add(event.Event{Kind: event.Edited, Message: ts, Lines: lines})
	return true
}

// add prints an event, too: `kubectl logs` shows the channel.
func (c *channel) add(e event.Event) {
	c.events = append(c.events, e)
	fmt.Printf("[%s] %s\n", e.Kind, strings.Join(e.Lines, "\n    "))
}

// since returns the events from the given number on.
func (c *channel) since(n int) []event.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(max(n, 0), len(c.events))
	return append([]event.Event{}, c.events[n:]...)
}
