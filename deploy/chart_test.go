package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// everything is a set of values that installs all that the chart can install.
var everything = []string{
	"--set", "prometheus.install=true",
	"--set", "slack.url=https://hooks.example.com/x",
	"--set", "slack.proxyUrl=http://user:password@proxy.example.com:3128",
	"--set-json", `podMonitor={"enabled":true,"endpoint":{"authorization":{"credentials":{"name":"scraper","key":"token"}}}}`,
	"--set", "serviceMonitor.enabled=true",
	"--set", "podDisruptionBudget.enabled=true",
	"--set", "leaderElection.replicaCount=2",
	"--set", "trustedLoadtesters={http://loadtester.test/,https://loadtester.shop/}",
	"--set-json", `metricSecrets=[{"namespace":"test","names":["a","b"]},{"namespace":"shop","names":["c"]},{"namespace":"test","names":["b","d"]}]`,
	"--set-json", `configTracking.secretNamespaces=["test","shop","test"]`,
	"--set-json", `imagePullSecrets=[{"name":"registry"}]`,
}

func TestFlagsFollowTheValues(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"nothing set": {nil, []string{
			"--provider=gloo", "--metrics-server=http://prometheus:9090", "--selector-labels=app,name,app.kubernetes.io/name",
			"--slack-user=serin", "--config-tracking=true", "--leader-elect=true", "--metrics-bind-address=:8443", "--metrics-auth=kubernetes", "--health-probe-bind-address=:8081", "--log-level=info",
		}},
		"what the field's users set": {
			[]string{"--set", "meshProvider=istio,metricsServer=http://prometheus.monitoring:9090,clusterName=prod: eu,namespace=shop,logLevel=debug",
				"--set", `selectorLabels=app\,component,slack.channel=#rollouts,slack.user=canary bird`},
			[]string{
				"--provider=istio", "--metrics-server=http://prometheus.monitoring:9090", "--selector-labels=app,component",
				"--slack-user=canary bird", "--slack-channel=#rollouts", "--cluster-name=prod: eu", "--namespace=shop",
				"--config-tracking=true", "--leader-elect=true", "--metrics-bind-address=0", "--health-probe-bind-address=:8081", "--log-level=debug",
			},
		},
		"a share of the canaries": {
			[]string{"--set", "shard=b"},
			[]string{
				"--provider=gloo", "--metrics-server=http://prometheus:9090", "--selector-labels=app,name,app.kubernetes.io/name", "--slack-user=serin",
				"--shard=b", "--config-tracking=true", "--leader-elect=true", "--metrics-bind-address=:8443", "--metrics-auth=kubernetes", "--health-probe-bind-address=:8081", "--log-level=info",
			},
		},
		"the Prometheus that comes with it is asked": {
			[]string{"--set", "prometheus.install=true,metricsServer=http://elsewhere:9090"},
			[]string{
				"--provider=gloo", "--metrics-server=http://serin-prometheus.serin-system:9090", "--selector-labels=app,name,app.kubernetes.io/name",
				"--slack-user=serin", "--config-tracking=true", "--leader-elect=true", "--metrics-bind-address=:8443", "--metrics-auth=kubernetes", "--health-probe-bind-address=:8081", "--log-level=info",
			},
		},
		"metrics for certificates": {
			[]string{"--set", "namespace=shop,metrics.certSecret=metrics,slack.user=s"},
			[]string{
				"--provider=gloo", "--metrics-server=http://prometheus:9090", "--selector-labels=app,name,app.kubernetes.io/name", "--slack-user=s", "--namespace=shop",
				"--config-tracking=true", "--leader-elect=true", "--metrics-bind-address=:8443", "--metrics-auth=certificate", "--metrics-cert-dir=/var/run/secrets/serin-metrics",
				"--health-probe-bind-address=:8081", "--log-level=info",
			},
		},
		"metrics for everybody, and templates of others": {
			[]string{"--set", "metrics.auth=none,referenceNamespaces={ops,*},slack.user=s"},
			[]string{
				"--provider=gloo", "--metrics-server=http://prometheus:9090", "--selector-labels=app,name,app.kubernetes.io/name", "--slack-user=s",
				"--config-tracking=true", "--reference-namespaces=ops,*", "--leader-elect=true", "--metrics-bind-address=:8080", "--metrics-auth=none",
				"--health-probe-bind-address=:8081", "--log-level=info",
			},
		},
		"load testers and more": {
			[]string{"--set", "trustedLoadtesters={http://a/,http://b/},allowedAddresses={10.0.0.0/8,fd00::/8,*.example.com,prometheus.shop,::1,127.0.0.1},leaderElection.enabled=false,extraArgs={--log-format=text}"},
			[]string{
				"--provider=gloo", "--metrics-server=http://prometheus:9090", "--selector-labels=app,name,app.kubernetes.io/name",
				"--slack-user=serin",
				"--trusted-loadtesters=http://a/,http://b/", "--loadtester-token-file=/var/run/secrets/serin-loadtester/token",
				"--config-tracking=true", "--allowed-addresses=10.0.0.0/8,fd00::/8,*.example.com,prometheus.shop,::1,127.0.0.1", "--leader-elect=false", "--metrics-bind-address=:8443", "--metrics-auth=kubernetes", "--health-probe-bind-address=:8081", "--log-level=info", "--log-format=text",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := operator(t, mustTemplate(t, tc.args...))
			if diff := cmp.Diff(tc.want, c.Args); diff != "" {
				t.Errorf("args (-want +got):\n%s", diff)
			}
		})
	}
}

