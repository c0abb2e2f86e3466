package suite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

const (
	// realNode is the cluster's own, goneNode the stand-in's.
	realNode, goneNode = "node-1", "e2e-gone"
	// byScene is the scheduler of pods that the scene binds to their nodes.
	byScene = "e2e"
)

// scenePods lets the scene say where pods go, and Kubernetes take them off a node that is away for a
// minute instead of five.
const scenePods = `      automountServiceAccountToken: false
      schedulerName: ` + byScene + `
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 60}
`

// TestOutageNode loses the node with one of two pods of the canary. The node is a stand-in: an object
// whose Lease the scene renews, and stops to renew. Its pod is one too, with the address of a real pod
// that goes on answering, as those of a node do that nothing but the control plane has lost. What is
// done to node and pod then is Kubernetes' own.
func TestOutageNode(t *testing.T) {
	t.Parallel()
	s := prepare(t, "node")
	n := s.addNode()
	s.applyPodinfo("      automountServiceAccountToken: false\n", scenePods, "  minReplicas: 2\n", "  minReplicas: 4\n")
	s.adopt(analysis{interval: "40s", step: 10, max: 40, threshold: 3, latency: 9000})
	s.open()
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	s.must(stage.Until(t.Context(), time.Minute, "the second pod of the canary is ready on the stand-in", func(ctx context.Context) (bool, error) {
		return false, n.hosts(ctx)
	}))
	n.lose()
	begin := time.Now()
	s.must(stage.Until(t.Context(), 3*time.Minute, "Kubernetes takes the node for lost", func(ctx context.Context) (bool, error) {
		var node corev1.Node
		if err := s.Client.Get(ctx, client.ObjectKey{Name: goneNode}, &node); err != nil {
			return false, err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown {
				return false, nil
			}
		}
		return false, errors.New("it is Ready")
	}))
	t.Logf("the node is NotReady %v after its last sign of life", time.Since(begin).Round(time.Second))
	c := s.until("the operator says so", func(c *v1beta1.Canary) bool { return c.Status.Reason == "CapacityMissing" })
	t.Logf("said at weight %s: %s", c.Status.CanaryWeight, stage.Why(c))
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 0)
	s.said("CapacityMissing", "1 of 2")
	s.show()
}

// standInNode is a node without a machine.
type standInNode struct {
	*scene
	address string // of the real pod
	lost    atomic.Bool
	cancel  context.CancelFunc
	ended   chan error
}

// answering is the real pod that answers for the stand-in's.
const answering = `apiVersion: v1
kind: Pod
metadata:
  name: answering
  namespace: %s
spec:
  automountServiceAccountToken: false
  containers:
  - name: podinfod
    image: stefanprodan/podinfo:6.0.1
    imagePullPolicy: IfNotPresent
    command: [./podinfo, --port=9898, --port-metrics=9797, --http-server-timeout=30m]
    readinessProbe: {httpGet: {path: /readyz, port: 9898}, periodSeconds: 1, timeoutSeconds: 5}
`

// addNode adds the node, with somebody who binds the scene's pods and tells of those on it.
func (s *scene) addNode() *standInNode {
	s.Helper()
	n := &standInNode{scene: s, ended: make(chan error, 1)}
	s.apply(fmt.Sprintf(answering, s.ns))
	s.kubectl("-n", s.ns, "wait", "--for=condition=Ready", "pod/answering", "--timeout=1m")
	var pod corev1.Pod
	s.must(s.Client.Get(s.Context(), client.ObjectKey{Namespace: s.ns, Name: "answering"}, &pod))
	n.address = pod.Status.PodIP
	s.must(client.IgnoreNotFound(s.Client.Delete(s.Context(), n.object()))) // of an earlier run
	node := n.object()
	s.must(s.Client.Create(s.Context(), node))
	room := corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi"), "pods": resource.MustParse("10")}
	now, before := metav1.Now(), node.DeepCopy()
	node.Status = corev1.NodeStatus{Capacity: room, Allocatable: room, Conditions: []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "StandIn", LastHeartbeatTime: now, LastTransitionTime: now},
	}}
	s.must(s.Client.Status().Patch(s.Context(), node, client.MergeFrom(before)))
	ctx, cancel := context.WithCancel(s.background())
	n.cancel = cancel
	go func() { n.ended <- n.run(ctx) }()
	s.Cleanup(n.remove)
	return n
}

