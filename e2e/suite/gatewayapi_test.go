package suite

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// The same scenes by the Gateway API, whose control planes are the real ones: Traefik, and Contour for
// what Traefik lacks. The first scene that needs one installs it.

var (
	withTraefik = sync.OnceValue(func() error { return set.InstallTraefik(context.Background()) })
	withContour = sync.OnceValue(func() error { return set.InstallContour(context.Background()) })
)

// atTraefik is a scene at Traefik with a Canary of deploy/samples.
func atTraefik(t *testing.T, name, file string) *scene {
	t.Helper()
	t.Parallel()
	if err := withTraefik(); err != nil {
		t.Fatal(err)
	}
	return openSampleAt(t, traefik, "traefik-"+name, file)
}

func atContour(t *testing.T, g gateway, name, file string) *scene {
	t.Helper()
	t.Parallel()
	if err := withContour(); err != nil {
		t.Fatal(err)
	}
	return openSampleAt(t, g, "contour-"+name, file)
}

func TestTraefikPromotion(t *testing.T) {
	t.Parallel()
	if err := withTraefik(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, traefik, "traefik-promotion", quick)
	s.setImage("6.0.1")
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantShares("6.0.1", 5*time.Second)
}

func TestTraefikRollback(t *testing.T) {
	t.Parallel()
	if err := withTraefik(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, traefik, "traefik-errors", quick)
	spec := s.through("/status/500", faultRate)
	spec.Expect = http.StatusInternalServerError
	s.rollsBack(spec, "request-success-rate")
}

// TestTraefikDeletion leaves an HTTPRoute to the Service behind.
func TestTraefikDeletion(t *testing.T) {
	t.Parallel()
	if err := withTraefik(); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, traefik, "traefik-deletion", quick)
	s.letsGo()
	backends, err := s.KubectlOutput(t.Context(), "-n", s.ns, "get", "httproute", "podinfo", "-o", "jsonpath={.spec.rules[*].backendRefs[*].name}")
	s.must(err)
	if backends != "podinfo" {
		t.Errorf("the route sends to %s", backends)
	}
}

func TestTraefikABTesting(t *testing.T) { atTraefik(t, "ab", "canary-ab.yaml").testsAB() }

func TestTraefikSessionAffinity(t *testing.T) {
	atTraefik(t, "affinity", "canary-affinity.yaml").keepsUsers()
}

func TestTraefikSteps(t *testing.T) { atTraefik(t, "steps", "canary-steps.yaml").walksSteps() }

// TestTraefikLacksMirroring: asked to copy requests, Traefik would answer every one of them with 500. So
// it is not asked, which is said, and a rollout goes on without copies.
func TestTraefikLacksMirroring(t *testing.T) {
	s := atTraefik(t, "mirror", "canary-mirror.yaml")
	c := s.until("a warning", func(c *v1beta1.Canary) bool { return warning(c) != "" })
	if said := warning(c); !strings.Contains(said, "spec.analysis.mirror has no effect") {
		t.Errorf("the warning is %q", said)
	}
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 25)
	s.command("abort")
	s.untilEnded("6.0.1", v1beta1.OutcomeFailed)
	s.serves("6.0.0")
}

func warning(c *v1beta1.Canary) string {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1beta1.ConditionWarning {
			return condition.Message
		}
	}
	return ""
}

// TestContourMirroring has no gRPC: Contour 1.33 makes copies by HTTP/1.1, whatever the Service says that it speaks.
func TestContourMirroring(t *testing.T) {
	http := contour
	http.withoutGRPC = true
	atContour(t, http, "mirror", "canary-mirror.yaml").copiesFirst()
}

func TestContourSessionAffinity(t *testing.T) {
	atContour(t, contour, "affinity", "canary-affinity.yaml").keepsUsers()
}
