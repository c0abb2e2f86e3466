package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// settle is how long a change waits for others that belong to it. Real Gloo
// takes 0.2 to 1.3 seconds from a RouteTable to Envoy.
const settle = 100 * time.Millisecond

// retryAfter is the pause after a failed write.
const retryAfter = time.Second

// plane is the control plane: it watches, translates, publishes and reports.
type plane struct {
	watcher   *watcher
	publisher *publisher
	statuses  *statusWriter
	settings  translate.Settings

	backlog backlog[translate.World]
	serving translate.Hosts
}

func newPlane(ctx context.Context, cfg *rest.Config, settings translate.Settings) (*plane, error) {
	w, err := newWatcher(ctx, cfg, settings.Namespace)
	if err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &plane{
		watcher:   w,
		publisher: newPublisher(),
		statuses:  &statusWriter{reader: w.cache, writer: c, namespace: settings.Namespace},
		settings:  settings,
	}, nil
}

// run works until the context ends. It listens for Envoy only once it has a
// whole configuration: an Envoy that reconnects to a fresh control plane must
// not be told that there is nothing.
func (p *plane) run(ctx context.Context, listen func() (net.Listener, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.watcher.cache.Start(ctx) })
	group.Go(func() error {
		if !p.watcher.cache.WaitForCacheSync(ctx) {
			return nil // ending
		}
		if err := p.first(ctx); err != nil {
			return err
		}
		ln, err := listen()
		if err != nil {
			return fmt.Errorf("listen for Envoy: %w", err)
		}
		group.Go(func() error { return p.publisher.serve(ctx, ln) })
		return p.loop(ctx)
	})
	return group.Wait()
}

// first applies the world as it is, whatever the faults: a control plane that
// starts has nothing older to serve.
func (p *plane) first(ctx context.Context) error {
	world, err := p.watcher.world(ctx)
	if err != nil {
		return err
	}
	return p.apply(ctx, world)
}

func (p *plane) loop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.watcher.changed:
			if err := p.observe(ctx, time.Now()); err != nil {
				return err
			}
		case <-p.due():
			world, ok := p.backlog.take(time.Now())
			if !ok {
				continue
			}
			if err := p.apply(ctx, world); err != nil {
				return err
			}
		}
	}
}

// due fires when the backlog has something to do, and never when it is empty.
func (p *plane) due() <-chan time.Time {
	at, ok := p.backlog.next()
	if !ok {
		return nil
	}
	return time.After(time.Until(at))
}

// observe looks at the world and puts what it sees in line.
func (p *plane) observe(ctx context.Context, now time.Time) error {
	f, err := p.watcher.faults(ctx)
	if err != nil {
		slog.Error("behaving well", "error", err)
		f = faults{}
	}
	if f.paused {
		p.backlog.drop()
		return nil
	}
	world, err := p.watcher.world(ctx)
	if err != nil {
		return err
	}
	world.Refusal = f.reject
	p.backlog.add(now.Add(settle+f.delay), world)
	return nil
}

// apply tells Envoy, then the users. A status that cannot be written is tried
// again later with the world as it is then.
func (p *plane) apply(ctx context.Context, world translate.World) error {
	world.Kept = p.serving
	result := translate.Translate(world, p.settings)
	if err := p.publisher.publish(ctx, result); err != nil {
		return err
	}
	p.serving = result.Serving
	if err := p.statuses.write(ctx, result.Statuses); err != nil && ctx.Err() == nil {
		slog.Warn("statuses not written", "error", err, "retry", retryAfter)
		time.AfterFunc(retryAfter, p.watcher.notify)
	}
	return nil
}
