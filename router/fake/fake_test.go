package fake_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/fake"
	"github.com/serin-dev/serin/router/routertest"
)

var target = router.Target{
	Canary:         types.NamespacedName{Namespace: "apps", Name: "podinfo"},
	Apex:           "podinfo",
	PrimaryService: "podinfo-primary",
	CanaryService:  "podinfo-canary",
	Port:           9898,
}

func TestConformance(t *testing.T) {
	routertest.Run(t, func(*testing.T) routertest.Subject { return subject(&fake.Router{}) })
}

// A router that can do next to nothing is still a router.
func TestConformanceOfLittle(t *testing.T) {
	for name, can := range map[string]router.Features{"weights": {Weights: true}, "all or nothing": {}} {
		t.Run(name, func(t *testing.T) {
			routertest.Run(t, func(*testing.T) routertest.Subject { return subject(&fake.Router{Can: &can}) })
		})
	}
}

func subject(r *fake.Router) routertest.Subject {
	key := target.Canary
	return routertest.Subject{
		Router:      r,
		Target:      target,
		Writes:      r.Writes,
		BeforeWrite: func(f func()) { r.BeforeWrite = f },
		Edit:        func(_ *testing.T, w router.Weights) { r.Edit(key, w) },
		EditRules:   func(*testing.T) { r.EditRules(key) },
		Decorate:    func(*testing.T) func(*testing.T) { return func(*testing.T) {} },
		Delete:      func(*testing.T) { r.Delete(key) },
		Reject:      func(_ *testing.T, words string) { r.Reject(key, words) },
		Accept:      func(*testing.T) { r.Accept(key) },
		Pass:        func() {},
		Released: func(t *testing.T) {
			if !r.Released(key) {
				t.Error("the route was not handed back")
			}
		},
	}
}

func TestProxiesFollowAfterTheLag(t *testing.T) {
	now := time.Unix(0, 0)
	r := &fake.Router{Clock: func() time.Time { return now }, Lag: 3 * time.Second, Confirms: true}
	must(t, r.Ensure(t.Context(), target, 1))
	now = now.Add(3 * time.Second)
	must(t, r.Set(t.Context(), target, router.Traffic{Weights: router.Percent(20)}, 2))

	wantServing(t, r, router.Percent(0), router.NotKnown)
	now = now.Add(3 * time.Second)
	wantServing(t, r, router.Percent(20), router.InForce)
}

func TestARejectedWriteNeverServes(t *testing.T) {
	r := &fake.Router{Confirms: true}
	must(t, r.Ensure(t.Context(), target, 1))
	r.Reject(target.Canary, "no such cluster")
	must(t, r.Set(t.Context(), target, router.Traffic{Weights: router.Percent(20)}, 2))
	wantServing(t, r, router.Percent(0), router.Rejected)
	r.Accept(target.Canary)
	wantServing(t, r, router.Percent(20), router.InForce)
}

func wantServing(t *testing.T, r *fake.Router, w router.Weights, v router.Verdict) {
	t.Helper()
	if got := r.Serving(target.Canary); got != w {
		t.Errorf("the proxies serve %s, want %s", got, w)
	}
	st, err := r.Get(t.Context(), target)
	must(t, err)
	if st.Verdict != v {
		t.Errorf("the verdict is %s, want %s", st.Verdict, v)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
