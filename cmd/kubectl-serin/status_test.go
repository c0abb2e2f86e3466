package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/revision"
)

// show lets the server have the world as it is by now.
func (s server) show(t *testing.T, w *world) {
	t.Helper()
	c := &v1beta1.Canary{}
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "podinfo"}, c); err != nil {
		t.Fatal(err)
	}
	c.Status = w.c.Status
	if err := s.Status().Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// background runs a command beside the test.
func (s server) background(t *testing.T, args ...string) <-chan result {
	t.Helper()
	ended := make(chan result, 1)
	go func() {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append(args, "--kubeconfig", s.kubeconfig), &stdout, &stderr)
		ended <- result{code, stdout.String(), stderr.String()}
	}()
	return ended
}

func TestWait(t *testing.T) {
	for sentence, test := range map[string]struct {
		world *world
		args  string
		// then are the states that follow, each a moment after the one before.
		then []func(*world)
		code int
		want string
	}{
		"until it is promoted": {
			mid(nil), "--image=6.0.1", []func(*world){to(45 * time.Second), to(3 * time.Minute)},
			exitDone, "podinfo:6.0.1 was promoted"},
		"until it is rolled back": {
			mid(nil), "--image=6.0.1", []func(*world){failing, to(3 * time.Minute)},
			exitRefused, "podinfo:6.0.1 was not promoted: Failed (ChecksFailed): request-success-rate 96.2 % < 99 % (412 requests) (failed check 2 of 2). podinfo:6.0.0 serves"},
		"until it is superseded": {
			mid(nil), "--image=registry/podinfo:6.0.1", []func(*world){holding("6.0.2"), to(5 * time.Minute)},
			exitRefused, "podinfo:6.0.1 was not promoted: Superseded: "},
		"until it is taken back": {
			mid(nil), "--image=podinfo:6.0.1", []func(*world){holding("6.0.0"), to(5 * time.Minute)},
			exitRefused, "podinfo:6.0.1 was not promoted: Reverted: "},
		"for a rollout that has not begun": {
			adopted(nil), "--image=6.0.1", []func(*world){holding("6.0.1"), to(35 * time.Second), to(3 * time.Minute)},
			exitDone, "podinfo:6.0.1 was promoted"},
		"for the one that comes after a failure": {
			failed(nil), "--image=6.0.2", []func(*world){passing, holding("6.0.2"), to(200 * time.Second), to(6 * time.Minute)},
			exitDone, "podinfo:6.0.2 was promoted"},
		"for one that has failed":                     {failed(nil), "--image=6.0.1", nil, exitRefused, "podinfo:6.0.1 was not promoted: Failed (ChecksFailed)"},
		"for one that serves":                         {promoted(nil), "--image=6.0.1", nil, exitDone, "podinfo:6.0.1 is promoted and serves"},
		"for one that serves while another is tried":  {mid(nil), "--image=6.0.0", nil, exitDone, "podinfo:6.0.0 is promoted and serves"},
		"for one that is known by its number":         {promoted(nil), "--revision=2", nil, exitDone, "podinfo:6.0.1 is promoted and serves"},
		"for what is under way":                       {mid(nil), "", []func(*world){to(3 * time.Minute)}, exitDone, "podinfo:6.0.1 was promoted"},
		"for nothing in particular, at rest":          {promoted(nil), "", nil, exitDone, "podinfo:6.0.1 is promoted and serves"},
		"for nothing in particular, after a failure":  {failed(nil), "", nil, exitRefused, "podinfo:6.0.1 was not promoted"},
		"for the adoption":                            {fresh(nil), "", []func(*world){to(time.Second), to(time.Minute)}, exitDone, "podinfo:6.0.0 is promoted and serves"},
		"while the watch after the promotion goes on": {baking(), "--image=6.0.1 --timeout=300ms", nil, exitTimeout, "6.0.1 was neither promoted nor rolled back within 300ms. Finalising: Baking: "},
		"too short":                 {mid(nil), "--image=6.0.1 --timeout=300ms", nil, exitTimeout, "6.0.1 was neither promoted nor rolled back within 300ms. Progressing at 20 %, step 1/2: Analysing: "},
		"for one that never comes":  {promoted(nil), "--image=6.0.9 --timeout=300ms", nil, exitTimeout, "no rollout of 6.0.9 began within 300ms"},
		"for one that nobody knows": {promoted(nil), "--revision=9", nil, exitBroken, "no revision 9 is kept (there are 2: podinfo:6.0.1, 1: podinfo:6.0.0)"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newServer(t)
			s.has(t, test.world)
			s.keep(t, test.world)
			ended := s.background(t, append([]string{"status", "podinfo", "--wait"}, strings.Fields(test.args)...)...)
			for _, then := range test.then {
				time.Sleep(50 * time.Millisecond) // so that most states are seen one by one; none has to be
				then(test.world)
				s.show(t, test.world)
			}
			got := <-ended
			said := got.stdout
			if test.code != exitDone {
				said = got.stderr
			}
			if got.code != test.code || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, test.code, test.want, got.stdout, got.stderr)
			}
		})
	}
}

