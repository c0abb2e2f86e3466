package canary_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// TestARevisionPushedWhileThePrimaryLacksPodsIsRolledOut: it comes after a failure, at a moment at which
// the primary is not ready, and is promoted once that is over.
func TestARevisionPushedWhileThePrimaryLacksPodsIsRolledOut(t *testing.T) {
	for sentence, ill := range map[string]int{"one of two pods": 1, "all pods": 2} {
		t.Run(sentence, func(t *testing.T) {
			w, _ := adopted(t)
			w.prom.succeed(96.2)
			w.setImage("podinfo:6.0.1")
			w.ends(1)
			w.prom.succeed(99.8)
			w.fallIll("podinfo-primary", "podinfo:6.0.0", ill)
			w.setImage("podinfo:6.0.2")
			w.eventually("its rollout begins", func() bool { return w.get().Status.Rollout.Number == 2 })
			w.images.Mend("podinfo:6.0.0")
			if c := w.ends(2); c.Status.Phase != v1beta1.PhaseSucceeded || c.Status.Promoted.Image != "podinfo:6.0.2" {
				t.Errorf("ended as %s with %s\n%s", c.Status.Phase, c.Status.Promoted.Image, w.story())
			}
			w.atRest("podinfo:6.0.2")
		})
	}
}

// TestAFixAfterAFailedPromotionIsAnalysedFromZero: all traffic is on the canary, and the primary, which
// did not take the revision, has lost its own pods too. Nothing moves until it has them again.
func TestAFixAfterAFailedPromotionIsAnalysedFromZero(t *testing.T) {
	w, log := stuckPrimary(t)
	log.add("user mends podinfo:6.0.0")
	w.images.Mend("podinfo:6.0.0")
	c := w.ends(2)
	if c.Status.History[0].Reason != "PrimaryNotReady" || c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s after %s\n%s", c.Status.Phase, c.Status.History[0].Reason, w.story())
	}
	if diff := cmp.Diff([]string{
		"canary runs podinfo:6.0.1", "route 50/50", "route 0/100", "primary runs podinfo:6.0.1", "primary runs podinfo:6.0.0",
		"user pushes podinfo:6.0.2", "user mends podinfo:6.0.0", "route 100/0", "canary goes to zero",
		"canary runs podinfo:6.0.2", "route 50/50", "route 0/100", "primary runs podinfo:6.0.2", "route 100/0", "canary goes to zero",
	}, log.all()); diff != "" {
		t.Errorf("what was written (-want +got):\n%s", diff)
	}
	w.atRest("podinfo:6.0.2")
}

// TestARetryPromotesWhatTheCanaryHasProven where the revision of before is lost for good; the fix follows.
func TestARetryPromotesWhatTheCanaryHasProven(t *testing.T) {
	w, log := stuckPrimary(t)
	log.add("user mends podinfo:6.0.1")
	w.images.Mend("podinfo:6.0.1")
	if answer, _ := w.command("retry"); answer.Refused {
		t.Errorf("the answer is %+v", answer)
	}
	if c := w.ends(2); c.Status.History[0].Outcome != v1beta1.OutcomePromoted || c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s after %s\n%s", c.Status.Phase, c.Status.History[0].Outcome, w.story())
	}
	if diff := cmp.Diff([]string{
		"canary runs podinfo:6.0.1", "route 50/50", "route 0/100", "primary runs podinfo:6.0.1", "primary runs podinfo:6.0.0",
		"user pushes podinfo:6.0.2", "user mends podinfo:6.0.1", "primary runs podinfo:6.0.1", "route 100/0", "canary goes to zero",
		"canary runs podinfo:6.0.2", "route 50/50", "route 0/100", "primary runs podinfo:6.0.2", "route 100/0", "canary goes to zero",
	}, log.all()); diff != "" {
		t.Errorf("what was written (-want +got):\n%s", diff)
	}
	w.atRest("podinfo:6.0.2")
}

// stuckPrimary is a promotion that failed with all traffic on the canary, where the primary has lost what it
// ran before too, and a fix was pushed, which waits.
func stuckPrimary(t *testing.T) (*world, *writeLog) {
	t.Helper()
	w := newWorld(t)
	log := w.logWrites()
	gate := receive(t)
	gate.always = http.StatusForbidden
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{50, 100} },
		hookedBeside(v1beta1.CanaryWebhook{Name: "gate", Type: v1beta1.HookConfirmPromotion, URL: gate.URL})))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	log.clear()

	w.setImage("podinfo:6.0.1")
	w.reaches(v1beta1.PhaseWaitingPromotion)
	w.images.Break("podinfo:6.0.1")
	w.fallIll("podinfo-primary", "podinfo:6.0.0", 2)
	w.edit(func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = ptr.To(int32(3)) })
	gate.answer(http.StatusOK)
	w.eventually("the primary goes back", func() bool {
		r := w.get().Status.Rollout
		return r.Step == v1beta1.StepRestoring && log.last() == "primary runs podinfo:6.0.0"
	})
	log.add("user pushes podinfo:6.0.2")
	w.setImage("podinfo:6.0.2")
	w.stays("all waits for the primary", 3*stillness, func() bool { return log.last() == "user pushes podinfo:6.0.2" })
	w.eventually("the status says that it is stuck, and what waits", func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionStalled)
		return c.Status == metav1.ConditionTrue && c.Reason == "PrimaryNotRestored" && strings.Contains(c.Message, "podinfo:6.0.2 waits")
	})
	w.edit(func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = nil })
	return w, log
}

