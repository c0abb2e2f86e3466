package standin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// hashLabel tells the pods of one template from those of another, as the real one does.
	hashLabel = appsv1.DefaultDeploymentUniqueLabelKey
	// readyAt on a pod is when it has started; creation timestamps know whole seconds only.
	readyAt = "standin/ready-at"
	// lookAgain is how soon a pod that did not start is tried again.
	lookAgain = 200 * time.Millisecond
)

// kubelet makes a workload's pods. A new template's pods come all at once; the older ones go when all
// of them are ready.
type kubelet struct {
	Options
	client client.Client
}

// owner is whose pods are made: so many of a template.
type owner struct {
	client.Object
	template *corev1.PodTemplateSpec
	want     int
}

// deployments report on the pods of Deployments.
type deployments struct{ kubelet }

func (d *deployments) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var dep appsv1.Deployment
	if err := d.client.Get(ctx, req.NamespacedName, &dep); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	o := owner{Object: &dep, template: &dep.Spec.Template, want: int(ptr.Deref(dep.Spec.Replicas, 1))}
	return d.keep(ctx, o, func(have pods) error { return d.report(ctx, &dep, have) })
}

// pods of one workload by what they are.
type pods struct {
	fresh, old []corev1.Pod
}

// keep brings the pods to what their owner wants and lets report say what there is.
func (k *kubelet) keep(ctx context.Context, o owner, report func(pods) error) (reconcile.Result, error) {
	hash := templateHash(o.template)
	have, err := k.pods(ctx, o, hash)
	if err != nil {
		return reconcile.Result{}, err
	}
	next, err := k.start(ctx, have.fresh)
	if err == nil {
		err = k.size(ctx, o, hash, have)
	}
	if err == nil {
		err = report(have)
	}
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	return reconcile.Result{RequeueAfter: next}, err
}

func (k *kubelet) pods(ctx context.Context, o owner, hash string) (pods, error) {
	var l corev1.PodList
	if err := k.client.List(ctx, &l, client.InNamespace(o.GetNamespace()), client.MatchingFields{byOwner: string(o.GetUID())}); err != nil {
		return pods{}, err
	}
	var have pods
	for _, p := range l.Items {
		switch {
		case !p.DeletionTimestamp.IsZero():
		case p.Labels[hashLabel] == hash:
			have.fresh = append(have.fresh, p)
		default:
			have.old = append(have.old, p)
		}
	}
	return have, nil
}

// start makes pods ready whose time has come, in place, and says when to look again.
func (k *kubelet) start(ctx context.Context, fresh []corev1.Pod) (time.Duration, error) {
	var next time.Duration
	for i := range fresh {
		p := &fresh[i]
		if isReady(p) {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, p.Annotations[readyAt])
		if err != nil {
			return 0, err
		}
		wait := time.Until(at)
		if !k.Images.starts(&p.Spec) {
			wait = max(wait, lookAgain)
		}
		if wait > 0 {
			next = max(next, wait)
			continue
		}
		if err := k.makeReady(ctx, p); err != nil {
			return 0, err
		}
	}
	return next, nil
}

func (k *kubelet) makeReady(ctx context.Context, p *corev1.Pod) error {
	now := metav1.Now()
	p.Status.Phase = corev1.PodRunning
	p.Status.PodIP = address(p.Name)
	p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	p.Status.ContainerStatuses = nil
	for _, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses,
			corev1.ContainerStatus{Name: c.Name, Image: c.Image, ImageID: k.Images.id(c.Image), Ready: true})
	}
	return k.client.Status().Update(ctx, p)
}

// size creates what is missing of the present template and deletes what is too many.
func (k *kubelet) size(ctx context.Context, o owner, hash string, have pods) error {
	missing := map[string]bool{}
	for place := range o.want {
		missing[fmt.Sprintf("%s-%s-%d", o.GetName(), hash, place)] = true
	}
	var surplus []corev1.Pod
	for _, p := range have.fresh {
		if !missing[p.Name] {
			surplus = append(surplus, p)
		}
		delete(missing, p.Name)
	}
	for name := range missing {
		if err := k.create(ctx, o, hash, name); err != nil {
			return err
		}
	}
	if count(have.fresh) >= o.want {
		surplus = append(surplus, have.old...)
	}
	for i := range surplus {
		if err := k.client.Delete(ctx, &surplus[i], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// create makes a pod; one that is there already is one that the cache does not show yet.
func (k *kubelet) create(ctx context.Context, o owner, hash, name string) error {
	t := o.template.DeepCopy()
	p := &corev1.Pod{ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	p.Namespace, p.Name = o.GetNamespace(), name
	metav1.SetMetaDataLabel(&p.ObjectMeta, hashLabel, hash)
	metav1.SetMetaDataAnnotation(&p.ObjectMeta, readyAt, time.Now().Add(k.Startup).Format(time.RFC3339Nano))
	if err := controllerutil.SetControllerReference(o.Object, p, k.client.Scheme()); err != nil {
		return err
	}
	if err := k.client.Create(ctx, p); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// report writes the counts of what was seen, for the generation that was seen.
func (d *deployments) report(ctx context.Context, dep *appsv1.Deployment, have pods) error {
	ready := int32(count(have.fresh) + count(have.old))
	status := appsv1.DeploymentStatus{
		ObservedGeneration: dep.Generation,
		Replicas:           int32(len(have.fresh) + len(have.old)),
		UpdatedReplicas:    int32(len(have.fresh)),
		ReadyReplicas:      ready,
		AvailableReplicas:  ready,
		Conditions:         dep.Status.Conditions,
	}
	if equality.Semantic.DeepEqual(dep.Status, status) {
		return nil
	}
	dep.Status = status
	return d.client.Status().Update(ctx, dep)
}

func count(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		if isReady(&pods[i]) {
			n++
		}
	}
	return n
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func templateHash(t *corev1.PodTemplateSpec) string {
	b, err := json.Marshal(t)
	if err != nil { // a decoded template always encodes
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:8]
}

// address is the pod's own in 10.0.0.0/8, always the same.
func address(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("10.%d.%d.%d", sum[0], sum[1], sum[2])
}