// A flag that the operator does not know stops it at start.
func TestTheOperatorKnowsItsFlags(t *testing.T) {
	sources, err := filepath.Glob("../cmd/serin/*.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, file := range sources {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range flagDefinition.FindAllStringSubmatch(string(data), -1) {
			known["--"+found[1]] = true
		}
	}
	given := append(slices.Clone(everything), "--set", "namespace=shop,clusterName=prod,slack.channel=c,metrics.certSecret=x,podMonitor.enabled=false,serviceMonitor.enabled=false")
	for _, all := range []objects{mustTemplate(t, given...), build(t, "kustomize")} {
		_, c := operator(t, all)
		for _, arg := range c.Args {
			if name, _, _ := strings.Cut(arg, "="); !known[name] {
				t.Errorf("cmd/serin has no flag %s", name)
			}
		}
	}
	for _, arg := range releaseJob(t, given...).Containers[0].Args[1:] {
		if name, _, _ := strings.Cut(arg, "="); !known[name] {
			t.Errorf("serin release has no flag %s", name)
		}
	}
}

// releaseJob is the pod of the Job that an uninstall waits for.
func releaseJob(t *testing.T, args ...string) corev1.PodSpec {
	t.Helper()
	return find[*batchv1.Job](t, mustTemplate(t, args...), "serin-release").Spec.Template.Spec
}

