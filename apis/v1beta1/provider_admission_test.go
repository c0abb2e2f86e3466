package v1beta1_test

import (
	"strings"
	"testing"
)

const metricTemplate = `
apiVersion: serin.dev/v1beta1
kind: MetricTemplate
metadata: {name: errors}
spec:
  provider: {type: prometheus, address: "http://prometheus.monitoring:9090"}
  query: sum(rate(errors{namespace="{{ namespace }}"}[{{ interval }}]))
`

const prometheusRefusal = "address must be the URL of the Prometheus and begin with http:// or https://"

var metricTemplateAdmission = map[string]admission{
	"a template":                            {},
	"with everything":                       {`spec: {provider: {headers: {X-Scope-OrgID: [team]}, secretRef: {name: prom}, insecureSkipVerify: true, region: eu-west-1}}`, ""},
	"a provider with an address of its own": {`spec: {provider: {type: datadog, address: null, secretRef: {name: datadog}}}`, ""},
	"a provider that nobody knows":          {`spec: {provider: {type: zabbix}}`, "Unsupported value"},
	"a Prometheus nowhere":                  {`spec: {provider: {address: null}}`, prometheusRefusal},
	"a Prometheus without a scheme":         {`spec: {provider: {address: "prometheus:9090"}}`, prometheusRefusal},
	"a secret without a name": {`spec: {provider: {secretRef: {}}}`,
		"name is missing: name the Secret in this namespace that holds the credentials"},
	"no query": {`spec: {query: ""}`, "spec.query"},
}

func TestMetricTemplateAdmission(t *testing.T) { admit(t, metricTemplate, metricTemplateAdmission) }

const alertProvider = `
apiVersion: serin.dev/v1beta1
kind: AlertProvider
metadata: {name: slack}
spec: {type: slack, channel: releases, username: serin, address: "https://hooks.slack.com/services/T/B/X"}
`

const destinationRefusal = "set exactly one of address (a webhook URL) and secretRef (a Secret that holds the address or a token)"

var alertProviderAdmission = map[string]admission{
	"a webhook":                  {},
	"a secret":                   {`spec: {address: null, secretRef: {name: slack}, proxy: "http://proxy:3128"}`, ""},
	"a webhook and a secret":     {`spec: {secretRef: {name: slack}}`, destinationRefusal},
	"neither":                    {`spec: {address: null}`, destinationRefusal},
	"a webhook without a scheme": {`spec: {address: hooks.slack.com}`, "address must be a URL that begins with https:// or http://"},
	"a place that nobody knows":  {`spec: {type: carrier-pigeon}`, "Unsupported value"},
	"events that are signed":     {`spec: {type: cdevents, address: null, secretRef: {name: events}}`, ""},
	"a text of one's own":        {`spec: {type: webhook, template: "{{.Canary}}: {{.What}}"}`, ""},
	"a text without an end":      {`spec: {template: "` + strings.Repeat("x", 4097) + `"}`, "may not be more than 4096"},
	"a secret without a name": {`spec: {address: null, secretRef: {}}`,
		"name is missing: name the Secret in this namespace that holds the address or the token"},
}

func TestAlertProviderAdmission(t *testing.T) { admit(t, alertProvider, alertProviderAdmission) }
