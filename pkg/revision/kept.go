package revision

import (
	"cmp"
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Kept is a snapshot that can be returned to.
type Kept struct {
	v1beta1.RevisionStatus
	Number int64
	// Commit is what v1beta1.CommitAnnotation says on the template.
	Commit string
}

// Kept lists a canary's snapshots, newest first.
func (s Store) Kept(ctx context.Context, c *v1beta1.Canary) ([]Kept, error) {
	all, err := s.list(ctx, c)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b appsv1.ControllerRevision) int { return cmp.Compare(b.Revision, a.Revision) })
	kept := make([]Kept, 0, len(all))
	for i := range all {
		raw, err := decode(&all[i])
		if err != nil {
			return nil, err
		}
		k, err := describe(c, all[i].Name, raw)
		if err != nil {
			return nil, err
		}
		k.Number = all[i].Revision
		kept = append(kept, k)
	}
	return kept, nil
}
