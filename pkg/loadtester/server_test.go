package loadtester

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

func newServer(t *testing.T, config Config) *Server {
	t.Helper()
	if config.Timeout == 0 {
		config.Timeout = time.Minute
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := New(config)
	t.Cleanup(s.Close)
	return s
}

func post(t *testing.T, s *Server, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	return w
}

func makeTask(t *testing.T, canary string, metadata map[string]string) string {
	t.Helper()
	data, err := json.Marshal(task{Name: canary, Namespace: "test", Phase: "Progressing", Checksum: "1", Metadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func bash(t *testing.T, command string) string {
	t.Helper()
	return makeTask(t, "podinfo", map[string]string{"type": "bash", "cmd": command})
}

func TestTasks(t *testing.T) {
	for name, tc := range map[string]struct {
		metadata   map[string]string
		wantStatus int
		wantBody   string
	}{
		"bash answers with the output": {
			map[string]string{"type": "bash", "cmd": "echo out; echo err >&2"}, 200, "out\nerr\n",
		},
		"bash runs bash": {
			map[string]string{"type": "bash", "cmd": "[[ canary == c* ]] && echo ${BASH_VERSION:+bash}"}, 200, "bash\n",
		},
		"bash keeps the output back when asked to": {
			map[string]string{"type": "bash", "cmd": "echo out", "returnCmdOutput": "false"}, 200, "",
		},
		"a failed bash says what it printed and why": {
			map[string]string{"type": "bash", "cmd": "echo no token; exit 3"}, 500, "no token\ncommand failed: exit status 3\n",
		},
		"a failed bash says so even when the output is kept back": {
			map[string]string{"type": "bash", "cmd": "printf half; false", "returnCmdOutput": "false"}, 500, "half\ncommand failed: exit status 1\n",
		},
		"a pipeline fails with its last command": {
			map[string]string{"type": "bash", "cmd": "echo token | grep -q nothing"}, 500, "command failed: exit status 1\n",
		},
		"bash waits for a background job that prints": {
			map[string]string{"type": "bash", "cmd": "{ sleep 0.05; echo late; } & echo early"}, 200, "early\nlate\n",
		},
		"cmd is accepted at once":    {map[string]string{"type": "cmd", "cmd": "exit 1"}, 202, "started\n"},
		"cmd is what no type means":  {map[string]string{"cmd": "true"}, 202, "started\n"},
		"an unknown type is refused": {map[string]string{"type": "hlem", "cmd": "test"}, 400, "unknown task type \"hlem\", known are: bash, cmd\n"},
		"a type that is not run here says what to use": {
			map[string]string{"type": "concord"}, 422, "task type \"concord\" is not run here: use type bash with curl: it is started and asked over HTTP\n",
		},
		"a task without command is refused": {
			map[string]string{"type": "bash"}, 400, "task has no command: set metadata.cmd of the webhook\n",
		},
		"a task without metadata is refused": {nil, 400, "task has no command: set metadata.cmd of the webhook\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(t, newServer(t, Config{}), makeTask(t, "podinfo", tc.metadata))
			if w.Code != tc.wantStatus {
				t.Errorf("status = %d, want %d", w.Code, tc.wantStatus)
			}
			if diff := cmp.Diff(tc.wantBody, w.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestsRefused(t *testing.T) {
	s := newServer(t, Config{Namespaces: regexp.MustCompile("^team-")})
	for name, tc := range map[string]struct {
		body       string
		wantStatus int
		wantBody   string
	}{
		"not JSON":            {"{", 400, "task is not the JSON of a canary webhook"},
		"metadata not a text": {`{"metadata":{"cmd":1}}`, 400, "task is not the JSON of a canary webhook"},
		"too large":           {`{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413, "task is larger than 1048576 bytes"},
		"another namespace":   {bash(t, "true"), 403, `namespace "test" is not served here: it does not match ^team-`},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(t, s, tc.body)
			if w.Code != tc.wantStatus || !strings.Contains(w.Body.String(), tc.wantBody) {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body, tc.wantStatus, tc.wantBody)
			}
		})
	}
	if got := testutil.ToFloat64(s.metrics.refused.WithLabelValues("namespace")); got != 1 {
		t.Errorf("refusals for the namespace counted = %v, want 1", got)
	}
}

func TestPaths(t *testing.T) {
	handler := newServer(t, Config{}).Handler()
	for request, want := range map[string]int{
		"GET /healthz": 200, "HEAD /healthz": 200, "GET /metrics": 200, "GET /": 405, "GET /gate/check": 405, "POST /gate/x": 404, "POST /gate/check": 400,
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		if w.Code != want {
			t.Errorf("%s = %d, want %d", request, w.Code, want)
		}
	}
}

// fifo is a named pipe: commands block on it until the test says, and its end is
// seen when the last process that holds it is gone.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCmdIsNotRunTwiceAtOnce(t *testing.T) {
	s := newServer(t, Config{})
	gate := fifo(t)
	command := map[string]string{"type": "cmd", "cmd": "read x < " + gate}
	ask := func(canary string) string { return post(t, s, makeTask(t, canary, command)).Body.String() }

	got := []string{ask("podinfo"), ask("podinfo"), ask("other")}
	want := []string{"started\n", "already running\n", "started\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers while it runs (-want +got):\n%s", diff)
	}
	// Both commands opened the pipe, or will: a writer that stays lets both read.
	writer, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	if _, err := writer.WriteString("go\ngo\n"); err != nil {
		t.Fatal(err)
	}
	s.runner.active.Wait()
	if got := ask("podinfo"); got != "started\n" {
		t.Errorf("answer after it ended = %q, want it started again", got)
	}
	if got := testutil.ToFloat64(s.metrics.tasks.WithLabelValues("cmd", "passed")); got != 2 {
		t.Errorf("passed commands counted = %v, want 2", got)
	}
}

func TestTimeoutKillsTheWholeGroup(t *testing.T) {
	s := newServer(t, Config{Timeout: 50 * time.Millisecond})
	held := fifo(t)
	ended := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(held) // returns when nothing holds the other end
		ended <- err
	}()
	w := post(t, s, bash(t, "exec 3> "+held+"; echo begun; sleep 600 & sleep 600"))
	if want := "begun\ncommand was killed: timed out after 50ms\n"; w.Code != 500 || w.Body.String() != want {
		t.Errorf("answer = %d %q, want 500 %q", w.Code, w.Body, want)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(s.metrics.tasks.WithLabelValues("bash", "timeout")); got != 1 {
		t.Errorf("timeouts counted = %v, want 1", got)
	}
}

func TestTimeoutIsNotHeldUpByAnEscapedProcess(t *testing.T) {
	s := newServer(t, Config{Timeout: 50 * time.Millisecond})
	pid := filepath.Join(t.TempDir(), "pid")
	w := post(t, s, bash(t, "setsid bash -c 'echo $$ > "+pid+"; exec sleep 600' & until [ -s "+pid+" ]; do :; done"))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "timed out") {
		t.Errorf("answer = %d %q, want a timeout", w.Code, w.Body)
	}
	killFromFile(t, pid)
}

func killFromFile(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		return // the shell was killed before the process escaped
	}
	var pid int
	if err := json.Unmarshal(bytes.TrimSpace(data), &pid); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func TestCallerWhoGoesAwayEndsTheCommand(t *testing.T) {
	s := newServer(t, Config{})
	server := httptest.NewServer(s.Handler())
	running := fifo(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(running) // returns once the command has begun and closed it
		cancel()
	}()
	body := strings.NewReader(bash(t, ": > "+running+"; sleep 600"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the request was answered, want it cancelled")
	}
	server.Close() // returns when the handler has
	s.runner.active.Wait()
	if got := testutil.ToFloat64(s.metrics.tasks.WithLabelValues("bash", "interrupted")); got != 1 {
		t.Errorf("interrupted commands counted = %v, want 1", got)
	}
}

func TestCloseKillsAndRefuses(t *testing.T) {
	s := New(Config{Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	running := fifo(t)
	go func() {
		_, _ = os.ReadFile(running)
		s.Close()
	}()
	post(t, s, makeTask(t, "podinfo", map[string]string{"cmd": "sleep 600"}))
	w := post(t, s, bash(t, ": > "+running+"; sleep 600"))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "the load tester is shutting down") {
		t.Errorf("answer to a running command = %d %q, want 503", w.Code, w.Body)
	}
	s.Close()
	for _, kind := range knownTypes {
		w := post(t, s, makeTask(t, "podinfo", map[string]string{"type": kind, "cmd": "true"}))
		if w.Code != 503 {
			t.Errorf("answer to a new %s = %d %q, want 503", kind, w.Code, w.Body)
		}
	}
}

func TestOutputKeepsTheEnd(t *testing.T) {
	out := &output{limit: 4}
	for _, chunk := range []string{"a", "bcdefgh", "ij", "klm"} {
		if _, err := io.WriteString(out, chunk); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := out.String(), "[first 9 bytes left out]\njklm"; got != want {
		t.Errorf("output = %q, want %q", got, want)
	}
	if len(out.kept) > 8 {
		t.Errorf("%d bytes kept, want at most twice the limit", len(out.kept))
	}
}

func TestTypesOfOtherLoadTestersAreRefused(t *testing.T) {
	s := newServer(t, Config{})
	for _, kind := range []string{"helm", "helmv3", "kubectl", "concord", "ngrinder"} {
		w := post(t, s, makeTask(t, "podinfo", map[string]string{"type": kind, "cmd": "test"}))
		if w.Code != 422 || !strings.Contains(w.Body.String(), "use type bash") {
			t.Errorf("%s: answer = %d %q, want 422 and what to use", kind, w.Code, w.Body)
		}
	}
}

func TestOpenServerSaysSo(t *testing.T) {
	var log bytes.Buffer
	open := newServer(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "whoever reaches this port can run commands") {
		t.Errorf("log = %q, want a warning", log.String())
	}
	if got := testutil.ToFloat64(open.metrics.open); got != 1 {
		t.Errorf("serin_loadtester_unauthenticated = %v, want 1", got)
	}
	log.Reset()
	closed := newServer(t, Config{Verifier: &Verifier{}, Gates: gate.NewMemory(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if got := testutil.ToFloat64(closed.metrics.open); got != 0 || log.Len() > 0 {
		t.Errorf("with authentication: metric = %v, log = %q, want 0 and none", got, log.String())
	}
}
