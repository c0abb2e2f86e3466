package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// mid is a world in the middle of the rollout of 6.0.1.
func mid(edit func(*v1beta1.Canary)) *world {
	w := adopted(edit)
	w.hold("6.0.1")
	w.until(36 * time.Second)
	return w
}

// failed is a world in which 6.0.1 was rolled back.
func failed(edit func(*v1beta1.Canary)) *world {
	w := adopted(edit)
	w.rate = new(96.2)
	w.hold("6.0.1")
	w.until(3 * time.Minute)
	return w
}

// promoted is a world in which 6.0.1 has taken the place of 6.0.0.
func promoted(edit func(*v1beta1.Canary)) *world {
	w := adopted(edit)
	w.hold("6.0.1")
	w.until(3 * time.Minute)
	return w
}

func TestVerbs(t *testing.T) {
	for sentence, test := range map[string]struct {
		world *world
		args  string
		code  int
		want  string
	}{
		"a rollout is paused":                    {mid(nil), "pause podinfo", exitDone, "podinfo:6.0.1 stays at 20 % and is judged on"},
		"what is not paused cannot be resumed":   {mid(nil), "resume podinfo", exitRefused, "resume was refused: it is not paused"},
		"the next step":                          {mid(nil), "promote podinfo", exitDone, "its checks and gates are not waited for: 40 % of the traffic to podinfo:6.0.1"},
		"all at once":                            {mid(nil), "promote podinfo --full", exitDone, "podinfo:6.0.1 is promoted without the rest of its analysis"},
		"nothing to promote":                     {adopted(nil), "promote podinfo", exitRefused, "promote was refused: no rollout is under way"},
		"a rollout is aborted":                   {mid(nil), "abort podinfo", exitDone, "podinfo:6.0.1 is rolled back"},
		"the rejected revision is tried again":   {failed(nil), "retry podinfo", exitDone, "podinfo:6.0.1 is rolled out once more"},
		"nothing is rejected":                    {promoted(nil), "retry podinfo", exitRefused, "no revision is rejected"},
		"back to what served":                    {promoted(nil), "rollback podinfo", exitDone, "back to podinfo:6.0.0"},
		"back to a number":                       {promoted(nil), "rollback podinfo --to-revision=1", exitDone, "back to podinfo:6.0.0"},
		"back to a number, as two words":         {promoted(nil), "rollback podinfo --to-revision 1", exitDone, "back to podinfo:6.0.0"},
		"back to a tag":                          {promoted(nil), "rollback podinfo --to-image 6.0.0", exitDone, "back to podinfo:6.0.0"},
		"back to a commit that no template has":  {promoted(nil), "rollback podinfo --to-commit c0ffee00", exitRefused, "no snapshot of it is kept (there are 2: podinfo:6.0.1, 1: podinfo:6.0.0)"},
		"new pods":                               {adopted(nil), "restart podinfo", exitDone, "the pods of podinfo-primary are replaced"},
		"no new pods while they are being moved": {mid(nil), "restart podinfo", exitRefused, "a rollout is under way"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newServer(t)
			s.has(t, test.world)
			s.operate(t, test.world)
			got := s.run(t, strings.Fields(test.args)...)
			said := got.stdout
			if test.code != exitDone {
				said = got.stderr
			}
			if got.code != test.code || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, test.code, test.want, got.stdout, got.stderr)
			}
			if !strings.HasPrefix(said, s.namespace+"/podinfo: ") {
				t.Errorf("it does not say which Canary: %s", said)
			}
		})
	}
}

func TestWhoAskedIsSaidWithWhoVouches(t *testing.T) {
	s := newServer(t)
	w := mid(nil)
	s.has(t, w)
	s.operate(t, w)
	got := s.run(t, "pause", "podinfo", "--as=Jane Doe", "--as-group=system:masters")
	if !strings.Contains(got.stdout, `"pause" of Jane_Doe (by their own account) was taken up in `) {
		t.Error(got)
	}
	if c := s.command(t); !strings.HasPrefix(c, "pause id=") || !strings.HasSuffix(c, " by=Jane_Doe") {
		t.Errorf("the annotation is %q", c)
	}
}

func TestEachCommandHasANonceOfItsOwn(t *testing.T) {
	s := newServer(t)
	w := mid(nil)
	s.has(t, w)
	s.operate(t, w)
	s.run(t, "pause", "podinfo")
	first := s.command(t)
	s.run(t, "pause", "podinfo")
	if again := s.command(t); first == again {
		t.Errorf("%q twice: the second would not be obeyed", again)
	}
}

func TestNobodyAnswers(t *testing.T) {
	s := newServer(t)
	s.has(t, mid(nil))
	got := s.run(t, "abort", "podinfo", "--timeout=200ms")
	if got.code != exitTimeout {
		t.Errorf("exit code %d", got.code)
	}
	for _, want := range []string{
		"the operator did not answer abort within 200ms", "The command stands",
		"kubectl annotate -n " + s.namespace + " canary podinfo serin.dev/command-", "kubectl get pods -A -l app.kubernetes.io/name=serin",
	} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%q is not in:\n%s", want, got.stderr)
		}
	}
}

