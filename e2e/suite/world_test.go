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
	"github.com/serin-dev/serin/e2e/load/stream"
)

// grpcManifest follows an Upstream of the users', which tells Envoy to speak HTTP/2 to podinfo.
const grpcManifest = `apiVersion: gloo.solo.io/v1
kind: Upstream
metadata:
  name: podinfo
  namespace: %[1]s
spec:
  useHttp2: true
  kube: {serviceName: podinfo, serviceNamespace: %[1]s, servicePort: 9999}
---
apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: %[1]s
spec:
  provider: gloo
  upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: podinfo}
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo}
  progressDeadlineSeconds: 150
  service: {port: 9999, targetPort: 9999, portName: grpc}
  analysis:
    interval: 5s
    threshold: 3
    maxWeight: 50
    stepWeight: 10
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
      interval: 30s
`

// TestGRPC: calls on one kept connection are balanced one by one, and none of them fails when the
// traffic moves, turns round in mid-run, and is handed back.
func TestGRPC(t *testing.T) {
	t.Parallel()
	s := prepare(t, "grpc")
	s.applyPodinfo("        - --level=info\n", "        - --level=info\n        - --grpc-port=9999\n",
		"  - name: http\n    port: 9898\n    targetPort: http\n", "  - name: grpc\n    port: 9999\n    targetPort: 9999\n")
	s.applySamples(s.gateway.samples...)
	s.apply(fmt.Sprintf(grpcManifest, s.ns))
	s.must(s.WaitInitialized(t.Context(), s.ns))
	users := s.through("/", userRate)
	users.Protocol = stream.GRPC
	s.must(s.WaitServing(t.Context(), users))
	s.route = record(s.T, s.Client, s.gateway, s.ns)
	s.load("users", users)
	s.setImage("6.0.1")
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantShares("6.0.1", 5*time.Second)
	s.setImage("6.0.2")
	s.untilWeight("6.0.2", 20)
	s.kubectl("-n", s.ns, "delete", "canary", "podinfo", "--timeout=4m")
	s.handedBack("6.0.1")
}

// TestSlowWorld has pods that need long to start and long to end, a gateway that follows after two
// seconds, and a tool that sets the replicas of its Deployment again and again.
func TestSlowWorld(t *testing.T) {
	s := prepare(t, "slow")
	s.applyPodinfo("      automountServiceAccountToken: false\n", fmt.Sprintf(slowPod, s.Image("loadtester")),
		"              seconds: 5\n", "              seconds: 20\n")
	t.Cleanup(func() {
		_, _ = set.KubectlOutput(s.background(), "-n", s.Gateway, "delete", "configmap", "gateway-faults", "--ignore-not-found")
	})
	s.must(s.ApplyText(t.Context(), fmt.Sprintf(faultsManifest, "{delay: 2s}")))
	s.gateway.reaction += 2 * time.Second
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
	s.kubectl("-n", s.ns, "delete", "canary", "podinfo", "--timeout=4m")
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

// TestAutoscaled: the load makes the primary's autoscaler add pods, and its end in mid-run makes it
// want to take them away, which it may do only when the rollout is over.
func TestAutoscaled(t *testing.T) {
	t.Parallel()
	s := prepare(t, "autoscaled")
	s.applyPodinfo("        averageUtilization: 99\n",
		"        averageUtilization: 60\n  behavior:\n    scaleDown: {stabilizationWindowSeconds: 0}\n")
	s.adopt(analysis{interval: "10s", step: 10, max: 50, threshold: 3, latency: 9000})
	s.open()
	more := s.ns + "-more"
	s.must(s.StartLoad(t.Context(), more, s.through("/version", userRate)))
	t.Cleanup(func() { _, _ = set.StopLoad(s.background(), more) })
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
	report, err := s.StopLoad(t.Context(), more)
	s.must(err)
	t.Logf("the other half of the load: %v", report.Total)
	if report.Total.Failed > 0 {
		t.Errorf("%v", report.Failures)
	}
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
