package suite

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
)

// process is one on this machine: the local cluster's daemons and containers are.
type process struct {
	pid  int
	argv []string
}

// processes are those in a control group whose name has these words.
func (s *scene) processes(group string) []process {
	s.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	s.must(err)
	var found []process
	for _, file := range files {
		groups, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(groups, []byte(group)) {
			continue // ended meanwhile, or another's
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		s.must(err)
		found = append(found, process{pid, strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")})
	}
	return found
}

// program is the process in a pod that runs it; beside it there is what holds the pod together.
func (s *scene) program(pod corev1.Pod, name string) process {
	s.Helper()
	var met []process
	for _, p := range s.processes("/pod" + string(pod.UID) + "/") {
		if filepath.Base(p.argv[0]) == name {
			met = append(met, p)
		}
	}
	if len(met) != 1 {
		s.Fatalf("%d processes of %s in pod %s, want 1", len(met), name, pod.Name)
	}
	return met[0]
}

// daemon is one of the cluster's own, all of which are one program with the daemon's name as its verb.
func (s *scene) daemon(name string) process {
	s.Helper()
	for _, p := range s.processes("") { // one that a scene has started again is in no group of the cluster's
		if len(p.argv) > 1 && filepath.Base(p.argv[0]) == "kube" && p.argv[1] == name {
			return p
		}
	}
	s.Fatalf("no daemon %s", name)
	return process{}
}

func (s *scene) signal(p process, sig syscall.Signal) {
	s.Helper()
	s.must(syscall.Kill(p.pid, sig))
}

// startDaemon starts a daemon that has ended as it was. Being in the cluster's network it ends with it.
func (s *scene) startDaemon(p process) {
	s.Helper()
	out, err := os.OpenFile(filepath.Join(s.CacheFolder(), "run", "log", p.argv[1]+".log"), os.O_APPEND|os.O_WRONLY, 0)
	s.must(err)
	defer func() { _ = out.Close() }()
	cmd := exec.CommandContext(s.background(), "nsenter", append([]string{"--net=/run/netns/serin"}, p.argv...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.must(cmd.Start())
	go func() { _ = cmd.Wait() }()
}
