// Package fake is a notifier that keeps what it is told, for tests of those who tell.
package fake

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/serin-dev/serin/notifier"
)

// Delivery is one message as it arrived.
type Delivery struct {
	notifier.Message
	// Receipt came with the message, Returned went back.
	Receipt, Returned string
}

// Notifier keeps deliveries in memory. The zero value is empty and ready.
type Notifier struct {
	mu         sync.Mutex
	deliveries []Delivery
	failures   []error
	issued     int
}

// Factory hands out this notifier whatever the configuration, to be put into a registry.
func (n *Notifier) Factory(notifier.Config) (notifier.Notifier, error) { return n, nil }

// Fail makes the next deliveries fail with these errors, one each.
func (n *Notifier) Fail(errs ...error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failures = append(n.failures, errs...)
}

// Notify keeps the message and issues a receipt for each rollout that comes without one.
func (n *Notifier) Notify(ctx context.Context, m notifier.Message, receipt string) (string, error) {
	if err := ctx.Err(); err != nil {
		return receipt, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.failures) > 0 {
		err := n.failures[0]
		n.failures = n.failures[1:]
		return receipt, err
	}
	returned := receipt
	if receipt == "" && m.Kind != notifier.Notice {
		n.issued++
		returned = fmt.Sprintf("fake/%d", n.issued)
	}
	n.deliveries = append(n.deliveries, Delivery{Message: m, Receipt: receipt, Returned: returned})
	return returned, nil
}

// Deliveries are all so far, in the order of their arrival.
func (n *Notifier) Deliveries() []Delivery {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.deliveries)
}

// Sentences are the deliveries as a reader would see them.
func (n *Notifier) Sentences() []string {
	var all []string
	for _, d := range n.Deliveries() {
		all = append(all, d.Sentence())
	}
	return all
}
