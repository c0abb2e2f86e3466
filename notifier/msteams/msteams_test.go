package msteams

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/hooktest"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// sent is the workflow's own idea of what triggers it.
type sent struct {
	Type        string `json:"type"`
	Attachments []struct {
		ContentType string  `json:"contentType"`
		ContentURL  *string `json:"contentUrl"`
		Content     struct {
			Schema  string `json:"$schema"`
			Type    string `json:"type"`
			Version string `json:"version"`
			Body    []part `json:"body"`
			MSTeams struct {
				Width string `json:"width"`
			} `json:"msteams"`
		} `json:"content"`
	} `json:"attachments"`
}

type part struct {
	Type     string                          `json:"type"`
	Text     string                          `json:"text"`
	Weight   string                          `json:"weight"`
	Wrap     bool                            `json:"wrap"`
	IsSubtle bool                            `json:"isSubtle"`
	Spacing  string                          `json:"spacing"`
	Style    string                          `json:"style"`
	Bleed    bool                            `json:"bleed"`
	Items    []part                          `json:"items"`
	Facts    []struct{ Title, Value string } `json:"facts"`
}

// maxMessage is what Teams takes.
const maxMessage = 28 << 10

func accept(_ *http.Request, body []byte) (string, error) {
	if len(body) > maxMessage {
		return "", fmt.Errorf("%d bytes", len(body))
	}
	var m sent
	if err := hooktest.Decode(body, &m); err != nil {
		return "", err
	}
	if m.Type != "message" || len(m.Attachments) != 1 || m.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
		return "", errors.New("no message with an Adaptive Card")
	}
	c := m.Attachments[0].Content
	if c.Type != "AdaptiveCard" || c.Version != "1.4" || len(c.Body) == 0 {
		return "", errors.New("no Adaptive Card")
	}
	var b strings.Builder
	for _, p := range c.Body {
		if err := p.write(&b, ""); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// write draws a part of a card, or says what Teams would not show.
func (p part) write(b *strings.Builder, indent string) error {
	switch p.Type {
	case "TextBlock":
		if p.Text == "" || !p.Wrap {
			return fmt.Errorf("text %q, wrapped %v", p.Text, p.Wrap)
		}
		fmt.Fprintln(b, indent+plain(p.Text))
	case "Container":
		if !slices.Contains([]string{"good", "attention", "warning", "accent"}, p.Style) || len(p.Items) == 0 {
			return fmt.Errorf("container %q", p.Style)
		}
		for _, i := range p.Items {
			if err := i.write(b, fmt.Sprintf("[%s] ", p.Style)); err != nil {
				return err
			}
		}
	case "FactSet":
		for _, f := range p.Facts {
			if f.Title == "" {
				return errors.New("a fact without a title")
			}
			fmt.Fprintf(b, "  %s  │ %s\n", plain(f.Title), plain(f.Value))
		}
	default:
		return fmt.Errorf("type %q", p.Type)
	}
	return nil
}

// plain is text as Teams shows it.
func plain(s string) string {
	return regexp.MustCompile(`\\([\\*_\[\]])`).ReplaceAllString(s, "$1")
}

func place(t *testing.T) hooktest.Place {
	t.Helper()
	return hooktest.Place{Service: hooktest.Start(t, accept, hooktest.Status(http.StatusAccepted, "")), New: New,
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

func TestLinesOfATemplateStayLines(t *testing.T) {
	p := place(t)
	p.Config.Template = "**{{.Canary}}**\n{{.What}}"
	p.Tell(t, notifiertest.Rollback()[4])
	if want := "**podinfo**\n\nrolled back"; !strings.Contains(p.Shown(), want) {
		t.Errorf("%q is not shown:\n%s", want, p.Shown())
	}
}

func TestRetiredConnectorIsRefused(t *testing.T) {
	for _, address := range []string{"https://acme.webhook.office.com/webhookb2/s3cr3t", "https://outlook.office.com/webhook/s3cr3t", "https://outlook.office365.com/webhook/s3cr3t"} {
		_, err := New(notifier.Config{Address: address})
		if err == nil || !strings.HasPrefix(err.Error(), "the address is that of an Office 365 connector, which Microsoft has retired: in Teams") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for code, want := range map[int]string{
		http.StatusUnauthorized: "microsoft teams answered 401 Unauthorized: the workflow does not take its own signature: copy its whole URL",
		http.StatusNotFound:     "microsoft teams answered 404 Not Found: the workflow is gone or switched off: in Teams, under Workflows",
		http.StatusBadRequest:   "microsoft teams answered 400 Bad Request: the workflow does not know what it was sent: in Teams, under Workflows",
		http.StatusConflict:     "microsoft teams answered 409 Conflict",
	} {
		p := place(t)
		p.Next(hooktest.Status(code, "s3cr3tS3cr3t"))
		_, err := p.Open(t).Notify(t.Context(), notifiertest.Rollback()[0], "")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
