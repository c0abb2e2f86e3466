package v1beta1_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/pkg/apitest/podinfo"
)

// TestTheLongestJournalIsStored: 200 entries whose words are as long as may be, and not one more.
func TestTheLongestJournalIsStored(t *testing.T) {
	c := strictClient(t)
	canary := podinfo.Canary(apitest.Namespace(t, c))
	if err := c.Create(t.Context(), canary); err != nil {
		t.Fatal(err)
	}
	words := strings.Repeat("x", 1024)
	entry := v1beta1.JournalEntry{At: metav1.Now(), Reason: "CheckFailed", Moment: "Held", Severity: "warn", What: words, Why: words, Next: words}
	for range 200 {
		entry.Transition++
		canary.Status.Journal = append(canary.Status.Journal, entry)
	}
	canary.Status.Phase = v1beta1.PhaseProgressing
	if err := c.Status().Update(t.Context(), canary); err != nil {
		t.Fatalf("200 entries: %v", err)
	}
	canary.Status.Journal = append(canary.Status.Journal, entry)
	if err := c.Status().Update(t.Context(), canary); err == nil || !strings.Contains(err.Error(), "must have at most 200 items") {
		t.Errorf("201 entries: %v", err)
	}
}