// TestAnUninstallReleasesEverythingFirst: with the operator's own image, rights and defaults, within
// the time that helm waits, and in no pod that counts as an operator.
func TestAnUninstallReleasesEverythingFirst(t *testing.T) {
	all := mustTemplate(t, "--set", "namespace=shop,shard=b,meshProvider=istio,image.tag=v9")
	job := find[*batchv1.Job](t, all, "serin-release")
	pod, operator := operator(t, all)
	got := job.Spec.Template.Spec
	if job.Annotations["helm.sh/hook"] != "pre-delete" || got.ServiceAccountName != pod.ServiceAccountName || got.Containers[0].Image != operator.Image {
		t.Errorf("the Job is %v, with %s and %s", job.Annotations, got.ServiceAccountName, got.Containers[0].Image)
	}
	want := []string{"release", "--all", "--force", "--timeout=270s", "--provider=istio", "--metrics-server=http://prometheus:9090",
		"--selector-labels=app,name,app.kubernetes.io/name", "--namespace=shop", "--shard=b", "--config-tracking=true", "--log-level=info"}
	if diff := cmp.Diff(want, got.Containers[0].Args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	if limit := ptr.Deref(job.Spec.ActiveDeadlineSeconds, 0); limit <= 270 || limit >= 300 {
		t.Errorf("it may run for %d s: want more than it takes, and less than helm waits", limit)
	}
	selector, err := metav1.LabelSelectorAsSelector(find[*appsv1.Deployment](t, all, "serin").Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	if selector.Matches(labels.Set(job.Spec.Template.Labels)) {
		t.Error("the Job's pod counts as one of the operator's")
	}
}

// TestTheReleaseJobCallsWhomTheOperatorCalls: what a hook or an alert leads to is allowed to both, and load testers
// know both by their token.
func TestTheReleaseJobCallsWhomTheOperatorCalls(t *testing.T) {
	given := []string{"--set", "clusterName=prod,eventWebhook=http://events.test/,trustedLoadtesters={http://a/,http://b/},allowedAddresses={10.0.0.0/8},referenceNamespaces={ops}"}
	pod, c := operator(t, mustTemplate(t, given...))
	job := releaseJob(t, given...)
	for _, flag := range []string{"--cluster-name", "--event-webhook", "--trusted-loadtesters", "--loadtester-token-file", "--allowed-addresses", "--reference-namespaces", "--metrics-server"} {
		i := slices.IndexFunc(c.Args, func(arg string) bool { return strings.HasPrefix(arg, flag+"=") })
		if i < 0 || !slices.Contains(job.Containers[0].Args, c.Args[i]) {
			t.Errorf("%s of the operator's %q is not in the Job's %q", flag, c.Args, job.Containers[0].Args)
		}
	}
	if diff := cmp.Diff(pod.Volumes, job.Volumes); diff != "" {
		t.Errorf("volumes (-operator +Job):\n%s", diff)
	}
	if diff := cmp.Diff(c.VolumeMounts, job.Containers[0].VolumeMounts); diff != "" {
		t.Errorf("mounts (-operator +Job):\n%s", diff)
	}
}

var flagDefinition = regexp.MustCompile(`Var\(&[\w.]+, "([a-z-]+)"`)

func TestPodsRunWithTheLeastThatWorks(t *testing.T) {
	want := &corev1.SecurityContext{
		RunAsNonRoot:             new(true),
		ReadOnlyRootFilesystem:   new(true),
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	all := mustTemplate(t, everything...)
	deployments := list[*appsv1.Deployment](all)
	if len(deployments) != 2 {
		t.Fatalf("%d Deployments, want the operator and Prometheus", len(deployments))
	}
	for _, d := range deployments {
		pod := d.Spec.Template.Spec
		for _, c := range pod.Containers {
			got := c.SecurityContext.DeepCopy()
			got.RunAsUser = nil // Prometheus's image needs one, the operator's has one
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("security context of %s/%s (-want +got):\n%s", d.Name, c.Name, diff)
			}
			if c.LivenessProbe == nil || c.ReadinessProbe == nil || cmp.Equal(c.LivenessProbe.HTTPGet, c.ReadinessProbe.HTTPGet) {
				t.Errorf("%s/%s: readiness and liveness must be asked apart", d.Name, c.Name)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s/%s has no CPU request or no memory limit", d.Name, c.Name)
			}
		}
	}
	for _, sa := range list[*corev1.ServiceAccount](all) {
		if ptr.Deref(sa.AutomountServiceAccountToken, true) {
			t.Errorf("every pod with ServiceAccount %s gets its token", sa.Name)
		}
	}
}

func TestSlackIsInASecretAndNowhereElse(t *testing.T) {
	const url, token, proxy = "https://hooks.example.com/T0/B0/secret", "xoxb-very-secret", "http://me:secret@proxy:3128"
	out, err := template(t, "--set", "slack.url="+url+",slack.token="+token+",slack.channel=c,slack.proxyUrl="+proxy)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{url, token, proxy} {
		if strings.Contains(out, secret) {
			t.Errorf("%s is in the clear in:\n%s", secret, out)
		}
	}
	all := decode(t, out)
	for name, want := range map[string]map[string][]byte{
		"serin-slack":       {"address": []byte(url), "token": []byte(token)},
		"serin-slack-proxy": {"proxyUrl": []byte(proxy)},
	} {
		if diff := cmp.Diff(want, find[*corev1.Secret](t, all, name).Data); diff != "" {
			t.Errorf("Secret %s (-want +got):\n%s", name, diff)
		}
	}
	_, c := operator(t, all)
	if diff := cmp.Diff(map[string]string{
		"SLACK_URL": "serin-slack/address", "SLACK_TOKEN": "serin-slack/token", "SLACK_PROXY_URL": "serin-slack-proxy/proxyUrl",
	}, secretEnv(c)); diff != "" {
		t.Errorf("variables from Secrets (-want +got):\n%s", diff)
	}
}

func TestSlackSecretOfTheUsersOwn(t *testing.T) {
	all := mustTemplate(t, "--set", "slack.existingSecret=mine,slack.channel=c")
	if secrets := list[*corev1.Secret](all); len(secrets) > 0 {
		t.Errorf("Secret %s was made beside the user's", secrets[0].Name)
	}
	_, c := operator(t, all)
	if diff := cmp.Diff(map[string]string{"SLACK_URL": "mine/address", "SLACK_TOKEN": "mine/token"}, secretEnv(c)); diff != "" {
		t.Errorf("variables from Secrets (-want +got):\n%s", diff)
	}
}

func secretEnv(c corev1.Container) map[string]string {
	found := map[string]string{}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			found[e.Name] = e.ValueFrom.SecretKeyRef.Name + "/" + e.ValueFrom.SecretKeyRef.Key
		}
	}
	return found
}

