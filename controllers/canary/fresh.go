package canary

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// errStale says that the cache has not caught up with a write of ours: a decision on what it shows
// would repeat what is done. The watch event that brings the news wakes the queue.
var errStale = errors.New("the cache has not caught up with our last write")

// patience is how long a created object may be missing from the cache before it counts as deleted.
const patience = 10 * time.Second

// freshClient reads whole objects from the cache and writes to the API server, and never shows an
// object as it was before our own last write of it.
type freshClient struct {
	client.Client
	now func() time.Time

	mu     sync.Mutex
	wrote  map[string]write
	pruned time.Time
}

type write struct {
	version uint64
	at      time.Time
}

func newFreshClient(c client.Client, now func() time.Time) *freshClient {
	return &freshClient{Client: c, now: now, wrote: map[string]write{}}
}

func (f *freshClient) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	err := f.Client.Get(ctx, key, obj, opts...)
	if c, ok := obj.(*v1beta1.Canary); ok && err == nil {
		err = unpackLists(c)
	}
	id := f.id(obj, key)
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.wrote[id]
	if !ok {
		return err
	}
	switch {
	case apierrors.IsNotFound(err) && f.now().Sub(w.at) < patience:
		return fmt.Errorf("%s: %w", id, errStale)
	case err == nil && version(obj) < w.version:
		return fmt.Errorf("%s: %w", id, errStale)
	}
	delete(f.wrote, id) // caught up
	return err
}

// List reads whole objects too, but for Canaries that are read where they lie: those have no long lists.
func (f *freshClient) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if err := f.Client.List(ctx, list, opts...); err != nil {
		return err
	}
	l, ok := list.(*v1beta1.CanaryList)
	if !ok || slices.Contains(opts, client.ListOption(client.UnsafeDisableDeepCopy)) {
		return nil
	}
	for i := range l.Items {
		if err := unpackLists(&l.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *freshClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	o := client.CreateOptions{}
	o.ApplyOptions(opts)
	err := f.Client.Create(ctx, obj, opts...)
	if len(o.DryRun) == 0 {
		f.note(obj, err)
	}
	return err
}

func (f *freshClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	err := f.Client.Update(ctx, obj, opts...)
	f.note(obj, err)
	return err
}

func (f *freshClient) Patch(ctx context.Context, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
	err := f.Client.Patch(ctx, obj, p, opts...)
	f.note(obj, err)
	return err
}

func (f *freshClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	err := f.Client.Delete(ctx, obj, opts...)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wrote, f.id(obj, client.ObjectKeyFromObject(obj)))
	return err
}

// note remembers the version that a write of ours came to.
func (f *freshClient) note(obj client.Object, err error) {
	if err != nil || version(obj) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prune()
	f.wrote[f.id(obj, client.ObjectKeyFromObject(obj))] = write{version: version(obj), at: f.now()}
}

// prune forgets old writes once a minute: the cache has them by now, and what is only written,
// like an event, is never read to be forgotten then.
func (f *freshClient) prune() {
	now := f.now()
	if now.Sub(f.pruned) < time.Minute {
		return
	}
	f.pruned = now
	maps.DeleteFunc(f.wrote, func(_ string, w write) bool { return now.Sub(w.at) > time.Minute })
}

func (f *freshClient) id(obj client.Object, key client.ObjectKey) string {
	gvk, err := apiutil.GVKForObject(obj, f.Scheme())
	if err != nil {
		return "?/" + key.String()
	}
	return gvk.GroupKind().String() + "/" + key.String()
}

// version of an object; resource versions are comparable numbers since Kubernetes 1.35, and have
// always been on etcd.
func version(obj client.Object) uint64 {
	v, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return v
}
