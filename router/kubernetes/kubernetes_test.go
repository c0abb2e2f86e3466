package kubernetes_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/kubernetes"
)

var target = router.Target{Apex: "podinfo", PrimaryService: "podinfo-primary", CanaryService: "podinfo-canary", Port: 9898}

// It works on a cluster that has no gateway of any kind, and before as after every other call.
func TestAllTrafficIsThePrimarys(t *testing.T) {
	r, err := kubernetes.New(fake.NewClientBuilder().Build())
	must(t, err)
	want := router.State{Exists: true, Weights: router.Percent(0), Verdict: router.InForce}
	for name, call := range map[string]func() error{
		"at first":      func() error { return nil },
		"after Ensure":  func() error { return r.Ensure(t.Context(), target, 1) },
		"after Set":     func() error { return r.Set(t.Context(), target, router.Traffic{Weights: router.Percent(0)}, 2) },
		"after Release": func() error { return r.Release(t.Context(), target) },
	} {
		must(t, call())
		if st, err := r.Get(t.Context(), target); err != nil || st.Exists != want.Exists || st.Weights != want.Weights || st.Verdict != want.Verdict {
			t.Errorf("%s the state is %+v, %v; want %+v", name, st, err, want)
		}
	}
}

func TestNothingElseCanBeSet(t *testing.T) {
	match := []v1beta1.CanaryMatch{{Headers: map[string]v1beta1.StringMatch{"x-canary": {Exact: "insider"}}}}
	for name, tr := range map[string]router.Traffic{
		"a share":    {Weights: router.Percent(10)},
		"everything": {Weights: router.Percent(100)},
		"no shares":  {},
		"a match":    {Weights: router.Percent(0), Rules: v1beta1.RouteRules{Match: match}},
		"a mirror":   {Weights: router.Percent(0), Rules: v1beta1.RouteRules{Mirror: v1beta1.FullWeight}},
	} {
		if err := (kubernetes.Router{}).Set(t.Context(), target, tr, 1); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	err := kubernetes.Router{}.Set(t.Context(), target, router.Traffic{Weights: router.Percent(10)}, 1)
	if nr, ok := errors.AsType[*router.NotReady](err); !ok || nr.RetryAfter != 0 || !strings.Contains(nr.Problem.Message, "iterations") {
		t.Errorf("a share is refused with %v, want a problem that says what to do", err)
	}
}

func TestTheBuiltInQueriesAreOfTheSidesPods(t *testing.T) {
	got := kubernetes.Router{}.Telemetry(target)
	if got.PrimarySuccessRate != got.SuccessRate || got.PrimaryLatency != got.Latency {
		t.Errorf("the sides are asked about by different queries, though {{ target }} tells them apart: %+v", got)
	}
	const pods = `kubernetes_namespace="test",kubernetes_pod_name=~"podinfo-canary-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)?"`
	for query, want := range map[string]string{
		got.SuccessRate: `100 * (sum(rate(http_request_duration_seconds_count{` + pods + `,status!~"5.*"}[30s])) or vector(0)) / sum(rate(http_request_duration_seconds_count{` + pods + `}[30s]))`,
		got.Latency:     `1000 * histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{` + pods + `}[30s])) by (le))`,
	} {
		rendered, err := metrics.Render(query, metrics.Vars{Namespace: "test", Target: "podinfo-canary", Interval: 30 * time.Second})
		must(t, err)
		if rendered != want {
			t.Errorf("query %s\nwant  %s", rendered, want)
		}
	}
	if none := (router.Selector{}); got.PrimaryRequests != none || got.CanaryRequests != none || got.PrimaryActive != none || got.CanaryActive != none {
		t.Errorf("counters of the pods are taken for those of a proxy: %+v", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
