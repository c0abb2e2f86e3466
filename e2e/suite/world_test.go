package suite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

// TestSlowWorld has pods that need long to start and long to end, a gateway that follows after two
// seconds, and a tool that sets the replicas of its Deployment again and again.
func TestSlowWorld(t *testing.T) {
	s := prepare(t, "slow")
	s.both(func(s *scene) {
		s.applyPodinfo("      automountServiceAccountToken: false\n", fmt.Sprintf(slowPod, set.Image("loadtester")),
			"              seconds: 5\n", "              seconds: 20\n")
	})
	t.Cleanup(func() {
		_, _ = set.KubectlOutput(s.background(), "-n", s.Gateway, "delete", "configmap", "gateway-faults", "--ignore-not-found")
	})
	s.must(s.ApplyText(t.Context(), fmt.Sprintf(faultsManifest, "{delay: 2s}")))
	s.both(func(s *scene) { s.gateway.reaction += 2 * time.Second })
	s.adopt(quick)
	s.open()
	ctx, stop := context.WithCancel(t.Context())
	resets := s.resetReplicas(ctx, 2)
	s.setImage("6.0.1")
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.setImage("6.0.2")
	s.untilWeight("6.0.2", 20)
	s.setImage("6.1.0")
	s.untilWeight("6.1.0", 10)
	s.setImage("6.0.1")
	s.untilEnded("6.1.0", v1beta1.OutcomeReverted)
	s.serves("6.0.1")
	stop()
	if n := <-resets; n == 0 {
		t.Error("the tool reset nothing")
	} else {
		t.Logf("the tool reset the replicas %d times", n)
	}
	s.said("TargetScaled", "gitops-tool")
	s.setImage("6.0.2")
	s.untilWeight("6.0.2", 20)
	s.deleteCanaries()
	s.handedBack("6.0.1")
}

// slowPod is a pod that begins to listen after eight seconds only.
const slowPod = `      automountServiceAccountToken: false
      initContainers:
      - name: slowly
        image: %s
        imagePullPolicy: IfNotPresent
        command: [sleep, "8"]
        securityContext:
          runAsNonRoot: true
          runAsUser: 65532
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
`

// resetReplicas does every two seconds what a GitOps tool does that was told the number of replicas,
// and says at its end how often there was something to reset.
func (s *scene) resetReplicas(ctx context.Context, replicas int32) <-chan int {
	resets := make(chan int, 1)
	go func() {
		n := 0
		defer func() { resets <- n }()
		for ctx.Err() == nil {
			d := &appsv1.Deployment{}
			err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "podinfo"}, d)
			if err == nil && *d.Spec.Replicas != replicas {
				before := client.MergeFrom(d.DeepCopy())
				d.Spec.Replicas = &replicas
				if s.Client.Patch(ctx, d, before, client.FieldOwner("gitops-tool")) == nil {
					n++
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
	}()
	return resets
}

// said asserts that an event of the Canary has this reason and these words.
func (s *scene) said(reason, words string) {
	s.Helper()
	var events corev1.EventList
	s.must(s.Client.List(s.Context(), &events, client.InNamespace(s.ns)))
	if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
		return e.InvolvedObject.Kind == "Canary" && e.Reason == reason && strings.Contains(e.Message, words)
	}) {
		s.Errorf("none of %d events is %s with %q", len(events.Items), reason, words)
	}
}

// decided is when the Canary's journal has something for this reason.
func (s *scene) decided(reason string) time.Time {
	s.Helper()
	c, err := s.Canary(s.Context(), s.ns)
	s.must(err)
	i := slices.IndexFunc(c.Status.Journal, func(e v1beta1.JournalEntry) bool { return e.Reason == reason })
	if i < 0 {
		s.Fatalf("nothing of %d entries is %s", len(c.Status.Journal), reason)
	}
	return c.Status.Journal[i].At.Time
}

// TestAutoscaled: the load makes the primary's autoscaler add pods, and its end in mid-run makes it
// want to take them away, which it may do only when the rollout is over.
func TestAutoscaled(t *testing.T) {
	t.Parallel()
	s := prepare(t, "autoscaled")
	s.applyPodinfo("        averageUtilization: 99\n",
		"        averageUtilization: 60\n  behavior:\n    scaleDown: {stabilizationWindowSeconds: 0}\n")
	s.adopt(analysis{interval: "10s", step: 10, max: 50, threshold: 3, latency: 9000})
	s.open()
	s.must(s.StartLoad(t.Context(), s.ns+"-more", s.through("/version", 3*userRate)))
	t.Cleanup(func() { _, _ = set.StopLoad(s.background(), s.ns+"-more") }) // where the scene fails before it does so itself
	grown := func(ctx context.Context) (bool, error) {
		replicas, _, err := s.Replicas(ctx, s.ns, "podinfo-primary")
		if err == nil && replicas < 4 {
			err = fmt.Errorf("set to %d", replicas)
		}
		return false, err
	}
	s.must(stage.Until(t.Context(), runTime, "the load gives the primary 4 pods", grown))
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 10)
	s.noneFailed(s.endLoad("more"))
	least := int32(4)
	s.must(s.WaitCanary(t.Context(), s.ns, runTime, "the promotion", func(c *v1beta1.Canary) (bool, error) {
		if ended(c) {
			return false, nil
		}
		replicas, _, err := s.Replicas(t.Context(), s.ns, "podinfo-primary")
		if err == nil {
			least = min(least, replicas)
		}
		return false, fmt.Errorf("weight %s", c.Status.CanaryWeight)
	}))
	if least < 4 {
		t.Errorf("the primary shrank to %d pods in mid-run, want 4: all traffic comes back to it", least)
	}
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.must(stage.Until(t.Context(), runTime, "the primary shrinks when the rollout is over", func(ctx context.Context) (bool, error) {
		replicas, _, err := s.Replicas(ctx, s.ns, "podinfo-primary")
		if err == nil && replicas >= 4 {
			err = fmt.Errorf("set to %d", replicas)
		}
		return false, err
	}))
}
