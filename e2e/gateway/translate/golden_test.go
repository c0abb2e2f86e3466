package translate_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var settings = translate.Settings{Namespace: "gloo-system", Address: "0.0.0.0", Port: 8080}

// TestGolden shows whole translations: what Envoy gets and what users read.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range inputs {
		if strings.HasSuffix(input, ".golden.yaml") {
			continue
		}
		t.Run(filepath.Base(input), func(t *testing.T) {
			file, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			got := show(t, translate.Translate(gatewaytest.World(t, file), settings))
			golden := strings.TrimSuffix(input, ".yaml") + ".golden.yaml"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("translation of %s (-want +got; -update rewrites it):\n%s", input, diff)
			}
		})
	}
}

func show(t *testing.T, r translate.Result) []byte {
	t.Helper()
	clusters := map[string]any{}
	for _, c := range r.Clusters {
		clusters[c.Name] = message(t, c)
	}
	endpoints := map[string][]string{}
	for _, e := range r.Endpoints {
		endpoints[e.ClusterName] = addresses(e)
	}
	statuses := map[string]translate.Status{}
	for id, s := range r.Statuses {
		statuses[fmt.Sprintf("%s %s", id.Kind.Kind, id.Ref)] = s
	}
	out, err := yaml.Marshal(map[string]any{
		"routes": message(t, r.Routes), "clusters": clusters, "endpoints": endpoints, "statuses": statuses,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func addresses(e *endpointv3.ClusterLoadAssignment) []string {
	found := []string{}
	for _, l := range e.Endpoints {
		for _, lb := range l.LbEndpoints {
			a := lb.GetEndpoint().GetAddress().GetSocketAddress()
			found = append(found, fmt.Sprintf("%s:%d", a.GetAddress(), a.GetPortValue()))
		}
	}
	return found
}

func message(t *testing.T, m proto.Message) any {
	t.Helper()
	raw, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
