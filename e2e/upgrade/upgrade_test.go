// Package upgrade runs the release before this one and this one in turn on the same objects: neither
// starts a rollout, nor a pod, for what the other wrote.
package upgrade

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/bare"
)

// root is the checkout.
const root = "../.."

// The applications by what they do when the operator changes.
const (
	resting  = "resting"
	running  = "running"
	rejected = "rejected"
)

// world is the API server with an operator that can be exchanged.
type world struct {
	*testing.T
	*bare.World
	server           *bare.Server
	dir, prometheus  string
	op               *bare.Operator
	before, now, log string
}

// TestUpgradeAndDowngrade exchanges the operator twice while a rollout is under way.
func TestUpgradeAndDowngrade(t *testing.T) {
	previous := checkout(t)
	w := start(t, previous)

	w.starts(w.before)
	w.must(w.Create(t.Context(),
		bare.App{Name: resting, Pods: 2, Interval: time.Second, Steps: []int32{50}},
		bare.App{Name: rejected, Pods: 2, Interval: time.Second, Steps: []int32{50}},
		bare.App{Name: running, Pods: 2, Interval: 5 * time.Second, Steps: []int32{10, 20, 30, 40, 50, 60, 70, 80, 90}}))
	for _, name := range []string{resting, rejected, running} {
		w.must(w.Rests(t.Context(), name))
	}
	w.rollsOut(resting, "app:2")
	w.rejects(rejected, "app:2")
	w.must(w.SetImage(t.Context(), running, "app:2"))
	w.untilWeight(running, 20)
	written := w.look()

	w.stops()
	_, err := envtest.InstallCRDs(w.server.Config, envtest.CRDInstallOptions{Paths: []string{filepath.Join(root, "deploy", "crds")}})
	w.must(err)
	w.starts(w.now)
	w.answers()
	w.unchanged("this release took over", written)
	w.untilWeight(running, 50)

	w.stops()
	w.starts(w.before)
	w.answers()
	w.unchanged("the release before took over again", written)
	w.until(running, "promoted", func(s *v1beta1.CanaryStatus) bool {
		return s.Phase == v1beta1.PhaseSucceeded && s.Promoted != nil && s.Promoted.Image == "app:2"
	})
	w.weightsOf(running)
	w.rollsOut(resting, "app:3")

	w.stops()
	w.starts(w.now)
	w.rollsOut(resting, "app:4")
}

// start starts the API server with the CRDs of the release before.
func start(t *testing.T, previous string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, dir: dir, before: filepath.Join(dir, "before"), now: filepath.Join(dir, "now"), log: filepath.Join(dir, "serin.log")}
	if previous != root {
		w.must(bare.Build(t.Context(), previous, w.before))
	}
	w.must(bare.Build(t.Context(), root, w.now))
	ctrl.SetLogger(logr.Discard()) // what the stand-ins say
	server, err := bare.Start(dir, previous, "upgrade")
	w.must(err)
	w.server = server
	stub := bare.StartPrometheus()
	w.prometheus = stub.URL
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(w.log)
			t.Logf("the operators' log ends with\n%s", text[max(0, len(text)-4000):])
		}
		w.stops()
		cancel()
		stub.Close()
		if err := server.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	w.World, err = bare.NewWorld(ctx, server.Config)
	w.must(err)
	return w
}

// checkout is the source of the release before this one, which the file "previous" names.
func checkout(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("previous")
	if err != nil {
		t.Fatal(err)
	}
	revision := strings.TrimSpace(string(text))
	if shallow, err := exec.Command("git", "rev-parse", "--is-shallow-repository").Output(); err != nil || strings.TrimSpace(string(shallow)) == "true" {
		t.Skipf("SKIPPED: this is no clone with its history (%v), and the release before, %s, is in it", err, revision)
	}
	dir := t.TempDir()
	command := fmt.Sprintf("git -C %s archive %s | tar -x -C %s", root, revision, dir)
	if out, err := exec.Command("bash", "-o", "pipefail", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("take %s out of the history: %v\n%s", revision, err, out)
	}
	return dir
}

func (w *world) starts(binary string) {
	w.Helper()
	op, err := bare.StartOperator(context.WithoutCancel(w.Context()), binary, w.log, w.server.Kubeconfig, w.prometheus)
	w.must(err)
	w.op = op
}

func (w *world) stops() {
	if w.op != nil {
		w.op.Stop()
		w.op = nil
	}
}

