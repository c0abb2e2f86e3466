package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const scaledSource = `{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","metadata":{"namespace":"apps","name":"so",
	"labels":{"team":"shop","helm.sh/chart":"x"},
	"annotations":{"autoscaling.keda.sh/paused-replicas":"0","scaledobject.keda.sh/transfer-hpa-ownership":"true","serin.dev/original-paused-replicas":"none"}},
	"spec":{"scaleTargetRef":{"name":"podinfo","envSourceContainerName":"podinfod"},"idleReplicaCount":0,"minReplicaCount":2,"maxReplicaCount":6,
	"advanced":{"horizontalPodAutoscalerConfig":{"name":"podinfo-hpa"}},"fieldOfALaterRelease":{"kept":true},
	"triggers":[{"type":"prometheus","name":"rps","metricType":"Value","authenticationRef":{"name":"prom"},"metadata":{"query":"sum(rate(http_requests_total{app=\"podinfo\"}[30s]))","threshold":"5"}},
		{"type":"cpu","metadata":{"value":"60"}}]}}`

func makeScaled(t *testing.T, edits ...func(spec map[string]any)) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(scaledSource)); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(u.Object["spec"].(map[string]any))
	}
	return u
}

func makeScaledCanary(edit func(*v1beta1.AutoscalerReference)) *v1beta1.Canary {
	return makeCanary(func(c *v1beta1.Canary) {
		c.Spec.AutoscalerRef = &v1beta1.AutoscalerReference{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "so"}
		if edit != nil {
			edit(c.Spec.AutoscalerRef)
		}
	})
}

// TestScaledObject: the pause of the target is not the primary's (Flagger #1934), the mark that takes
// an autoscaler over is (#1646), and fields that nobody here knows are copied (#1240).
func TestScaledObject(t *testing.T) {
	got := ScaledObject(makeScaledCanary(nil), makeScaled(t), "podinfo-primary", 0)
	want := object(t, `{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","metadata":{"namespace":"apps","name":"so-primary",
		"labels":{"team":"shop","serin.dev/canary":"podinfo"},"annotations":{"scaledobject.keda.sh/transfer-hpa-ownership":"true","serin.dev/made-for":"podinfo","serin.dev/copied-annotations":"scaledobject.keda.sh/transfer-hpa-ownership"}},
		"spec":{"scaleTargetRef":{"name":"podinfo-primary","envSourceContainerName":"podinfod"},
		"advanced":{"horizontalPodAutoscalerConfig":{"name":"podinfo-hpa-primary"}},"fieldOfALaterRelease":{"kept":true},
		"triggers":[{"type":"prometheus","name":"rps","metricType":"Value","authenticationRef":{"name":"prom"},"metadata":{"query":"sum(rate(http_requests_total{app=\"podinfo-primary\"}[30s]))","threshold":"5"}},
			{"type":"cpu","metadata":{"value":"60"}}]}}`)
	spec := want["spec"].(map[string]any)
	spec["idleReplicaCount"], spec["minReplicaCount"], spec["maxReplicaCount"] = int64(0), int64(2), int64(6)
	if diff := cmp.Diff(want, got.Object); diff != "" {
		t.Errorf("copy (-want +got):\n%s", diff)
	}
}

