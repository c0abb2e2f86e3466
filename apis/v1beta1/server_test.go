package v1beta1_test

import (
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// strictClient refuses unknown fields, as kubectl apply does.
func strictClient(t *testing.T) client.Client {
	t.Helper()
	cfg := apitest.Start(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// object is a manifest with a merge patch applied to it, both YAML.
func object(t *testing.T, manifest, patch string) *unstructured.Unstructured {
	t.Helper()
	base, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if patch == "" {
		patch = "{}"
	}
	change, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := jsonpatch.MergePatch(base, change)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(merged); err != nil {
		t.Fatal(err)
	}
	return u
}

// admission is a change of a valid manifest and the words it is refused with; none when it is taken.
type admission struct {
	patch   string
	refusal string
}

func admit(t *testing.T, manifest string, tests map[string]admission) {
	t.Helper()
	c := strictClient(t)
	ns := apitest.Namespace(t, c)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u := object(t, manifest, tt.patch)
			u.SetNamespace(ns)
			err := c.Create(t.Context(), u, client.DryRunAll)
			switch {
			case tt.refusal == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refusal != "" && err == nil:
				t.Errorf("taken, want refusal %q", tt.refusal)
			case tt.refusal != "" && !strings.Contains(err.Error(), tt.refusal):
				t.Errorf("refused with %v\nwant %q", err, tt.refusal)
			}
		})
	}
}
