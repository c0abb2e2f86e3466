package router

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Scanning is a client without indexes, such as one on the API server itself, that lists by them all
// the same: it reads everything and keeps what fits.
type Scanning struct {
	client.Client
	// Indexes by the names of their fields.
	Indexes map[string]client.IndexerFunc
}

// Watch takes the indexes of a kind that a router reads.
func (s Scanning) Watch(w Watch) error {
	maps.Copy(s.Indexes, w.Index)
	return nil
}

// List reads what Client has, and leaves out what an index of the options does not find.
func (s Scanning) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	o := client.ListOptions{}
	o.ApplyOptions(opts)
	indexed := fields.Requirements{}
	if o.FieldSelector != nil {
		indexed = o.FieldSelector.Requirements()
	}
	if len(indexed) != 1 || s.Indexes[indexed[0].Field] == nil {
		return s.Client.List(ctx, list, opts...)
	}
	o.FieldSelector = nil
	if err := s.Client.List(ctx, list, &o); err != nil {
		return err
	}
	all, err := meta.ExtractList(list)
	if err != nil {
		return fmt.Errorf("take %T apart: %w", list, err)
	}
	return meta.SetList(list, slices.DeleteFunc(all, func(item runtime.Object) bool {
		return !slices.Contains(s.Indexes[indexed[0].Field](item.(client.Object)), indexed[0].Value)
	}))
}
