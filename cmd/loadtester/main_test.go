package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/serin-dev/serin/pkg/loadtester"
)

func TestFlagsOfExistingManifests(t *testing.T) {
	opts, err := parse([]string{"-port=8080", "-log-level=info", "-timeout=1h", "-namespace-regexp=", "-zap-encoding=json", "-zap-replace-globals"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if opts.port != "8080" || opts.config.Verifier != nil || opts.config.Namespaces != nil {
		t.Errorf("options = %+v, want port 8080, open to all", opts)
	}
}

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string // of the error; none: they are fine
	}{
		"none":                       {nil, ""},
		"warning as a level":         {[]string{"-log-level=warning"}, ""},
		"an audience is enough":      {[]string{"-auth-audience=serin-loadtester"}, ""},
		"subjects":                   {[]string{"-auth-audience=a", "-auth-subject=system:serviceaccount:a:b"}, ""},
		"keys elsewhere":             {[]string{"-auth-audience=a", "-auth-issuer=https://a", "-auth-jwks-url=https://a/keys"}, ""},
		"keys without issuer":        {[]string{"-auth-audience=a", "-auth-jwks-url=https://a/keys"}, "issuer of tokens is needed"},
		"a subject without audience": {[]string{"-auth-subject=system:serviceaccount:a:b"}, "need -auth-audience"},
		"gates in a ConfigMap":       {[]string{"-gates-configmap=a"}, ""},
		"gates in two places":        {[]string{"-gates-configmap=a", "-gates-file=b"}, "gates are kept in one place"},
		"a bad level":                {[]string{"-log-level=loud"}, "loud"},
		"a bad expression":           {[]string{"-namespace-regexp=("}, "missing closing )"},
		"no time":                    {[]string{"-timeout=0s"}, "a command needs time to run"},
		"a stray argument":           {[]string{"x"}, `unexpected argument "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tc.args, io.Discard)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRunSaysThatGatesInAConfigMapNeedAPod(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	err := run(t.Context(), []string{"-port=0", "-gates-configmap=a"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "gates in a ConfigMap need a pod") {
		t.Errorf("error = %v", err)
	}
}

func TestServeAnswersBeforeItEnds(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	tester := loadtester.New(loadtester.Config{Timeout: 1 << 40, Log: slog.New(slog.DiscardHandler)})
	go func() { ended <- serve(ctx, listener, tester) }()

	if got := get(t, "http://"+listener.Addr().String()+"/healthz"); got != "OK\n" {
		t.Errorf("/healthz = %q", got)
	}
	if got := get(t, "http://"+listener.Addr().String()+"/metrics"); !strings.Contains(got, "serin_loadtester_unauthenticated 1") {
		t.Errorf("/metrics = %q, want it to say that callers are not authenticated", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve = %v", err)
	}
}

func TestRunSaysThatThePortIsTaken(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-port", port}, io.Discard); err == nil || !strings.Contains(err.Error(), "listen on port "+port) {
		t.Errorf("error = %v", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
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
	return string(data)
}
