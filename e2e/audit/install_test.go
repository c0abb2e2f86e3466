package audit

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// chart is what users install.
type chart struct {
	home  string
	all   []*unstructured.Unstructured
	rules int
}

// render renders the chart for a namespace, as helm install would.
func render(t *testing.T, home string, values ...string) *chart {
	t.Helper()
	args := []string{"tool", "helm", "template", "serin", "../charts/serin", "--namespace", home, "--kube-version", "1.36.0", "--set", "crd.create=false"}
	for _, v := range values {
		args = append(args, "--set", v)
	}
	var stderr bytes.Buffer
	helm := exec.CommandContext(t.Context(), "go", args...)
	helm.Dir, helm.Stderr = filepath.Join(root, "deploy", "tools"), &stderr
	out, err := helm.Output()
	if err != nil {
		t.Fatalf("render the chart: %v\n%s", err, &stderr)
	}
	return &chart{home: home, all: decode(t, string(out))}
}

// decode reads manifests.
func decode(t *testing.T, manifests string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		if len(u.Object) > 0 {
			all = append(all, u)
		}
	}
}

// accessKinds are what decides about rights; pods are not run here.
var accessKinds = []string{"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}

// install creates what decides about rights.
func (c *chart) install(t *testing.T, admin client.Client) {
	t.Helper()
	for _, u := range c.all {
		if slices.Contains(accessKinds, u.GetKind()) {
			must(t, admin.Create(t.Context(), u.DeepCopy()))
		}
	}
}

// user is the name by which the API server knows the operator.
func (c *chart) user() string { return "system:serviceaccount:" + c.home + ":serin" }

// kubeconfig has a token of the operator's ServiceAccount, as its pod has.
func (c *chart) kubeconfig(t *testing.T, admin client.Client, server *rest.Config) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "operator",
		Contexts:       map[string]*clientcmdapi.Context{"operator": {Cluster: "server", AuthInfo: "operator"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"server": {Server: server.Host, CertificateAuthorityData: server.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {Token: tokenOf(t, admin, c.home, "serin")}},
	}, path))
	return path
}

func tokenOf(t *testing.T, admin client.Client, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = namespace, name
	token := &authenticationv1.TokenRequest{}
	must(t, admin.SubResource("token").Create(t.Context(), account, token))
	return token.Status.Token
}

// granted takes apart what the operator's bindings grant, and counts the rules.
func (c *chart) granted(t *testing.T) []right {
	t.Helper()
	var all []right
	c.rules = 0
	for _, u := range c.all {
		if u.GetKind() != "RoleBinding" && u.GetKind() != "ClusterRoleBinding" {
			continue
		}
		var b rbacv1.RoleBinding // a ClusterRoleBinding has the same fields
		as(t, u, &b)
		if !slices.Contains(b.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: c.home, Name: "serin"}) {
			t.Fatalf("%s %s is of %v", u.GetKind(), b.Name, b.Subjects)
		}
		var role rbacv1.Role // a ClusterRole too
		as(t, c.find(t, b.RoleRef.Kind, b.Namespace, b.RoleRef.Name), &role)
		all = append(all, rights(role.Name, b.Namespace, role.Rules)...)
		c.rules += len(role.Rules)
	}
	return all
}

func (c *chart) find(t *testing.T, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	i := slices.IndexFunc(c.all, func(u *unstructured.Unstructured) bool {
		return u.GetKind() == kind && u.GetNamespace() == namespace && u.GetName() == name
	})
	if i < 0 {
		t.Fatalf("the chart has no %s %s/%s", kind, namespace, name)
	}
	return c.all[i]
}

// args are those of the operator's container.
func (c *chart) args(t *testing.T) []string {
	t.Helper()
	var d appsv1.Deployment
	as(t, c.find(t, "Deployment", c.home, "serin"), &d)
	return d.Spec.Template.Spec.Containers[0].Args
}

// releaseArgs are those of the Job that an uninstall runs.
func (c *chart) releaseArgs(t *testing.T) []string {
	t.Helper()
	var j batchv1.Job
	as(t, c.find(t, "Job", c.home, "serin-release"), &j)
	return j.Spec.Template.Spec.Containers[0].Args
}

func as(t *testing.T, u *unstructured.Unstructured, into any) {
	t.Helper()
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
