package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// asProgram makes the test's own binary the load tester: tests run it as real processes.
const asProgram = "SERIN_TEST_LOADTESTER"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program returns a command that runs the load tester.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return become(exec.CommandContext(t.Context(), self, args...))
}

func become(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// startServer returns the server's address once it listens, and ends it with the test.
func startServer(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "load tester started" {
			go func() {
				for lines.Scan() { // a full pipe would stop it
				}
			}()
			_, port, err := net.SplitHostPort(line.Address)
			if err != nil {
				t.Fatal(err)
			}
			return "http://localhost:" + port
		}
		t.Log(lines.Text())
	}
	t.Fatal("it ended before it listened")
	return ""
}

// runProgram returns what it printed and its exit code.
func runProgram(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), 0
}

// protected are the flags of a server that obeys nobody whom it does not see in its own container.
func protected(more ...string) []string {
	return append([]string{"-port=0", "-auth-audience=test", "-auth-issuer=https://none", "-auth-jwks-url=https://127.0.0.1:1/"}, more...)
}

func TestGatesByExecAcrossARestart(t *testing.T) {
	file := "-gates-file=" + filepath.Join(t.TempDir(), "gates.json")
	server := program(t, protected(file)...)
	address := startServer(t, server)
	gate := func(args ...string) (string, int) {
		return runProgram(t, program(t, append([]string{"gate", "-address", address}, args...)...))
	}
	if out, code := gate("check", "podinfo.test"); code != 1 || !strings.Contains(out, "is closed") {
		t.Errorf("check = %d %q, want it closed", code, out)
	}
	if out, code := gate("open", "podinfo.test"); code != 0 || out != "gate of podinfo.test is open\n" {
		t.Errorf("open = %d %q", code, out)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	address = startServer(t, program(t, protected(file)...))
	if out, code := gate("check", "podinfo.test"); code != 0 || !strings.Contains(out, "is open since") {
		t.Errorf("check after a restart = %d %q, want it open", code, out)
	}
	if out, code := gate("list"); code != 0 || !strings.Contains(out, `{"name":"podinfo","namespace":"test","openSince":`) {
		t.Errorf("list = %d %q", code, out)
	}
	if out, code := gate("close", "podinfo.test"); code != 0 || out != "gate of podinfo.test is closed\n" {
		t.Errorf("close = %d %q", code, out)
	}
}

// As manuals write it: kubectl exec … curl -d … localhost.
func TestGateByCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("needs curl")
	}
	address := startServer(t, program(t, protected()...))
	for _, host := range []string{"localhost", "127.0.0.1"} {
		url := strings.Replace(address, "localhost", host, 1) + "/rollback/open"
		out, _ := runProgram(t, exec.CommandContext(t.Context(), curl, "-sS", "-d", `{"name": "podinfo","namespace":"test"}`, url))
		if want := "rollback of podinfo.test is open\n"; out != want {
			t.Errorf("%s: %q, want %q", host, out, want)
		}
	}
}

// A sidecar shares the network of the pod and so its loopback, but not the processes.
func TestSidecarsNeedAToken(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and unshare")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--pid", "--fork", "--mount-proc", "--kill-child", self}, protected()...)
	address := startServer(t, become(exec.CommandContext(t.Context(), unshare, args...)))
	out, code := runProgram(t, program(t, "gate", "-address", address, "open", "podinfo.test"))
	if code != 1 || !strings.Contains(out, "bearer token") {
		t.Errorf("from outside the container: %d %q, want it refused", code, out)
	}
}

func TestGateToolRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing":        {nil, 2, "for example: loadtester rollback open podinfo.test"},
		"another verb":   {[]string{"push", "podinfo.test"}, 2, "for example"},
		"no namespace":   {[]string{"open", "podinfo"}, 2, `canary "podinfo" has no namespace`},
		"nobody listens": {[]string{"-address", "http://127.0.0.1:1", "open", "podinfo.test"}, 1, "-address says where"},
		"help":           {[]string{"-h"}, 2, "open|close|check CANARY.NAMESPACE"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := runProgram(t, program(t, append([]string{"rollback"}, tc.args...)...))
			if code != tc.code || !strings.Contains(out, tc.want) {
				t.Errorf("%d %q, want %d %q", code, out, tc.code, tc.want)
			}
		})
	}
}

// links makes this program hey and ghz, as the image does.
func links(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range tools {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func send(t *testing.T, address string, metadata map[string]string) (string, int) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": "podinfo", "namespace": "test", "metadata": metadata})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), resp.StatusCode
}

// What manifests in the field have as commands.
func TestTasksMakeLoad(t *testing.T) {
	hosts := make(chan string, 100)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hosts <- r.Host }))
	defer web.Close()
	rpc := grpc.NewServer()
	healthpb.RegisterHealthServer(rpc, health.NewServer())
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = rpc.Serve(listener) }()
	defer rpc.Stop()

	server := program(t, "-port=0")
	server.Env = append(server.Env, "PATH="+links(t)+":"+os.Getenv("PATH"))
	address := startServer(t, server)
	for name, tc := range map[string]struct {
		command string
		status  int
		want    string
	}{
		"hey":                 {"hey -n 5 -c 2 " + web.URL, 200, "[200]\t5 responses"},
		"hey in a script":     {"out=$(timeout 30 hey -n 2 -c 1 " + web.URL + ") && grep -c '\\[200\\]' <<< \"$out\"", 200, "1\n"},
		"ghz":                 {"ghz -n 5 -c 2 --insecure " + listener.Addr().String(), 200, "[OK]\t5 responses"},
		"grpc_health_probe":   {"grpc_health_probe -addr=" + listener.Addr().String(), 200, "status: SERVING"},
		"nobody answers":      {"hey -n 1 -c 1 http://127.0.0.1:1/", 500, "no request was answered\ncommand failed: exit status 1"},
		"a wrong flag":        {"ghz --wrong x", 500, "command failed: exit status 2"},
		"a gate, from a task": {"gate -address " + address + " open podinfo.test", 200, "is open"},
	} {
		t.Run(name, func(t *testing.T) {
			out, status := send(t, address, map[string]string{"type": "bash", "cmd": tc.command})
			if status != tc.status || !strings.Contains(out, tc.want) {
				t.Errorf("answer = %d %q, want %d %q", status, out, tc.status, tc.want)
			}
		})
	}
	if out, status := send(t, address, map[string]string{"cmd": "hey -z 1s -q 10 -c 2 -host app.example.com " + web.URL}); status != 202 {
		t.Errorf("answer = %d %q, want 202", status, out)
	}
	for host := range hosts { // until the test's time is over
		if host == "app.example.com" {
			return
		}
	}
}

// As with the other program, an interrupt is asked for and what was measured is told.
func TestLoadEndsBySignal(t *testing.T) {
	begun := make(chan struct{}, 1)
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case begun <- struct{}{}:
		default:
		}
	}))
	defer web.Close()
	cmd := program(t, "hey", "-z", "10m", "-q", "10", "-c", "1", web.URL)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "[200]\t") {
		t.Errorf("it printed %q", out.String())
	}
}