// A pod reads its variables once: a new token must bring a new pod.
func TestNewSlackTokenRestartsTheOperator(t *testing.T) {
	checksum := func(token string) string {
		all := mustTemplate(t, "--set", "slack.channel=c,slack.token="+token)
		return find[*appsv1.Deployment](t, all, "serin").Spec.Template.Annotations["checksum/slack"]
	}
	if one, two := checksum("one"), checksum("two"); one == "" || one == two {
		t.Errorf("checksums %q and %q of two tokens", one, two)
	}
}

func TestTokenForLoadTestersIsGoodForNothingElse(t *testing.T) {
	pod, c := operator(t, mustTemplate(t, "--set", "trustedLoadtesters={http://loadtester.test/}"))
	var audiences []string
	for _, v := range pod.Volumes {
		for _, source := range v.Projected.Sources {
			audiences = append(audiences, source.ServiceAccountToken.Audience)
		}
	}
	if !slices.Equal(audiences, []string{"serin-loadtester"}) {
		t.Errorf("audiences %q", audiences)
	}
	if len(c.VolumeMounts) != 1 || !c.VolumeMounts[0].ReadOnly || c.VolumeMounts[0].MountPath != "/var/run/secrets/serin-loadtester" {
		t.Errorf("mounts %+v", c.VolumeMounts)
	}
	if pod, _ := operator(t, mustTemplate(t)); len(pod.Volumes) > 0 {
		t.Errorf("a token is mounted that goes nowhere: %+v", pod.Volumes)
	}
}