// An operator that sees only the second of two commands obeys that one.
func TestOvertaken(t *testing.T) {
	s := newServer(t)
	w := mid(nil)
	s.has(t, w)
	var stdout, stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(t.Context(), []string{"abort", "podinfo", "--timeout=30s", "--kubeconfig", s.kubeconfig}, &stdout, &stderr)
	}()
	s.eventually(t, func() bool { return strings.HasPrefix(s.command(t), "abort") })
	c := &v1beta1.Canary{}
	c.Namespace, c.Name = s.namespace, "podinfo"
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"pause id=other"}}}`, v1beta1.CommandAnnotation)
	if err := s.Patch(t.Context(), c, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	if err := s.obey(t.Context(), w, c); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitRefused || !strings.Contains(stderr.String(), `abort was overtaken: the operator met "pause" before it`) {
		t.Errorf("exit code %d: %s%s", got, &stdout, &stderr)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	s := newServer(t)
	s.has(t, mid(nil))
	got := s.run(t, "promote", "podinfo", "--full", "--dry-run", "--as=alice", "--as-group=system:masters")
	if got.code != exitDone || s.command(t) != "" {
		t.Errorf("exit code %d, annotation %q", got.code, s.command(t))
	}
	for _, want := range []string{
		"would be given serin.dev/command: promote --full id=", "Nothing stamps it", "Now: Progressing at 20 %, step 1/2: Analysing: podinfo:6.0.1 is judged at 20 % of the traffic", "Nothing was written",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in:\n%s%s", want, got.stdout, got.stderr)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	s := newServer(t)
	s.has(t, mid(nil))
	for sentence, test := range map[string]struct{ args, want string }{
		"no name":                    {"pause", "pause needs the NAME of a Canary; kubectl get canaries lists them"},
		"two names":                  {"pause a b", "pause takes the name of one Canary, and was given 2: a, b"},
		"a kind before the name":     {"pause canary/podinfo", `"canary/podinfo": give the name of the Canary alone`},
		"no such command":            {"stop podinfo", `unknown command "stop" for "kubectl serin"`},
		"a flag of another verb":     {"pause podinfo --full", "unknown flag: --full"},
		"no number":                  {"rollback podinfo --to-revision=x", `invalid argument "x" for "--to-revision" flag`},
		"a negative number":          {"rollback podinfo --to-revision=-1", "--to-revision=-1 is no revision number"},
		"the number 0":               {"rollback podinfo --to-revision=0", "--to-revision says nothing: leave it out to return to what served before"},
		"an empty tag":               {"rollback podinfo --to-image=", "--to-image says nothing"},
		"two places":                 {"rollback podinfo --to-revision=1 --to-image=a", "a rollback goes to one place"},
		"no such Canary":             {"pause other", "there is no Canary other in namespace " + s.namespace + "; kubectl get canaries -A lists all"},
		"no such Canary, as a trial": {"pause other --dry-run", "there is no Canary other"},
		"no such context":            {"pause podinfo --context=other", "read the kubeconfig: invalid configuration: [context was not found for specified context: other"},
		"an image without a wait":    {"status podinfo --image=a", "--image and --revision say what --wait waits for: add --wait"},
		"a watch that is a wait":     {"status podinfo --watch --wait", "none of the others can be"},
		"no such Canary to look at":  {"explain other", "there is no Canary other"},
		"no such Canary's history":   {"history other", "there is no Canary other"},
		"no such Canary's revisions": {"revisions other", "there is no Canary other"},
		"a release of nothing":       {"release", "release needs the NAME of a Canary"},
		"a release of one and all":   {"release podinfo --all", "--all releases every Canary: leave out podinfo"},
		"a release of no Canary":     {"release other", "there is no Canary other in namespace " + s.namespace},
		"a release by nobody":        {"release podinfo --as=mallory", "Who may view a namespace may look, and who may edit it may steer"},
		"a release of all by nobody": {"release --all --as=mallory", "Who may view a namespace may look, and who may edit it may steer"},
		"somebody who may not look":  {"status podinfo --wait --as=mallory", "Who may view a namespace may look"},
		"somebody who may not do it": {"pause podinfo --as=mallory", "Who may view a namespace may look, and who may edit it may steer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := s.run(t, strings.Fields(test.args)...)
			if got.code != exitBroken || !strings.Contains(got.stderr, test.want) || got.stdout != "" {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, exitBroken, test.want, got.stdout, got.stderr)
			}
		})
	}
	for _, image := range []string{"a b", " a", "a\n"} {
		if got := s.run(t, "rollback", "podinfo", "--to-image="+image); !strings.Contains(got.stderr, "has spaces in it") || got.code != exitBroken {
			t.Errorf("%q: %+v", image, got)
		}
	}
}

func (s server) eventually(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("it never came true")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
