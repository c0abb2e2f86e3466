package canary_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

// nonsense is what a Canary may hold that nobody can work with, or that asks for what is never there.
var nonsense = []func(*v1beta1.Canary){
	func(c *v1beta1.Canary) { c.Spec.TargetRef.Name = "nowhere" },
	func(c *v1beta1.Canary) { c.Spec.TargetRef.Kind = "StatefulSet" },
	func(c *v1beta1.Canary) {
		c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "example.com/v1", "Widget"
	},
	func(c *v1beta1.Canary) { c.Spec.TargetRef.Kind = "Service" },
	func(c *v1beta1.Canary) { c.Spec.Provider = "istio" },
	func(c *v1beta1.Canary) { c.Spec.Provider = "gloo" },
	func(c *v1beta1.Canary) { c.Spec.Service.Port = 1 },
	func(c *v1beta1.Canary) { c.Spec.Service.Name = "nowhere" },
	func(c *v1beta1.Canary) { c.Spec.Analysis = nil },
	func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "0s" },
	func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "2562047h" },
	func(c *v1beta1.Canary) { c.Spec.Analysis.Threshold = 2147483647 },
	func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{100, 1, 100} },
	func(c *v1beta1.Canary) {
		c.Spec.Analysis.StepWeights, c.Spec.Analysis.Iterations, c.Spec.Analysis.Interval = nil, 2147483647, "1m"
	},
	func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = nil },
	func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight = 100, 1 },
	func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "2562047h" },
	func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = ptr.To(int32(2147483647)) },
	func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = ptr.To(int32(1)) },
	func(c *v1beta1.Canary) {
		c.Spec.AutoscalerRef = &v1beta1.AutoscalerReference{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "nowhere"}
	},
	func(c *v1beta1.Canary) { byTemplate(c, "nowhere") },
	func(c *v1beta1.Canary) { byTemplate(c, "unparsable") },
	func(c *v1beta1.Canary) { byTemplate(c, "unreachable") },
	func(c *v1beta1.Canary) { byTemplate(c, "foreign") },
	func(c *v1beta1.Canary) { calling(c, "not a URL") },
	func(c *v1beta1.Canary) { calling(c, "http://127.0.0.1:1/") },
	func(c *v1beta1.Canary) { calling(c, "http://user:pass@[::1]:99999/") },
	func(c *v1beta1.Canary) {
		c.Spec.Analysis.Alerts = []v1beta1.CanaryAlert{{Name: "a", ProviderRef: v1beta1.CrossNamespaceNameReference{Name: "nowhere"}}}
	},
}

func byTemplate(c *v1beta1.Canary, name string) {
	if c.Spec.Analysis != nil {
		c.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{{Name: "m", TemplateRef: &v1beta1.CrossNamespaceNameReference{Name: name}, Threshold: ptr.To(1e308)}}
	}
}

func calling(c *v1beta1.Canary, url string) {
	if c.Spec.Analysis != nil {
		c.Spec.Analysis.Webhooks = []v1beta1.CanaryWebhook{{Name: "h", Type: v1beta1.HookPreRollout, URL: url, Timeout: "1s"}}
	}
}

// templates are MetricTemplates that lead nowhere.
func (w *world) templates() {
	for name, edit := range map[string]func(*v1beta1.MetricTemplate){
		"unparsable": func(t *v1beta1.MetricTemplate) { t.Spec.Query = "{{ range }} {{ nope" },
		"unreachable": func(t *v1beta1.MetricTemplate) {
			t.Spec.Provider.SecretRef = &corev1.LocalObjectReference{Name: "nowhere"}
		},
		"foreign": func(t *v1beta1.MetricTemplate) { t.Spec.Provider.Type = "datadog" },
	} {
		t := w.template("")
		t.Name = name
		edit(t)
		w.create(t)
	}
}

