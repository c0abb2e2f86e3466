package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/cmd/internal/leases"
)

// leaseName is the Lease by which one of an install's operators leads; those of a shard have their own.
const leaseName = "serin-leader"

func (o options) leaseKey() types.NamespacedName {
	key := types.NamespacedName{Namespace: o.leaderNamespace, Name: leaseName}
	if o.shard != "" {
		key.Name += "-" + o.shard
	}
	return key
}

// rivals stops this operator when another install works in the same namespaces: two that do not
// know of each other would undo each other's steps. Of two, the one that came later gives way.
type rivals struct {
	reader client.Reader
	// scope is the namespace that this install works in, empty for all; shard its share of the canaries
	// there; self is its Lease.
	scope, shard string
	self         types.NamespacedName
}

// rivalInterval is how often the other Leases are looked at.
const rivalInterval = 30 * time.Second

// NeedLeaderElection is true: an operator that does not act has no rivals.
func (rivals) NeedLeaderElection() bool { return true }

// Start returns an error, which stops the manager, as soon as there is a rival.
func (r rivals) Start(ctx context.Context) error {
	tick := time.NewTicker(rivalInterval)
	defer tick.Stop()
	for {
		if err := r.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r rivals) look(ctx context.Context) error {
	var l coordinationv1.LeaseList
	opts := []client.ListOption{client.HasLabels{leases.ScopeLabel}}
	if r.scope != "" {
		opts = append(opts, client.InNamespace(r.scope))
	}
	if err := r.reader.List(ctx, &l, opts...); err != nil {
		if !apierrors.IsForbidden(err) && ctx.Err() == nil {
			ctrl.Log.WithName("rivals").Info("could not look for other installs; trying again", "error", err.Error())
		}
		return nil
	}
	var own *coordinationv1.Lease
	for i := range l.Items {
		if client.ObjectKeyFromObject(&l.Items[i]) == r.self {
			own = &l.Items[i]
		}
	}
	for i := range l.Items {
		o := &l.Items[i]
		if client.ObjectKeyFromObject(o) != r.self && leases.Covers(o, r.scope, r.shard) && leases.Alive(o, time.Now()) && earlier(o, own) {
			return fmt.Errorf("another Serin works in the same namespaces: Lease %s/%s, held by %s. Uninstall one of the two, or give each a namespace of its own with --namespace, or a share of the canaries with --shard",
				o.Namespace, o.Name, ptr.Deref(o.Spec.HolderIdentity, "?"))
		}
	}
	return nil
}

// earlier is true when o was there before our own Lease.
func earlier(o, own *coordinationv1.Lease) bool {
	return own == nil || o.CreationTimestamp.Before(&own.CreationTimestamp) ||
		o.CreationTimestamp.Equal(&own.CreationTimestamp) && o.Namespace < own.Namespace
}

// syncCheck is ready once the caches have been filled.
type syncCheck struct {
	cache  cache.Cache
	synced atomic.Bool
}

func (*syncCheck) NeedLeaderElection() bool { return false }

// Start waits for the caches.
func (s *syncCheck) Start(ctx context.Context) error {
	if s.cache.WaitForCacheSync(ctx) {
		s.synced.Store(true)
	}
	<-ctx.Done()
	return nil
}

func (s *syncCheck) check(*http.Request) error {
	if !s.synced.Load() {
		return fmt.Errorf("the caches are not filled yet")
	}
	return nil
}