// hookedBeside adds hooks to those that there are.
func hookedBeside(hooks ...v1beta1.CanaryWebhook) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) { c.Spec.Analysis.Webhooks = append(c.Spec.Analysis.Webhooks, hooks...) }
}

// answer sets what is answered from now on.
func (r *receiver) answer(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.always = code
}

// fallIll lets pods of a workload cease to be ready until their image is mended.
func (w *world) fallIll(workload, image string, n int) {
	w.t.Helper()
	ready := w.deploymentNamed(workload).Status.ReadyReplicas
	w.images.Break(image)
	var l corev1.PodList
	must(w.t, w.c.List(w.ctx, &l, client.InNamespace(w.ns)))
	ill := slices.DeleteFunc(l.Items, func(p corev1.Pod) bool {
		return !strings.HasPrefix(p.Name, workload+"-") || p.Spec.Containers[0].Image != image || !p.DeletionTimestamp.IsZero()
	})
	if len(ill) < n {
		w.t.Fatalf("%s has %d pods of %s, want %d", workload, len(ill), image, n)
	}
	for i := range ill[:n] {
		ill[i].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		must(w.t, w.c.Status().Update(w.ctx, &ill[i]))
	}
	w.eventually("they are missed", func() bool {
		return w.deploymentNamed(workload).Status.ReadyReplicas == ready-int32(n) && w.endpoints(workload) == int(ready)-n
	})
}

// endpoints are the ready ones of a Service.
func (w *world) endpoints(service string) int {
	w.t.Helper()
	var l discoveryv1.EndpointSliceList
	must(w.t, w.c.List(w.ctx, &l, client.InNamespace(w.ns), client.MatchingLabels{discoveryv1.LabelServiceName: service}))
	n := 0
	for _, s := range l.Items {
		for _, e := range s.Endpoints {
			if ptr.Deref(e.Conditions.Ready, false) {
				n++
			}
		}
	}
	return n
}

// writeLog has the writes of an operator that matter to requests, in their order.
type writeLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *writeLog) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *writeLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

func (l *writeLog) last() string { all := l.all(); return all[len(all)-1] }

func (l *writeLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

// logWrites logs the writes of operators that are started from now on: what each side runs, and where
// the route leads. No side is given traffic that has no ready pod, and the canary's template does not
// change while it has some.
func (w *world) logWrites() *writeLog {
	l := &writeLog{}
	stands := router.Split(0)
	w.sees.set = func(_ router.Target, t router.Traffic) {
		if t.Weights == stands {
			return
		}
		for side, more := range map[string]bool{"podinfo-primary": t.Primary > stands.Primary, "podinfo-canary": t.Canary > stands.Canary} {
			if more && w.endpoints(side) == 0 {
				w.t.Errorf("the route goes from %s to %s with no ready pod of %s\n%s", stands, t.Weights, side, w.story())
			}
		}
		stands = t.Weights
		l.add("route %s", stands)
	}
	w.wire = func(r *http.Request, send http.RoundTripper) (*http.Response, error) {
		side, ok := strings.CutPrefix(r.URL.Path, "/apis/apps/v1/namespaces/"+w.ns+"/deployments/podinfo-")
		answer, err := send.RoundTrip(r)
		if !ok || r.Method != http.MethodPatch || err != nil || answer.StatusCode != http.StatusOK {
			return answer, err
		}
		image, size := w.patched(r)
		if image != "" {
			l.add("%s runs %s", side, image)
		}
		if size == "0" {
			l.add("%s goes to zero", side)
		}
		if side == v1beta1.RoleCanary && (image != "" || size == "0") && stands.Canary > 0 {
			w.t.Errorf("the canary changes (image %q, replicas %q) at weights %s", image, size, stands)
		}
		return answer, nil
	}
	return l
}

// patched is what a JSON patch of a Deployment sets: the image, and the replicas; empty for neither.
func (w *world) patched(r *http.Request) (image, replicas string) {
	body, err := r.GetBody()
	must(w.t, err)
	raw, err := io.ReadAll(body)
	must(w.t, err)
	var ops []struct {
		Path  string
		Value json.RawMessage
	}
	must(w.t, json.Unmarshal(raw, &ops))
	for _, op := range ops {
		switch op.Path {
		case "/spec/template":
			var t corev1.PodTemplateSpec
			must(w.t, json.Unmarshal(op.Value, &t))
			image = t.Spec.Containers[0].Image
		case "/spec/replicas":
			replicas = string(op.Value)
		}
	}
	return image, replicas
}