// TestBadObjectsSlowNobody fills a namespace with Canaries that make no sense beside one that does. That
// one takes no longer for it, and those cost next to nothing once each has said what is wrong with it.
func TestBadObjectsSlowNobody(t *testing.T) {
	const many = 40
	w, op := adopted(t)
	alone := w.rollOut("podinfo:6.0.1")

	w.templates()
	r := rand.New(rand.NewPCG(6, 6))
	var bad []string
	refused := 0
	for i := range many {
		name := fmt.Sprintf("bad-%d", i)
		c := w.canary()
		c.Name, c.Spec.TargetRef.Name = name, name
		nonsense[i%len(nonsense)](c) // each at least once, and the later ones with another on top
		if edit := nonsense[r.IntN(len(nonsense))]; i >= len(nonsense) && c.Spec.Analysis != nil {
			edit(c)
		}
		err := w.c.Create(w.ctx, c)
		if apierrors.IsInvalid(err) {
			refused++
			continue
		}
		must(t, err)
		bad = append(bad, name)
		d, s := w.deployment("podinfo:6.0.0"), w.service()
		d.Name, s.Name = name, name
		d.Spec.Selector.MatchLabels["app"], d.Spec.Template.Labels["app"], s.Spec.Selector["app"] = name, name, name
		w.create(d, s)
	}
	for _, name := range bad {
		alter(w, name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "podinfo:6.0.1" })
	}
	for _, name := range bad {
		w.eventually(name+" says where it is", func() bool {
			c := &v1beta1.Canary{}
			w.read(name, c)
			ready := meta.FindStatusCondition(c.Status.Conditions, v1beta1.ConditionReady)
			return ready != nil && ready.Reason != "" && ready.Message != ""
		})
	}
	most := 2*alone + 3*time.Second
	beside := w.rollOut("podinfo:6.0.2")
	for try := 3; beside > most && try < 5; try++ { // what the machine was busy with is no canary's doing
		beside = w.rollOut(fmt.Sprintf("podinfo:6.0.%d", try))
	}
	t.Logf("a rollout takes %s alone, and %s beside %d bad canaries; %d more were refused by the API server",
		alone.Round(100*time.Millisecond), beside.Round(100*time.Millisecond), len(bad), refused)
	if beside > most {
		t.Errorf("a rollout takes %s beside bad canaries, %s alone\n%s", beside, alone, w.story())
	}
	w.settles(op, len(bad))
}

// TestAnObjectThatARouterPanicsAt wakes nobody and ends nothing: the others are indexed and mapped as ever.
func TestAnObjectThatARouterPanicsAt(t *testing.T) {
	w := newWorld(t, glooCRDs)
	var indexed, woken atomic.Bool
	odd := func(o client.Object) bool {
		if o.GetName() == "odd" {
			panic("nobody thought of it")
		}
		return false
	}
	w.sees.watches = []router.Watch{{
		Object:   api.New(api.VirtualService),
		Canaries: func(_ context.Context, o client.Object) []types.NamespacedName { woken.Store(!odd(o)); return nil },
		Index:    map[string]client.IndexerFunc{"odd": func(o client.Object) []string { indexed.Store(!odd(o)); return nil }},
	}}
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	vs := w.virtualService()
	vs.SetName("odd")
	w.create(vs)
	w.eventually("the log has it twice, by the index and by the watch", func() bool {
		return strings.Count(logged.String(), fmt.Sprintf(`"kind":"VirtualService","object":{"Namespace":%q,"Name":"odd"}`, w.ns)) == 2
	})
	w.create(w.virtualService())
	w.eventually("the next one is indexed and mapped", func() bool { return indexed.Load() && woken.Load() })
}

// rollOut changes the image of the world's canary, and says how long it took to be promoted.
func (w *world) rollOut(image string) time.Duration {
	w.t.Helper()
	begin, rollouts := time.Now(), len(w.get().Status.History)
	w.setImage(image)
	w.eventually(image+" is promoted", func() bool {
		s := w.get().Status
		return len(s.History) > rollouts && s.Phase == v1beta1.PhaseSucceeded
	})
	return time.Since(begin)
}

// settles holds what is done in a while against what is no hot loop: on average a turn every other second
// and a write every ten for each, which is what a rollout costs that waits for an answer.
func (w *world) settles(op *operator, canaries int) {
	w.t.Helper()
	const window = 15 * time.Second
	var turns, writes int
	w.eventually("there is no hot loop", func() bool {
		begun, wrote := op.turns.Load(), len(op.requests.writes())
		time.Sleep(window)
		turns, writes = int(op.turns.Load()-begun), len(op.requests.writes())-wrote
		return turns <= canaries*int(window/time.Second)/2 && writes <= canaries*int(window/time.Second)/10
	})
	perMinute := func(n int) float64 { return float64(n) * float64(time.Minute) / float64(window) / float64(canaries) }
	w.t.Logf("settled: %.1f turns and %.1f writes a minute for each of %d bad canaries", perMinute(turns), perMinute(writes), canaries)
	counted := map[string]int{}
	var all v1beta1.CanaryList
	must(w.t, w.c.List(w.ctx, &all))
	for _, c := range all.Items {
		if c.Namespace == w.ns {
			ready := meta.FindStatusCondition(c.Status.Conditions, v1beta1.ConditionReady)
			if ready != nil && ready.Status != metav1.ConditionTrue {
				counted[ready.Reason]++
			}
		}
	}
	w.t.Logf("reasons: %v", counted)
}
