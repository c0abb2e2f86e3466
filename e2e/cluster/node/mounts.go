package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// privateDirs are folders that containerd, the kubelet, mount or the CNI library
// use whatever their settings say. In the cluster's mount namespace they are folders
// of the run folder.
var privateDirs = []string{"/run/containerd", "/run/mount", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers"}

// machineSysctls are settings that the kubelet makes for the whole machine. It
// finds them made, in files that are mounted over the real ones.
var machineSysctls = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// createMountPoints makes the private folders where the machine has none, and
// remembers them for removal.
func (c *Cluster) createMountPoints() error {
	for _, dir := range privateDirs {
		var missing []string
		for at := dir; ; at = filepath.Dir(at) {
			if _, err := os.Stat(at); err == nil {
				break
			}
			missing = append(missing, at)
		}
		slices.Reverse(missing)
		for _, at := range missing {
			if err := appendLine(c.path("mountpoints"), at); err != nil {
				return err
			}
			if err := os.Mkdir(at, 0o750); err != nil {
				return fmt.Errorf("mount point: %w", err)
			}
		}
	}
	return nil
}

func appendLine(file, line string) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = fmt.Fprintln(f, line)
	return err
}

// removeMountPoints removes the folders that were made, as far as they are empty:
// the cluster wrote elsewhere, so anything in them is somebody else's.
func (c *Cluster) removeMountPoints() {
	list, err := os.ReadFile(c.path("mountpoints"))
	if err != nil {
		return
	}
	dirs := strings.Fields(string(list))
	for _, dir := range slices.Backward(dirs) {
		_ = os.Remove(dir)
	}
}

// privateMounts prepares this process's mount namespace, which must be its own.
func privateMounts(run string) error {
	// Private cuts the ties to the machine; shared makes new ones, among the
	// containers, as Kubernetes expects of a node.
	for _, flag := range []uintptr{unix.MS_PRIVATE, unix.MS_SHARED} {
		if err := unix.Mount("", "/", "", unix.MS_REC|flag, ""); err != nil {
			return fmt.Errorf("detach mounts: %w", err)
		}
	}
	for _, dir := range privateDirs {
		own := filepath.Join(run, "host", dir)
		if err := os.MkdirAll(own, 0o750); err != nil {
			return err
		}
		if err := bind(own, dir); err != nil {
			return err
		}
	}
	for name, value := range machineSysctls {
		own := filepath.Join(run, "host", strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(own, []byte(value+"\n"), 0o600); err != nil {
			return err
		}
		if err := bind(own, filepath.Join("/proc/sys", name)); err != nil {
			return err
		}
	}
	return nil
}

// bind shows from at the place of to. A kernel without that setting has nothing
// to be hidden.
func bind(from, to string) error {
	err := unix.Mount(from, to, "", unix.MS_BIND, "")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mount %s on %s: %w", from, to, err)
	}
	return nil
}

// unmountBelow removes mounts below dir that the machine sees. The cluster makes
// none; a container engine that somebody pointed there might.
func unmountBelow(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	points, err := mountsBelow(f, dir)
	if err != nil {
		return err
	}
	for _, point := range slices.Backward(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}

// mountsBelow reads the mount points below dir from a mountinfo file, in the
// order in which they were mounted.
func mountsBelow(mountinfo io.Reader, dir string) ([]string, error) {
	var points []string
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points, lines.Err()
}
