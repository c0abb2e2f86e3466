package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// backend is one side of a rollout: it answers with its name.
type backend struct {
	*httptest.Server
	seen atomic.Int64
	// hold, while a request asks for it, keeps that request waiting.
	hold, held chan struct{}
}

func startBackend(t *testing.T, name string) *backend {
	b := &backend{hold: make(chan struct{}), held: make(chan struct{})}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.seen.Add(1)
		w.Header().Set("X-Path", r.URL.Path)
		switch r.URL.Path {
		case "/fail":
			w.WriteHeader(http.StatusInternalServerError)
		case "/fail-" + name:
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/login":
			http.SetCookie(w, &http.Cookie{Name: "app", Value: name})
		case "/hold":
			b.held <- struct{}{}
			<-b.hold
		case "/hang":
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) port() int { return b.Listener.Addr().(*net.TCPAddr).Port }

// rollout is a gateway with a primary and a canary behind it.
type rollout struct {
	*proxy
	primary, canary *backend
	client          *http.Client
}

func startRollout(t *testing.T) *rollout {
	if testing.Short() {
		t.Skip("runs a real Envoy; not in short mode")
	}
	r := &rollout{primary: startBackend(t, "primary"), canary: startBackend(t, "canary")}
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}
	t.Cleanup(r.client.CloseIdleConnections)
	r.proxy = startProxy(t, r.world(t, weighted(100, 0)))
	return r
}

// world is a rollout whose RouteTable has the given routes.
func (r *rollout) world(t *testing.T, routes string) translate.World {
	t.Helper()
	objects := fmt.Sprintf(`
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: podinfo, namespace: test}
spec: {virtualHost: {domains: ["*"], routes: [{matchers: [{prefix: /}], delegateAction: {ref: {name: podinfo, namespace: test}}}]}}
---
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: podinfo, namespace: test}
spec: {routes: [%s]}
`, routes)
	for side, b := range map[string]*backend{"primary": r.primary, "canary": r.canary} {
		if b != nil {
			objects += strings.NewReplacer("SIDE", side, "ADDRESS", "127.0.0.1", "PORT", fmt.Sprint(b.port())).Replace(sideObjects)
		}
	}
	return gatewaytest.World(t, []byte(objects))
}

const sideObjects = `
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: test-podinfo-SIDEupstream-80, namespace: test}
spec: {kube: {serviceName: podinfo-SIDE, serviceNamespace: test, servicePort: 80}}
---
apiVersion: v1
kind: Service
metadata: {name: podinfo-SIDE, namespace: test}
spec: {ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: podinfo-SIDE-x, namespace: test, labels: {kubernetes.io/service-name: podinfo-SIDE}}
addressType: IPv4
ports: [{name: http, port: PORT}]
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
`

const (
	toPrimary = "upstream: {name: test-podinfo-primaryupstream-80, namespace: test}"
	toCanary  = "upstream: {name: test-podinfo-canaryupstream-80, namespace: test}"
)

func weighted(primary, canary int) string {
	return fmt.Sprintf(`{routeAction: {multi: {destinations: [{destination: {%s}, weight: %d}, {destination: {%s}, weight: %d,
  options: {headerManipulation: {responseHeadersToAdd: [{header: {key: x-side, value: canary}}]}}}]}}}`, toPrimary, primary, toCanary, canary)
}

// ask sends a GET and returns the answer's body, status and headers.
func (r *rollout) ask(path string, header http.Header) (string, *http.Response, error) {
	return r.send(http.MethodGet, path, header)
}

func (r *rollout) send(method, path string, header http.Header) (string, *http.Response, error) {
	req, err := http.NewRequest(method, r.requests+path, nil)
	if err != nil {
		return "", nil, err
	}
	maps.Copy(req.Header, header)
	resp, err := r.client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp, err
}

// expect asks until the answer is the wanted one.
func (r *rollout) expect(t *testing.T, path string, header http.Header, status int, body string) *http.Response {
	t.Helper()
	var last *http.Response
	gatewaytest.Eventually(t, 10*time.Second, func() error {
		got, resp, err := r.ask(path, header)
		if err != nil {
			return err
		}
		last = resp
		if resp.StatusCode != status || got != body {
			return fmt.Errorf("%s answers %d %q, want %d %q", path, resp.StatusCode, got, status, body)
		}
		return nil
	})
	return last
}
