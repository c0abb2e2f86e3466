package node

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// fakeCgroups is a cgroup tree of plain files and folders.
func fakeCgroups(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	previous := cgroupRoot
	cgroupRoot = root
	t.Cleanup(func() { cgroupRoot = previous })
	return root
}

func content(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCgroupsV1(t *testing.T) {
	root := fakeCgroups(t, map[string]string{
		"pids/cgroup.procs": "1\n", "cpuset/cgroup.procs": "1\n",
		"cpuset/cpuset.cpus": "0-1\n", "cpuset/cpuset.mems": "0\n",
	})
	if err := os.Symlink("pids", filepath.Join(root, "alias")); err != nil {
		t.Fatal(err)
	}
	if err := createCgroups(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, root, "cpuset", daemonGroup, "cpuset.cpus"); got != "0-1\n" {
		t.Errorf("processors of the daemons: %q, want the parent's", got)
	}
	if roots, err := hierarchies(); err != nil || len(roots) != 2 {
		t.Errorf("hierarchies %v, %v; want cpuset and pids, not the alias", roots, err)
	}
}

func TestCgroupsV2(t *testing.T) {
	root := fakeCgroups(t, map[string]string{
		"cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "",
		Name + "/cgroup.controllers": "cpu memory\n", Name + "/cgroup.subtree_control": "",
	})
	if err := createCgroups(); err != nil {
		t.Fatal(err)
	}
	// A plain file keeps the last write only, the kernel would keep both.
	for _, dir := range []string{root, filepath.Join(root, Name)} {
		if got := content(t, dir, "cgroup.subtree_control"); got != "+memory" {
			t.Errorf("last controller delegated in %s: %q, want +memory", dir, got)
		}
	}
}

func TestCgroupMembersAreFoundInAllGroups(t *testing.T) {
	fakeCgroups(t, map[string]string{
		"pids/cgroup.procs":                             "1\n2\n",
		"pids/serin/cgroup.procs":                       "",
		"pids/serin/daemons/cgroup.procs":               "10\n11\n",
		"pids/serin/kubepods/besteffort/x/cgroup.procs": "12\n0\n",
		"cpu/cgroup.procs":                              "1\n",
		"cpu/serin/daemons/cgroup.procs":                "10\n13\n",
		"cpu/serinus/cgroup.procs":                      "99\n",
	})
	got := slices.Sorted(maps.Keys(cgroupMembers()))
	if want := []int{10, 11, 12, 13}; !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
}

func TestRemoveCgroupsGoesFromTheLeaves(t *testing.T) {
	root := fakeCgroups(t, map[string]string{"pids/cgroup.procs": ""})
	if err := os.MkdirAll(filepath.Join(root, "pids", Name, "kubepods", "burstable"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := removeCgroups(time.Now()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "pids", Name+"*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
