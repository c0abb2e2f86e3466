// Package discord sends messages to an incoming webhook of Discord, as text with an embed that shows
// how the rollout stands.
package discord

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/chat"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Type is the value of an AlertProvider's spec.type.
const Type = "discord"

// Discord's limits, in characters (docs/resources/message, "Embed Limits").
const (
	maxText        = 2000
	maxTitle       = 256
	maxDescription = 4096
	maxUsername    = 80
)

// New builds a notifier. The channel is the webhook's own.
func New(cfg notifier.Config) (notifier.Notifier, error) {
	to, err := post.Address(Type, cfg.Address)
	if err != nil {
		return nil, err
	}
	if name := strings.ToLower(cfg.Username); utf8.RuneCountInString(name) > maxUsername || strings.Contains(name, "clyde") || strings.Contains(name, "discord") {
		return nil, errors.New("discord takes no username of more than 80 characters, nor one with clyde or discord in it: change spec.username of the AlertProvider")
	}
	s := chat.Service{
		Name: Type, Escape: escape, MaxText: maxText, Advise: advise,
		Draw: func(m notifier.Message, text string) any {
			p := payload{Content: text, Username: cfg.Username, Embeds: embeds(m), AllowedMentions: mentions{Parse: []string{}}}
			if cfg.Template != "" { // its mentions are the user's wish; the message's are escaped
				p.AllowedMentions.Parse = []string{"everyone", "roles", "users"}
			}
			return p
		},
	}
	return s.Notifier(own(to), cfg)
}

// own is Discord's own form of the address. With /slack behind it, as other tools ask for it, it would
// read Slack's. Unless it waits, Discord says that all is well before it has looked.
func own(to *url.URL) *url.URL {
	for _, other := range []string{"/slack", "/github"} {
		to.Path = strings.TrimSuffix(strings.TrimSuffix(to.Path, "/"), other)
	}
	query := to.Query()
	query.Set("wait", "true")
	to.RawQuery = query.Encode()
	return to
}

type payload struct {
	Content         string   `json:"content"`
	Username        string   `json:"username,omitempty"`
	Embeds          []embed  `json:"embeds,omitempty"`
	AllowedMentions mentions `json:"allowed_mentions"`
}

type mentions struct {
	Parse []string `json:"parse"`
}

type embed struct {
	Title       string    `json:"title"`
	Description string    `json:"description,omitempty"`
	Color       int       `json:"color"`
	Timestamp   time.Time `json:"timestamp,omitzero"`
}

func embeds(m notifier.Message) []embed {
	if m.Kind == notifier.Notice {
		return nil
	}
	parts := []string{escape(card.Standing(m))}
	if len(m.Checks) > 0 {
		parts = append(parts, "```\n"+card.Table(m.Checks, card.Clip)+"\n```")
	}
	return []embed{{
		Title:       card.Clip(escape(card.Title(m)), maxTitle),
		Description: card.Clip(strings.TrimSpace(strings.Join(parts, "\n")), maxDescription),
		Color:       card.LookOf(m).Color(),
		Timestamp:   m.At,
	}}
}

// markup is what Discord would read as such, and the mentions that it finds in any text.
var markup = strings.NewReplacer(
	`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, "<", `\<`, "[", `\[`,
	"@everyone", "@\u200beveryone", "@here", "@\u200bhere",
)

func escape(s string) string { return markup.Replace(s) }

const forum = 220001

func advise(code int, answer []byte) string {
	var said struct {
		Code int `json:"code"`
	}
	_ = json.Unmarshal(answer, &said) // an answer that is not Discord's has no code
	switch {
	case said.Code == forum:
		return "the webhook is that of a forum: use one of a text channel, or add ?thread_id= and a thread's ID to the address"
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, code):
		return "the webhook was deleted, or its URL is not whole: create one (channel settings, Integrations, Webhooks) and put its URL under the key address into the Secret that secretRef names"
	default:
		return ""
	}
}
