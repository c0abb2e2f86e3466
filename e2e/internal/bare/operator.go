package bare

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Build builds the operator from a checkout of its source.
func Build(ctx context.Context, source, binary string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w -X main.version=bare", "-o", binary, "./cmd/serin")
	build.Dir, build.Stderr = source, os.Stderr
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the operator: %w", err)
	}
	return nil
}

// Operator is the real binary as a process of its own.
type Operator struct{ cmd *exec.Cmd }

// StartOperator starts a binary; its log is in the file of that name, after what another wrote there.
func StartOperator(ctx context.Context, binary, log, kubeconfig, prometheus string, flags ...string) (*Operator, error) {
	out, err := os.OpenFile(filepath.Clean(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the process has its own
	cmd := exec.CommandContext(ctx, binary, append([]string{"--leader-elect=false", "--provider=gloo", "--metrics-server=" + prometheus,
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"}, flags...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	return &Operator{cmd: cmd}, nil
}

// Stop asks it to end and waits for that.
func (o *Operator) Stop() {
	_ = o.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = o.cmd.Wait()
}

// RSS is the memory that the process holds, in MiB.
func (o *Operator) RSS() (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", o.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("the operator has ended: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if kib, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kib)[0], 64)
			return n / 1024, err
		}
	}
	return 0, fmt.Errorf("the kernel tells no VmRSS")
}

// FreeAddress is one on this machine that nobody listens on yet.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // nobody has used it
	return l.Addr().String(), nil
}