func (n *standInNode) object() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: goneNode, Labels: map[string]string{corev1.LabelHostname: goneNode}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "serin.dev/stand-in", Effect: corev1.TaintEffectNoSchedule}}}}
}

// lose takes the node's life away; its pods are bound elsewhere from now on.
func (n *standInNode) lose() { n.lost.Store(true) }

// remove takes the object away too, as a cloud does, so that Kubernetes forgets its pods. The Canary goes
// before whoever binds the pods that its release needs.
func (n *standInNode) remove() {
	_, err := n.KubectlOutput(n.background(), "-n", n.ns, "delete", "canary", "podinfo", "--ignore-not-found", "--timeout=2m")
	if err != nil {
		n.Error(err)
	}
	n.cancel()
	if err := <-n.ended; err != nil && !errors.Is(err, context.Canceled) {
		n.Errorf("the stand-in node: %v", err)
	}
	n.must(client.IgnoreNotFound(n.Client.Delete(n.background(), n.object())))
	_, err = n.KubectlOutput(n.background(), "-n", n.ns, "delete", "pods", "--field-selector=spec.nodeName="+goneNode, "--force", "--grace-period=0")
	n.must(err)
}

// run does twice a second what a scheduler, and a kubelet as long as there is one, would do.
func (n *standInNode) run(ctx context.Context) error {
	for {
		if err := n.turn(ctx); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
}

func (n *standInNode) turn(ctx context.Context) error {
	if !n.lost.Load() {
		if err := n.beat(ctx); err != nil {
			return err
		}
	}
	var pods corev1.PodList
	if err := n.Client.List(ctx, &pods, client.InNamespace(n.ns)); err != nil {
		return err
	}
	canaries := 0
	for _, pod := range pods.Items {
		if isCanarys(&pod) && pod.DeletionTimestamp.IsZero() {
			canaries++
		}
	}
	for i := range pods.Items {
		if err := n.serve(ctx, &pods.Items[i], canaries); err != nil {
			return err
		}
	}
	return nil
}

func isCanarys(pod *corev1.Pod) bool { return pod.Labels["app"] == "podinfo-canary" }

// serve brings a pod on its way: the second of the canary to the stand-in, all others to the real node.
func (n *standInNode) serve(ctx context.Context, pod *corev1.Pod, canaries int) error {
	switch {
	case pod.Spec.NodeName == "" && pod.Spec.SchedulerName == byScene:
		to := realNode
		if isCanarys(pod) && canaries == 2 && !n.lost.Load() {
			to = goneNode
		}
		return n.Client.SubResource("binding").Create(ctx, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: to}})
	case pod.Spec.NodeName != goneNode || n.lost.Load():
		return nil
	case !pod.DeletionTimestamp.IsZero():
		return n.Client.Delete(ctx, pod, client.GracePeriodSeconds(0))
	case pod.Status.PodIP == "":
		return n.Client.Status().Update(ctx, n.runs(pod))
	}
	return nil
}

// runs is what a kubelet says of a pod that has started.
func (n *standInNode) runs(pod *corev1.Pod) *corev1.Pod {
	now := metav1.Now()
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &now
	pod.Status.PodIP, pod.Status.PodIPs = n.address, []corev1.PodIP{{IP: n.address}}
	pod.Status.Conditions = nil
	for _, c := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	return pod
}

// beat renews the node's Lease.
func (n *standInNode) beat(ctx context.Context) error {
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-node-lease", Name: goneNode}}
	_, err := controllerutil.CreateOrUpdate(ctx, n.Client, lease, func() error {
		lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: new(goneNode), LeaseDurationSeconds: new(int32(40)), RenewTime: &now}
		return nil
	})
	return err
}

// hosts is nil once a pod on the stand-in has an address that is served.
func (n *standInNode) hosts(ctx context.Context) error {
	var slices discoveryv1.EndpointSliceList
	if err := n.Client.List(ctx, &slices, client.InNamespace(n.ns)); err != nil {
		return err
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			if ptr.Deref(e.NodeName, "") == goneNode && ptr.Deref(e.Conditions.Ready, false) {
				return nil
			}
		}
	}
	return errors.New("no ready endpoint on it")
}
