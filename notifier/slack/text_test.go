package slack

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier/internal/card"
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

func TestWhatHappensNextSurvivesALongWhy(t *testing.T) {
	m := notifiertest.Rollback()[4]
	m.Why = strings.Repeat("why & ", 10_000)
	got := look{}.headline(card.Bounded(m))
	if !strings.HasSuffix(got, "why &amp;…. "+m.Next) {
		t.Errorf("the line ends in %q", got[len(got)-100:])
	}
	if n := utf8.RuneCountInString(got); n > maxText {
		t.Errorf("%d characters, want %d at most", n, maxText)
	}
}
