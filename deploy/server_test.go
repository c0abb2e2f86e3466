package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // envtest's, and nothing that a test asserts
	apitest.Main(m)
}

const gatewayCRDs = "../e2e/gateway/crds"

// cluster is an API server with nothing behind it.
type cluster struct {
	client.Client
	config     *rest.Config
	kubeconfig string
}

func newCluster(t *testing.T) cluster {
	t.Helper()
	cfg := apitest.Start(t, gatewayCRDs)
	c, err := client.New(cfg, client.Options{Scheme: newScheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return cluster{client.WithFieldValidation(c, metav1.FieldValidationStrict), cfg, kubeconfig(t, cfg)}
}

func kubeconfig(t *testing.T, cfg *rest.Config) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "test",
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
		Clusters: map[string]*clientcmdapi.Cluster{"test": {
			Server: cfg.Host, CertificateAuthorityData: cfg.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"test": {
			ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData,
		}},
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func (c cluster) helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(helm(t), append(args, "--kubeconfig", c.kubeconfig, "--namespace", namespace)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c cluster) kubectl(t *testing.T, args ...string) {
	t.Helper()
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	if _, err := run(program, append(args, "--kubeconfig", c.kubeconfig)...); err != nil {
		t.Fatal(err)
	}
}

func (c cluster) namespaces(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		if client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
}

// tryAll applies the objects as a dry run, with unknown fields refused.
func (c cluster) tryAll(t *testing.T, all objects) {
	t.Helper()
	for _, o := range all {
		err := c.Patch(t.Context(), o, client.Apply, client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll) //nolint:staticcheck // what users apply are manifests, not apply configurations
		if err != nil && !meta.IsNoMatchError(err) {
			t.Errorf("%s %s: %v", kindOf(o).Kind, client.ObjectKeyFromObject(o), err)
		}
		if meta.IsNoMatchError(err) && !slices.Contains([]string{"PodMonitor", "ServiceMonitor"}, kindOf(o).Kind) {
			t.Error(err)
		}
	}
}

func TestServerTakesWhatTheChartRenders(t *testing.T) {
	c := newCluster(t)
	c.namespaces(t, namespace, "test", "shop")
	for name, args := range map[string][]string{
		"defaults":   nil,
		"everything": everything,
		"one namespace": append(slices.Clone(everything), "--set", "namespace=shop,prometheus.namespaces={test,shop},metrics.certSecret=metrics",
			"--set-json", `podMonitor.endpoint={"tlsConfig":{"certFile":"/tls.crt"}}`, "--set-json", `serviceMonitor.endpoint={"tlsConfig":{"certFile":"/tls.crt"}}`),
		"much on the pod": {"--set-json", `tolerations=[{"key":"a","operator":"Exists"}]`, "--set-json", `nodeSelector={"a":"b"}`,
			"--set-json", `affinity={"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Exists"}]}]}}}`,
			"--set-json", `additionalVolumes=[{"name":"ca","configMap":{"name":"ca"}}]`, "--set-json", `additionalVolumeMounts=[{"name":"ca","mountPath":"/ca"}]`,
			"--set-json", `env=[{"name":"HTTPS_PROXY","value":"http://proxy:3128"}]`, "--set", "leaderElection.enabled=false,podPriorityClassName=high",
			"--set", "image.pullSecret=a,imagePullSecrets[0].name=b,trustedLoadtesters={http://a/}"},
	} {
		t.Run(name, func(t *testing.T) { c.tryAll(t, mustTemplate(t, args...)) })
	}
}

func TestServerTakesTheSamples(t *testing.T) {
	c := newCluster(t)
	c.namespaces(t, "test")
	files, err := filepath.Glob("samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { c.tryAll(t, decode(t, string(data))) })
	}
}

// The strictest of the pod security standards is what many clusters demand of every namespace.
func TestPodsAreAdmittedToRestrictedNamespaces(t *testing.T) {
	c := newCluster(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "restricted-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(mustTemplate(t, everything...), build(t, "kustomize"), build(t, "samples"))
	for _, d := range list[*appsv1.Deployment](all) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, GenerateName: d.Name + "-"}, Spec: d.Spec.Template.Spec}
		// Nothing here creates service accounts, and admission asks for them.
		pod.Spec.ServiceAccountName = c.account(t, ns.Name)
		if err := c.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Errorf("pod of Deployment %s: %v", d.Name, err)
		}
	}
}

func (c cluster) account(t *testing.T, ns string) string {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "default"}}
	if err := c.Create(t.Context(), sa); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return sa.Name
}

// maxRelease is half of what a Secret, in which helm keeps a release, can hold: room for the CRDs to grow.
const maxRelease = 512 << 10

