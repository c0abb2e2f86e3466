package main

import (
	"reflect"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// samples are objects with no more than they need: fields are set on them one at a time.
var samples = map[reflect.Type]any{
	reflect.TypeFor[v1beta1.SessionAffinity]():  v1beta1.SessionAffinity{CookieName: "ring"},
	reflect.TypeFor[v1beta1.CanaryWebhook]():    v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmPromotion, Name: "gate", URL: "http://gate"},
	reflect.TypeFor[v1beta1.CanaryMetric]():     v1beta1.CanaryMetric{Name: "errors", Query: "errors", Threshold: new(200.0)},
	reflect.TypeFor[v1beta1.CanaryMatch]():      v1beta1.CanaryMatch{Headers: insiders},
	reflect.TypeFor[v1beta1.CanaryStep]():       v1beta1.CanaryStep{Weight: new(v1beta1.Percent(80))},
	reflect.TypeFor[v1beta1.GatewayReference](): v1beta1.GatewayReference{Kind: "Gateway", Name: "gateway"},
	reflect.TypeFor[v1beta1.RequestMirror]():    v1beta1.RequestMirror{BackendRef: v1beta1.BackendReference{Kind: "Service", Name: "second", Port: new(int32(80))}},
	reflect.TypeFor[v1beta1.HTTPMatch]():        v1beta1.HTTPMatch{URI: &v1beta1.StringMatch{Prefix: "/some"}},
	reflect.TypeFor[v1beta1.HTTPRewrite]():      v1beta1.HTTPRewrite{URI: "/some"},
	reflect.TypeFor[v1beta1.CorsPolicy]():       v1beta1.CorsPolicy{},
	reflect.TypeFor[v1beta1.Concurrency]():      v1beta1.Concurrency{Max: 1},

	reflect.TypeFor[v1beta1.LocalObjectReference]():        v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "other"},
	reflect.TypeFor[v1beta1.CrossNamespaceNameReference](): v1beta1.CrossNamespaceNameReference{Name: "other"},
	reflect.TypeFor[v1beta1.CrossNamespaceObjectReference](): v1beta1.CrossNamespaceObjectReference{
		APIVersion: "gloo.solo.io/v1", Kind: "Upstream", Name: "some"},
}

var insiders = map[string]v1beta1.StringMatch{"x-canary": {Exact: "insider"}}

// needs is what a field is nothing without.
var needs = map[string]func(*v1beta1.Canary){
	"analysis.mirrorWeight":          func(c *v1beta1.Canary) { c.Spec.Analysis.Mirror = true },
	"analysis.webhooks[].onDeadline": func(c *v1beta1.Canary) { lastHook(c).Deadline = "40s" },
	"service.rewrite.type":           func(c *v1beta1.Canary) { c.Spec.Service.Rewrite.URI = "/other" },
}

func lastHook(c *v1beta1.Canary) *v1beta1.CanaryWebhook {
	hooks := c.Spec.Analysis.Webhooks
	return &hooks[len(hooks)-1]
}

// values are given to fields whose type does not say what can stand in them.
var values = map[string]any{
	"analysis.interval":                     "20s",
	"analysis.iterations":                   int32(5),
	"analysis.threshold":                    int32(4),
	"analysis.inconclusiveLimit":            new(int32(5)),
	"analysis.stepWeight":                   int32(10),
	"analysis.stepWeights":                  []int32{15, 45},
	"analysis.bakeTime":                     "35s",
	"analysis.steps[].duration":             "35s",
	"analysis.steps[].match":                []v1beta1.CanaryMatch{{Headers: insiders}},
	"analysis.match[].headers":              map[string]v1beta1.StringMatch{"x-canary": {Exact: "other"}},
	"analysis.metrics[].interval":           "15s",
	"analysis.metrics[].thresholdRange.max": new(50.0),
	"analysis.metrics[].thresholdRange.min": new(300.0),
	"analysis.webhooks[].type":              v1beta1.HookRollback,
	"analysis.webhooks[].deadline":          "40s",
	"analysis.webhooks[].remindAfter":       "30s",
	"analysis.webhooks[].onDeadline":        v1beta1.OnDeadlineProceed,
	"analysis.sessionAffinity.sameSite":     "Lax",
	"service.targetPort":                    new(intstr.FromInt32(9898)),
	"service.timeout":                       "15s",
	"service.backendTimeout":                "5s",
	"service.retries.perTryTimeout":         "5s",
	"service.rewrite.uri":                   "/other",
	"service.rewrite.type":                  "ReplacePrefixMatch",
	"service.match[].method":                &v1beta1.StringMatch{Exact: "GET"},
	"service.match[].uri":                   &v1beta1.StringMatch{Prefix: "/other"},
	"service.hosts":                         []string{"other.example.com"},
}
