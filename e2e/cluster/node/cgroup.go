package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cgroupRoot is a variable for the tests.
var cgroupRoot = "/sys/fs/cgroup"

// The groups below each hierarchy. The kubelet has its own subtree, kubepods,
// where it ends what it does not know; the daemons stay out of that.
const daemonGroup = Name + "/daemons"

// hierarchies are the roots of the control group trees: one with cgroup v2, one
// a controller with v1.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return []string{cgroupRoot}, nil
	}
	files, err := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, f := range files {
		root := filepath.Dir(f)
		// cpu and cpuacct are often names of one tree.
		if info, err := os.Lstat(root); err == nil && info.IsDir() {
			roots = append(roots, root)
		}
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("no control groups are mounted on %s", cgroupRoot)
	}
	return roots, nil
}

func createCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		dir := root
		for name := range strings.SplitSeq(daemonGroup, "/") {
			parent := dir
			dir = filepath.Join(parent, name)
			if err := createCgroup(parent, dir); err != nil {
				return fmt.Errorf("control group %s: %w", dir, err)
			}
		}
	}
	return nil
}

func createCgroup(parent, dir string) error {
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// v1: a cpuset without processors and memory accepts no process.
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		//nolint:gosec // dir is one of our groups
		if err := os.WriteFile(filepath.Join(dir, name), value, 0o600); err != nil {
			return err
		}
	}
	return delegate(parent)
}

// delegate lets the children of a v2 group use all of its controllers.
func delegate(parent string) error {
	controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // v1 has nothing to delegate
	}
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(controllers)) {
		if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+name), 0o600); err != nil {
			return fmt.Errorf("delegate %s: %w", name, err)
		}
	}
	return nil
}

// joinCgroups moves this process among the cluster's daemons.
func joinCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	pid := []byte(strconv.Itoa(os.Getpid()))
	for _, root := range roots {
		file := filepath.Join(root, daemonGroup, "cgroup.procs")
		if err := os.WriteFile(file, pid, 0o600); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// cgroupMembers are the processes in the cluster's groups, containers included.
func cgroupMembers() map[int]bool {
	members := map[int]bool{}
	eachGroup(func(dir string) {
		list, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return // the group went away meanwhile
		}
		for word := range strings.FieldsSeq(string(list)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				members[pid] = true
			}
		}
	})
	return members
}

// eachGroup visits the cluster's groups, children before their parents.
func eachGroup(visit func(dir string)) {
	roots, err := hierarchies()
	if err != nil {
		return
	}
	for _, root := range roots {
		var groups []string
		_ = filepath.WalkDir(filepath.Join(root, Name), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for _, group := range slices.Backward(groups) {
			visit(group)
		}
	}
}

// removeCgroups needs several rounds: a group stays busy for a moment after its
// last process has been killed.
func removeCgroups(deadline time.Time) error {
	for {
		var failed error
		eachGroup(func(dir string) {
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = err
			}
		})
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
		time.Sleep(20 * time.Millisecond)
	}
}
