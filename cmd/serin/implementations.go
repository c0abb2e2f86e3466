package main

import (
	"fmt"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/prometheus"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/discord"
	"github.com/serin-dev/serin/notifier/gchat"
	"github.com/serin-dev/serin/notifier/msteams"
	"github.com/serin-dev/serin/notifier/rocket"
	"github.com/serin-dev/serin/notifier/slack"
	"github.com/serin-dev/serin/notifier/webhook"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gatewayapi"
	"github.com/serin-dev/serin/router/gloo"
	"github.com/serin-dev/serin/router/kubernetes"
)

// The lists below are the only place that knows every implementation: a new one is one line here.

func routers() *router.Registry {
	r := &router.Registry{}
	must(r.Add("gatewayapi:v1", gatewayapi.New))
	must(r.Add("gatewayapi:v1beta1", gatewayapi.New)) // by that name too it is v1 that is spoken
	must(r.Add("gloo", gloo.New))
	must(r.Add("kubernetes", kubernetes.New))
	return r
}

func metricProviders() *metrics.Registry {
	r := &metrics.Registry{}
	must(r.Add("prometheus", prometheus.New))
	return r
}

func alertTypes() *notifier.Registry {
	r := &notifier.Registry{}
	must(r.Add(slack.Type, slack.New))
	must(r.Add(msteams.Type, msteams.New))
	must(r.Add(discord.Type, discord.New))
	must(r.Add(rocket.Type, rocket.New))
	must(r.Add(gchat.Type, gchat.New))
	must(r.Add(webhook.Type, webhook.New))
	must(r.Add(webhook.TypeCD, webhook.NewCD))
	return r
}

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

// must stops a binary that registers one name twice.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
