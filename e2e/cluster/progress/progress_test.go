package progress

import (
	"strings"
	"testing"
	"time"
)

func TestStepShowsSecondsSinceStart(t *testing.T) {
	at := time.Unix(1000, 0)
	var out strings.Builder
	log := newLog(&out, func() time.Time { return at })
	log.Step("built %s", "kube")
	at = at.Add(83450 * time.Millisecond)
	log.Step("node is Ready")

	want := "    0.0s  built kube\n   83.5s  node is Ready\n"
	if out.String() != want {
		t.Errorf("lines:\n%swant:\n%s", out.String(), want)
	}
}
