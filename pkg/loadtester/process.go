package loadtester

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// drainTime is how long output is still read after a kill: a process that left
// its group holds the pipe and cannot be killed through it.
const drainTime = time.Second

// process is a shell and everything it started. They are one process group, so
// that what a script sends to the background can be killed with it.
type process struct {
	cmd    *exec.Cmd
	pipe   *os.File
	copied chan struct{}
	output *output
}

// start runs the command in the shell. The caller must wait, then reap.
func start(shell, command string) (*process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe for %s: %w", shell, err)
	}
	// The shell has its own end: output ends with the last process that writes.
	defer func() { _ = writer.Close() }()
	cmd := exec.Command(shell, "-c", command) //nolint:gosec // running the caller's command is the purpose
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = reader.Close()
		return nil, fmt.Errorf("start %s: %w", shell, err)
	}
	p := &process{cmd: cmd, pipe: reader, copied: make(chan struct{}), output: &output{limit: maxOutput}}
	go p.copy()
	return p, nil
}

func (p *process) copy() {
	defer close(p.copied)
	_, _ = io.Copy(p.output, p.pipe) // ends at the last writer's end, or at the deadline of kill
	_ = p.pipe.Close()
}

// wait returns the shell's error once it has ended and its output is complete,
// which includes that of background processes that share it.
func (p *process) wait() error {
	err := p.cmd.Wait()
	<-p.copied
	return err
}

// kill ends the whole group. It may be called at any time before reap returns.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // ESRCH: it ended by itself
	_ = p.pipe.SetReadDeadline(time.Now().Add(drainTime)) // ErrClosed: nothing left to read
}

// reap returns when nothing of the group is left. In a container the load tester
// is the first process: what a shell leaves behind becomes its child, runs on,
// and would stay a zombie. Elsewhere the system's init reaps, and there is
// nothing to wait for.
func (p *process) reap() {
	for {
		_, err := syscall.Wait4(-p.cmd.Process.Pid, nil, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}
