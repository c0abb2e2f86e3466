package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/serin-dev/serin/e2e/cluster/command"
)

// NetnsPath is where the namespace is known to `ip netns` and nsenter.
const NetnsPath = "/run/netns/" + Name

// netSysctls are settings of the namespace. Without the second, the answer of a
// pod to another on the same bridge bypasses the translation of Service addresses.
var netSysctls = map[string]string{
	"net/ipv4/ip_forward":                "1",
	"net/bridge/bridge-nf-call-iptables": "1",
}

// links give the node an address and a default route, both ends of the cable in
// the namespace: programs find a route, and packets go nowhere.
const links = `link set lo up
link add node0 type veth peer name node0p
address add ` + nodeIP + `/24 dev node0
link set node0 up
link set node0p up
route add default dev node0
`

func (c *Cluster) createNetwork(ctx context.Context) error {
	// Built in or loaded already on most machines, and then modprobe may fail.
	_, _ = command.Run(ctx, command.Cmd{Args: []string{"modprobe", "--all", "--quiet", "overlay", "br_netfilter"}})

	made := make(chan error)
	go func() {
		// Never unlocked: the thread that has left the machine's network ends
		// with this goroutine instead of serving others.
		runtime.LockOSThread()
		made <- newNetns()
	}()
	if err := <-made; err != nil {
		return fmt.Errorf("network namespace %s: %w", Name, err)
	}
	ip := command.Cmd{Args: []string{"ip", "-netns", Name, "-batch", "-"}, Stdin: strings.NewReader(links)}
	if _, err := command.Run(ctx, ip); err != nil {
		return fmt.Errorf("network namespace %s: %w", Name, err)
	}
	c.steps.Step("network namespace %s", Name)
	return nil
}

// newNetns moves the calling thread into a new network namespace and names it.
func newNetns() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	//nolint:gosec // as `ip netns` makes it, for the whole machine
	if err := os.MkdirAll(filepath.Dir(NetnsPath), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(NetnsPath, nil, 0o400); err != nil {
		return err
	}
	if err := unix.Mount("/proc/thread-self/ns/net", NetnsPath, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", NetnsPath, err)
	}
	for name, value := range netSysctls {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func removeNetns() error {
	for {
		err := unix.Unmount(NetnsPath, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break // not mounted, or not any more
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", NetnsPath, err)
		}
	}
	if err := os.Remove(NetnsPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Only when it is empty: other namespaces of the machine may be there.
	_ = os.Remove(filepath.Dir(NetnsPath))
	return nil
}

// netnsMembers are the processes in the namespace: also those that somebody
// started there by hand, which keep it alive.
func netnsMembers() map[int]bool {
	members := map[int]bool{}
	name, err := os.Stat(NetnsPath)
	if err != nil {
		return members
	}
	for pid, info := range processNamespaces("net") {
		if os.SameFile(name, info) && pid != os.Getpid() {
			members[pid] = true
		}
	}
	return members
}

// processNamespaces stats a namespace of every process of the machine.
func processNamespaces(kind string) map[int]os.FileInfo {
	found := map[int]os.FileInfo{}
	files, _ := filepath.Glob("/proc/[0-9]*/ns/" + kind)
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			continue // ended meanwhile
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err == nil {
			found[pid] = info
		}
	}
	return found
}
