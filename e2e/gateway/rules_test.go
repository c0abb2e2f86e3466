package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	standin "github.com/serin-dev/serin/e2e/gateway/gloo"
	"github.com/serin-dev/serin/e2e/gateway/translate"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo"
)

// author is Serin's own router for Gloo, on an API server in memory: what it writes there is put in
// force as it stands.
type author struct {
	router.Router
	client client.Client
	target router.Target
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	kinds := []schema.GroupVersionKind{standin.VirtualServiceKind, standin.RouteTableKind, standin.UpstreamKind}
	scheme, mapper := runtime.NewScheme(), meta.NewDefaultRESTMapper(nil)
	for _, k := range kinds {
		scheme.AddKnownTypeWithName(k, &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(k.GroupVersion().WithKind(k.Kind+"List"), &unstructured.UnstructuredList{})
		mapper.Add(k, meta.RESTScopeNamespace)
	}
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	a := &author{client: fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).Build(), target: router.Target{
		Canary: types.NamespacedName{Namespace: "test", Name: "podinfo"}, Apex: "podinfo",
		PrimaryService: "podinfo-primary", CanaryService: "podinfo-canary", Port: 80,
	}}
	var err error
	if a.Router, err = gloo.New(a.client); err != nil {
		t.Fatal(err)
	}
	if err := a.Ensure(t.Context(), a.target, 1); err != nil {
		t.Fatal(err)
	}
	return a
}

// world is a rollout with the table that the router writes for this traffic.
func (a *author) world(t *testing.T, r *rollout, tr router.Traffic) translate.World {
	t.Helper()
	if err := a.Set(t.Context(), a.target, tr, 1); err != nil {
		t.Fatal(err)
	}
	written := ofKind(standin.RouteTableKind)
	if err := a.client.Get(t.Context(), a.target.Canary, written); err != nil {
		t.Fatal(err)
	}
	w := r.world(t, "")
	w.RouteTables = []*standin.RouteTable{standin.DecodeRouteTable(written)}
	return w
}

// put puts traffic in force and waits until a probe sees it.
func (a *author) put(t *testing.T, r *rollout, tr router.Traffic, probe func() error) {
	t.Helper()
	r.put(t, a.world(t, r, tr))
	gatewaytest.Eventually(t, 10*time.Second, probe)
}

// all asks n times and fails where an answer is not this side's.
func (r *rollout) all(n int, method, path string, header http.Header, side string) error {
	for range n {
		body, _, err := r.send(method, path, header)
		if err != nil || body != side {
			return fmt.Errorf("%s %s with %v: answer %q, error %w, want %q", method, path, header, body, err, side)
		}
	}
	return nil
}

func testRules(t *testing.T, r *rollout) {
	a := newAuthor(t)
	t.Run("requests that match go to the canary and all others by weight", func(t *testing.T) { testMatch(t, r, a) })
	t.Run("copies reach the canary and its answers nobody", func(t *testing.T) { testMirror(t, r, a) })
	t.Run("a cookie keeps a user on the canary until the rules go", func(t *testing.T) { testAffinity(t, r, a) })
	t.Run("a cookie keeps a user on the primary", func(t *testing.T) { testPrimaryAffinity(t, r, a) })
	t.Run("the options of the route hold for requests that match", func(t *testing.T) { testRuleOptions(t, r, a) })
}

func exact(s string) v1beta1.StringMatch { return v1beta1.StringMatch{Exact: s} }

