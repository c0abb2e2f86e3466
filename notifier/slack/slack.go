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
	"net/url"
	"strings"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
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
	out, err := newCaller(cfg.Proxy, roots)
	if err != nil {
		return nil, err
	}
	if cfg.Token != "" {
		return newBot(cfg, out)
	}
	if cfg.Address == "" {
		return nil, errors.New("slack needs a token (of a bot) or an address (of an incoming webhook), and has neither: put one under the key token or address into the Secret that secretRef names")
	}
	if _, err := parseAddress(cfg.Address); err != nil {
		return nil, err
	}
	return &webhook{url: cfg.Address, channel: cfg.Channel, username: cfg.Username, out: out}, nil
}

// apiBase is where a bot's methods are. Two addresses that other tools ask for beside a token are
// understood: that of the method chat.postMessage, and a webhook's, which the token makes superfluous.
func apiBase(address string) (string, error) {
	if address == "" {
		return slack.APIURL, nil
	}
	u, err := parseAddress(address)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(u.Path, "/services/") {
		return slack.APIURL, nil
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "chat.postMessage"), "/") + "/"
	return u.String(), nil
}

// errAddress does not quote the address: it is a webhook's secret.
var errAddress = errors.New("slack's address is not a URL that begins with https:// or http:// (it is not shown here because it may be a secret)")

func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errAddress
	}
	return u, nil
}
