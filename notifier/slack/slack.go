// Package slack sends messages to Slack.
//
// With a bot token a rollout is one message in the channel, edited in place as the weight moves, and a
// thread with a line for each decision. An edit notifies nobody, so the last line of a rollout that
// failed is shown in the channel as well. With an incoming webhook nothing can be edited: a rollout is
// a message at its start, one for each decision that somebody may want to act on, and one at its end.
//
// The package sends and draws; it neither repeats nor queues. It remembers only what saves a reader
// from seeing a repeated message twice, and losing that memory is harmless.
package slack

import (
	"crypto/x509"
	"errors"
	"strings"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Type is the value of an AlertProvider's spec.type.
const Type = "slack"

// New builds a notifier for a bot where there is a token, for an incoming webhook otherwise.
//
// A bot's address is the API's base and may be empty; it needs the scope chat:write, and
// chat:write.customize to be shown under another name.
func New(cfg notifier.Config) (notifier.Notifier, error) {
	return build(cfg, nil)
}

// build takes the authorities that Slack's certificate is checked against; nil is the system's.
func build(cfg notifier.Config, roots *x509.CertPool) (notifier.Notifier, error) {
	// Secrets written with echo or an editor end in a newline.
	cfg.Token, cfg.Address = strings.TrimSpace(cfg.Token), strings.TrimSpace(cfg.Address)
	out, err := post.New(Type, cfg.Proxy, roots, cfg.Guard)
	if err != nil {
		return nil, err
	}
	words, err := card.ParseTemplate(cfg.Template, escapeWhole)
	if err != nil {
		return nil, err
	}
	if cfg.Token != "" {
		return newBot(cfg, look{words}, out)
	}
	if cfg.Address == "" {
		return nil, errors.New("slack needs a token (of a bot) or an address (of an incoming webhook), and has neither: put one under the key token or address into the Secret that secretRef names")
	}
	to, err := post.Address(Type, cfg.Address)
	if err != nil {
		return nil, err
	}
	return &webhook{to: to, channel: cfg.Channel, username: cfg.Username, look: look{words}, out: out}, nil
}

// apiBase is where a bot's methods are. Two addresses that other tools ask for beside a token are
// understood: that of the method chat.postMessage, and a webhook's, which the token makes superfluous.
func apiBase(address string) (string, error) {
	if address == "" {
		return slack.APIURL, nil
	}
	u, err := post.Address(Type, address)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(u.Path, "/services/") {
		return slack.APIURL, nil
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "chat.postMessage"), "/") + "/"
	return u.String(), nil
}
