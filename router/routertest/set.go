package routertest

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-dev/serin/router"
)

func setWrites(t *testing.T, s Subject) {
	s.ensure(t, 1)
	for i, canary := range []int32{5, 50, 100, 0} {
		stamp := router.Stamp(2 + i)
		s.set(t, s.share(canary), stamp)
		s.stands(t, s.share(canary), stamp)
	}
}

func setIdle(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, s.share(20), 2)
	s.quiet(t, func() { s.set(t, s.share(20), 2) })
}

// setRaisesStamp is the case that a skipped write would lose. One operator commits 10, is held up and
// has written nothing. The next commits 0, which stands already. If that left the old stamp, the
// first would wake up, meet no higher stamp, and send a tenth of the traffic to a canary on its way
// to zero.
func setRaisesStamp(t *testing.T, s Subject) {
	s.ensure(t, 4)
	s.set(t, router.Percent(0), 6)
	s.stands(t, router.Percent(0), 6)
	if err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: s.share(10)}, 5); !errors.Is(err, router.ErrOvertaken) {
		t.Errorf("the operator that was held up gets %v, want ErrOvertaken", err)
	}
	s.stands(t, router.Percent(0), 6)
}

func setZero(t *testing.T, s Subject) {
	s.ensure(t, 1)
	for i, w := range []router.Weights{router.Percent(100), router.Percent(0)} {
		s.set(t, w, router.Stamp(2+i))
		if s.Raw != nil {
			s.Raw(t, w)
		}
	}
}

func setOvertaken(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, s.share(30), 9)
	s.quiet(t, func() {
		if err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: s.share(80)}, 8); !errors.Is(err, router.ErrOvertaken) {
			t.Errorf("Set with a lower stamp returns %v, want ErrOvertaken", err)
		}
	})
	s.stands(t, s.share(30), 9)
}

// setRaces is a writer that read before, and writes after, another one's later step.
func setRaces(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.BeforeWrite(func() { s.set(t, router.Percent(0), 3) })
	err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: s.share(50)}, 2)
	if !apierrors.IsConflict(err) && !errors.Is(err, router.ErrOvertaken) {
		t.Errorf("Set returns %v, want a conflict", err)
	}
	s.stands(t, router.Percent(0), 3)
}

func setMeetsLater(t *testing.T, s Subject) {
	s.ensure(t, 2)
	s.Delete(t)
	s.ensure(t, 5)
	if err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: s.share(50)}, 3); !errors.Is(err, router.ErrOvertaken) {
		t.Errorf("Set returns %v, want ErrOvertaken", err)
	}
	s.stands(t, router.Percent(0), 5)
}

func setRepairs(t *testing.T, s Subject) {
	s.ensure(t, 1)
	s.set(t, s.share(20), 2)
	s.Edit(t, s.share(90))
	if st := s.get(t); st.Weights != s.share(90) {
		t.Errorf("weights are %s after an edit, want what stands: %s", st.Weights, s.share(90))
	}
	s.set(t, s.share(20), 2)
	s.stands(t, s.share(20), 2)
}

func setAbsent(t *testing.T, s Subject) {
	err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: s.share(10)}, 1)
	var waiting *router.NotReady
	if !errors.As(err, &waiting) || waiting.RetryAfter <= 0 {
		t.Errorf("Set without a route returns %v, want a *NotReady with RetryAfter", err)
	}
}

func setInvalid(t *testing.T, s Subject) {
	s.ensure(t, 1)
	for _, w := range []router.Weights{{}, {Primary: 1000, Canary: 1000}, {Primary: 1100, Canary: -100}} {
		if err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: w}, 2); err == nil {
			t.Errorf("Set accepts %s", w)
		}
	}
	s.stands(t, router.Percent(0), 1)
}
