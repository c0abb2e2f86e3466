package slack

import (
	"fmt"
	"testing"
)

func TestMemoryForgetsTheOldest(t *testing.T) {
	var m memory
	for i := range remembered + 1 {
		m.put(fmt.Sprint(i), place{"C1", fmt.Sprint(i)})
	}
	m.put("1", place{"C1", "again"})
	for key, want := range map[string]bool{"0": false, "1": true, fmt.Sprint(remembered): true} {
		if _, got := m.get(key); got != want {
			t.Errorf("remembers %s: %v, want %v", key, got, want)
		}
	}
	if len(m.places) != remembered || len(m.keys) != remembered {
		t.Errorf("%d places under %d keys, want %d", len(m.places), len(m.keys), remembered)
	}
}

func TestMessageWithoutAKeyIsNotRemembered(t *testing.T) {
	var m memory
	m.put("", place{"C1", "1"})
	if _, ok := m.get(""); ok {
		t.Error("it is remembered")
	}
}
