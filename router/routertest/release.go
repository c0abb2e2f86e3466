package routertest

import (
	"errors"
	"testing"

	"github.com/serin-dev/serin/router"
)

// release calls Release as the controller does, until it has nothing left to wait for.
func (s Subject) release(t *testing.T) {
	t.Helper()
	const enough = 5
	for range enough {
		err := s.Router.Release(t.Context(), s.Target)
		var waiting *router.NotReady
		switch {
		case err == nil:
			return
		case !errors.As(err, &waiting) || waiting.RetryAfter <= 0:
			t.Fatalf("Release: %v", err)
		}
		s.Released(t)
		s.Pass()
	}
	t.Fatalf("Release still waits after %d calls", enough)
}

func released(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, router.Percent(0), 2)
	s.release(t)
	s.Released(t)
	s.quiet(t, func() { s.release(t) })
	if st := s.get(t); st.Exists {
		t.Errorf("a released route is still ours: %+v", st)
	}
}

func releaseAbsent(t *testing.T, s Subject) {
	s.quiet(t, func() { s.release(t) })
}

func takenAgain(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, router.Percent(0), 8)
	s.release(t)
	// The new Upstreams of a route that serves are given time first.
	for range 2 {
		err := s.Router.Ensure(t.Context(), s.Target, 1)
		var waiting *router.NotReady
		if err != nil && !errors.As(err, &waiting) {
			t.Fatalf("Ensure: %v", err)
		}
		s.Pass()
	}
	s.stands(t, router.Percent(0), 1)
}
