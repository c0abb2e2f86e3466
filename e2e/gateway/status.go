package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// statusWriter writes statuses the way Gloo does: a JSON patch that replaces
// status.statuses.<namespace> on the object itself. The kinds have no status
// subresource, so each write raises the object's generation. It carries no
// resourceVersion and no observed generation: a status may belong to an
// earlier spec.
type statusWriter struct {
	reader    client.Reader
	writer    client.Writer
	namespace string
}

// write updates what differs and goes on past an object that cannot be
// written.
func (s *statusWriter) write(ctx context.Context, statuses map[gloo.ID]translate.Status) error {
	var failures []error
	for id, status := range statuses {
		if err := s.writeOne(ctx, id, status); err != nil {
			failures = append(failures, fmt.Errorf("write status of %s %s: %w", id.Kind.Kind, id.Ref, err))
		}
	}
	return errors.Join(failures...)
}

func (s *statusWriter) writeOne(ctx context.Context, id gloo.ID, status translate.Status) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(id.Kind)
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: id.Namespace, Name: id.Name}, object)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	value, same, err := s.compare(object, status)
	if err != nil || same {
		return err
	}
	patch, err := json.Marshal([]map[string]any{{
		"op": "replace", "path": "/status/statuses/" + s.namespace, "value": value,
	}})
	if err != nil {
		return err
	}
	err = s.writer.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner("gloo"))
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile
	}
	return err
}

// compare renders a status and reports whether the object has it already. An
// unchanged status is not written again, so its writer's silence says nothing
// about a newer spec.
func (s *statusWriter) compare(object *unstructured.Unstructured, status translate.Status) (map[string]any, bool, error) {
	raw, err := json.Marshal(status)
	if err != nil {
		return nil, false, err
	}
	var want map[string]any
	if err := json.Unmarshal(raw, &want); err != nil {
		return nil, false, err
	}
	have, _, err := unstructured.NestedMap(object.Object, "status", "statuses", s.namespace)
	if err != nil {
		return want, false, nil //nolint:nilerr // what is no map is no status of ours and is replaced
	}
	return want, reflect.DeepEqual(have, want), nil
}
