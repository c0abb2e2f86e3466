package stage

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/load/stream"
)

// Podinfo is the name of the application, its Canary, its Service and its route.
const Podinfo = "podinfo"

// Canary reads the application's Canary.
func (s *Stage) Canary(ctx context.Context, namespace string) (*v1beta1.Canary, error) {
	c := &v1beta1.Canary{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: Podinfo}, c)
	return c, err
}

// WaitCanary waits until the Canary is as it should be. want says what is missing, and whether
// waiting is in vain.
func (s *Stage) WaitCanary(ctx context.Context, namespace string, limit time.Duration, what string, want func(*v1beta1.Canary) (giveUp bool, missing error)) error {
	return Until(ctx, limit, what, func(ctx context.Context) (bool, error) {
		c, err := s.Canary(ctx, namespace)
		if err != nil {
			return false, err
		}
		return want(c)
	})
}

// WaitInitialized waits until the application is adopted.
func (s *Stage) WaitInitialized(ctx context.Context, namespace string) error {
	return s.WaitCanary(ctx, namespace, 3*time.Minute, "adopt "+namespace+"/"+Podinfo, func(c *v1beta1.Canary) (bool, error) {
		if c.Status.Phase == v1beta1.PhaseInitialized {
			return false, nil
		}
		return false, fmt.Errorf("phase %s: %s", c.Status.Phase, Why(c))
	})
}

// Why is what a Canary says of itself, for a failure's message.
func Why(c *v1beta1.Canary) string {
	var said []string
	for _, condition := range c.Status.Conditions {
		said = append(said, fmt.Sprintf("%s=%s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message))
	}
	if r := c.Status.Rollout; r != nil && r.Message != "" {
		said = append(said, r.Message)
	}
	return strings.Join(said, "; ")
}

// SetImage is what application teams type; it returns that line.
func (s *Stage) SetImage(ctx context.Context, namespace, tag string) (line string, err error) {
	args := []string{"-n", namespace, "set", "image", "deployment/" + Podinfo, "podinfod=stefanprodan/podinfo:" + tag}
	_, err = s.KubectlOutput(ctx, args...)
	return "kubectl " + strings.Join(args, " "), err
}

// Replicas of a Deployment: what it is set to, and how many pods it still has.
func (s *Stage) Replicas(ctx context.Context, namespace, name string) (set, pods int32, err error) {
	d := &appsv1.Deployment{}
	err = s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d)
	return ptr.Deref(d.Spec.Replicas, 1), d.Status.Replicas, err
}

// Through is the spec of requests through the gateway.
func (s *Stage) Through(ctx context.Context, host, path string, rate int) (stream.Spec, error) {
	return s.At(ctx, s.Gateway, "gateway-proxy", host, path, rate)
}

// At is the spec of requests at a Service, by its address: a lookup for each connection would measure
// the cluster's DNS as well.
func (s *Stage) At(ctx context.Context, namespace, service, host, path string, rate int) (stream.Spec, error) {
	svc := &corev1.Service{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: service}, svc); err != nil {
		return stream.Spec{}, err
	}
	return stream.Spec{
		URL:  fmt.Sprintf("http://%s:%d%s", svc.Spec.ClusterIP, svc.Spec.Ports[0].Port, path),
		Host: host, Rate: rate, Expect: http.StatusOK,
	}, nil
}

// WaitServing sends a few requests a second until all are answered: a gateway needs a moment for a new
// route, and every node for a new Service. Nothing was promised before that.
func (s *Stage) WaitServing(ctx context.Context, spec stream.Spec) error {
	// Scenes that play side by side do not ask the same.
	probe := fmt.Sprintf("probe-%x", sha256.Sum256([]byte(spec.URL+" "+spec.Host)))[:20]
	spec.Rate = 10
	if err := s.StartLoad(ctx, probe, spec); err != nil {
		return err
	}
	err := Until(ctx, time.Minute, "reach "+spec.URL+" "+spec.Host, func(ctx context.Context) (bool, error) {
		now := time.Now()
		report, err := s.Load(ctx, probe, now.Add(-2*time.Second))
		if err != nil {
			return false, err
		}
		if c := report.Between(now.Add(-2*time.Second), now.Add(-time.Second)); c.Sent == 0 || c.Failed > 0 {
			return false, fmt.Errorf("%v, %v", c, report.Failures)
		}
		return false, nil
	})
	_, stopErr := s.StopLoad(ctx, probe)
	if err == nil {
		err = stopErr
	}
	return err
}
