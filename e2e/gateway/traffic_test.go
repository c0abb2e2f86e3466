package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
)

// TestEnvoy sends requests through a real Envoy that follows the translation
// of objects in memory. The parts share one Envoy and follow each other as the
// steps of a rollout do.
func TestEnvoy(t *testing.T) {
	r := startRollout(t)
	t.Run("weights", func(t *testing.T) { testWeights(t, r) })
	t.Run("no request is lost while weights change", func(t *testing.T) { testChanges(t, r) })
	t.Run("a request under way survives its endpoint's removal", func(t *testing.T) { testDrain(t, r) })
	t.Run("header match", func(t *testing.T) { testHeaders(t, r) })
	t.Run("shadow", func(t *testing.T) { testShadow(t, r) })
	t.Run("rules", func(t *testing.T) { testRules(t, r) })
	t.Run("options", func(t *testing.T) { testOptions(t, r) })
	t.Run("destinations that are missing answer 503", func(t *testing.T) { testMissing(t, r) })
	t.Run("HTTP/2", func(t *testing.T) { testHTTP2(t, r) })
	t.Run("statistics", func(t *testing.T) { testStatistics(t, r) })
}

func testWeights(t *testing.T, r *rollout) {
	const requests, share = 2000, 0.2
	r.put(t, r.world(t, weighted(80, 20)))
	// The canary has no share before, so its first answer shows that the
	// weights are in force.
	resp := r.expect(t, "/", nil, http.StatusOK, "canary")
	if got := resp.Header.Get("X-Side"); got != "canary" {
		t.Errorf("header of the canary's weighted destination is %q", got)
	}
	canary := 0
	for range requests {
		body, resp, err := r.ask("/", nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("answer %v, error %v", resp, err)
		}
		if body == "canary" {
			canary++
		}
	}
	// Five standard deviations: wrong once in a million runs.
	want, bound := requests*share, 5*math.Sqrt(requests*share*(1-share))
	if math.Abs(float64(canary)-want) > bound {
		t.Errorf("%d of %d requests on the canary, want %.0f±%.0f", canary, requests, want, bound)
	}
}

func testChanges(t *testing.T, r *rollout) {
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var sent, failed atomic.Int64
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				sent.Add(1)
				if _, resp, err := r.ask("/", nil); err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	for canary := 0; canary <= 100; canary += 10 {
		r.put(t, r.world(t, weighted(100-canary, canary)))
		before := sent.Load()
		gatewaytest.Eventually(t, 10*time.Second, func() error {
			if sent.Load() < before+100 {
				return errors.New("too little traffic")
			}
			return nil
		})
	}
	start := time.Now()
	r.put(t, r.world(t, weighted(100, 0)))
	gatewaytest.Eventually(t, 10*time.Second, func() error { return allOf(r, "primary", 50) })
	took := time.Since(start)
	stop()
	load.Wait()
	t.Logf("%d requests, the last weight in force within %v", sent.Load(), took)
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed while weights changed", failed.Load(), sent.Load())
	}
	if took > 2*time.Second {
		t.Errorf("a weight is in force only after %v", took)
	}
}

func allOf(r *rollout, side string, n int) error {
	for range n {
		if body, _, err := r.ask("/", nil); err != nil || body != side {
			return fmt.Errorf("answer %q, error %w", body, err)
		}
	}
	return nil
}

func testDrain(t *testing.T, r *rollout) {
	answer := make(chan error, 1)
	go func() {
		body, resp, err := r.ask("/hold", nil)
		if err == nil && (resp.StatusCode != http.StatusOK || body != "primary") {
			err = fmt.Errorf("answer %d %q", resp.StatusCode, body)
		}
		answer <- err
	}()
	<-r.primary.held
	world := r.world(t, weighted(0, 100))
	for _, s := range world.Slices {
		if s.Name == "podinfo-primary-x" {
			s.Endpoints = nil
		}
	}
	r.put(t, world)
	gatewaytest.Eventually(t, 10*time.Second, func() error { return allOf(r, "canary", 20) })
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		return r.statistic(`envoy_cluster_membership_total\{envoy_cluster_name="test-podinfo-primaryupstream-80_test"\} 0\n`)
	})
	r.primary.hold <- struct{}{}
	if err := <-answer; err != nil {
		t.Errorf("the request under way: %v", err)
	}
}

