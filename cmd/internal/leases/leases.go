// Package leases knows the Leases by which installs of the operator lead.
package leases

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
)

const (
	// ScopeLabel on a Lease says which namespace the install works in.
	ScopeLabel = "serin.dev/scope"
	// allScope has a dot, which no namespace has.
	allScope = "all.namespaces"
)

// Labels of the Lease of an install that works in a namespace; empty for all.
func Labels(namespace string) map[string]string {
	if namespace == "" {
		namespace = allScope
	}
	return map[string]string{ScopeLabel: namespace}
}

// Covers is true when a Lease's install works in a namespace, or for an empty one in any.
func Covers(l *coordinationv1.Lease, namespace string) bool {
	theirs, asked := l.Labels[ScopeLabel], Labels(namespace)[ScopeLabel]
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