func TestReleaseFromInstallToUninstall(t *testing.T) {
	c := newCluster(t)
	c.withoutCRDs(t)
	c.helm(t, append([]string{"install", release, chart, "--create-namespace"}, installable()...)...)
	t.Cleanup(func() { c.uninstall(t) })

	t.Run("the record of the release fits into a Secret", func(t *testing.T) {
		var record corev1.Secret
		c.get(t, &record, "sh.helm.release.v1.serin.v1")
		if size := len(record.Data["release"]); size == 0 || size > maxRelease {
			t.Errorf("%d bytes, at most %d are wanted", size, maxRelease)
		}
	})
	t.Run("the notes say what was installed", func(t *testing.T) {
		notes := c.helm(t, "get", "notes", release)
		for _, want := range []string{
			"watches all namespaces", "http://serin-prometheus.serin-system:9090, installed with this release", "Slack",
			"-auth-audience serin-loadtester", "-auth-subject system:serviceaccount:serin-system:serin\n", "The CRDs and the canaries stay",
		} {
			if !strings.Contains(notes, want) {
				t.Errorf("%q is not in:\n%s", want, notes)
			}
		}
	})
	t.Run("the operator may do what it has to, and no more", func(t *testing.T) {
		c.hasRights(t, "serin")
	})
	t.Run("leader election can be given up and taken up again", func(t *testing.T) {
		for _, elect := range []string{"false", "true"} {
			c.helm(t, append([]string{"upgrade", release, chart}, append(installable(), "--set", "leaderElection.replicaCount=1,leaderElection.enabled="+elect)...)...)
		}
		var d appsv1.Deployment
		c.get(t, &d, "serin")
		if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType {
			t.Errorf("strategy %s", d.Spec.Strategy.Type)
		}
	})
	t.Run("canaries survive an uninstall and are taken up by the next install", func(t *testing.T) {
		canary := c.aCanary(t)
		released := c.playReleaseJob(t)
		c.helm(t, "uninstall", release)
		if !released() {
			t.Error("the uninstall did not wait for the Job that hands the traffic back")
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(canary), canary); err != nil {
			t.Fatalf("the canary is lost: %v", err)
		}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "serin"}, &appsv1.Deployment{}); !apierrors.IsNotFound(err) {
			t.Errorf("the operator is still there (%v)", err)
		}
		c.helm(t, append([]string{"install", release, chart}, installable()...)...)
	})
}

// installable is everything but the monitors, whose CRDs are not there.
func installable() []string {
	return append(slices.Clone(everything), "--set", "podMonitor.enabled=false,serviceMonitor.enabled=false",
		"--set-json", "configTracking.secretNamespaces=[]",
		"--set-json", fmt.Sprintf(`metricSecrets=[{"namespace":%q,"names":["keys"]}]`, namespace))
}

// playReleaseJob completes the Job of the pre-delete hook, for which nothing here starts a pod. The
// operator is still there by then.
func (c cluster) playReleaseJob(t *testing.T) (done func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan bool, 1)
	go func() {
		result <- wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			var job batchv1.Job
			err := errors.Join(c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "serin-release"}, &job),
				c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "serin"}, &appsv1.Deployment{}))
			if err != nil {
				return false, client.IgnoreNotFound(err)
			}
			now := metav1.Now()
			job.Status.StartTime, job.Status.CompletionTime, job.Status.Succeeded = &now, &now, 1
			for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
				job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
			}
			return c.Status().Update(ctx, &job) == nil, nil
		}) == nil
	}()
	return func() bool { cancel(); return <-result }
}

func (c cluster) uninstall(t *testing.T) {
	t.Helper()
	if _, err := run(helm(t), "uninstall", release, "--no-hooks", "--ignore-not-found", "--kubeconfig", c.kubeconfig, "--namespace", namespace); err != nil {
		t.Error(err)
	}
}

func (c cluster) get(t *testing.T, into client.Object, name string) {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
}