func testHeaders(t *testing.T, r *rollout) {
	r.put(t, r.world(t, fmt.Sprintf(`{inheritablePathMatchers: true,
  matchers: [{headers: [{name: x-canary, value: insider}]}, {headers: [{name: cookie, value: '^(.*?;)?(canary=always)(;.*)?$', regex: true}]}],
  routeAction: {single: {%s}}}, {routeAction: {single: {%s}}}`, toCanary, toPrimary)))
	r.expect(t, "/", nil, http.StatusOK, "primary")
	for _, test := range []struct {
		header, value, want string
	}{
		{"X-Canary", "insider", "canary"},
		{"X-Canary", "outsider", "primary"},
		{"Cookie", "a=b;canary=always", "canary"},
		{"Cookie", "canary=never", "primary"},
	} {
		r.expect(t, "/", http.Header{test.header: {test.value}}, http.StatusOK, test.want)
	}
}

func testShadow(t *testing.T, r *rollout) {
	r.put(t, r.world(t, fmt.Sprintf(`{options: {prefixRewrite: /copied, shadowing: {percentage: 100, %s}}, routeAction: {single: {%s}}}`, toCanary, toPrimary)))
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		_, resp, err := r.ask("/", nil)
		if err == nil && resp.Header.Get("X-Path") != "/copied" {
			err = errors.New("not in force")
		}
		return err
	})
	const requests = 50
	before := r.canary.seen.Load()
	if err := allOf(r, "primary", requests); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		if copies := r.canary.seen.Load() - before; copies < requests {
			return fmt.Errorf("%d copies of %d requests", copies, requests)
		}
		return nil
	})
}

func testOptions(t *testing.T, r *rollout) {
	r.put(t, r.world(t, fmt.Sprintf(`{options: {timeout: 0.200s,
  headerManipulation: {responseHeadersToAdd: [{header: {key: x-path, value: mine}, append: false}]}}, routeAction: {single: {%s}}}`, toPrimary)))
	r.expect(t, "/hang", nil, http.StatusGatewayTimeout, "upstream request timeout")
	if got := r.expect(t, "/", nil, http.StatusOK, "primary").Header.Get("X-Path"); got != "mine" {
		t.Errorf("response header is %q", got)
	}
}

func testMissing(t *testing.T, r *rollout) {
	without := *r
	without.canary = nil
	r.put(t, without.world(t, fmt.Sprintf(`{routeAction: {single: {%s}}}`, toCanary)))
	r.expect(t, "/", nil, http.StatusServiceUnavailable, "")
}

func testHTTP2(t *testing.T, r *rollout) {
	r.put(t, r.world(t, weighted(100, 0)))
	r.expect(t, "/", nil, http.StatusOK, "primary")
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(r.requests)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Errorf("answer %s over %s", resp.Status, resp.Proto)
	}
}

// testStatistics looks for the series that queries rely on, under the names
// that they rely on.
func testStatistics(t *testing.T, r *rollout) {
	r.put(t, r.world(t, weighted(0, 100)))
	r.expect(t, "/", nil, http.StatusOK, "canary")
	r.expect(t, "/fail", nil, http.StatusInternalServerError, "canary")
	const cluster = `envoy_cluster_name="test-podinfo-canaryupstream-80_test"`
	for _, series := range []string{
		`envoy_cluster_upstream_rq_total\{` + cluster + `\} [1-9]`,
		`envoy_cluster_upstream_rq\{envoy_response_code="200",` + cluster + `\} [1-9]`,
		`envoy_cluster_upstream_rq\{envoy_response_code="500",` + cluster + `\} [1-9]`,
		`envoy_cluster_upstream_rq_active\{` + cluster + `\} 0`,
		`envoy_cluster_upstream_rq_time_bucket\{` + cluster + `,le="\+Inf"\} [1-9]`,
		`envoy_cluster_membership_healthy\{` + cluster + `\} 1`,
	} {
		gatewaytest.Eventually(t, 10*time.Second, func() error { return r.statistic(series) })
	}
}

func (r *rollout) statistic(series string) error {
	page, err := get(r.admin + "/stats/prometheus")
	if err == nil && !regexp.MustCompile(`(?m)^`+series).MatchString(page) {
		err = fmt.Errorf("no %s in the statistics", series)
	}
	return err
}
