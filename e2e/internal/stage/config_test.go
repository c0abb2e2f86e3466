package stage

import (
	"strings"
	"testing"
)

func TestFromEnvironment(t *testing.T) {
	tests := map[string]struct {
		env       map[string]string
		wantError string
		wantImage string
		wantLoad  string
	}{
		"local":                         {wantImage: "serin.dev/serin:dev"},
		"another cluster, no way to it": {env: map[string]string{"CLUSTER": "existing"}, wantError: "IMAGE_LOAD"},
		"no such choice":                {env: map[string]string{"CLUSTER": "kind"}, wantError: "neither"},
		"loaded into kind": {
			env:       map[string]string{"CLUSTER": "existing", "IMAGE_LOAD": "kind load image-archive {tar}"},
			wantImage: "serin.dev/serin:dev", wantLoad: "kind load image-archive {tar}",
		},
		"pulled from a registry": {
			env:       map[string]string{"CLUSTER": "existing", "REGISTRY": "registry.example/team/"},
			wantImage: "registry.example/team/serin:demo-", wantLoad: "crane push {tar} {image}",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"CLUSTER", "IMAGE_LOAD", "REGISTRY", "KEEP"} {
				t.Setenv(key, tc.env[key])
			}
			c, err := FromEnvironment()
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Errorf("error %v, want one that speaks of %s", err, tc.wantError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if image := c.Image("serin"); !strings.HasPrefix(image, tc.wantImage) || c.ImageLoad != tc.wantLoad {
				t.Errorf("image %s by %q, want %s by %q", image, c.ImageLoad, tc.wantImage, tc.wantLoad)
			}
		})
	}
}
