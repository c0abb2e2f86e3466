// Package msteams sends Adaptive Cards to Microsoft Teams. The address is that of a workflow that posts
// what it receives to a channel or a chat; the connectors of Office 365 that did so once are retired.
package msteams

import (
	"errors"
	"net/http"
	"strings"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/chat"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Type is the value of an AlertProvider's spec.type.
const Type = "msteams"

// maxText keeps the whole message below the 28 KB that Teams takes, whatever its letters.
const maxText = 2500

const service = "microsoft teams"

const workflow = "in Teams, under Workflows, make one of the template for webhook alerts to a channel or a chat, and put its URL under the key address into the Secret that secretRef names"

// New builds a notifier. Channel and sender are the workflow's own.
func New(cfg notifier.Config) (notifier.Notifier, error) {
	to, err := post.Address(service, cfg.Address)
	if err != nil {
		return nil, err
	}
	if host := strings.ToLower(to.Hostname()); strings.HasSuffix(host, ".webhook.office.com") || strings.HasPrefix(host, "outlook.office") {
		return nil, errors.New("the address is that of an Office 365 connector, which Microsoft has retired: " + workflow)
	}
	s := chat.Service{
		Name: service, Escape: escape, MaxText: maxText, Advise: advise,
		Draw: func(m notifier.Message, text string) any { return wrap(body(m, text)) },
	}
	return s.Notifier(to, cfg)
}

type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string       `json:"contentType"`
	ContentURL  *string      `json:"contentUrl"`
	Content     adaptiveCard `json:"content"`
}

type adaptiveCard struct {
	Schema  string    `json:"$schema"`
	Type    string    `json:"type"`
	Version string    `json:"version"`
	Body    []element `json:"body"`
	Teams   struct {
		Width string `json:"width"`
	} `json:"msteams"`
}

// element is a TextBlock, a Container or a FactSet.
type element struct {
	Type    string    `json:"type"`
	Text    string    `json:"text,omitempty"`
	Weight  string    `json:"weight,omitempty"`
	Wrap    bool      `json:"wrap,omitempty"`
	Subtle  bool      `json:"isSubtle,omitempty"`
	Spacing string    `json:"spacing,omitempty"`
	Style   string    `json:"style,omitempty"`
	Bleed   bool      `json:"bleed,omitempty"`
	Items   []element `json:"items,omitempty"`
	Facts   []fact    `json:"facts,omitempty"`
}

type fact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// wrap is what the workflow's trigger expects around a card.
func wrap(body []element) message {
	c := adaptiveCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4", Body: body}
	c.Teams.Width = "Full"
	return message{Type: "message", Attachments: []attachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: c}}}
}

func body(m notifier.Message, text string) []element {
	title := block(escape(card.Title(m)))
	title.Weight = "Bolder"
	all := []element{
		{Type: "Container", Style: style(card.LookOf(m)), Bleed: true, Items: []element{title}},
		block(strings.ReplaceAll(text, "\n", "\n\n")), // one alone is a space in Markdown
	}
	if state := card.Standing(m); state != "" {
		standing := block(escape(state))
		standing.Subtle, standing.Spacing = true, "Small"
		all = append(all, standing)
	}
	rows, left := card.Cells(m.Checks)
	if len(rows) > 0 {
		all = append(all, element{Type: "FactSet", Facts: facts(rows)})
	}
	if left > 0 {
		all = append(all, block(card.More(left)))
	}
	return all
}

func block(text string) element { return element{Type: "TextBlock", Text: text, Wrap: true} }

func facts(rows []card.Row) []fact {
	all := make([]fact, 0, len(rows))
	for _, r := range rows {
		value := r.Check.Value
		if r.Terms != "" {
			value = strings.TrimSpace(value + " (" + r.Terms + ")")
		}
		all = append(all, fact{Title: r.Mark + " " + escape(r.Check.Name), Value: escape(value)})
	}
	return all
}

// style is the colour of a Container.
func style(l card.Look) string {
	switch l {
	case card.Failed, card.Alarm:
		return "attention"
	case card.Warning, card.Stopped:
		return "warning"
	case card.Promoted:
		return "good"
	default:
		return "accent"
	}
}

// markup is what Teams reads as Markdown.
var markup = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "'")

func escape(s string) string { return markup.Replace(s) }

func advise(code int, _ []byte) string {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the workflow does not take its own signature: copy its whole URL, to the end of sig=, under the key address into the Secret that secretRef names; if the workflow lets only members of the tenant trigger it, let anyone"
	case http.StatusNotFound, http.StatusGone:
		return "the workflow is gone or switched off: " + workflow
	case http.StatusBadRequest:
		return "the workflow does not know what it was sent: " + workflow
	default:
		return ""
	}
}
