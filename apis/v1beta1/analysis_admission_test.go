package v1beta1_test

import "testing"

const (
	webhookURLRefusal = "url must begin with http:// or https:// and name a host"
	strategyRefusal   = "set exactly one of stepWeight, stepWeights, steps and iterations"
	orderRefusal      = "each step must have more weight than the one before it"
)

var analysisAdmission = map[string]admission{
	"even steps":             {`spec: {analysis: {maxWeight: 50}}`, ""},
	"listed steps":           {`spec: {analysis: {stepWeight: null, stepWeights: [1, 10, 80]}}`, ""},
	"listed steps past 100":  {`spec: {analysis: {stepWeight: null, stepWeights: [42, 101]}}`, ""},
	"iterations":             {`spec: {analysis: {stepWeight: null, iterations: 10}}`, ""},
	"a step past maxWeight":  {`spec: {analysis: {stepWeight: 100, maxWeight: 50}}`, ""},
	"no strategy":            {`spec: {analysis: {stepWeight: null}}`, strategyRefusal},
	"steps and iterations":   {`spec: {analysis: {iterations: 10}}`, strategyRefusal},
	"even and listed steps":  {`spec: {analysis: {stepWeights: [1, 10]}}`, strategyRefusal},
	"no steps in the list":   {`spec: {analysis: {stepWeight: null, stepWeights: []}}`, "at least 1 items"},
	"a step of nothing":      {`spec: {analysis: {stepWeight: null, stepWeights: [0, 10]}}`, "greater than or equal to 1"},
	"a step back":            {`spec: {analysis: {stepWeight: null, stepWeights: [10, 30, 20]}}`, orderRefusal},
	"a step on the spot":     {`spec: {analysis: {stepWeight: null, stepWeights: [10, 10, 20]}}`, orderRefusal},
	"a maximum above all":    {`spec: {analysis: {maxWeight: 101}}`, "less than or equal to 100"},
	"steps of promotion":     {`spec: {analysis: {stepWeightPromotion: 20}}`, ""},
	"limits":                 {`spec: {analysis: {threshold: 0, inconclusiveLimit: 3, primaryReadyThreshold: 60, canaryReadyThreshold: 0}}`, ""},
	"no inconclusive checks": {`spec: {analysis: {inconclusiveLimit: 0}}`, "greater than or equal to 1"},

	"interval and threshold by default":   {`spec: {analysis: {interval: null, threshold: null}}`, ""},
	"an interval of two units":            {`spec: {analysis: {interval: 1m30s}}`, ""},
	"an interval with a fraction":         {`spec: {analysis: {interval: 1m0.5s}}`, ""},
	"an interval without a unit":          {`spec: {analysis: {interval: "60"}}`, "should match"},
	"an interval with something after it": {`spec: {analysis: {interval: 1min}}`, "should match"},

	"A/B by header and cookie": {`spec: {analysis: {stepWeight: null, iterations: 10, match: [
		{headers: {x-canary: {exact: insider}}}, {headers: {cookie: {regex: "^(.*?;)?(canary=always)(;.*)?$"}}, queryParams: {beta: {}}, sourceLabels: {app: x}}]}}`, ""},
	"a header without a comparison": {`spec: {analysis: {match: [{headers: {x-canary: {}}}]}}`,
		"say how a header is compared: exact, prefix, suffix or regex"},

	"a cookie without a comparison": {`spec: {analysis: {match: [{cookies: {canary: {}}}]}}`,
		"say how a cookie is compared: exact, prefix, suffix or regex"},
	"steps with everything": {`spec: {analysis: {stepWeight: null, steps: [
		{name: insiders, match: [{cookies: {canary: {exact: always}}}, {method: {exact: GET}}], duration: 1h},
		{weight: 0.5, metrics: [{name: request-duration, thresholdRange: {max: 500}}]},
		{weight: 50, mirror: 12.5, pause: true, webhooks: [{name: lead, type: confirm-traffic-increase, url: "http://gates/check",
			headers: {x-team: pay}, secretRef: {name: gates}, remindAfter: 1h, deadline: 24h, onDeadline: proceed}]}]}}`, ""},
	"steps and weights":        {`spec: {analysis: {steps: [{weight: 5}]}}`, strategyRefusal},
	"steps and a match":        {`spec: {analysis: {stepWeight: null, steps: [{weight: 5}], match: [{headers: {x-canary: {exact: insider}}}]}}`, "with steps, set match and mirror on the steps that they are for"},
	"a weight above 100":       {`spec: {analysis: {stepWeight: null, steps: [{weight: 101}]}}`, "less than or equal to 100"},
	"a hundredth of a percent": {`spec: {analysis: {stepWeight: null, steps: [{weight: 0.05}]}}`, "a weight has one decimal place at most"},
	"a hook's secret without a name": {`spec: {analysis: {webhooks: [{name: a, url: "http://a", secretRef: {}}]}}`,
		"name is missing: name the Secret in this namespace"},

	"a built-in metric":          {metric(`name: request-success-rate, interval: 1m, thresholdRange: {min: 99}`), ""},
	"a built-in metric replaced": {metric(`name: request-success-rate, templateRef: {name: rate}, thresholdRange: {min: 99.5}`), ""},
	"a template": {metric(`name: errors, interval: 30s, templateRef: {name: errors, namespace: monitoring},
		templateVariables: {direction: inbound}, thresholdRange: {max: 0.5}`), ""},
	"a query":                 {metric(`name: errors, query: sum(errors), threshold: 5`), ""},
	"a fractional threshold":  {metric(`name: errors, query: sum(errors), threshold: 0.05`), ""},
	"neither threshold":       {metric(`name: errors, query: sum(errors)`), ""},
	"whole and part bounds":   {metric(`name: errors, query: sum(errors), thresholdRange: {min: 1, max: 1.5}`), ""},
	"bounds that meet":        {metric(`name: errors, query: sum(errors), thresholdRange: {min: 1, max: 1}`), ""},
	"bounds that cross":       {metric(`name: errors, query: sum(errors), thresholdRange: {min: 1.5, max: 1}`), "min must not be greater than max"},
	"a range without a bound": {metric(`name: errors, query: sum(errors), thresholdRange: {}`), "set min, max or both"},
	"a threshold in quotes":   {metric(`name: errors, query: sum(errors), threshold: "5"`), "must be of type number"},
	"a metric of nothing": {metric(`name: errors`),
		"this name is not built in (those are request-success-rate and request-duration): set templateRef or query"},
	"a query and a template": {metric(`name: errors, query: sum(errors), templateRef: {name: errors}`),
		"set only one of query and templateRef"},

	"a hook with everything": {webhook(`name: load, type: rollout, url: "http://loadtester.test/", timeout: 500ms, retries: 3,
		muteAlert: true, disableTLS: true, metadata: {cmd: "hey -z 1m http://podinfo-canary.test:9898/"}`), ""},
	"a hook of the default type":  {webhook(`name: load, type: "", url: "https://loadtester.test:8443/a?b=c"`), ""},
	"a hook of an unknown type":   {webhook(`name: load, type: pre-flight, url: "http://loadtester.test/"`), "Unsupported value"},
	"a hook over another scheme":  {webhook(`name: load, url: "ftp://loadtester.test/"`), webhookURLRefusal},
	"a hook without a scheme":     {webhook(`name: load, url: "loadtester.test/"`), webhookURLRefusal},
	"a hook to a path":            {webhook(`name: load, url: "/gate/check"`), webhookURLRefusal},
	"a hook to nobody":            {webhook(`name: load, url: "http:///gate/check"`), webhookURLRefusal},
	"a hook with an hour to wait": {webhook(`name: load, url: "http://loadtester.test/", timeout: 1h`), "should match"},

	"an alert":                         {`spec: {analysis: {alerts: [{name: on-call, severity: error, providerRef: {name: slack, namespace: ops}}]}}`, ""},
	"an alert of the default severity": {`spec: {analysis: {alerts: [{name: on-call, severity: "", providerRef: {name: slack}}]}}`, ""},
	"an alert of unknown severity":     {`spec: {analysis: {alerts: [{name: on-call, severity: fatal, providerRef: {name: slack}}]}}`, "Unsupported value"},
	"an alert to nobody":               {`spec: {analysis: {alerts: [{name: on-call}]}}`, "providerRef: Required value"},

	"session affinity": {`spec: {analysis: {sessionAffinity: {cookieName: canary, primaryCookieName: primary, maxAge: 60,
		domain: example.com, path: /, sameSite: Lax, secure: true, httpOnly: true, partitioned: true}}}`, ""},
	"session affinity without a cookie": {`spec: {analysis: {sessionAffinity: {maxAge: 60}}}`, "cookieName: Required value"},
}

func metric(fields string) string  { return `spec: {analysis: {metrics: [{` + fields + `}]}}` }
func webhook(fields string) string { return `spec: {analysis: {webhooks: [{` + fields + `}]}}` }

func TestAnalysisAdmission(t *testing.T) { admit(t, canary, analysisAdmission) }
