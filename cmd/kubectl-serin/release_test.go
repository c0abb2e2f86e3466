package main

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
)

// handBack is an operator that hands the traffic back once it is asked to.
func (s server) handBack(t *testing.T, w *world) {
	t.Helper()
	w.target.Pods = rollout.Workload{Exists: true, Revision: w.target.Revision.Name, Synced: true,
		Replicas: 2, Pods: 2, Updated: 2, Available: 2, Endpoints: 2}
	w.apex.ToTarget, w.route.Released, w.release = true, true, true
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		s.eventually(t, func() bool { return s.canary(t).Annotations[v1beta1.ReleaseAnnotation] == "true" })
		w.turn()
		for _, until := range []time.Duration{0, time.Hour} {
			w.until(w.now.Sub(begin) + until)
			c := s.canary(t)
			c.Status = w.c.Status
			if err := s.Status().Update(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
	}()
}

func (s server) canary(t *testing.T) *v1beta1.Canary {
	t.Helper()
	c := &v1beta1.Canary{}
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "podinfo"}, c); err != nil {
		t.Error(err)
	}
	return c
}

func TestAReleaseIsWaitedFor(t *testing.T) {
	for sentence, args := range map[string]string{"of one": "release podinfo", "of a namespace": "release --all -n "} {
		t.Run(sentence, func(t *testing.T) {
			s := newServer(t)
			w := adopted(nil)
			s.has(t, w)
			s.handBack(t, w)
			if strings.HasSuffix(args, " ") {
				args += s.namespace
			}
			got := s.run(t, strings.Fields(args)...)
			want := s.namespace + "/podinfo: released: Deployment podinfo serves podinfo:6.0.0 through Service podinfo. Remove annotation serin.dev/release to have it adopted again\n"
			if got.code != exitDone || !strings.HasSuffix(got.stdout, want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, exitDone, want, got.stdout, got.stderr)
			}
		})
	}
}

func TestAReleaseThatNobodyAnswers(t *testing.T) {
	s := newServer(t)
	s.has(t, mid(nil))
	got := s.run(t, "release", "podinfo", "--timeout=3s")
	if got.code != exitTimeout {
		t.Errorf("exit code %d", got.code)
	}
	for _, want := range []string{
		"1 canaries are not released; " + s.namespace + "/podinfo: no operator has begun with it",
		"kubectl get pods -A -l app.kubernetes.io/name=serin", "The annotation stands",
		"kubectl annotate -n " + s.namespace + " canary podinfo serin.dev/release-",
	} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%q is not in:\n%s", want, got.stderr)
		}
	}
}

// TestAReleaseOfAllGoesByTheFlag: the namespace of the kubeconfig is not meant.
func TestAReleaseOfAllGoesByTheFlag(t *testing.T) {
	here, there := newServer(t), newServer(t)
	here.has(t, adopted(nil))
	there.has(t, adopted(nil))
	asked := func(s server) bool { return s.canary(t).Annotations[v1beta1.ReleaseAnnotation] == "true" }
	here.run(t, "release", "--all", "--timeout=5s", "-n", here.namespace)
	if !asked(here) || asked(there) {
		t.Errorf("with -n: asked here %t, elsewhere %t", asked(here), asked(there))
	}
	here.run(t, "release", "--all", "--timeout=20s")
	if !asked(there) {
		t.Error("without -n: not asked elsewhere")
	}
}

// TestAForcedReleaseNeedsNoOperator: nothing is there any more but the Canary.
func TestAForcedReleaseNeedsNoOperator(t *testing.T) {
	s := newServer(t)
	w := adopted(nil)
	w.c.Finalizers = []string{v1beta1.ReleaseFinalizer}
	s.has(t, w)
	got := s.run(t, "release", "podinfo", "--force")
	if c := s.canary(t); got.code != exitDone || len(c.Finalizers) > 0 || c.Status.Phase != v1beta1.PhaseTerminated {
		t.Errorf("exit code %d, phase %s, finalizers %v:\n%s%s", got.code, c.Status.Phase, c.Finalizers, got.stdout, got.stderr)
	}
	if want := s.namespace + "/podinfo: no operator works on it: it is released from here"; !strings.Contains(got.stdout, want) {
		t.Errorf("%q is not in:\n%s", want, got.stdout)
	}
}
