package suite

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
	"github.com/serin-dev/serin/e2e/load/stream"
)

const (
	userRate  = 100 // over HTTP/1.1; 200 with those of the newer protocols
	otherRate = 50  // over HTTP/2 and over gRPC, each
	faultRate = 10
	// settle is what the answers to the last requests may take to be counted.
	settle = 3 * time.Second
	// runTime is more than any run here needs.
	runTime = 5 * time.Minute
)

// analysis are the settings of a scene's Canary.
type analysis struct {
	interval  string
	step, max int
	threshold int
	// latency is the most that is allowed, in milliseconds.
	latency int
}

var (
	// fine takes the ten weights that manuals show, quick five. A machine that is busy with other
	// things fails neither: latencies are the subject of one scene only.
	fine  = analysis{interval: "5s", step: 5, max: 50, threshold: 3, latency: 9000}
	quick = analysis{interval: "5s", step: 10, max: 50, threshold: 3, latency: 9000}
)

// scene is an application under load.
type scene struct {
	*testing.T
	*stage.Stage
	gateway  gateway
	ns, host string
	route    *recorder
	tag      string // that was set last
	// protocol of its users.
	protocol string
	// grpc is the same podinfo once more, in a namespace of its own, for users of gRPC. Whatever a scene does
	// to the one it does to the other, and no request of either may fail. That one has none.
	grpc *scene
}

// prepare makes the namespace of a scene with podinfo as the samples have it, and no Canary yet.
func prepare(t *testing.T, name string) *scene {
	t.Helper()
	return prepareAt(t, gloo, name)
}

// prepareAt is such a namespace at another gateway than Gloo's.
func prepareAt(t *testing.T, g gateway, name string) *scene {
	t.Helper()
	s := newScene(t, g, name, stream.HTTP1)
	if !g.withoutGRPC {
		s.grpc = newScene(t, g, name+"-grpc", stream.GRPC)
	}
	s.both(func(s *scene) { s.applyPodinfo() })
	return s
}

func newScene(t *testing.T, g gateway, name, protocol string) *scene {
	t.Helper()
	s := &scene{T: t, Stage: set, gateway: g, ns: "e2e-" + name, host: name + ".example.com", protocol: protocol}
	s.must(s.Reset(t.Context(), s.ns))
	t.Cleanup(s.close)
	return s
}

// open is a scene whose podinfo is adopted and under load.
func open(t *testing.T, name string, a analysis) *scene {
	t.Helper()
	return openAt(t, gloo, name, a)
}

// openAt is such a scene at another gateway.
func openAt(t *testing.T, g gateway, name string, a analysis) *scene {
	t.Helper()
	s := prepareAt(t, g, name)
	s.adopt(a)
	return s.open()
}

// openSample is a scene whose Canary is a file of deploy/samples as it stands.
func openSample(t *testing.T, name, file string) *scene {
	t.Helper()
	return openSampleAt(t, gloo, name, file)
}

// openSampleAt is such a scene at another gateway.
func openSampleAt(t *testing.T, g gateway, name, file string) *scene {
	t.Helper()
	s := prepareAt(t, g, name)
	s.both(func(s *scene) { s.applySamples(append(slices.Clone(g.samples), file)...) })
	return s.open()
}

// open puts an application under load once its Canary has adopted it.
func (s *scene) open() *scene {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.must(s.WaitInitialized(s.Context(), s.ns))
		spec := s.through("/version", userRate)
		s.route = record(s.T, s.Client, s.gateway, s.ns)
		s.loadUsers("users", spec, spec.URL)
	})
	return s
}

// adopt applies route and Canary.
func (s *scene) adopt(a analysis) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.applySamples(s.gateway.samples...)
		s.apply(a.canary())
	})
}

func (a analysis) canary() string {
	return fmt.Sprintf(canaryManifest, a.interval, a.threshold, a.max, a.step, a.latency)
}

// canaryManifest has no hooks: the users' requests are what is judged.
const canaryManifest = `apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: test
spec:
  provider: gloo
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo}
  progressDeadlineSeconds: 150
  service:
    port: 9898
    targetPort: 9898
  analysis:
    interval: %s
    threshold: %d
    maxWeight: %d
    stepWeight: %d
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
      interval: 30s
    - name: request-duration
      thresholdRange: {max: %d}
      interval: 30s
`

