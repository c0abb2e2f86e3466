package gchat

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/hooktest"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// message is Google Chat's own idea of what it takes.
type message struct {
	Text    string `json:"text"`
	CardsV2 []struct {
		CardID string `json:"cardId"`
		Card   struct {
			Header struct {
				Title string `json:"title"`
			} `json:"header"`
			Sections []struct {
				Widgets []struct {
					TextParagraph *struct {
						Text string `json:"text"`
					} `json:"textParagraph"`
					DecoratedText *struct {
						TopLabel    string `json:"topLabel"`
						Text        string `json:"text"`
						BottomLabel string `json:"bottomLabel"`
						WrapText    bool   `json:"wrapText"`
					} `json:"decoratedText"`
				} `json:"widgets"`
			} `json:"sections"`
		} `json:"card"`
	} `json:"cardsV2"`
}

// maxMessage is what Google Chat takes, text and cards together.
const maxMessage = 32_000

func accept(r *http.Request, body []byte) (string, error) {
	var m message
	if err := hooktest.Decode(body, &m); err != nil {
		return "", err
	}
	if len(body) > maxMessage || m.Text == "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return "", fmt.Errorf("%d bytes of %s", len(body), r.Header.Get("Content-Type"))
	}
	var b strings.Builder
	fmt.Fprintln(&b, m.Text)
	for _, c := range m.CardsV2 {
		if c.CardID == "" || c.Card.Header.Title == "" || len(c.Card.Sections) == 0 {
			return "", errors.New("a card without ID, title or section")
		}
		fmt.Fprintf(&b, "  │ %s\n", c.Card.Header.Title)
		for _, s := range c.Card.Sections {
			if len(s.Widgets) == 0 || len(s.Widgets) > 100 {
				return "", fmt.Errorf("%d widgets", len(s.Widgets))
			}
			for _, w := range s.Widgets {
				switch {
				case w.TextParagraph != nil && w.TextParagraph.Text != "":
					fmt.Fprintf(&b, "  │ %s\n", plain(w.TextParagraph.Text))
				case w.DecoratedText != nil && w.DecoratedText.Text != "":
					fmt.Fprintf(&b, "  │ %s │ %s │ %s\n", w.DecoratedText.TopLabel, plain(w.DecoratedText.Text), w.DecoratedText.BottomLabel)
				default:
					return "", errors.New("an empty widget")
				}
			}
		}
	}
	return b.String(), nil
}

// plain is a widget's text as Google Chat shows it, the colour said in words.
func plain(s string) string {
	return html.UnescapeString(regexp.MustCompile(`<font color="(#[0-9A-F]{6})">([^<]*)</font>`).ReplaceAllString(s, "($1)$2"))
}

func place(t *testing.T) hooktest.Place {
	t.Helper()
	return hooktest.Place{Service: hooktest.Start(t, accept, hooktest.Status(http.StatusOK, `{"name": "spaces/A/messages/B"}`)), New: New,
		Config: notifier.Config{Username: "serin", Channel: "releases"}}
}

func TestConformance(t *testing.T) { hooktest.Conform(t, place) }

func FuzzAnswer(f *testing.F) { hooktest.Answers(f, place) }

func TestGoldens(t *testing.T) { hooktest.Goldens(t, place) }

func TestLongestMessageIsTaken(t *testing.T) {
	m := notifiertest.Rollback()[3]
	for _, text := range []*string{&m.What, &m.Why, &m.Next, &m.Cluster, &m.From, &m.To, &m.Canary.Name} {
		*text = strings.Repeat("🐤\"", 2000)
	}
	m.Checks = nil
	for range 20 {
		m.Checks = append(m.Checks, notifier.Check{Name: m.Why, Value: m.Why, Threshold: m.Why, Verdict: "Failed"})
	}
	place(t).Tell(t, m)
}

// Only what the user wrote can wake anybody up.
func TestMentions(t *testing.T) {
	p := place(t)
	p.Config.Template = "<users/all> {{.What}}"
	p.Tell(t, notifier.Message{Kind: notifier.Notice, What: "wake <users/all> up"})
	if want := "<users/all> wake <\u200busers/all> up\n"; p.Shown() != want {
		t.Errorf("got %q, want %q", p.Shown(), want)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	const gone = "the webhook was removed, or its URL is not whole: create one (the space's Apps & integrations, Webhooks) and put its URL, with key and token, under the key address into the Secret that secretRef names"
	for code, want := range map[int]string{
		http.StatusForbidden: "google chat answered 403 Forbidden: " + gone,
		http.StatusNotFound:  "google chat answered 404 Not Found: " + gone,
		http.StatusConflict:  "google chat answered 409 Conflict",
	} {
		p := place(t)
		p.Next(hooktest.Status(code, "qu3ryS3cr3t"))
		_, err := p.Open(t).Notify(t.Context(), notifiertest.Rollback()[0], "")
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