func testMatch(t *testing.T, r *rollout, a *author) {
	type headers = map[string]v1beta1.StringMatch
	rules := v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{
		{Headers: headers{"x-user": exact("insider"), "x-region": {Prefix: "eu.(1"}}},
		{Headers: headers{"user-agent": {Suffix: "+beta"}}},
		{Cookies: headers{"stage": {Regex: "^c.*y$"}}},
		{QueryParams: headers{"v": exact("2")}, Method: &v1beta1.StringMatch{Exact: "GET"}},
		{Method: &v1beta1.StringMatch{Regex: "PUT|DELETE"}},
		{Headers: headers{"x-any": {}}},
	}}
	a.put(t, r, router.Traffic{Weights: router.Percent(0), Rules: rules}, func() error {
		return r.all(1, "PUT", "/", nil, "canary")
	})
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		side         string
	}{
		"nothing":                                    {side: "primary"},
		"all of an entry":                            {header: http.Header{"X-User": {"insider"}, "X-Region": {"eu.(1)-west"}}, side: "canary"},
		"half of an entry":                           {header: http.Header{"X-User": {"insider"}}, side: "primary"},
		"the other half":                             {header: http.Header{"X-Region": {"eu.(1)-west"}}, side: "primary"},
		"a dot that is none":                         {header: http.Header{"X-User": {"insider"}, "X-Region": {"eux(1"}}, side: "primary"},
		"another entry":                              {header: http.Header{"User-Agent": {"app/1.0+beta"}}, side: "canary"},
		"a suffix in the middle":                     {header: http.Header{"User-Agent": {"app/1.0+beta2"}}, side: "primary"},
		"a cookie among others":                      {header: http.Header{"Cookie": {"a=b; stage=canary; c=d"}}, side: "canary"},
		"a cookie whose end is another's":            {header: http.Header{"Cookie": {"stage=current; x=y"}}, side: "primary"},
		"a cookie with a longer name":                {header: http.Header{"Cookie": {"backstage=canary"}}, side: "primary"},
		"a query parameter":                          {path: "/?a=b&v=2", side: "canary"},
		"a query parameter with another value":       {path: "/?v=22", side: "primary"},
		"a query parameter of another method":        {method: "POST", path: "/?v=2", side: "primary"},
		"a method by an expression":                  {method: "DELETE", side: "canary"},
		"a header that only has to be there":         {header: http.Header{"X-Any": {"thing"}}, side: "canary"},
		"a header of the same name in another entry": {header: http.Header{"X-User": {"+beta"}}, side: "primary"},
	} {
		method, path := test.method, test.path
		if method == "" {
			method = http.MethodGet
		}
		if path == "" {
			path = "/"
		}
		if err := r.all(5, method, path, test.header, test.side); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testMirror(t *testing.T, r *rollout, a *author) {
	const requests = 50
	mirrored := router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Mirror: v1beta1.FullWeight}}
	before := r.canary.seen.Load()
	a.put(t, r, mirrored, func() error {
		if err := r.all(1, "GET", "/", nil, "primary"); err != nil {
			return err
		}
		if r.canary.seen.Load() == before {
			return errors.New("no copy yet")
		}
		return nil
	})
	before = r.canary.seen.Load()
	counted := r.count(t, canaryCluster)
	if err := r.all(requests, "GET", "/", nil, "primary"); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		if copies := r.canary.seen.Load() - before; copies < requests {
			return fmt.Errorf("%d copies of %d requests", copies, requests)
		}
		return nil
	})
	// Envoy counts copies as the canary's requests: a check can judge by them.
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		if n := r.count(t, canaryCluster) - counted; n < requests {
			return fmt.Errorf("the statistics count %d requests of the canary", n)
		}
		return nil
	})
	// A copy that fails is nobody's failure, and is counted.
	if body, resp, err := r.ask("/fail-canary", nil); err != nil || resp.StatusCode != http.StatusOK || body != "primary" {
		t.Errorf("a copy that fails: answer %v %q, error %v", resp, body, err)
	}
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		return r.statistic(`envoy_cluster_upstream_rq\{envoy_response_code="503",` + canaryCluster + `\} [1-9]`)
	})
}

const canaryCluster = `envoy_cluster_name="test-podinfo-canaryupstream-80_test"`

// count reads how many requests Envoy has sent to a cluster.
func (r *rollout) count(t *testing.T, cluster string) int {
	t.Helper()
	page, err := get(r.admin + "/stats/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(page, "envoy_cluster_upstream_rq_total{"+cluster+"} ")
	var n int
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatalf("no count of %s: %v", cluster, err)
	}
	return n
}

func affinity(run string) *v1beta1.Affinity {
	return &v1beta1.Affinity{
		SessionAffinity: v1beta1.SessionAffinity{CookieName: "side", MaxAge: 60, Path: "/", HTTPOnly: true, SameSite: "Lax"},
		CanaryValue:     run,
	}
}

