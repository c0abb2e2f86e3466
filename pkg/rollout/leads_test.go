package rollout

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestTheImagesOfAServiceAreNotAskedFor: its sides have no pods of their own to compare, and the answer
// would never come.
func TestTheImagesOfAServiceAreNotAskedFor(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) { c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "v1", "Service" })
	s.reply = func(s *sim, q Question) (Answer, bool) {
		if q.Kind == AskImages {
			t.Error("the images were asked for")
			return Answer{}, false
		}
		return healthy(s, q)
	}
	s.setImage(20*time.Second, "6.0.1")
	s.run(5 * time.Minute)
	if got := s.c.Status.Phase; got != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", got, s.out.String())
	}
}
