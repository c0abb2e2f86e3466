// Package rocket sends messages to an incoming webhook of Rocket.Chat, as text with an attachment that
// shows how the rollout stands.
package rocket

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/chat"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Type is the value of an AlertProvider's spec.type.
const Type = "rocket"

// maxText is below the 5,000 characters of a workspace's default.
const maxText = 4000

const service = "rocket.chat"

// New builds a notifier. Without a channel messages go to the webhook's own.
func New(cfg notifier.Config) (notifier.Notifier, error) {
	to, err := post.Address(service, cfg.Address)
	if err != nil {
		return nil, err
	}
	s := chat.Service{
		Name: service, Escape: escape, MaxText: maxText, Advise: advise,
		Draw: func(m notifier.Message, text string) any {
			return payload{Text: text, Alias: cfg.Username, Channel: room(cfg.Channel), Attachments: attachments(m)}
		},
	}
	return s.Notifier(to, cfg)
}

// room is a channel as Rocket.Chat names it: #channel, or @user for direct messages.
func room(channel string) string {
	if channel == "" || strings.HasPrefix(channel, "#") || strings.HasPrefix(channel, "@") {
		return channel
	}
	return "#" + channel
}

type payload struct {
	Text        string       `json:"text"`
	Alias       string       `json:"alias,omitempty"`
	Channel     string       `json:"channel,omitempty"`
	Attachments []attachment `json:"attachments,omitempty"`
}

type attachment struct {
	Title string    `json:"title"`
	Text  string    `json:"text,omitempty"`
	Color string    `json:"color"`
	At    time.Time `json:"ts,omitzero"`
}

func attachments(m notifier.Message) []attachment {
	if m.Kind == notifier.Notice {
		return nil
	}
	parts := []string{escape(card.Standing(m))}
	if len(m.Checks) > 0 {
		parts = append(parts, "```\n"+card.Table(m.Checks, card.Clip)+"\n```")
	}
	return []attachment{{
		Title: card.Title(m), Text: strings.TrimSpace(strings.Join(parts, "\n")),
		Color: fmt.Sprintf("#%06X", card.LookOf(m).Color()), At: m.At,
	}}
}

var (
	// markup is what Rocket.Chat can escape of what it reads as such.
	markup = strings.NewReplacer("*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "#", `\#`)
	// lead is what begins a mention or a link, which cannot be escaped: a space without width keeps it
	// from what follows.
	lead = regexp.MustCompile(`(@|<|\])(\w|/|\()`)
)

func escape(s string) string { return lead.ReplaceAllString(markup.Replace(s), "$1\u200b$2") }

// advice is what to do about those of Rocket.Chat's words that a user can do something about.
var advice = map[string]string{
	"invalid-channel": "there is no such channel, or the webhook's user cannot see it: set spec.channel of the AlertProvider to #name or @user",
	"overriding destination channel is disabled for this integration": "the webhook does not let messages choose their channel: remove spec.channel of the AlertProvider, or allow it in the integration's settings",
}

func advise(code int, answer []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // an answer that is not Rocket.Chat's has no word
	if do := advice[said.Error]; do != "" {
		return do
	}
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return "the webhook is gone, or its URL is not whole: create one (Workspace, Integrations, Incoming) and put its URL under the key address into the Secret that secretRef names"
	case http.StatusServiceUnavailable:
		return "if the workspace is up, the integration is switched off: enable it (Workspace, Integrations)"
	default:
		return ""
	}
}