// meet asks until an answer sets a cookie, and returns it and who set it.
func (r *rollout) meet(t *testing.T, path, name string) (*http.Cookie, string) {
	t.Helper()
	for range 1000 {
		body, resp, err := r.ask(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resp.Cookies() {
			if c.Name == name {
				return c, body
			}
		}
	}
	t.Fatalf("none of 1000 answers sets the cookie %s", name)
	return nil, ""
}

func testAffinity(t *testing.T, r *rollout, a *author) {
	traffic := router.Traffic{Weights: router.Percent(5), Rules: v1beta1.RouteRules{Affinity: affinity("run-2")}}
	holder := http.Header{"Cookie": {"a=b; side=run-2"}}
	a.put(t, r, traffic, func() error { return r.all(20, "GET", "/", holder, "canary") })
	cookie, setter := r.meet(t, "/login", "side")
	if setter != "canary" {
		t.Errorf("the %s sets the canary's cookie", setter)
	}
	if want := "side=run-2; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"; cookie.Raw != want {
		t.Errorf("the cookie is %q, want %q", cookie.Raw, want)
	}
	if _, setter = r.meet(t, "/login", "app"); setter == "" {
		t.Error("the application's own cookie is gone")
	}
	if err := r.all(200, "GET", "/", http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}, "canary"); err != nil {
		t.Error(err)
	}
	// At 5 % nobody is on the canary a hundred times in a row by chance.
	for _, stale := range []string{"side=run-1", "side=run-22", "outside=run-2"} {
		if err := r.all(100, "GET", "/", http.Header{"Cookie": {stale}}, "canary"); err == nil {
			t.Errorf("whoever has the cookie %s is kept on the canary", stale)
		}
	}
	a.put(t, r, router.Traffic{Weights: router.Percent(0)}, func() error { return r.all(50, "GET", "/", holder, "primary") })
	if _, resp, err := r.ask("/", holder); err != nil || len(resp.Cookies()) > 0 {
		t.Errorf("cookies %v without rules, error %v", resp.Cookies(), err)
	}
}

func testPrimaryAffinity(t *testing.T, r *rollout, a *author) {
	both := affinity("run-3")
	both.PrimaryCookieName, both.PrimaryValue = "home", "run-3"
	holder := http.Header{"Cookie": {"home=run-3"}}
	traffic := router.Traffic{Weights: router.Percent(90), Rules: v1beta1.RouteRules{Affinity: both}}
	a.put(t, r, traffic, func() error { return r.all(50, "GET", "/", holder, "primary") })
	if _, setter := r.meet(t, "/", "home"); setter != "primary" {
		t.Errorf("the %s sets the primary's cookie", setter)
	}
	// Whoever has met both is with the canary: its cookie is the later one.
	if err := r.all(50, "GET", "/", http.Header{"Cookie": {"home=run-3; side=run-3"}}, "canary"); err != nil {
		t.Error(err)
	}
}

func testRuleOptions(t *testing.T, r *rollout, a *author) {
	table := ofKind(standin.RouteTableKind)
	if err := a.client.Get(t.Context(), a.target.Canary, table); err != nil {
		t.Fatal(err)
	}
	routes, _, _ := unstructured.NestedSlice(table.Object, "spec", "routes")
	weighted := routes[len(routes)-1].(map[string]any)
	weighted["matchers"] = []any{map[string]any{"prefix": "/app/"}}
	weighted["inheritablePathMatchers"] = false
	weighted["options"] = map[string]any{"prefixRewrite": "/", "timeout": "0.200s"}
	if err := unstructured.SetNestedSlice(table.Object, routes, "spec", "routes"); err != nil {
		t.Fatal(err)
	}
	if err := a.client.Update(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	insider := http.Header{"X-User": {"insider"}}
	rules := v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{{Headers: map[string]v1beta1.StringMatch{"x-user": exact("insider")}}}}
	a.put(t, r, router.Traffic{Weights: router.Percent(0), Rules: rules}, func() error {
		return r.all(1, "GET", "/app/x", insider, "canary")
	})
	for side, header := range map[string]http.Header{"canary": insider, "primary": nil} {
		if resp := r.expect(t, "/app/x", header, http.StatusOK, side); resp.Header.Get("X-Path") != "/x" {
			t.Errorf("the %s is asked for %s", side, resp.Header.Get("X-Path"))
		}
		r.expect(t, "/app/hang", header, http.StatusGatewayTimeout, "upstream request timeout")
	}
	r.expect(t, "/elsewhere", insider, http.StatusNotFound, "")
}
