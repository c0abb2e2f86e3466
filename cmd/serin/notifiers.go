package main

import (
	"fmt"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/slack"
)

// notifiers builds the operator's own sinks; without an address or a token there is none.
func (o options) notifiers() (map[string]notifier.Notifier, error) {
	if o.slackURL == "" && o.slackToken == "" {
		return nil, nil
	}
	n, err := slack.New(notifier.Config{Address: o.slackURL, Token: o.slackToken,
		Channel: o.slackChannel, Username: o.slackUser, Proxy: o.slackProxy})
	if err != nil {
		return nil, fmt.Errorf("set up Slack: %w", err)
	}
	return map[string]notifier.Notifier{"slack": n}, nil
}
