package main

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestParseFaults(t *testing.T) {
	for name, test := range map[string]struct {
		data    map[string]string
		want    faults
		wantErr bool
	}{
		"none":              {},
		"all":               {data: map[string]string{"delay": "2s", "paused": "true", "reject": "no"}, want: faults{2 * time.Second, "no", true}},
		"unknown key":       {data: map[string]string{"pause": "true"}, wantErr: true},
		"unreadable delay":  {data: map[string]string{"delay": "2"}, wantErr: true},
		"unreadable switch": {data: map[string]string{"paused": "perhaps"}, wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseFaults(&corev1.ConfigMap{Data: test.data})
			if got != test.want || (err != nil) != test.wantErr {
				t.Errorf("got %+v, error %v; want %+v, error %v", got, err, test.want, test.wantErr)
			}
		})
	}
}

func TestBacklog(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	taken := func(t *testing.T, b *backlog[string], second int, want string) {
		t.Helper()
		if got, ok := b.take(at(second)); got != want || ok != (want != "") {
			t.Errorf("at %d s: took %q, want %q", second, got, want)
		}
	}
	t.Run("each view waits its own delay", func(t *testing.T) {
		var b backlog[string]
		b.add(at(2), "first")
		b.add(at(3), "second")
		taken(t, &b, 1, "")
		taken(t, &b, 2, "first")
		taken(t, &b, 2, "")
		taken(t, &b, 3, "second")
		if _, ok := b.next(); ok {
			t.Error("something is left")
		}
	})
	t.Run("of several that are due the newest counts", func(t *testing.T) {
		var b backlog[string]
		b.add(at(2), "first")
		b.add(at(3), "second")
		b.add(at(9), "third")
		taken(t, &b, 5, "second")
		taken(t, &b, 9, "third")
	})
	t.Run("a lifted delay never lets the newer be overtaken by the older", func(t *testing.T) {
		var b backlog[string]
		b.add(at(9), "slow")
		b.add(at(2), "quick")
		taken(t, &b, 2, "quick")
		taken(t, &b, 9, "")
	})
	t.Run("what is gone forgets", func(t *testing.T) {
		var b backlog[string]
		b.add(at(1), "first")
		b.drop()
		taken(t, &b, 5, "")
	})
}
