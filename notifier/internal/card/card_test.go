package card

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestOneLine(t *testing.T) {
	if got, want := OneLine(" a\r\n\tb\x00c \xff\u2028d "), "a b c \uFFFD d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBar(t *testing.T) {
	for sentence, test := range map[string]struct {
		weight float64
		want   string
	}{
		"no traffic is an empty bar":        {0, "░░░░░░░░░░░░░░░░░░░░"},
		"a little traffic is seen":          {1, "▓░░░░░░░░░░░░░░░░░░░"},
		"a weight fills its share":          {50, "▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░"},
		"nearly all traffic is not all":     {99, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░"},
		"all traffic is a full bar":         {100, "▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓"},
		"tenths are seen":                   {0.1, "▓░░░░░░░░░░░░░░░░░░░"},
		"a weight out of range is its edge": {-3, "░░░░░░░░░░░░░░░░░░░░"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Bar(test.weight)); diff != "" {
				t.Errorf("bar (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckTable(t *testing.T) {
	long := strings.Repeat("n", 300)
	for sentence, test := range map[string]struct {
		checks []notifier.Check
		want   string
	}{
		"columns end where their widest text ends": {
			[]notifier.Check{{Name: "größe", Verdict: "Passed", Value: "1"}, {Name: "x", Verdict: "Failed", Value: "22", Requests: 1}},
			"✓  größe  1\n✗  x      22  (1 request)",
		},
		"a long name pushes its own row only": {
			[]notifier.Check{{Name: long, Verdict: "Passed"}, {Name: "x", Verdict: "", Value: "2", Threshold: "< 3"}},
			"✓  " + long[:MaxRow-4] + "…\n?  x                         2  (< 3)",
		},
		"thousands are apart": {
			[]notifier.Check{{Name: "a", Verdict: "Passed", Value: "1", Requests: 1_234_567}, {Name: "b", Verdict: "Passed", Value: "1", Requests: 999}},
			"✓  a  1  (1,234,567 requests)\n✓  b  1  (999 requests)",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Table(test.checks, Clip)); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClock(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for sentence, test := range map[string]struct {
		at   time.Time
		want string
	}{
		"the day of the message goes without saying": {notifiertest.Start.In(berlin), "23:44:29 UTC"},
		"another day is said":                        {notifiertest.Start.Add(-24 * time.Hour), "2026-11-20 23:44:29 UTC"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := Clock(test.at, notifiertest.Start); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestPercent(t *testing.T) {
	for weight, want := range map[float64]string{0: "0 %", 12.5: "12.5 %", 0.1: "0.1 %", 100: "100 %", 120: "100 %", -3: "0 %"} {
		if got := Percent(weight); got != want {
			t.Errorf("%g became %s, want %s", weight, got, want)
		}
	}
}
