// Package leases knows the Leases by which installs of the operator lead.
package leases

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const (
	// ScopeLabel on a Lease says which namespace the install works in.
	ScopeLabel = "serin.dev/scope"
	// allScope has a dot, which no namespace has.
	allScope = "all.namespaces"
)

// Labels of the Lease of an install that works in a namespace, empty for all, on the canaries of a
// shard, empty for those of none.
func Labels(namespace, shard string) map[string]string {
	if namespace == "" {
		namespace = allScope
	}
	labels := map[string]string{ScopeLabel: namespace}
	if shard != "" {
		labels[v1beta1.ShardLabel] = shard
	}
	return labels
}

// Covers is true when a Lease's install works in a namespace, or for an empty one in any, on a shard.
func Covers(l *coordinationv1.Lease, namespace, shard string) bool {
	if l.Labels[v1beta1.ShardLabel] != shard {
		return false
	}
	theirs, asked := l.Labels[ScopeLabel], Labels(namespace, shard)[ScopeLabel]
	return theirs == asked || theirs == allScope || asked == allScope
}

// Alive is true while the Lease's holder renews it.
func Alive(l *coordinationv1.Lease, now time.Time) bool {
	if l.Spec.RenewTime == nil || ptr.Deref(l.Spec.HolderIdentity, "") == "" {
		return false
	}
	term := time.Duration(ptr.Deref(l.Spec.LeaseDurationSeconds, 15)) * time.Second
	return now.Before(l.Spec.RenewTime.Add(term))
}