// applySamples applies files of deploy/samples.
func (s *scene) applySamples(files ...string) {
	s.Helper()
	for _, file := range files {
		text, err := os.ReadFile(s.Path("deploy", "samples", file))
		s.must(err)
		s.apply(string(text))
	}
}

// apply applies a manifest that is written as the samples are, for the scene's namespace, host, gateway and
// protocol.
func (s *scene) apply(manifest string) {
	s.Helper()
	manifest = s.gateway.at(manifest, s.host)
	if s.protocol == stream.GRPC {
		manifest = overGRPC.Replace(manifest)
	}
	own := strings.NewReplacer("namespace: test\n", "namespace: "+s.ns+"\n", "serviceNamespace: test\n", "serviceNamespace: "+s.ns+"\n",
		"app.example.com", s.host, "http://loadtester.test/", "http://loadtester."+s.ns+"/")
	s.must(s.ApplyText(s.Context(), own.Replace(manifest)))
}

// through is what users send through the gateway.
func (s *scene) through(path string, rate int) stream.Spec {
	s.Helper()
	return s.to(s.gateway.namespace, s.gateway.name, s.host, path, rate)
}

// to is what users send to a Service; those of the newer protocols are fewer.
func (s *scene) to(namespace, service, host, path string, rate int) stream.Spec {
	s.Helper()
	spec, err := s.At(s.Context(), namespace, service, host, path, rate)
	s.must(err)
	if s.protocol != stream.HTTP1 {
		spec.Protocol, spec.Rate = s.protocol, min(rate, otherRate)
	}
	return spec
}

// loadUsers lets users in when somebody serves them, those of HTTP/2 at an address of their own.
func (s *scene) loadUsers(name string, spec stream.Spec, http2 string) {
	s.Helper()
	s.must(s.WaitServing(s.Context(), spec))
	s.load(name, spec)
	if s.protocol == stream.HTTP1 {
		spec.Protocol, spec.Rate, spec.URL = stream.HTTP2, otherRate, http2
		s.load(name+"-http2", spec)
	}
}

// load starts a stream that ends with the scene, which fails with any of its requests.
func (s *scene) load(name string, spec stream.Spec) {
	s.Helper()
	s.must(s.StartLoad(s.Context(), s.ns+"-"+name, spec))
	s.Cleanup(func() { s.noneFailed(s.endLoad(name)) })
}

// endLoad ends a stream, shows what it counted, and asserts that it kept to its rate for as long as it was.
func (s *scene) endLoad(name string) stream.Report {
	s.Helper()
	name = s.ns + "-" + name
	report, err := s.StopLoad(s.background(), name)
	if err != nil {
		s.Errorf("stop the load %s: %v", name, err)
		return report
	}
	protocol, to := cmp.Or(report.Spec.Protocol, "http1"), strings.TrimPrefix(report.Spec.URL, "http://")
	s.Logf("%s %s %s: %v", name, protocol, to, report.Total)
	if err := report.Unsent(); err != nil {
		s.Errorf("%s: %v", name, err)
	}
	return report
}

func (s *scene) noneFailed(r stream.Report) {
	s.Helper()
	if r.Total.Failed > 0 {
		s.Errorf("%d of %d requests failed, the first of them:\n%v", r.Total.Failed, r.Total.Sent, r.Failures)
	}
}

// setImage is the only thing that users do.
func (s *scene) setImage(tag string) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.tag = tag
		line, err := s.SetImage(s.Context(), s.ns, tag)
		s.must(err)
		s.Log(line)
	})
}

// until waits for the Canary.
func (s *scene) until(what string, done func(*v1beta1.Canary) bool) *v1beta1.Canary {
	s.Helper()
	var last *v1beta1.Canary
	s.must(s.WaitCanary(s.Context(), s.ns, runTime, what, func(c *v1beta1.Canary) (bool, error) {
		last = c
		if done(c) {
			return false, nil
		}
		return ended(c) && isRunning(c, s.tag), fmt.Errorf("phase %s, weight %s: %s", c.Status.Phase, c.Status.CanaryWeight, stage.Why(c))
	}))
	return last
}

// untilWeight waits until a revision has been given a weight. The one for gRPC need not keep step: it is
// in mid-run, too.
func (s *scene) untilWeight(tag string, weight int32) *v1beta1.Canary {
	s.Helper()
	if s.grpc != nil {
		s.grpc.untilWeight(tag, 1)
	}
	return s.until(fmt.Sprintf("weight %d", weight), func(c *v1beta1.Canary) bool {
		return isRunning(c, tag) && c.Status.CanaryWeight >= v1beta1.Percent(weight)
	})
}

