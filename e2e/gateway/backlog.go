package main

import "time"

// backlog holds what a slow control plane has seen and not yet acted upon.
// Each view is acted upon its own delay after it was seen; where several are
// due at once only the newest matters.
type backlog[V any] struct {
	views []pending[V]
}

type pending[V any] struct {
	due  time.Time
	view V
}

// add queues a view. A view never overtakes an earlier one: when the delay is
// lifted, what waits becomes due at once.
func (b *backlog[V]) add(due time.Time, view V) {
	for i := range b.views {
		if b.views[i].due.After(due) {
			b.views[i].due = due
		}
	}
	b.views = append(b.views, pending[V]{due, view})
}

// drop forgets everything: a control plane that is gone has no memory.
func (b *backlog[V]) drop() { b.views = nil }

// next says when the first view is due.
func (b *backlog[V]) next() (time.Time, bool) {
	if len(b.views) == 0 {
		return time.Time{}, false
	}
	return b.views[0].due, true
}

// take removes what is due and returns the newest of it.
func (b *backlog[V]) take(now time.Time) (view V, ok bool) {
	n := 0
	for n < len(b.views) && !b.views[n].due.After(now) {
		n++
	}
	if n == 0 {
		return view, false
	}
	view = b.views[n-1].view
	b.views = b.views[n:]
	return view, true
}