// seen is what an exchange of the operator must leave as it is.
type seen struct {
	// Templates of the Deployments, as many as there are, and Rollouts of the canaries, by name.
	Templates map[string]corev1.PodTemplateSpec
	Rollouts  map[string]int64
	// Pods of the primaries.
	Pods map[string]types.UID
}

func (w *world) look() seen {
	w.Helper()
	s := seen{Templates: map[string]corev1.PodTemplateSpec{}, Rollouts: map[string]int64{}, Pods: map[string]types.UID{}}
	var deployments appsv1.DeploymentList
	w.must(w.Client.List(w.Context(), &deployments, client.InNamespace(bare.Namespace)))
	for _, d := range deployments.Items {
		s.Templates[d.Name] = d.Spec.Template
	}
	var pods corev1.PodList
	w.must(w.Client.List(w.Context(), &pods, client.InNamespace(bare.Namespace)))
	for _, p := range pods.Items {
		if strings.Contains(p.Name, "-primary-") {
			s.Pods[p.Name] = p.UID
		}
	}
	var canaries v1beta1.CanaryList
	w.must(w.Client.List(w.Context(), &canaries, client.InNamespace(bare.Namespace)))
	for _, c := range canaries.Items {
		s.Rollouts[c.Name] = c.Status.Rollout.Number
	}
	if len(s.Templates) != 9 || len(s.Pods) == 0 || len(s.Rollouts) != 3 {
		w.Fatalf("seen: Deployments %v, primaries' pods %v, canaries %v", slices.Sorted(maps.Keys(s.Templates)), s.Pods, s.Rollouts)
	}
	return s
}

func (w *world) unchanged(when string, before seen) {
	w.Helper()
	if diff := cmp.Diff(before, w.look()); diff != "" {
		w.Errorf("when %s (-before +after):\n%s", when, diff)
	}
}

// answers waits until the operator has had each canary in its hands, twice.
func (w *world) answers() {
	w.Helper()
	for _, verb := range []string{"pause", "resume"} {
		for _, name := range []string{resting, rejected, running} {
			id := fmt.Sprintf("%s-%d", verb, time.Now().UnixNano())
			w.must(w.Command(w.Context(), name, verb+" id="+id))
			w.until(name, "answering "+verb, func(s *v1beta1.CanaryStatus) bool { return s.Command != nil && s.Command.ID == id })
		}
	}
}

func (w *world) rollsOut(name, image string) {
	w.Helper()
	w.must(w.SetImage(w.Context(), name, image))
	w.until(name, "at "+image, func(s *v1beta1.CanaryStatus) bool {
		return s.Phase == v1beta1.PhaseSucceeded && s.Promoted != nil && s.Promoted.Image == image
	})
	w.must(w.Rests(w.Context(), name))
}

// rejects leaves a canary Failed, with a template that must not be tried again.
func (w *world) rejects(name, image string) {
	w.Helper()
	w.must(w.SetImage(w.Context(), name, image))
	w.until(name, "progressing", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhaseProgressing })
	w.must(w.Command(w.Context(), name, "abort id=reject"))
	w.until(name, "failed", func(s *v1beta1.CanaryStatus) bool {
		return s.Phase == v1beta1.PhaseFailed && s.Rollout.EndedAt != nil
	})
}

func (w *world) untilWeight(name string, weight int32) {
	w.Helper()
	w.until(name, fmt.Sprintf("at %d %%", weight), func(s *v1beta1.CanaryStatus) bool { return s.CanaryWeight >= v1beta1.Percent(weight) })
}

func (w *world) until(name, what string, is func(*v1beta1.CanaryStatus) bool) {
	w.Helper()
	_, err := w.Await(w.Context(), name, what, is)
	w.must(err)
}

// weightsOf asserts that no step was taken twice or left out, whoever took it.
func (w *world) weightsOf(name string) {
	w.Helper()
	var c v1beta1.Canary
	w.must(w.Client.Get(w.Context(), client.ObjectKey{Namespace: bare.Namespace, Name: name}, &c))
	var shifts []string
	for _, entry := range c.Status.Journal {
		if entry.Reason == "WeightShifted" {
			shifts = append(shifts, strings.SplitN(entry.What, " of the traffic", 2)[0])
		}
	}
	want := []string{"10 %", "20 %", "30 %", "40 %", "50 %", "60 %", "70 %", "80 %", "90 %"}
	if diff := cmp.Diff(want, shifts); diff != "" {
		w.Errorf("steps (-want +got):\n%s", diff)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
