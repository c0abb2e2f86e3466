package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/notifier"
)

// What can be applied can be sent to.
func TestEveryTypeOfAlertProviderIsBuiltIn(t *testing.T) {
	data, err := os.ReadFile("../../deploy/crds/serin.dev_alertproviders.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, value := range crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["type"].Enum {
		want = append(want, string(bytes.Trim(value.Raw, `"`)))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), implementations.Alerts().Names()); diff != "" {
		t.Errorf("types (-CRD +built in):\n%s", diff)
	}
}

func TestSampleAlertProvidersAreTaken(t *testing.T) {
	for _, file := range []string{"slack.yaml", "alertproviders.yaml"} {
		providers, secrets := alertSamples(t, "../../deploy/samples/"+file)
		for _, p := range providers {
			build, err := implementations.Alerts().Get(p.Spec.Type)
			if err != nil {
				t.Fatal(err)
			}
			secret := secrets[p.Spec.SecretRef.Name]
			_, err = build(notifier.Config{
				Address: secret["address"], Token: secret["token"], SigningKey: secret["signingKey"],
				Channel: p.Spec.Channel, Username: p.Spec.Username, Proxy: p.Spec.Proxy, Template: p.Spec.Template,
			})
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
}

func alertSamples(t *testing.T, file string) (providers []v1beta1.AlertProvider, secrets map[string]map[string]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secrets = map[string]map[string]string{}
	documents := utilyaml.NewYAMLToJSONDecoder(bytes.NewReader(data))
	for {
		var raw struct {
			Kind string `json:"kind"`
			v1beta1.AlertProvider
			StringData map[string]string `json:"stringData"`
		}
		err := documents.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return providers, secrets
		}
		if err != nil {
			t.Fatal(err)
		}
		switch raw.Kind {
		case "AlertProvider":
			providers = append(providers, raw.AlertProvider)
		case "Secret":
			secrets[raw.Name] = raw.StringData
		}
	}
}
