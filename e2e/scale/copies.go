package main

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/serin-dev/serin/e2e/internal/bare"
)

// kinds are what a namespace of canaries at rest holds, and where the API server has them in etcd.
var kinds = []struct {
	schema.GroupVersionKind
	path string
}{
	{schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "namespaces"},
	{schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "configmaps"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "pods"},
	{schema.GroupVersionKind{Version: "v1", Kind: "Service"}, "services/specs"},
	{schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "IPAddress"}, "ipaddresses"},
	{schema.GroupVersionKind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}, "endpointslices"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, "deployments"},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ControllerRevision"}, "controllerrevisions"},
	{schema.GroupVersionKind{Group: "serin.dev", Version: "v1beta1", Kind: "Canary"}, "serin.dev/canaries"},
	{schema.GroupVersionKind{Group: "gloo.solo.io", Version: "v1", Kind: "Upstream"}, "gloo.solo.io/upstreams"},
	{schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTable"}, "gateway.solo.io/routetables"},
	{schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "VirtualService"}, "gateway.solo.io/virtualservices"},
}

// namespaced is what the first namespace holds: keys and values as the API server could have written them,
// and what has to be another one in each copy.
type namespaced struct {
	keys, values    []string
	uids, addresses []string
}

// multiply copies the first namespace, whose canaries the operator has adopted, until there are as many
// as wanted. It does so in etcd, behind the API server, which on two cores would need hours for thousands.
func (f *fleet) multiply(ctx context.Context) error {
	first, err := f.first(ctx)
	if err != nil {
		return err
	}
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{f.rig.Etcd}})
	if err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	defer store.Close() //nolint:errcheck // nothing is written any more
	free := unused(first.addresses)
	copiers, copying := errgroup.WithContext(ctx)
	copiers.SetLimit(8)
	for i := 1; i < f.size/beside; i++ {
		rename := first.renamed(team(i), free)
		copiers.Go(func() error { return first.copyTo(copying, store, rename) })
	}
	return copiers.Wait()
}

// first reads the first namespace.
func (f *fleet) first(ctx context.Context) (*namespaced, error) {
	n := &namespaced{}
	for _, kind := range kinds {
		var l unstructured.UnstructuredList
		l.SetGroupVersionKind(kind.GroupVersionKind)
		if err := f.Client.List(ctx, &l); err != nil {
			return nil, err
		}
		for i := range l.Items {
			o := &l.Items[i]
			of, _, _ := unstructured.NestedString(o.Object, "spec", "parentRef", "namespace")
			switch team(0) {
			case of:
				n.addresses = append(n.addresses, o.GetName())
			case o.GetNamespace(), o.GetName():
			default:
				continue
			}
			n.uids = append(n.uids, string(o.GetUID()))
			o.SetResourceVersion("")
			value, err := o.MarshalJSON()
			if err != nil {
				return nil, err
			}
			// The name is quoted, as it is in the value: 10.0.0.1 is a part of 10.0.0.12.
			n.keys = append(n.keys, path.Join("/registry", kind.path, o.GetNamespace(), strconv.Quote(o.GetName())))
			n.values = append(n.values, string(value))
		}
	}
	return n, nil
}

// renamed is what is different in the copy of that name.
func (n *namespaced) renamed(namespace string, free func() string) *strings.Replacer {
	renames := []string{team(0), namespace}
	for _, uid := range n.uids {
		renames = append(renames, uid, string(uuid.NewUUID()))
	}
	for _, address := range n.addresses {
		renames = append(renames, strconv.Quote(address), strconv.Quote(free()))
	}
	return strings.NewReplacer(renames...)
}

// copyTo writes it once more. Each object has a transaction of its own, and so a resource version: a watch
// that is broken off goes on behind the last one that it had.
func (n *namespaced) copyTo(ctx context.Context, store *clientv3.Client, rename *strings.Replacer) error {
	for i, key := range n.keys {
		key = strings.ReplaceAll(rename.Replace(key), `"`, "")
		if _, err := store.Put(ctx, key, rename.Replace(n.values[i])); err != nil {
			return err
		}
	}
	return nil
}

// unused hands out one address for a Service after the other, from the end of their range.
func unused(taken []string) func() string {
	next := netip.MustParseAddr("10.0.255.255")
	return func() string {
		for next = next.Prev(); slices.Contains(taken, next.String()); next = next.Prev() {
		}
		return next.String()
	}
}

// comesToRest waits until the operator, which was started beside canaries that it does not know, has
// nothing more to do.
func (f *fleet) comesToRest(ctx context.Context) error {
	var turns uint64
	for quiet := 0; quiet < 3; {
		if err := bare.Pause(ctx, settled); err != nil {
			return err
		}
		u, err := f.op.usage(ctx)
		if err != nil {
			return err
		}
		quiet++
		now := u.turns - f.op.gone.turns
		if now != turns || now < uint64(f.size) {
			quiet = 0
		}
		turns = now
		progress("  %d turns", turns)
	}
	return nil
}
