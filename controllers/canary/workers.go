package canary

import (
	"context"
	"sync"
)

// work runs a bounded number of workers until the context ends, then shuts their queue down and
// waits for what they have in hand. next is false once the queue is down.
func work(ctx context.Context, workers int, next func(context.Context) bool, shutDown func()) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for next(ctx) {
			}
		})
	}
	<-ctx.Done()
	shutDown()
	wg.Wait()
	return nil
}
