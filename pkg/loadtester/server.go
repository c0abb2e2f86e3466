// Package loadtester answers the webhooks of a canary: by running shell commands,
// which are load against the canary and acceptance tests, and by gates, which
// people open and close. Running what it is sent is its purpose, so who may send
// is all of its security; see Verifier. The gates are all the state it keeps:
// what runs when it stops is killed.
package loadtester

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

// Config is what a Server needs to know.
type Config struct {
	// Timeout is how long one command may run.
	Timeout time.Duration
	// Namespaces, when set, must match the namespace of the canary that asks.
	Namespaces *regexp.Regexp
	// Verifier authenticates callers. With none, everybody may run commands.
	Verifier *Verifier
	// Gates, when set, keeps the gates. With none, they are closed at each start.
	Gates gate.Store
	Log   *slog.Logger
}

// Server runs the tasks that are posted to it. Close it to kill them.
type Server struct {
	config  Config
	metrics *metrics
	gather  *prometheus.Registry
	runner  *runner
	kill    context.CancelCauseFunc
}

// New returns a server that is ready to handle requests. It says at once, in the
// log and in a metric, when it lets everybody run commands.
func New(config Config) *Server {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := newMetrics(reg)
	ctx, kill := context.WithCancelCause(context.Background())
	if config.Gates == nil {
		config.Gates = gate.NewMemory()
		config.Log.Warn("gates are not kept: all are closed at each start; set -gates-configmap or -gates-file")
	}
	if config.Verifier == nil {
		m.open.Set(1)
		config.Log.Warn("callers are not authenticated: whoever reaches this port can run commands in this pod; " +
			"set -auth-audience, or admit only Serin by a NetworkPolicy")
	}
	return &Server{
		config: config, metrics: m, gather: reg, kill: kill,
		runner: &runner{
			ctx: ctx, timeout: config.Timeout, log: config.Log, metrics: m, running: map[string]bool{},
		},
	}
}

// Handler serves tasks at /, gates at /gate and /rollback, and /healthz and /metrics.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", s.serveTask)
	s.handleGates(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK\n") })
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.gather, promhttp.HandlerOpts{}))
	return mux
}

// Close kills every running command and returns when they are gone. Requests
// that wait for one are answered with 503, so that a caller tries again.
func (s *Server) Close() {
	s.runner.close(s.kill)
}

func (s *Server) serveTask(w http.ResponseWriter, r *http.Request) {
	t, err := s.admit(w, r)
	if err == nil {
		err = t.check()
	}
	if err != nil {
		s.answerRefusal(w, r, err)
		return
	}
	if t.kind() == TypeBash {
		s.answerResult(w, t, s.runner.run(r.Context(), "bash", t))
		return
	}
	started, err := s.runner.begin("sh", t)
	switch {
	case err != nil:
		s.answerRefusal(w, r, refuse(http.StatusServiceUnavailable, "shutdown", "%v", err))
	case started:
		answer(w, http.StatusAccepted, "started\n")
	default:
		answer(w, http.StatusAccepted, "already running\n")
	}
}

// admit returns what was posted when its sender may post it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (task, error) {
	// Before the body is looked at: strangers are told nothing.
	if err := s.authenticate(r); err != nil {
		return task{}, err
	}
	t, err := readTask(w, r)
	if err != nil {
		return task{}, err
	}
	if s.config.Namespaces != nil && !s.config.Namespaces.MatchString(t.Namespace) {
		return task{}, refuse(http.StatusForbidden, "namespace",
			"namespace %q is not served here: it does not match %s", t.Namespace, s.config.Namespaces)
	}
	return t, nil
}

func (s *Server) authenticate(r *http.Request) error {
	if s.config.Verifier == nil || fromThisContainer(r) {
		return nil
	}
	return s.config.Verifier.verify(r.Context(), r.Header.Get("Authorization"))
}

func (s *Server) answerRefusal(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		refused = &refusal{status: http.StatusInternalServerError, reason: "error", message: err.Error()}
	}
	s.metrics.refused.WithLabelValues(refused.reason).Inc()
	s.config.Log.Warn("request refused", "from", r.RemoteAddr, "status", refused.status, "reason", refused.message)
	if refused.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	answer(w, refused.status, refused.message+"\n")
}

// answerResult answers with the output, whatever the outcome: it is what explains
// a failed check. A webhook that does not want it says returnCmdOutput: "false".
func (s *Server) answerResult(w http.ResponseWriter, t task, res result) {
	body, status := res.output, http.StatusOK
	switch {
	case errors.Is(res.err, errShutdown):
		status = http.StatusServiceUnavailable
	case res.err != nil:
		status = http.StatusInternalServerError
	case t.Metadata["returnCmdOutput"] == "false":
		body = ""
	}
	if res.err != nil {
		body = withLine(body, res.err.Error())
	}
	answer(w, status, body)
}

func withLine(body, line string) string {
	if body == "" || body[len(body)-1] == '\n' {
		return body + line + "\n"
	}
	return body + "\n" + line + "\n"
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// Output is whatever a command printed: no browser shall take it for a page.
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, body) //nolint:gosec // plain text by its headers; an error means that the caller went away
}