func (c cluster) aCanary(t *testing.T) *v1beta1.Canary {
	t.Helper()
	data, err := os.ReadFile("samples/canary-gloo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	canary := find[*v1beta1.Canary](t, decode(t, string(data)), "podinfo")
	canary.Namespace = apitest.Namespace(t, c)
	if err := c.Create(t.Context(), canary); err != nil {
		t.Fatal(err)
	}
	return canary
}

// withoutCRDs makes a cluster that Serin was never installed in of the one that apitest prepared.
func (c cluster) withoutCRDs(t *testing.T) {
	t.Helper()
	var crds apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(t.Context(), &crds); err != nil {
		t.Fatal(err)
	}
	for i := range crds.Items {
		crd := &crds.Items[i]
		if crd.Spec.Group != v1beta1.GroupVersion.Group {
			continue
		}
		if err := c.Delete(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			err := c.Get(ctx, client.ObjectKeyFromObject(crd), crd)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			t.Fatalf("CRD %s does not go away: %v", crd.Name, err)
		}
	}
}

// hasRights asks the API server what the operator's service account may do.
func (c cluster) hasRights(t *testing.T, account string) {
	t.Helper()
	in := func(ns, verb, resource, group, name string) authorizationv1.ResourceAttributes {
		resource, sub, _ := strings.Cut(resource, "/")
		return authorizationv1.ResourceAttributes{Namespace: ns, Verb: verb, Group: group, Resource: resource, Subresource: sub, Name: name}
	}
	for question, tc := range map[string]struct {
		ask  authorizationv1.ResourceAttributes
		want bool
	}{
		"follow canaries everywhere":         {in("", "watch", "canaries", "serin.dev", ""), true},
		"write a canary's status":            {in("shop", "update", "canaries/status", "serin.dev", ""), true},
		"change a canary's spec":             {in("shop", "update", "canaries", "serin.dev", ""), false},
		"scale a Deployment":                 {in("shop", "update", "deployments/scale", "apps", ""), true},
		"put a finalizer on a canary":        {in("shop", "patch", "canaries", "serin.dev", ""), true},
		"delete a canary":                    {in("shop", "delete", "canaries", "serin.dev", ""), false},
		"delete a Deployment that it made":   {in("shop", "delete", "deployments", "apps", ""), true},
		"delete a Service that it made":      {in("shop", "delete", "services", "", ""), true},
		"see whether a namespace goes":       {in("shop", "get", "namespaces", "", "shop"), true},
		"shift traffic":                      {in("shop", "patch", "routetables", "gateway.solo.io", ""), true},
		"take a route away":                  {in("shop", "delete", "routetables", "gateway.solo.io", ""), false},
		"touch a VirtualService":             {in("shop", "patch", "virtualservices", "gateway.solo.io", ""), false},
		"lead":                               {in(namespace, "update", "leases", "coordination.k8s.io", ""), true},
		"find other installs":                {in("", "list", "leases", "coordination.k8s.io", ""), true},
		"take another namespace's lead":      {in("kube-system", "update", "leases", "coordination.k8s.io", ""), false},
		"read a Secret that it was given":    {in(namespace, "get", "secrets", "", "keys"), true},
		"read another Secret beside it":      {in(namespace, "get", "secrets", "", "serin-slack"), false},
		"read such a Secret somewhere else":  {in("shop", "get", "secrets", "", "keys"), false},
		"list Secrets":                       {in(namespace, "list", "secrets", "", ""), false},
		"run commands in pods":               {in("shop", "create", "pods/exec", "", ""), false},
		"ask whose a token is":               {in("", "create", "tokenreviews", "authentication.k8s.io", ""), true},
		"give itself rights":                 {in("shop", "create", "rolebindings", "rbac.authorization.k8s.io", ""), false},
		"make tokens of service accounts":    {in("shop", "create", "serviceaccounts/token", "", ""), false},
		"copy ConfigMaps":                    {in("shop", "create", "configmaps", "", ""), true},
		"change ConfigMaps":                  {in("shop", "update", "configmaps", "", ""), false},
		"remove snapshots that are not used": {in("shop", "delete", "controllerrevisions", "apps", ""), true},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + namespace + ":" + account, ResourceAttributes: &tc.ask,
		}}
		if err := c.Create(t.Context(), review); err != nil {
			t.Fatal(err)
		}
		if review.Status.Allowed != tc.want {
			t.Errorf("may %s: %t, want %t (%s)", question, review.Status.Allowed, tc.want, review.Status.Reason)
		}
	}
}

func TestKubectlAppliesTheKustomizeBase(t *testing.T) {
	for _, how := range [][]string{nil, {"--server-side"}} {
		name := "client-side"
		if how != nil {
			name = "server-side"
		}
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.withoutCRDs(t)
			c.kubectl(t, append([]string{"apply", "-k", "kustomize"}, how...)...)
			t.Cleanup(func() { c.remove(t, build(t, "kustomize")) })
			// Once more, over what the server made of it.
			c.kubectl(t, append([]string{"apply", "-k", "kustomize"}, how...)...)
			c.get(t, &appsv1.Deployment{}, "serin")
			c.aCanary(t)
		})
	}
}

// remove takes away what an install would stumble over. The CRDs are the other tests' too, and a
// namespace never goes away on a server without controllers.
func (c cluster) remove(t *testing.T, all objects) {
	t.Helper()
	var failed []error
	for _, o := range all {
		if kind := kindOf(o).Kind; kind == "Namespace" || kind == "CustomResourceDefinition" {
			continue
		}
		failed = append(failed, client.IgnoreNotFound(c.Delete(context.Background(), o)))
	}
	if err := errors.Join(failed...); err != nil {
		t.Error(err)
	}
}
