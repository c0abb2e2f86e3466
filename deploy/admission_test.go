package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

// policyServed makes helm render for a cluster that knows the policy.
var policyServed = []string{"--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"}

func TestThePolicyIsInstalledWhereItIsServed(t *testing.T) {
	for name, tc := range map[string]struct {
		args    []string
		version string
	}{
		"a server that does not know it": {nil, ""},
		"a server of today":              {policyServed, "v1"},
		"one that has it as a beta":      {[]string{"--api-versions=admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"}, "v1beta1"},
		"one with all versions":          {append([]string{"--api-versions=admissionregistration.k8s.io/v1alpha1/MutatingAdmissionPolicy"}, policyServed...), "v1"},
		"somebody who does not want it":  {append([]string{"--set=admissionPolicy.create=false"}, policyServed...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := mustTemplate(t, tc.args...)
			for _, kind := range []string{"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"} {
				i := slices.IndexFunc(all, func(o client.Object) bool { return kindOf(o).Kind == kind })
				switch {
				case i < 0 && tc.version != "":
					t.Errorf("there is no %s", kind)
				case i >= 0 && kindOf(all[i]).Version != tc.version:
					t.Errorf("%s has version %s, want %q", kind, kindOf(all[i]).Version, tc.version)
				}
			}
			_, c := operator(t, all)
			if got := slices.Contains(c.Args, "--commands-stamped"); got != (tc.version != "") {
				t.Errorf("args %q: whether stamps are believed must follow the policy", c.Args)
			}
		})
	}
}

// What the component of deploy/admission adds to the kustomize base is what the chart has.
func TestKustomizeHasThePolicyOfTheChart(t *testing.T) {
	kustomized, rendered := build(t, "testdata/stamped"), mustTemplate(t, append(policyServed, asKustomized...)...)
	want, got := find[*admissionv1.MutatingAdmissionPolicy](t, rendered, "serin-command-user"), find[*admissionv1.MutatingAdmissionPolicy](t, kustomized, "serin-command-user")
	if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
		t.Errorf("policy (-chart +kustomize):\n%s", diff)
	}
	bound := find[*admissionv1.MutatingAdmissionPolicyBinding](t, kustomized, "serin-command-user")
	if diff := cmp.Diff(find[*admissionv1.MutatingAdmissionPolicyBinding](t, rendered, "serin-command-user").Spec, bound.Spec); diff != "" {
		t.Errorf("binding (-chart +kustomize):\n%s", diff)
	}
	if _, c := operator(t, kustomized); !slices.Contains(c.Args, "--commands-stamped") {
		t.Errorf("args %q", c.Args)
	}
}

func TestTheServerSaysWhoGaveACommand(t *testing.T) {
	c := newCluster(t)
	c.stamping(t, c.canaryOf(t, "alice", nil))
	for sentence, tc := range map[string]struct {
		// had is written by alice; then is what bob makes of the annotations, nil takes one away.
		had  map[string]string
		then map[string]any
		want string
	}{
		"a command is stamped": {nil, map[string]any{v1beta1.CommandAnnotation: "pause id=1"}, "bob"},
		"one of a new object is stamped, and stays its giver's": {
			map[string]string{v1beta1.CommandAnnotation: "pause id=1"}, map[string]any{"other": "x"}, "alice"},
		"a forged stamp is replaced": {nil,
			map[string]any{v1beta1.CommandAnnotation: "pause id=1 by=alice", v1beta1.CommandUserAnnotation: "alice"}, "bob"},
		"a new command has a new stamp": {
			map[string]string{v1beta1.CommandAnnotation: "pause id=1"}, map[string]any{v1beta1.CommandAnnotation: "resume id=2"}, "bob"},
		"a stamp cannot be changed afterwards": {
			map[string]string{v1beta1.CommandAnnotation: "pause id=1"}, map[string]any{v1beta1.CommandUserAnnotation: "mallory"}, "alice"},
		"nor taken away": {
			map[string]string{v1beta1.CommandAnnotation: "pause id=1"}, map[string]any{v1beta1.CommandUserAnnotation: nil}, "alice"},
		"nor be there without a command": {nil, map[string]any{v1beta1.CommandUserAnnotation: "bob"}, ""},
		"a command that goes takes its stamp along": {
			map[string]string{v1beta1.CommandAnnotation: "pause id=1"}, map[string]any{v1beta1.CommandAnnotation: nil}, ""},
		"other annotations have no stamp": {nil, map[string]any{"other": "x"}, ""},
		"no annotations have none":        {map[string]string{"other": "x"}, map[string]any{"other": nil}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			canary := c.canaryOf(t, "alice", tc.had)
			if err := annotate(t.Context(), c.as(t, "bob"), canary, tc.then); err != nil {
				t.Fatal(err)
			}
			got, present := canary.Annotations[v1beta1.CommandUserAnnotation]
			if got != tc.want || present != (tc.want != "") {
				t.Errorf("stamp %q, want %q, among %v", got, tc.want, canary.Annotations)
			}
		})
	}
}

