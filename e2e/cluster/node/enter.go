package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Hidden verbs of the program, which starts itself again: a process must change
// its namespaces before it becomes somebody else's program.
const (
	EnterVerb = "enter"
	HoldVerb  = "hold"
)

// entry says what a process joins before it runs its program.
type entry struct {
	// daemon joins the cluster's control groups.
	daemon bool
	// mounts is a process whose mount namespace is joined; 0 keeps the own.
	mounts int
}

// command is this program, about to become argv. It has no context: the daemons
// outlive the run that starts them.
func (e entry) command(argv ...string) *exec.Cmd {
	args := []string{EnterVerb, fmt.Sprintf("-daemon=%t", e.daemon), fmt.Sprintf("-mounts=%d", e.mounts), "--"}
	cmd := exec.CommandContext(context.Background(), "/proc/self/exe", append(args, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// Enter joins the network namespace and whatever else args say, and becomes the
// command in args. It returns only an error.
func Enter(args []string) error {
	var e entry
	flags := flag.NewFlagSet(EnterVerb, flag.ContinueOnError)
	flags.BoolVar(&e.daemon, "daemon", false, "join the cluster's control groups")
	flags.IntVar(&e.mounts, "mounts", 0, "join the mount namespace of this process")
	if err := flags.Parse(args); err != nil {
		return err
	}
	runtime.LockOSThread()
	// First of all, so that whatever happens from here can be found and ended.
	if e.daemon {
		if err := joinCgroups(); err != nil {
			return err
		}
	}
	if err := joinNamespace(NetnsPath, unix.CLONE_NEWNET); err != nil {
		return err
	}
	if e.mounts != 0 {
		// A thread may change its mounts only if it shares its working directory
		// with no other thread.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare working directory: %w", err)
		}
		if err := joinNamespace(fmt.Sprintf("/proc/%d/ns/mnt", e.mounts), unix.CLONE_NEWNS); err != nil {
			return err
		}
	}
	return become(flags.Args(), os.Environ())
}

func joinNamespace(path string, kind int) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("join namespace: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := unix.Setns(int(f.Fd()), kind); err != nil {
		return fmt.Errorf("join namespace %s: %w", path, err)
	}
	return nil
}

// become replaces this process by the command. Of a thread that has changed its
// namespaces, this is what carries the change over to the whole process.
func become(argv, env []string) error {
	if len(argv) == 0 {
		return errors.New("no command")
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	if err := syscall.Exec(program, argv, env); err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	return nil
}

// Exec becomes a command of the user in the cluster's network, where names of
// Services resolve and KUBECONFIG is set. It returns only an error.
func (c *Cluster) Exec(argv []string) error {
	runtime.LockOSThread()
	if err := joinNamespace(NetnsPath, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("the cluster is not up: %w", err)
	}
	if err := c.hideResolvConf(); err != nil {
		return err
	}
	path := strings.Join(append(c.Path, os.Getenv("PATH")), ":")
	for name, value := range map[string]string{"PATH": path, "KUBECONFIG": c.Kubeconfig()} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return become(argv, os.Environ())
}

// hideResolvConf shows the command, and no other process, the cluster's resolver.
func (c *Cluster) hideResolvConf() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("detach mounts: %w", err)
	}
	const system = "/etc/resolv.conf"
	target, err := filepath.EvalSymlinks(system)
	if err != nil {
		return fmt.Errorf("resolver of the command: %w", err)
	}
	if err := unix.Mount(c.path(execResolver), target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount on %s: %w", target, err)
	}
	return nil
}
