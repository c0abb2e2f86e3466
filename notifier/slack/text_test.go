package slack

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestEscape(t *testing.T) {
	for sentence, test := range map[string]struct {
		text string
		most int
		want string
	}{
		"what Slack would interpret is shown as it is": {"<!channel> a & b <b>", 100, "&lt;!channel&gt; a &amp; b &lt;b&gt;"},
		"what fits exactly is not cut":                 {"größer", 6, "größer"},
		"what does not fit ends in an ellipsis":        {"größer", 5, "größ…"},
		"an escape that fits exactly is kept":          {"a<", 5, "a&lt;"},
		"an escape is never cut in two":                {"a<b", 5, "a…"},
		"nothing stays nothing":                        {"", 5, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := escape(test.text, test.most)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if n := utf8.RuneCountInString(got); n > test.most {
				t.Errorf("%d characters, want %d at most", n, test.most)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	if got, want := oneLine(" a\r\n\tb\x00c \xff\u2028d "), "a b c \uFFFD d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatHappensNextSurvivesALongWhy(t *testing.T) {
	m := notifiertest.Rollback()[4]
	m.Why = strings.Repeat("why & ", 10_000)
	got := headline(bounded(m))
	if !strings.HasSuffix(got, "why &amp;…. "+m.Next) {
		t.Errorf("the line ends in %q", got[len(got)-100:])
	}
	if n := utf8.RuneCountInString(got); n > maxText {
		t.Errorf("%d characters, want %d at most", n, maxText)
	}
}

func TestBar(t *testing.T) {
	for sentence, test := range map[string]struct {
		weight float64
		want   string
	}{
		"no traffic is an empty bar":        {0, "`░░░░░░░░░░░░░░░░░░░░` 0 %"},
		"a little traffic is seen":          {1, "`▓░░░░░░░░░░░░░░░░░░░` 1 %"},
		"a weight fills its share":          {50, "`▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░` 50 %"},
		"nearly all traffic is not all":     {99, "`▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░` 99 %"},
		"all traffic is a full bar":         {100, "`▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓` 100 %"},
		"a weight out of range is its edge": {-3, "`░░░░░░░░░░░░░░░░░░░░` 0 %"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, bar(test.weight)); diff != "" {
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
			"✓  " + long[:maxRow-4] + "…\n?  x                         2  (&lt; 3)",
		},
		"thousands are apart": {
			[]notifier.Check{{Name: "a", Verdict: "Passed", Value: "1", Requests: 1_234_567}, {Name: "b", Verdict: "Passed", Value: "1", Requests: 999}},
			"✓  a  1  (1,234,567 requests)\n✓  b  1  (999 requests)",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, checkTable(test.checks)); diff != "" {
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
			if got := clock(test.at, notifiertest.Start); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