// An operator that works in one namespace leaves commands in others alone: nobody obeys them there, or
// another install does.
func TestThePolicyOfOneNamespaceIsForThatNamespace(t *testing.T) {
	c := newCluster(t)
	c.namespaces(t, "shop")
	c.stamping(t, c.canaryIn(t, "shop", "alice", nil), "--set=namespace=shop")
	canary := c.canaryOf(t, "alice", map[string]string{v1beta1.CommandAnnotation: "pause id=1"})
	if who, ok := canary.Annotations[v1beta1.CommandUserAnnotation]; ok {
		t.Errorf("stamped %q in namespace %s", who, canary.Namespace)
	}
}

// stamping installs the policy as the chart has it until the test ends. Probe is a Canary that tells
// when the policy is in force, and when it no longer is: the server learns of either a moment later.
func (c cluster) stamping(t *testing.T, probe *v1beta1.Canary, args ...string) {
	t.Helper()
	t.Cleanup(func() { c.untilStamped(t, probe, false) }) // after those below
	for _, o := range mustTemplate(t, append(args, policyServed...)...) {
		if kindOf(o).Group != admissionv1.GroupName {
			continue
		}
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Delete(context.Background(), o); err != nil {
				t.Error(err)
			}
		})
	}
	c.untilStamped(t, probe, true)
}

func (c cluster) untilStamped(t *testing.T, probe *v1beta1.Canary, want bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		// What is stamped is a change, so each is another one.
		changes := map[string]any{v1beta1.CommandAnnotation: fmt.Sprintf("pause id=%d", time.Now().UnixNano()), v1beta1.CommandUserAnnotation: nil}
		err := annotate(ctx, c, probe, changes)
		return (probe.Annotations[v1beta1.CommandUserAnnotation] != "") == want, err
	})
	if err != nil {
		t.Fatalf("commands are not stamped=%t: %v", want, err)
	}
}

// canaryOf is a Canary that a user made, in a namespace of its own.
func (c cluster) canaryOf(t *testing.T, user string, annotations map[string]string) *v1beta1.Canary {
	t.Helper()
	return c.canaryIn(t, apitest.Namespace(t, c), user, annotations)
}

func (c cluster) canaryIn(t *testing.T, ns, user string, annotations map[string]string) *v1beta1.Canary {
	t.Helper()
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: ns, GenerateName: "podinfo-", Annotations: annotations}}
	canary.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	canary.Spec.Service.Port, canary.Spec.SkipAnalysis = 9898, true
	if err := c.as(t, user).Create(t.Context(), canary); err != nil {
		t.Fatal(err)
	}
	return canary
}

// as is a client of a user who may do everything.
func (c cluster) as(t *testing.T, user string) client.Client {
	t.Helper()
	cfg := rest.CopyConfig(c.config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	as, err := client.New(cfg, client.Options{Scheme: newScheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// annotate changes annotations; nil takes one away.
func annotate(ctx context.Context, c client.Client, o client.Object, changes map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": changes}})
	if err != nil {
		return err
	}
	return c.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch))
}
