package routertest

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-dev/serin/router"
)

func getAbsent(t *testing.T, s Subject) {
	if st := s.get(t); st.Exists {
		t.Errorf("the route exists before the first Ensure: %+v", st)
	}
}

func ensureCreates(t *testing.T, s Subject) {
	s.ensure(t, 7)
	s.stands(t, router.Percent(0), 7)
	if st := s.get(t); st.Verdict == router.Rejected {
		t.Errorf("a new route is %s: %s", st.Verdict, st.Message)
	}
	if s.Raw != nil {
		s.Raw(t, router.Percent(0))
	}
}

func ensureIdle(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.quiet(t, func() { s.ensure(t, 1) })
	s.quiet(t, func() { s.ensure(t, 2) })
}

func ensureKeepsWeights(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, s.share(65), 2)
	s.ensure(t, 3)
	if st := s.get(t); st.Weights != s.share(65) {
		t.Errorf("weights are %s after Ensure, want them as they stood: %s", st.Weights, s.share(65))
	}
}

func ensureKeepsEdit(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.Edit(t, s.share(60))
	s.ensure(t, 2)
	if st := s.get(t); st.Weights != s.share(60) {
		t.Errorf("weights are %s after Ensure, want them as they stood: %s", st.Weights, s.share(60))
	}
}

func ensureRecreates(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, s.share(50), 2)
	s.Delete(t)
	if st := s.get(t); st.Exists {
		t.Error("a deleted route exists")
	}
	s.ensure(t, 3)
	s.stands(t, router.Percent(0), 3)
}

func ensureOvertaken(t *testing.T, s Subject) {
	s.ensure(t, 5)
	s.quiet(t, func() {
		if err := s.Router.Ensure(t.Context(), s.Target, 4); !errors.Is(err, router.ErrOvertaken) {
			t.Errorf("Ensure with a lower stamp returns %v, want ErrOvertaken", err)
		}
	})
}

// ensureRaces is two operators that both find no route.
func ensureRaces(t *testing.T, s Subject) {
	s.BeforeWrite(func() {
		s.ensure(t, 5)
		s.set(t, s.share(20), 6)
	})
	err := s.Router.Ensure(t.Context(), s.Target, 4)
	if !apierrors.IsConflict(err) && !errors.Is(err, router.ErrOvertaken) {
		t.Errorf("Ensure returns %v, want a conflict", err)
	}
	s.stands(t, s.share(20), 6)
}

func foreignSurvives(t *testing.T, s Subject) {
	s.ensure(t, 1)
	check := s.Decorate(t)
	check(t)
	s.set(t, s.share(40), 2)
	check(t)
	s.quiet(t, func() { s.ensure(t, 3) })
	s.stands(t, s.share(40), 2)
	s.set(t, router.Percent(0), 4)
	check(t)
	s.release(t)
	check(t)
}

func rejected(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, s.share(10), 2)
	s.Reject(t, "no such cluster")
	if st := s.get(t); st.Verdict != router.Rejected || st.Message == "" {
		t.Errorf("verdict is %s with message %q, want %s in the proxy's words", st.Verdict, st.Message, router.Rejected)
	}
	s.Accept(t)
	if st := s.get(t); st.Verdict == router.Rejected || st.Message != "" {
		t.Errorf("verdict is %s with message %q after the rejection was lifted", st.Verdict, st.Message)
	}
}

func telemetry(t *testing.T, s Subject) {
	got := s.Router.Telemetry(s.Target)
	if got.SuccessRate == "" || got.Latency == "" {
		t.Errorf("a built-in query is missing: %+v", got)
	}
	if none := (router.Selector{}); got.PrimaryRequests == none || got.CanaryRequests == none || got.PrimaryRequests == got.CanaryRequests {
		t.Errorf("the sides' counters cannot be told apart: %q, %q", got.PrimaryRequests, got.CanaryRequests)
	}
	if (got.PrimaryActive == router.Selector{}) != (got.CanaryActive == router.Selector{}) {
		t.Errorf("requests in flight are shown for one side only: %q, %q", got.PrimaryActive, got.CanaryActive)
	}
}

func watches(t *testing.T, s Subject) {
	for i, w := range s.Router.Watches() {
		if w.Object == nil || w.Canaries == nil {
			t.Errorf("watch %d is incomplete: %+v", i, w)
		}
	}
}
