// Package gchat sends messages to an incoming webhook of Google Chat, as text with a card that shows
// how the rollout stands.
package gchat

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/chat"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Type is the value of an AlertProvider's spec.type.
const Type = "gchat"

// maxText keeps the whole message below the 32,000 bytes that Google Chat takes, whatever its letters.
const maxText = 3000

const service = "google chat"

// New builds a notifier. Space and sender are the webhook's own.
func New(cfg notifier.Config) (notifier.Notifier, error) {
	to, err := post.Address(service, cfg.Address)
	if err != nil {
		return nil, err
	}
	s := chat.Service{
		Name: service, Escape: escape, MaxText: maxText, Advise: advise,
		Draw: func(m notifier.Message, text string) any { return payload{Text: text, Cards: cards(m)} },
	}
	return s.Notifier(to, cfg)
}

type payload struct {
	Text  string     `json:"text"`
	Cards []cardWith `json:"cardsV2,omitempty"`
}

type cardWith struct {
	ID   string `json:"cardId"`
	Card struct {
		Header struct {
			Title string `json:"title"`
		} `json:"header"`
		Sections []section `json:"sections"`
	} `json:"card"`
}

type section struct {
	Widgets []widget `json:"widgets"`
}

type widget struct {
	Paragraph *paragraph `json:"textParagraph,omitempty"`
	Decorated *decorated `json:"decoratedText,omitempty"`
}

type paragraph struct {
	Text string `json:"text"`
}

type decorated struct {
	TopLabel    string `json:"topLabel,omitempty"`
	Text        string `json:"text"`
	BottomLabel string `json:"bottomLabel,omitempty"`
	Wrap        bool   `json:"wrapText"`
}

// cards are none where there is nothing to show: Google Chat refuses a card without a widget.
func cards(m notifier.Message) []cardWith {
	widgets := checks(m.Checks)
	if state := card.Standing(m); state != "" {
		widgets = append([]widget{line(colored("■", card.LookOf(m)) + " " + html.EscapeString(state))}, widgets...)
	}
	if m.Kind == notifier.Notice || len(widgets) == 0 {
		return nil
	}
	c := cardWith{ID: "rollout"}
	c.Card.Header.Title = card.Title(m)
	c.Card.Sections = []section{{Widgets: widgets}}
	return []cardWith{c}
}

func checks(all []notifier.Check) []widget {
	rows, left := card.Cells(all)
	var widgets []widget
	for _, r := range rows {
		widgets = append(widgets, widget{Decorated: &decorated{
			TopLabel: r.Check.Name, Text: strings.TrimSpace(verdict(r) + " " + html.EscapeString(r.Check.Value)), BottomLabel: r.Terms, Wrap: true,
		}})
	}
	if left > 0 {
		widgets = append(widgets, line(card.More(left)))
	}
	return widgets
}

func line(text string) widget { return widget{Paragraph: &paragraph{text}} }

func verdict(r card.Row) string {
	return colored(r.Mark, map[string]card.Look{"✓": card.Promoted, "✗": card.Failed, "?": card.Warning}[r.Mark])
}

func colored(text string, l card.Look) string {
	return fmt.Sprintf(`<font color="#%06X">%s</font>`, l.Color(), text)
}

// lead begins a mention or a link. Google Chat's text knows no escape: a space without width keeps it
// from what follows, and a star or an underline stays.
var lead = regexp.MustCompile(`<(\w)`)

func escape(s string) string {
	return lead.ReplaceAllString(strings.ReplaceAll(s, "`", "'"), "<\u200b$1")
}

func advise(code int, _ []byte) string {
	switch code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return "the webhook was removed, or its URL is not whole: create one (the space's Apps & integrations, Webhooks) and put its URL, with key and token, under the key address into the Secret that secretRef names"
	default:
		return ""
	}
}
