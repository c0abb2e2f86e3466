package revision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/workload"
)

// LookupService finds the snapshot of a Service target as it stands. It is false while there is none.
func (s Store) LookupService(ctx context.Context, c *v1beta1.Canary, target *corev1.Service) (v1beta1.RevisionStatus, bool, error) {
	all, err := s.list(ctx, c)
	if err != nil {
		return v1beta1.RevisionStatus{}, false, err
	}
	hash := hashService(target)
	for i := range all {
		if slices.Contains(hashes(all[i].Annotations[HashAnnotation]), hash) {
			return describeService(all[i].Name, target), true, nil
		}
	}
	return v1beta1.RevisionStatus{}, false, nil
}

// ServiceFields reads a snapshot of a Service target.
func (s Store) ServiceFields(ctx context.Context, namespace, name string) (map[string]any, error) {
	raw, err := s.Template(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	fields, _, err := unstructured.NestedMap(raw, "spec")
	if err != nil || fields == nil {
		return nil, fmt.Errorf("snapshot %s/%s holds no Service: %w", namespace, name, err)
	}
	return fields, nil
}

// takeService snapshots a Service target as the API server has it now.
func (s Store) takeService(ctx context.Context, c *v1beta1.Canary, target client.ObjectKey) error {
	var live corev1.Service
	if err := s.Live.Get(ctx, target, &live); err != nil {
		return fmt.Errorf("read Service %s for its snapshot: %w", target, err)
	}
	if _, known, err := s.LookupService(ctx, c, &live); err != nil || known {
		return err
	}
	all, err := s.list(ctx, c)
	if err != nil {
		return err
	}
	return s.create(ctx, c, target.Name, map[string]any{"spec": workload.ServiceFields(&live)}, hashService(&live), contents{}, all)
}

func hashService(s *corev1.Service) string {
	b, err := json.Marshal(workload.ServiceFields(s))
	if err != nil { // what was JSON is JSON
		panic(fmt.Sprintf("encode Service: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:10]
}

// describeService names a revision by where it leads, as one of pods is named by its image.
func describeService(name string, s *corev1.Service) v1beta1.RevisionStatus {
	to := workload.Destination(s)
	return v1beta1.RevisionStatus{Name: name, Image: to, Images: []string{to}}
}

// describe names a snapshot of either kind.
func describe(c *v1beta1.Canary, name string, raw map[string]any) (Kept, error) {
	if c.Spec.TargetRef.Kind == workload.KindService {
		var s corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &s); err != nil {
			return Kept{}, fmt.Errorf("decode snapshot %s: %w", name, err)
		}
		return Kept{RevisionStatus: describeService(name, &s)}, nil
	}
	t, err := typedTemplate(raw)
	if err != nil {
		return Kept{}, err
	}
	return Kept{RevisionStatus: Describe(name, t), Commit: t.Annotations[v1beta1.CommitAnnotation]}, nil
}
