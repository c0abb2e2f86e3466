// Package promtest runs a real Prometheus of a test's own, which scrapes what the test exposes.
package promtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// ScrapeInterval is how often a target is scraped: the shortest that Prometheus's configuration
// takes as a matter of course.
const ScrapeInterval = time.Second

const startWithin = 30 * time.Second

// Start runs a Prometheus on a free loopback port until the test ends, with one job over the targets
// (host:port, scraped at /metrics), and returns its address once it is ready. Where no Prometheus
// can be had the test is skipped.
func Start(tb testing.TB, targets ...string) (address string) {
	tb.Helper()
	path, dir := binary(tb), tb.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(configuration(targets)), 0o600); err != nil {
		tb.Fatal(err)
	}
	listen := freePort(tb)
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, //nolint:gosec // G204: the Prometheus that was found
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		stop()
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was told to stop, which is not how a command is meant to end
		if tb.Failed() {
			tb.Logf("prometheus:\n%s", &log)
		}
	})
	address = "http://" + listen
	Eventually(tb, startWithin, "Prometheus is ready", func() bool { return ready(address) })
	return address
}

func configuration(targets []string) string {
	return fmt.Sprintf("global: {scrape_interval: %s, scrape_timeout: %[1]s}\n"+
		"scrape_configs: [{job_name: test, static_configs: [{targets: [%s]}]}]\n", ScrapeInterval, quoted(targets))
}

func quoted(targets []string) string {
	var b bytes.Buffer
	for i, t := range targets {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", t)
	}
	return b.String()
}

func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func ready(address string) bool {
	resp, err := http.Get(address + "/-/ready")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Eventually polls until the condition holds, and fails the test when the time is up.
func Eventually(tb testing.TB, within time.Duration, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("not within %s: %s", within, what)
		}
	}
}
