// Package implementations lists every router, metric provider and notifier that this operator has. It is
// the only place that knows them all: a new one is one line here.
package implementations

import (
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

// Routers by the values of spec.provider.
func Routers() *router.Registry {
	r := &router.Registry{}
	must(r.Add("gatewayapi:v1", gatewayapi.New))
	must(r.Add("gatewayapi:v1beta1", gatewayapi.New)) // by that name too it is v1 that is spoken
	must(r.Add("gloo", gloo.New))
	must(r.Add("kubernetes", kubernetes.New))
	return r
}

// Metrics are the metric providers by the types of a MetricTemplate.
func Metrics() *metrics.Registry {
	r := &metrics.Registry{}
	must(r.Add("prometheus", prometheus.New))
	return r
}

// Alerts are the notifiers by the types of an AlertProvider.
func Alerts() *notifier.Registry {
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

// must stops a binary that registers one name twice.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
