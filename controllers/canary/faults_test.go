package canary_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/router"
)

// lostWrites are writes that fail once. Nothing happens afterwards that would wake the canary, and what
// should come of them comes all the same.
var lostWrites = map[string]struct {
	method, path string
	// rest is true where the write comes after the adoption.
	rest    bool
	play    func(*world)
	arrives func(*world) bool
}{
	"the status that begins the adoption": {
		method: http.MethodPut, path: "/canaries/podinfo/status", arrives: isAdopted,
	},
	"the Service that is turned": {
		method: http.MethodPatch, path: "/services/podinfo", arrives: isAdopted,
	},
	"the status that begins a rollout": {
		method: http.MethodPut, path: "/canaries/podinfo/status", rest: true,
		play: func(w *world) { w.setImage("podinfo:6.0.1") }, arrives: hasPromoted,
	},
	"a Service that somebody deleted": {
		method: http.MethodPatch, path: "/services/podinfo-canary", rest: true,
		play:    func(w *world) { must(w.t, w.c.Delete(w.ctx, &corev1.Service{ObjectMeta: w.meta("podinfo-canary")})) },
		arrives: func(w *world) bool { return w.find("podinfo-canary", &corev1.Service{}) },
	},
}

func isAdopted(w *world) bool { return w.get().Status.Phase == v1beta1.PhaseInitialized }

func hasPromoted(w *world) bool { return w.get().Status.Phase == v1beta1.PhaseSucceeded }

func TestAWriteThatFailsOnceIsTriedAgain(t *testing.T) {
	for sentence, test := range lostWrites {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			var armed, failed atomic.Bool
			w.wire = func(r *http.Request, send http.RoundTripper) (*http.Response, error) {
				if r.Method != test.method || !strings.HasSuffix(r.URL.Path, test.path) || !armed.CompareAndSwap(true, false) {
					return send.RoundTrip(r)
				}
				failed.Store(true)
				return refusal(r), nil
			}
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
			armed.Store(!test.rest)
			op := w.operate()
			if test.rest {
				w.reaches(v1beta1.PhaseInitialized)
				w.eventually("it is at rest", func() bool { return w.toldAll() && op.requests.quietFor(stillness) })
				armed.Store(true)
			}
			if test.play != nil {
				test.play(w)
			}
			w.eventually("the write fails", failed.Load)
			w.eventually("it arrives", func() bool { return test.arrives(w) })
		})
	}
}

// refusal is what an API server answers that has lost its database.
func refusal(r *http.Request) *http.Response {
	return &http.Response{StatusCode: http.StatusInternalServerError, Request: r, Header: http.Header{"Content-Type": []string{"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"etcdserver: request timed out","code":500}`))}
}

// TestAPanicEndsNobodyElsesRollout: what panics once is tried again, whoever called it, and the operator
// lives on.
func TestAPanicEndsNobodyElsesRollout(t *testing.T) {
	for _, where := range []string{"the router", "the metrics", "a sink"} {
		t.Run(where, func(t *testing.T) {
			w := newWorld(t)
			var armed atomic.Bool
			var panicked atomic.Int32
			panics := func(caller string) {
				if caller == where && armed.CompareAndSwap(true, false) {
					panicked.Add(1)
					panic("index out of range")
				}
			}
			w.sees.get = func(t router.Target) {
				if t.Canary == w.key() {
					panics("the router")
				}
			}
			w.prom.asked = func(query string) {
				if strings.Contains(query, `/podinfo-canary"`) {
					panics("the metrics")
				}
			}
			w.hears = func(m notifier.Message) {
				if m.Canary == w.key() {
					panics("a sink")
				}
			}
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
			w.createCanaryOf("database")
			w.operate()
			w.reaches(v1beta1.PhaseInitialized)
			w.eventually("the other is adopted", func() bool { return w.phaseOf("database") == v1beta1.PhaseInitialized })
			alter(w, "database", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "database:2" })
			armed.Store(true)
			w.setImage("podinfo:6.0.1")
			w.eventually("the other is promoted", func() bool { return w.phaseOf("database") == v1beta1.PhaseSucceeded })
			if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded || panicked.Load() != 1 {
				t.Errorf("ended as %s after %d panics\n%s", c.Status.Phase, panicked.Load(), w.story())
			}
		})
	}
}

// createCanaryOf makes another application with its Canary, all of its name.
func (w *world) createCanaryOf(name string, edits ...func(*v1beta1.Canary)) {
	w.t.Helper()
	d, s, c := w.deployment(name+":1"), w.service(), w.canary(edits...)
	d.Name, s.Name, c.Name = name, name, name
	d.Spec.Selector.MatchLabels["app"], d.Spec.Template.Labels["app"] = name, name
	s.Spec.Selector["app"], c.Spec.TargetRef.Name = name, name
	w.create(d, s, c)
}

func (w *world) phaseOf(canary string) v1beta1.Phase {
	w.t.Helper()
	c := &v1beta1.Canary{}
	w.read(canary, c)
	return c.Status.Phase
}