func TestBoundsOfAScaledObject(t *testing.T) {
	type bounds struct{ idle, min, max any }
	five, eight := int32(5), int32(8)
	for sentence, test := range map[string]struct {
		own   *v1beta1.ScalerReplicas
		edit  func(map[string]any)
		floor int32
		want  bounds
	}{
		"at rest they are the user's":           {nil, nil, 0, bounds{int64(0), int64(2), int64(6)}},
		"a floor raises the minimum":            {nil, nil, 4, bounds{nil, int64(4), int64(6)}},
		"a floor never exceeds the maximum":     {nil, nil, 9, bounds{nil, int64(6), int64(6)}},
		"under a floor nothing is idle":         {nil, nil, 1, bounds{nil, int64(2), int64(6)}},
		"without bounds KEDA's own count":       {nil, func(s map[string]any) { delete(s, "minReplicaCount"); delete(s, "maxReplicaCount") }, 120, bounds{nil, int64(100), nil}},
		"the spec's replace the source's":       {&v1beta1.ScalerReplicas{MinReplicas: &five, MaxReplicas: &eight}, nil, 0, bounds{int64(0), int64(5), int64(8)}},
		"the spec's bounds are below the floor": {&v1beta1.ScalerReplicas{MinReplicas: &five, MaxReplicas: &eight}, nil, 7, bounds{nil, int64(7), int64(8)}},
	} {
		t.Run(sentence, func(t *testing.T) {
			source := makeScaled(t)
			if test.edit != nil {
				source = makeScaled(t, test.edit)
			}
			c := makeScaledCanary(func(r *v1beta1.AutoscalerReference) { r.PrimaryScalerReplicas = test.own })
			spec := ScaledObject(c, source, "podinfo-primary", test.floor).Object["spec"].(map[string]any)
			got := bounds{spec["idleReplicaCount"], spec["minReplicaCount"], spec["maxReplicaCount"]}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestQueriesOfAScaledObject(t *testing.T) {
	for sentence, test := range map[string]struct{ query, want string }{
		"the target is replaced":               {`rate(x{app="podinfo"}[1m])`, `rate(x{app="podinfo-primary"}[1m])`},
		"the canary is replaced":               {`rate(x{app="podinfo-canary"}[1m])`, `rate(x{app="podinfo-primary"}[1m])`},
		"the primary stays":                    {`rate(x{app="podinfo-primary"}[1m])`, `rate(x{app="podinfo-primary"}[1m])`},
		"a pattern of pods":                    {`x{pod=~"podinfo-.*"}`, `x{pod=~"podinfo-primary-.*"}`},
		"each of several":                      {`podinfo|podinfo podinfo-canary`, `podinfo-primary|podinfo-primary podinfo-primary`},
		"a metric that begins with it stays":   {`podinfo_requests_total`, `podinfo_requests_total`},
		"a longer name stays":                  {`{app="podinfo2",job="my-podinfo"}`, `{app="podinfo2",job="my-podinfo"}`},
		"another application that begins so":   {`{app="podinfo-frontend"}`, `{app="podinfo-primary-frontend"}`},
		"nothing of it is in the query at all": {`vector(1)`, `vector(1)`},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := ofPrimary(test.query, "podinfo", "podinfo-primary"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestOwnQueriesOfThePrimary(t *testing.T) {
	inMetadata := func(spec map[string]any) {
		trigger := spec["triggers"].([]any)[0].(map[string]any)
		delete(trigger, "name")
		trigger["metadata"].(map[string]any)["name"] = "rps"
	}
	c := makeScaledCanary(func(r *v1beta1.AutoscalerReference) {
		r.PrimaryScalerQueries = map[string]string{"rps": "own", "unheard": "of"}
	})
	for sentence, source := range map[string]*unstructured.Unstructured{
		"by the trigger's name":       makeScaled(t),
		"by the name in its metadata": makeScaled(t, inMetadata),
	} {
		t.Run(sentence, func(t *testing.T) {
			triggers, _, _ := unstructured.NestedSlice(ScaledObject(c, source, "podinfo-primary", 0).Object, "spec", "triggers")
			query, _, _ := unstructured.NestedString(triggers[0].(map[string]any), "metadata", "query")
			if query != "own" {
				t.Errorf("got %s", query)
			}
			if diff := cmp.Diff([]string{"unheard"}, UnknownQueries(c, source)); diff != "" {
				t.Errorf("unknown queries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSameScaledObject(t *testing.T) {
	want := ScaledObject(makeScaledCanary(nil), makeScaled(t), "podinfo-primary", 0)
	mark := func(key string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			a := u.GetAnnotations()
			a[key] = "true"
			u.SetAnnotations(a)
		}
	}
	for sentence, test := range map[string]struct {
		change func(*unstructured.Unstructured)
		same   bool
	}{
		"nothing changed":          {func(*unstructured.Unstructured) {}, true},
		"others added a mark":      {mark("contact"), true},
		"somebody paused the copy": {mark("autoscaling.keda.sh/paused"), true},
		"the source has lost a mark": {func(u *unstructured.Unstructured) {
			annotations := u.GetAnnotations()
			annotations["autoscaling.keda.sh/paused"], annotations[copiedAnnotation] = "true", "autoscaling.keda.sh/paused"
			u.SetAnnotations(annotations)
		}, false},
		"a bound was edited": {func(u *unstructured.Unstructured) {
			u.Object["spec"].(map[string]any)["maxReplicaCount"] = int64(1)
		}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			live := want.DeepCopy()
			test.change(live)
			if got := SameScaledObject(live, want); got != test.same {
				t.Errorf("got %t, want %t", got, test.same)
			}
		})
	}
}