func TestCRDsAreTheGeneratedOnesAndSurvive(t *testing.T) {
	sources, err := filepath.Glob("crds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := mustTemplate(t)
	if n := len(list[*apiextensionsv1.CustomResourceDefinition](all)); n != len(sources) || n < 3 {
		t.Fatalf("%d CRDs of %d are in the chart", n, len(sources))
	}
	for _, file := range sources {
		var source apiextensionsv1.CustomResourceDefinition
		load(t, file, &source)
		got := find[*apiextensionsv1.CustomResourceDefinition](t, all, source.Name)
		if got.Annotations["helm.sh/resource-policy"] != "keep" {
			t.Errorf("an uninstall takes CRD %s away, and all objects of its kind with it", source.Name)
		}
		if !cmp.Equal(source.Spec, got.Spec) { // the difference would fill pages
			t.Errorf("CRD %s is not that of deploy/crds: run go run ./deploy/gen", source.Name)
		}
		data, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if size := max(len(data), int(info.Size())); size >= maxObject {
			t.Errorf("CRD %s has %d bytes: kubectl apply cannot handle more than %d", source.Name, size, maxObject)
		}
	}
	if left := list[*apiextensionsv1.CustomResourceDefinition](mustTemplate(t, "--set", "crd.create=false")); len(left) > 0 {
		t.Errorf("crd.create=false leaves CRD %s", left[0].Name)
	}
}

func TestOneOperatorStopsBeforeTheNextWithoutLeaderElection(t *testing.T) {
	d := find[*appsv1.Deployment](t, mustTemplate(t, "--set", "leaderElection.enabled=false"), "serin")
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType || *d.Spec.Replicas != 1 {
		t.Errorf("strategy %s with %d replicas", d.Spec.Strategy.Type, *d.Spec.Replicas)
	}
}

func TestMonitorsFindTheMetricsPort(t *testing.T) {
	all := mustTemplate(t, everything...)
	_, c := operator(t, all)
	if i := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == "metrics" }); i < 0 || c.Ports[i].ContainerPort != 8443 {
		t.Errorf("ports %+v", c.Ports)
	}
	pod := find[*appsv1.Deployment](t, all, "serin").Spec.Template
	service := find[*corev1.Service](t, all, "serin-metrics")
	for key, value := range service.Spec.Selector {
		if pod.Labels[key] != value {
			t.Errorf("Service serin-metrics selects %s=%s, the pod has %q", key, value, pod.Labels[key])
		}
	}
	if service.Spec.Ports[0].TargetPort.StrVal != "metrics" || service.Spec.Ports[0].Name != "metrics" {
		t.Errorf("port %+v of Service serin-metrics", service.Spec.Ports[0])
	}
	if !has(all, "PodMonitor", "serin") || !has(all, "ServiceMonitor", "serin") {
		t.Error("a monitor is missing")
	}
	// Prometheus's own Service must not be taken for the operator's.
	prometheus := find[*corev1.Service](t, all, "serin-prometheus")
	if prometheus.Labels["app.kubernetes.io/name"] == service.Labels["app.kubernetes.io/name"] {
		t.Error("the operator's ServiceMonitor selects the Service of Prometheus too")
	}
}

