// Package command runs the programs that building and setting up need, so that
// none of them outlives this one.
package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Cmd is a program to run. Env is added to the environment of this process.
type Cmd struct {
	Dir   string
	Env   []string
	Args  []string
	Stdin io.Reader
}

// Run waits for the program and returns its standard output. An error carries
// the end of what the program said.
func Run(ctx context.Context, c Cmd) ([]byte, error) {
	// The parent-death signal is tied to the thread that started the child, and
	// Go ends idle threads: this one is kept until the child has gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	var out, messages bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Dir, c.Stdin, &out, &messages
	cmd.Env = append(os.Environ(), c.Env...)
	// An interrupt, not a kill: `go build` then removes its work directory.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second

	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", c.Args[0], ctx.Err())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", shorten(c.Args), err, tail(messages.String(), out.String()))
	}
	return out.Bytes(), nil
}

func shorten(args []string) string {
	return strings.Join(args[:min(len(args), 4)], " ")
}

// tail keeps the last lines: compilers and apt end with what is wrong. Some
// programs complain on standard output only.
func tail(stderr, stdout string) string {
	text := strings.TrimSpace(stderr)
	if text == "" {
		text = strings.TrimSpace(stdout)
	}
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
