package handback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/internal/leases"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/pkg/webhook"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func makeClient(t *testing.T) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.NewWithWatch(apitest.Start(t), client.Options{Scheme: s})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stranded is a Canary that an operator adopted, whose router and Deployment are gone, and which no
// operator works on any more.
func stranded(t *testing.T, c client.Client) *v1beta1.Canary {
	t.Helper()
	o := &v1beta1.Canary{}
	o.Namespace, o.Name, o.Finalizers = apitest.Namespace(t, c), "podinfo", []string{v1beta1.ReleaseFinalizer}
	o.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	o.Spec.Service.Port = 9898
	o.Spec.SkipAnalysis = true
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Status.Phase = v1beta1.PhaseInitialized
	o.Status.LastPromotedSpec = "podinfo-1"
	o.Status.Promoted = &v1beta1.RevisionStatus{Name: "podinfo-1", Image: "podinfo:6.0.0"}
	if err := c.Status().Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

// hasty is a Releaser that waits for nobody long.
func hasty(c client.Client, out *bytes.Buffer, namespace string) *Releaser {
	return &Releaser{Client: c, Out: out, Namespace: namespace, LeaseNamespaces: []string{namespace}, Hooks: webhook.New(nil, nil, ""),
		Options: canary.Options{Provider: "gloo", SelectorLabels: []string{"app"}}, Look: 50 * time.Millisecond, Patience: 200 * time.Millisecond}
}

// TestWithoutAnOperator: what nobody touches is released from here; without Force it is told at once, and
// not when the time is over.
func TestWithoutAnOperator(t *testing.T) {
	c := makeClient(t)
	o := stranded(t, c)
	var out bytes.Buffer
	r := hasty(c, &out, o.Namespace)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := "1 canaries are not released; " + o.Namespace + "/podinfo: no operator works on it; with --force it is released from here"
	if err := r.Run(ctx); err == nil || err.Error() != want || ctx.Err() != nil {
		t.Errorf("without Force: %v, want %s", err, want)
	}
	r.Force = true
	if err := r.Run(ctx); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), o.Namespace+"/podinfo: no operator works on it: it is released from here") {
		t.Errorf("it said:\n%s", &out)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || len(o.Finalizers) > 0 || o.Status.Phase != v1beta1.PhaseTerminated {
		t.Errorf("the Canary: %v, %v, %s", err, o.Finalizers, o.Status.Phase)
	}
}

// looking ends a context with the third look at the Leases, which has shown that there is no end to the waiting. Whoever
// may not read them is told why.
func looking(c client.WithWatch, end func(), refused error) client.WithWatch {
	looks := 0
	return interceptor.NewClient(c, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
		if _, ok := l.(*coordinationv1.LeaseList); !ok {
			return c.List(ctx, l, opts...)
		}
		if looks++; looks == 3 {
			defer end()
		}
		if refused != nil {
			return refused
		}
		return c.List(ctx, l, opts...)
	}})
}

// TestAnOperatorThatIsThereIsWaitedFor, also where it is slow. One of another namespace or shard is none.
func TestAnOperatorThatIsThereIsWaitedFor(t *testing.T) {
	c := makeClient(t)
	for sentence, test := range map[string]struct {
		scope, shard string
		waits        bool
	}{"of all namespaces": {"", "", true}, "of another one": {"billing", "", false}, "of a shard": {"", "b", false}} {
		t.Run(sentence, func(t *testing.T) {
			o := stranded(t, c)
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: "serin-leader", Labels: leases.Labels(test.scope, test.shard)},
				Spec: coordinationv1.LeaseSpec{HolderIdentity: new("pod-1"), LeaseDurationSeconds: new(int32(3600)), RenewTime: new(metav1.NowMicro())}}
			if err := c.Create(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := hasty(looking(c, cancel, nil), &bytes.Buffer{}, o.Namespace).Run(ctx)
			if _, ok := errors.AsType[Unreleased](err); !ok || strings.Contains(err.Error(), "no operator works on it") == test.waits {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAnOperatorThatCannotBeSeenHasItsTime: whoever may not read Leases does not know whether one waits
// for pods, and is not told that there is none.
func TestAnOperatorThatCannotBeSeenHasItsTime(t *testing.T) {
	c := makeClient(t)
	for sentence, test := range map[string]struct {
		until time.Duration
		waits bool
	}{"within the deadline": {time.Hour, true}, "after it": {-time.Second, false}} {
		t.Run(sentence, func(t *testing.T) {
			o := stranded(t, c)
			o.Status.Release = &v1beta1.ReleaseStatus{Step: v1beta1.StepFilling, Since: metav1.NowMicro(), Until: new(metav1.NewMicroTime(time.Now().Add(test.until)))}
			if err := c.Status().Update(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := hasty(looking(c, cancel, apierrors.NewForbidden(schema.GroupResource{Resource: "leases"}, "", nil)), &bytes.Buffer{}, o.Namespace).Run(ctx)
			if err == nil || strings.Contains(err.Error(), "no operator works on it") == test.waits {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAServerThatIsAwayForAMoment has not said that there is no operator, and ends no release.
func TestAServerThatIsAwayForAMoment(t *testing.T) {
	c := makeClient(t)
	o := stranded(t, c)
	lists := map[string]int{}
	away := interceptor.NewClient(c, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
		kind := fmt.Sprintf("%T", l)
		if lists[kind]++; lists[kind] == 2 {
			return errors.New("connection refused")
		}
		return c.List(ctx, l, opts...)
	}})
	lists["*v1.LeaseList"] = 1 // the first that is asked for
	var out bytes.Buffer
	err := hasty(away, &out, o.Namespace).Run(t.Context())
	if _, ok := errors.AsType[Unreleased](err); !ok || !strings.Contains(err.Error(), "no operator works on it") || lists["*v1.LeaseList"] != 3 {
		t.Errorf("%v after %v lists\n%s", err, lists, &out)
	}
	if n := strings.Count(out.String(), "connection refused; looking again"); n != 2 {
		t.Errorf("it was said %d times\n%s", n, &out)
	}
}

// TestAShardIsReleasedAlone: what is labelled for another operator is asked for nothing.
func TestAShardIsReleasedAlone(t *testing.T) {
	c := makeClient(t)
	o := stranded(t, c)
	r := hasty(c, &bytes.Buffer{}, o.Namespace)
	r.Shard = new("b")
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || o.Annotations[v1beta1.ReleaseAnnotation] != "" {
		t.Errorf("the Canary: %v, %v", err, o.Annotations)
	}
}

// TestOneThatIsNotThere: nothing is asked of the others.
func TestOneThatIsNotThere(t *testing.T) {
	c := makeClient(t)
	o := stranded(t, c)
	r := hasty(c, &bytes.Buffer{}, o.Namespace)
	r.Canaries = []types.NamespacedName{client.ObjectKeyFromObject(o), {Namespace: o.Namespace, Name: "other"}}
	if err := r.Run(t.Context()); err == nil || err.Error() != "there is no Canary "+o.Namespace+"/other" {
		t.Errorf("%v", err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || o.Annotations[v1beta1.ReleaseAnnotation] != "" {
		t.Errorf("%v, annotations %v", err, o.Annotations)
	}
}