// untilEnded waits for the end of a revision's rollout.
func (s *scene) untilEnded(tag string, want v1beta1.Outcome) (c *v1beta1.Canary) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		c = s.until(tag+" "+string(want), func(c *v1beta1.Canary) bool {
			return isRunning(c, tag) && ended(c) && c.Status.Rollout.Outcome == want
		})
		r := c.Status.Rollout
		s.Logf("%s %s after %v: %s", tag, r.Outcome, r.EndedAt.Sub(r.StartedAt.Time).Round(time.Second/10), r.Message)
	})
	return c
}

func isRunning(c *v1beta1.Canary, tag string) bool {
	return c.Status.Rollout != nil && strings.HasSuffix(c.Status.Rollout.Revision.Image, ":"+tag)
}

func ended(c *v1beta1.Canary) bool {
	return c.Status.Rollout != nil && c.Status.Rollout.EndedAt != nil
}

// serves asserts that users get one version, and that the canary has no pods left.
func (s *scene) serves(tag string) {
	s.Helper()
	s.both(func(s *scene) {
		s.Helper()
		s.must(stage.Until(s.Context(), time.Minute, "podinfo-canary at zero", func(ctx context.Context) (bool, error) {
			replicas, pods, err := s.Replicas(ctx, s.ns, "podinfo-canary")
			if err == nil && replicas+pods > 0 {
				err = fmt.Errorf("set to %d, %d pods", replicas, pods)
			}
			return false, err
		}))
	})
	s.usersGet(tag)
}

// usersGet asserts that they get one version from now on.
func (s *scene) usersGet(tag string) {
	s.Helper()
	from := time.Now().Truncate(time.Second).Add(time.Second)
	s.sleep(time.Until(from.Add(settle)))
	s.both(func(s *scene) {
		s.Helper()
		if now := s.users(from, from.Add(time.Second)); now.Share(tag) != 100 {
			s.Errorf("users get %v, want %s only", now, tag)
		}
	})
}

// users is what users got in a span.
func (s *scene) users(from, to time.Time) stream.Count {
	s.Helper()
	report, err := s.Load(s.Context(), s.ns+"-users", from)
	s.must(err)
	return report.Between(from, to)
}

// sleep is for what takes its time by the scene's plan; nothing is waited for by it.
func (s *scene) sleep(d time.Duration) {
	s.Helper()
	select {
	case <-s.Context().Done():
		s.Fatal(s.Context().Err())
	case <-time.After(d):
	}
}

func (s *scene) kubectl(args ...string) {
	s.Helper()
	_, err := s.KubectlOutput(s.Context(), args...)
	s.must(err)
}

// scaler sizes a Deployment that all scenes share. Whatever becomes of this one, it has one pod again.
func (s *scene) scaler(namespace, deployment string) (scale func(replicas int)) {
	s.Helper()
	args := func(replicas int) []string {
		return []string{"-n", namespace, "scale", "deployment", deployment, fmt.Sprintf("--replicas=%d", replicas)}
	}
	s.Cleanup(func() { _, _ = set.KubectlOutput(s.background(), args(1)...) })
	return func(replicas int) {
		s.Helper()
		s.kubectl(args(replicas)...)
	}
}

// background is for what must be done when the scene's own time is over.
func (s *scene) background() context.Context { return context.WithoutCancel(s.Context()) }

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// close shows what may explain a failure and removes the namespace, unless all is to be kept.
func (s *scene) close() {
	ctx := s.background()
	if s.Failed() {
		for _, args := range [][]string{
			{"-n", s.ns, "get", "pods,deployments,canaries"},
			{"-n", s.ns, "describe", "canary", "podinfo"},
			{"-n", s.Operator, "logs", "deployment/" + s.Release, "--tail=30"},
		} {
			out, err := s.KubectlOutput(ctx, args...)
			s.Logf("kubectl %s\n%s%v", strings.Join(args, " "), out, err)
		}
	}
	if s.Keep {
		return
	}
	if _, err := s.KubectlOutput(ctx, "delete", "namespace", s.ns, "--wait=false"); err != nil {
		s.Error(err)
	}
}
