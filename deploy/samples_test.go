package deploy_test

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
)

func sample(t *testing.T, name string) objects {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(data))
}

func TestSampleCanaryFitsTheApplication(t *testing.T) {
	canary := find[*v1beta1.Canary](t, sample(t, "canary-gloo.yaml"), "podinfo")
	app := sample(t, "podinfo.yaml")
	deployment := find[*appsv1.Deployment](t, app, canary.Spec.TargetRef.Name)
	scaler := find[*autoscalingv2.HorizontalPodAutoscaler](t, app, canary.Spec.AutoscalerRef.Name)
	if scaler.Spec.ScaleTargetRef.Name != deployment.Name {
		t.Errorf("the autoscaler scales %s", scaler.Spec.ScaleTargetRef.Name)
	}
	if deployment.Spec.Replicas != nil {
		t.Error("each apply of the Deployment would undo what the autoscaler did")
	}
	service := find[*corev1.Service](t, app, canary.ApexName())
	if service.Spec.Ports[0].Port != canary.Spec.Service.Port {
		t.Errorf("Service on port %d, canary on %d", service.Spec.Ports[0].Port, canary.Spec.Service.Port)
	}
	virtual := find[*unstructured.Unstructured](t, sample(t, "gloo-virtualservice.yaml"), "podinfo")
	routes, _, err := unstructured.NestedSlice(virtual.Object, "spec", "virtualHost", "routes")
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := unstructured.NestedString(routes[0].(map[string]any), "delegateAction", "ref", "name")
	ns, _, _ := unstructured.NestedString(routes[0].(map[string]any), "delegateAction", "ref", "namespace")
	if name != canary.ApexName() || ns != canary.Namespace {
		t.Errorf("the VirtualService delegates to %s/%s, the RouteTable is %s/%s", ns, name, canary.Namespace, canary.ApexName())
	}
}

// A strategy is a matter of the analysis alone: any of the samples can take the place of another.
func TestSampleStrategiesStandInForEachOther(t *testing.T) {
	first := find[*v1beta1.Canary](t, sample(t, "canary-gloo.yaml"), "podinfo")
	files, err := filepath.Glob("samples/canary-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "canary-gatewayapi.yaml" {
			continue // another router, not another strategy
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			other := find[*v1beta1.Canary](t, sample(t, filepath.Base(file)), "podinfo")
			if len(other.Spec.Analysis.Listed(true)) == 0 {
				t.Error("it has no step")
			}
			other.Spec.Analysis, other.Spec.RollbackWindow = first.Spec.Analysis, first.Spec.RollbackWindow
			if diff := cmp.Diff(first, other); diff != "" {
				t.Errorf("it differs from canary-gloo.yaml (-want +got):\n%s", diff)
			}
		})
	}
}

// Both samples are of one application, in one place.
func TestSampleOfTheGatewayAPIFitsTheApplicationToo(t *testing.T) {
	gloo := find[*v1beta1.Canary](t, sample(t, "canary-gloo.yaml"), "podinfo")
	canary := find[*v1beta1.Canary](t, sample(t, "canary-gatewayapi.yaml"), "podinfo")
	if canary.Namespace != gloo.Namespace || canary.Spec.TargetRef != gloo.Spec.TargetRef || canary.ApexName() != gloo.ApexName() || canary.Spec.Service.Port != gloo.Spec.Service.Port {
		t.Errorf("it is of %s/%s port %d", canary.Namespace, canary.ApexName(), canary.Spec.Service.Port)
	}
	if len(canary.Spec.Service.GatewayRefs) == 0 {
		t.Error("nothing says which Gateway the route is for")
	}
}

// The hooks reach the load tester that deploy/loadtester installs, and the base trusts it.
func TestSampleHooksReachATrustedLoadTester(t *testing.T) {
	canary := find[*v1beta1.Canary](t, sample(t, "canary-gloo.yaml"), "podinfo")
	tester := find[*corev1.Service](t, build(t, "loadtester"), "loadtester")
	_, c := operator(t, build(t, "kustomize"))
	for _, hook := range canary.Spec.Analysis.Webhooks {
		u, err := url.Parse(hook.URL)
		if err != nil {
			t.Fatal(err)
		}
		if want := tester.Name + "." + canary.Namespace; u.Host != want || tester.Spec.Ports[0].Port != 80 {
			t.Errorf("hook %s asks %s, the load tester is %s", hook.Name, u.Host, want)
		}
		if !slices.Contains(c.Args, "--trusted-loadtesters="+hook.URL) {
			t.Errorf("hook %s: the operator of the kustomize base does not trust %s", hook.Name, hook.URL)
		}
	}
}

func TestSampleTemplateAsksThePrometheusOfTheChart(t *testing.T) {
	template := find[*v1beta1.MetricTemplate](t, sample(t, "metrictemplate.yaml"), "not-found")
	_, c := operator(t, mustTemplate(t, "--set", "prometheus.install=true"))
	if !slices.Contains(c.Args, "--metrics-server="+template.Spec.Provider.Address) {
		t.Errorf("address %s is in none of %q", template.Spec.Provider.Address, c.Args)
	}
	query, err := metrics.Render(template.Spec.Query, metrics.Vars{Namespace: "test", Service: "podinfo", Name: "podinfo", Target: "podinfo-canary"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `envoy_cluster_name=~"test-podinfo-canaryupstream-[0-9]+_test"`; strings.Count(query, want) != 2 {
		t.Errorf("query does not select %s twice:\n%s", want, query)
	}
}

func TestSampleAlertProvidersCanReadTheirSecrets(t *testing.T) {
	operators := find[*rbacv1.ClusterRoleBinding](t, build(t, "kustomize"), "serin")
	for file, role := range map[string]string{"slack.yaml": "serin-secrets", "alertproviders.yaml": "serin-alerts"} {
		t.Run(file, func(t *testing.T) {
			all := sample(t, file)
			right := find[*rbacv1.Role](t, all, role)
			var want []string
			for _, provider := range list[*v1beta1.AlertProvider](all) {
				secret := find[*corev1.Secret](t, all, provider.Spec.SecretRef.Name)
				if secret.Namespace != provider.Namespace || right.Namespace != provider.Namespace {
					t.Errorf("AlertProvider in %s, Secret in %s, Role in %s", provider.Namespace, secret.Namespace, right.Namespace)
				}
				want = append(want, " secrets "+secret.Name+" get")
			}
			if got := rights(right.Rules); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
				t.Errorf("rights %q, want %q", got, want)
			}
			binding := find[*rbacv1.RoleBinding](t, all, role)
			if binding.Subjects[0] != operators.Subjects[0] {
				t.Errorf("bound to %+v, the operator is %+v", binding.Subjects[0], operators.Subjects[0])
			}
		})
	}
}
