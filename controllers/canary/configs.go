package canary

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/pkg/configs"
	"github.com/serin-dev/serin/pkg/revision"
	"github.com/serin-dev/serin/pkg/rollout"
)

// tracks is true for what may be part of a revision in a namespace.
func (o Options) tracks(kind configs.Kind, namespace string) bool {
	return o.TrackConfigs && (kind == configs.ConfigMap || slices.Contains(o.SecretNamespaces, namespace))
}

// seeConfigs looks at the ConfigMaps and Secrets that the target refers to. It comes last: what it
// finds missing is said after everything else.
func (r *Reconciler) seeConfigs(ctx context.Context, v *view) error {
	v.blocked = len(v.Problems) > 0
	if v.target == nil {
		return nil
	}
	if !r.TrackConfigs {
		v.tracked = map[string]string{}
		return nil
	}
	r.seeUntracked(v)
	if err := r.seeSettling(ctx, v); err != nil {
		return err
	}
	if refusal, ok := r.unkept.of(client.ObjectKeyFromObject(v.canary)); ok {
		v.warning(refusal.Reason, "%s", refusal.Message)
	}
	if v.Target.Revision.Name == "" {
		return r.seeMissing(ctx, v)
	}
	if err := r.seeChange(ctx, v); err != nil {
		return err
	}
	return r.seeLost(ctx, v)
}

// seeUntracked says which Secrets are not part of the revision for want of a right.
func (r *Reconciler) seeUntracked(v *view) {
	t := v.target.Template()
	if r.tracks(configs.Secret, v.target.GetNamespace()) || configs.Disabled(v.target.GetAnnotations()) || configs.Disabled(t.Annotations) {
		return
	}
	var names []string
	for _, ref := range configs.Find(t) {
		if ref.Kind == configs.Secret {
			names = append(names, ref.Name)
		}
	}
	if len(names) > 0 {
		v.warning("SecretsNotTracked", "no part of the revision: Secret %s. The operator may not read Secrets in namespace %s, so both sides use the live ones and a change starts no rollout; list the namespace in the chart's value configTracking.secretNamespaces",
			strings.Join(names, ", "), v.target.GetNamespace())
	}
}

// seeSettling finds when the last change of contents has settled.
func (r *Reconciler) seeSettling(ctx context.Context, v *view) error {
	present, err := r.revisions.Present(ctx, v.target.Raw(), v.target.Template())
	if err != nil {
		return err
	}
	v.settles = r.settling.until(client.ObjectKeyFromObject(v.canary), present, v.Now)
	return nil
}

// seeMissing holds the snapshot of a template whose pods could not start. A rollout that runs goes on:
// its own revision has its copies.
func (r *Reconciler) seeMissing(ctx context.Context, v *view) error {
	missing, err := r.revisions.Missing(ctx, v.target.Raw(), v.target.Template())
	if err != nil || len(missing) == 0 {
		return err
	}
	v.blocked = true
	message := fmt.Sprintf("%s %s/%s does not exist, and pods of %s do not start without it: create it, or make the reference optional",
		missing[0].Kind, v.target.GetNamespace(), missing[0].Name, v.target.GetName())
	if run := v.canary.Status.Rollout; run != nil && run.EndedAt == nil {
		v.warning("ConfigMissing", "%s", message)
	} else {
		v.problem("ConfigMissing", "%s", message)
	}
	return nil
}

// seeChange says by which contents the present revision differs from the one that it comes after.
func (r *Reconciler) seeChange(ctx context.Context, v *view) error {
	now, err := r.revisions.Configs(ctx, v.target.GetNamespace(), v.Target.Revision.Name)
	if err != nil {
		return err
	}
	v.tracked = map[string]string{}
	for _, c := range now {
		if c.Copy != "" {
			v.tracked[c.ID().String()] = c.Hash
		}
	}
	after := v.canary.Status.LastPromotedSpec
	if run := v.canary.Status.Rollout; run != nil && run.EndedAt == nil && run.Outcome == "" {
		after = run.Revision.Name
	}
	before, err := r.revisions.Configs(ctx, v.target.GetNamespace(), after)
	v.Target.Change = changed(before, now)
	return err
}

// changed names what both have with other contents; empty where there is nothing.
func changed(before, now []revision.Config) string {
	var names []string
	for _, c := range now {
		if slices.ContainsFunc(before, func(b revision.Config) bool { return b.ID() == c.ID() && b.Hash != c.Hash }) {
			names = append(names, string(c.Kind)+" "+c.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return strings.Join(names, ", ") + " changed"
}

// seeLost finds copies that are gone though a revision that serves, or may, needs them.
func (r *Reconciler) seeLost(ctx context.Context, v *view) error {
	needed := []string{v.canary.Status.LastPromotedSpec}
	if run := v.canary.Status.Rollout; run != nil && run.EndedAt == nil {
		needed = append(needed, run.Revision.Name)
	}
	lost, err := r.revisions.Lost(ctx, v.canary, needed...)
	if err != nil {
		return err
	}
	for _, l := range lost {
		if l.Version != "" {
			v.lost = append(v.lost, l)
			continue
		}
		v.warning("ConfigCopyLost", "%s %s, the copy of %s for revision %s, was deleted and the original has changed since: pods of that revision that start anew will not. Roll out a new revision, or put the contents back",
			l.Kind, l.Copy, l.Name, l.Revision)
	}
	return nil
}

// keepConfigs makes copies anew that somebody deleted, before any clone refers to them.
func (r *Reconciler) keepConfigs(ctx context.Context, v *view, _ rollout.World) error {
	for _, l := range v.lost {
		if err := r.revisions.Restore(ctx, v.canary, l); err != nil {
			return r.notKept(v, err)
		}
	}
	return nil
}

// notKept remembers contents that could not be kept, for the next turn to say.
func (r *Reconciler) notKept(v *view, err error) error {
	name := client.ObjectKeyFromObject(v.canary)
	changed := r.unkept.note(name, err)
	if changed {
		r.wakeUp(name)
	}
	return err
}

// trackConfigs shows in the status what is part of the present revision. At rest it is a decision of
// its own.
func trackConfigs(v *view, d *rollout.Decision) {
	if v.tracked == nil {
		return
	}
	status := &v.canary.Status
	if d.Next != nil {
		status = d.Next
	}
	have := map[string]string{}
	if status.TrackedConfigs != nil {
		have = *status.TrackedConfigs
	}
	if maps.Equal(have, v.tracked) {
		return
	}
	if d.Next == nil {
		d.Next = status.DeepCopy()
	}
	d.Next.TrackedConfigs = &v.tracked
	if len(v.tracked) == 0 {
		d.Next.TrackedConfigs = nil
	}
}