// TestMonitorsAreLetIn: a ServiceMonitor has Prometheus show its own token, and what a user says of an endpoint
// has the last word.
func TestMonitorsAreLetIn(t *testing.T) {
	monitored := []string{"--set", "podMonitor.enabled=true,serviceMonitor.enabled=true"}
	mutual := `{"tlsConfig":{"cert":{"secret":{"name":"scraper","key":"tls.crt"}}}}`
	for name, tc := range map[string]struct {
		args         []string
		service, pod map[string]any
	}{
		"by a token": {
			[]string{"--set-json", `podMonitor.endpoint={"authorization":{"credentials":{"name":"scraper","key":"token"}}}`},
			map[string]any{"port": "metrics", "scheme": "https", "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token", "tlsConfig": map[string]any{"insecureSkipVerify": true}},
			map[string]any{"port": "metrics", "scheme": "https", "authorization": map[string]any{"credentials": map[string]any{"name": "scraper", "key": "token"}}, "tlsConfig": map[string]any{"insecureSkipVerify": true}},
		},
		"by a certificate": {
			[]string{"--set", "metrics.auth=certificate,metrics.certSecret=x", "--set-json", "podMonitor.endpoint=" + mutual, "--set-json", "serviceMonitor.endpoint=" + mutual},
			map[string]any{"port": "metrics", "scheme": "https", "tlsConfig": map[string]any{"cert": map[string]any{"secret": map[string]any{"name": "scraper", "key": "tls.crt"}}}},
			map[string]any{"port": "metrics", "scheme": "https", "tlsConfig": map[string]any{"cert": map[string]any{"secret": map[string]any{"name": "scraper", "key": "tls.crt"}}}},
		},
		"by nothing": {[]string{"--set", "metrics.auth=none"}, map[string]any{"port": "metrics"}, map[string]any{"port": "metrics"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := mustTemplate(t, append(slices.Clone(monitored), tc.args...)...)
			for kind, want := range map[string]map[string]any{"ServiceMonitor": tc.service, "PodMonitor": tc.pod} {
				field := map[string]string{"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}[kind]
				if diff := cmp.Diff([]any{want}, monitor(t, all, kind).Object["spec"].(map[string]any)[field]); diff != "" {
					t.Errorf("endpoints of the %s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

func monitor(t *testing.T, all objects, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, u := range list[*unstructured.Unstructured](all) {
		if u.GetKind() == kind {
			return u
		}
	}
	t.Fatalf("no %s was rendered", kind)
	return nil
}

// TestPodsAreAnnotatedForScrapersWithoutACredential: others would only collect refusals.
func TestPodsAreAnnotatedForScrapersWithoutACredential(t *testing.T) {
	for auth, want := range map[string]map[string]string{"none": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "a": "b"}, "kubernetes": {"a": "b"}} {
		got := find[*appsv1.Deployment](t, mustTemplate(t, "--set", "podAnnotations.a=b,metrics.auth="+auth), "serin").Spec.Template.Annotations
		delete(got, "checksum/slack")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("annotations with %s (-want +got):\n%s", auth, diff)
		}
	}
}

func TestBudgetDoesNotHoldUpDrains(t *testing.T) {
	budget := find[*policyv1.PodDisruptionBudget](t, mustTemplate(t, everything...), "serin")
	if got := ptr.Deref(budget.Spec.UnhealthyPodEvictionPolicy, ""); got != policyv1.AlwaysAllow {
		t.Errorf("unhealthyPodEvictionPolicy %q", got)
	}
}

// A chart that another one depends on is given a value of Helm's own, which a strict schema has to know.
func TestChartCanBeAnotherOnesDependency(t *testing.T) {
	parent := t.TempDir()
	if err := os.CopyFS(filepath.Join(parent, "charts", "serin"), os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: platform\nversion: 1.0.0\n",
		"values.yaml": "global:\n  team: platform\nserin:\n  clusterName: prod\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(parent, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(helm(t), "template", "platform", parent, "--kube-version", "1.36.0")
	if err != nil {
		t.Fatal(err)
	}
	d := find[*appsv1.Deployment](t, decode(t, out), "platform-serin")
	if !slices.Contains(d.Spec.Template.Spec.Containers[0].Args, "--cluster-name=prod") {
		t.Errorf("args %q", d.Spec.Template.Spec.Containers[0].Args)
	}
}

func TestNamesAreValidHoweverLongTheRelease(t *testing.T) {
	long := strings.Repeat("r", 53) // the longest that helm takes
	out, err := run(helm(t), append([]string{"template", long, chart, "--namespace", namespace, "--kube-version", "1.36.0"}, everything...)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range decode(t, out) {
		if len(o.GetName()) > 63 {
			t.Errorf("%s %s has %d characters", kindOf(o).Kind, o.GetName(), len(o.GetName()))
		}
	}
	if roles := list[*rbacv1.ClusterRole](decode(t, out)); len(roles) == 0 {
		t.Error("no roles were rendered")
	}
}

func TestLintIsSilent(t *testing.T) {
	for name, args := range map[string][]string{"defaults": nil, "everything": everything} {
		out, err := run(helm(t), append([]string{"lint", chart, "--strict", "--quiet", "--kube-version", "1.36.0"}, args...)...)
		if err != nil || strings.TrimSpace(out) != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
