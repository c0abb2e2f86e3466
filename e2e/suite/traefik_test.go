package suite

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// The same scenes through another gateway and its own control plane: Traefik, by the Gateway API.

var withTraefik = sync.OnceValue(func() error { return set.InstallTraefik(context.Background()) })

// openTraefik is a scene at Traefik, which the first of them installs.
func openTraefik(t *testing.T, name string, a analysis) *scene {
	t.Helper()
	if err := withTraefik(); err != nil {
		t.Fatal(err)
	}
	return openAt(t, traefik, "traefik-"+name, a)
}

func TestTraefikPromotion(t *testing.T) {
	s := openTraefik(t, "promotion", quick)
	s.setImage("6.0.1")
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 10, 20, 30, 40, 50, 0)
	s.wantShares("6.0.1", 5*time.Second)
}

func TestTraefikRollback(t *testing.T) {
	s := openTraefik(t, "errors", quick)
	spec := s.through("/status/500", faultRate)
	spec.Expect = http.StatusInternalServerError
	s.rollsBack(spec, "request-success-rate")
}

// Rules of an analysis are further rules of the HTTPRoute, and filters on its backends.

func TestTraefikABTesting(t *testing.T) {
	sampleAtTraefik(t, "ab", "canary-ab.yaml").testsAB()
}

func TestTraefikSessionAffinity(t *testing.T) {
	sampleAtTraefik(t, "affinity", "canary-affinity.yaml").keepsUsers()
}

func TestTraefikSteps(t *testing.T) {
	sampleAtTraefik(t, "steps", "canary-steps.yaml").walksSteps()
}

func sampleAtTraefik(t *testing.T, name, file string) *scene {
	t.Helper()
	t.Parallel()
	if err := withTraefik(); err != nil {
		t.Fatal(err)
	}
	return openSampleAt(t, traefik, "traefik-"+name, file)
}