func to(d time.Duration) func(*world) { return func(w *world) { w.until(d) } }
func holding(tag string) func(*world) { return func(w *world) { w.hold(tag); w.turn() } }
func failing(w *world)                { w.rate = new(96.2) }
func passing(w *world)                { w.rate = new(99.8) }
func baking() *world                  { return scenes["baking"]() }

// keep stores the world's snapshots.
func (s server) keep(t *testing.T, w *world) {
	t.Helper()
	for _, r := range w.revisions {
		err := s.Create(t.Context(), &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: r.Name, Labels: map[string]string{v1beta1.CanaryLabel: "podinfo"},
				Annotations: map[string]string{revision.HashAnnotation: r.Name}},
			Revision: r.Number,
			Data: runtime.RawExtension{Raw: []byte(`{"template":{"metadata":{"annotations":{"serin.dev/commit":"c0ffee` + r.Image[len(r.Image)-1:] +
				`"}},"spec":{"containers":[{"name":"podinfod","image":"` + r.Images[0] + `"},{"name":"proxy","image":"registry/envoy:v1"}]}}}`)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaitingSaysWhatHappensMeanwhile(t *testing.T) {
	s := newServer(t)
	w := mid(nil)
	s.has(t, w)
	ended := s.background(t, "status", "podinfo", "--wait")
	for _, d := range []time.Duration{42 * time.Second, 3 * time.Minute} {
		time.Sleep(300 * time.Millisecond)
		w.until(d)
		s.show(t, w)
	}
	got := <-ended
	for _, want := range []string{
		"/podinfo: Progressing at 20 %, step 1/2: Analysing: podinfo:6.0.1 is judged at 20 % of the traffic; next check 10:00:40Z\n",
		"/podinfo: Progressing at 40 %, step 2/2: Analysing: podinfo:6.0.1 is judged at 40 % of the traffic; next check 10:00:50Z\n",
		"/podinfo: Succeeded: WaitingForRevision: podinfo:6.0.1 serves",
	} {
		if strings.Count(got.stdout, want) != 1 {
			t.Errorf("not once %q in:\n%s", want, got.stdout)
		}
	}
}

func TestADeletedCanaryIsNotWaitedFor(t *testing.T) {
	s := newServer(t)
	w := mid(nil)
	s.has(t, w)
	ended := s.background(t, "status", "podinfo", "--wait")
	time.Sleep(100 * time.Millisecond)
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "podinfo"}}
	if err := s.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got.code != exitBroken || !strings.Contains(got.stderr, "there is no Canary podinfo in namespace "+s.namespace) {
		t.Errorf("%+v", got)
	}
}

func TestStatusInALine(t *testing.T) {
	s := newServer(t)
	s.has(t, failed(nil))
	got := s.run(t, "status", "podinfo")
	want := s.namespace + "/podinfo: Failed: ChecksFailed: podinfo:6.0.1 was rolled back: request-success-rate 96.2 % < 99 %"
	if got.code != exitDone || !strings.HasPrefix(got.stdout, want) {
		t.Errorf("want %s\n%+v", want, got)
	}
}

func TestLists(t *testing.T) {
	s := newServer(t)
	w := promoted(nil)
	w.rate = new(96.2)
	w.hold("6.0.2")
	w.until(6 * time.Minute)
	w.rate = new(99.8)
	w.hold("6.0.3")
	w.until(6*time.Minute + 5*time.Second)
	s.has(t, w)
	s.keep(t, w)
	golden(t, "revisions", s.run(t, "revisions", "podinfo").stdout)
	golden(t, "history", table("", history(w.c, w.now))+"\n")
	if got := s.run(t, "history", "podinfo"); got.code != exitDone || !strings.HasPrefix(got.stdout, "ROLLOUT  IMAGE") || strings.Count(got.stdout, "\n") != 4 {
		t.Errorf("%+v", got)
	}
	if got := s.run(t, "explain", "podinfo"); got.code != exitDone || !strings.HasPrefix(got.stdout, "Canary podinfo in namespace "+s.namespace) {
		t.Errorf("%+v", got)
	}
}

func TestListsOfANewCanary(t *testing.T) {
	s := newServer(t)
	s.has(t, fresh(nil))
	if got := s.run(t, "history", "podinfo"); got.stdout != s.namespace+"/podinfo: there was no rollout yet\n" {
		t.Errorf("%+v", got)
	}
	if got := s.run(t, "revisions", "podinfo"); got.code != exitBroken || !strings.Contains(got.stderr, "no revision is kept yet") {
		t.Errorf("%+v", got)
	}
}
