package v1beta1

// CanaryAnalysis says how traffic moves and how a revision is judged.
//
// +kubebuilder:validation:XValidation:rule="[has(self.iterations), has(self.stepWeight), has(self.stepWeights), has(self.steps)].filter(x, x).size() == 1",message="set exactly one of stepWeight, stepWeights, steps and iterations"
// +kubebuilder:validation:XValidation:rule="!has(self.steps) || (!has(self.match) && !(has(self.mirror) && self.mirror))",message="with steps, set match and mirror on the steps that they are for"
type CanaryAnalysis struct {
	// Interval between two checks: the time that each weight or iteration is given. Default,
	// and for 0s: 60s. Less than 1s counts as 1s.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s)([0-9]+([.][0-9]+)?(ms|m|s))*$`
	// +kubebuilder:validation:MaxLength=32
	Interval string `json:"interval,omitempty"`

	// Iterations is how many checks an A/B or blue/green analysis has.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Iterations int32 `json:"iterations,omitempty"`

	// Threshold is how many checks may fail in a rollout until it is rolled back. They add up: a
	// passed check in between takes none back. Default, and for 0: 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Threshold int32 `json:"threshold,omitempty"`

	// InconclusiveLimit is how many checks may find no evidence (no data, too few requests) in a
	// rollout until it is rolled back with the reason NoEvidence. Default: threshold.
	// +optional
	// +kubebuilder:validation:Minimum=1
	InconclusiveLimit *int32 `json:"inconclusiveLimit,omitempty"`

	// MaxWeight is the highest share of traffic, in percent, that the canary gets before promotion.
	// The step that would pass it stops there. With stepWeights their last one counts instead.
	// Default, and for 0: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxWeight int32 `json:"maxWeight,omitempty"`

	// StepWeight is how much the canary's share of traffic, in percent, grows with each step.
	// +optional
	// +kubebuilder:validation:Minimum=1
	StepWeight int32 `json:"stepWeight,omitempty"`

	// StepWeights lists the canary's share of traffic, in percent, at each step. What is above 100
	// counts as 100.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:XValidation:rule="self.isSorted() && self.all(w, self.exists_one(v, v == w))",message="each step must have more weight than the one before it"
	StepWeights []int32 `json:"stepWeights,omitempty"`

	// Steps list what the canary gets, one after the other, each with its own weight, time, checks and
	// gates. An edit in mid-run goes on at the next listed weight above the present one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=24
	Steps []CanaryStep `json:"steps,omitempty"`

	// BakeTime keeps the previous revision warm for a time after a promotion: the promoted one is judged
	// by the same metrics and rolled back at once when they fail, or by hand.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s|h)([0-9]+([.][0-9]+)?(ms|m|s|h))*$`
	// +kubebuilder:validation:MaxLength=32
	BakeTime string `json:"bakeTime,omitempty"`

	// StepWeightPromotion is how much the primary's share of traffic, in percent, grows with each
	// step back to it during promotion. Default, and for 0: all at once.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	StepWeightPromotion int32 `json:"stepWeightPromotion,omitempty"`

	// Mirror sends the canary copies of requests, whose answers nobody gets, before it gets any
	// traffic, where the router can.
	// +optional
	Mirror bool `json:"mirror,omitempty"`

	// MirrorWeight is the share of requests, in percent, that is copied. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MirrorWeight int32 `json:"mirrorWeight,omitempty"`

	// PrimaryReadyThreshold is the share of the primary's pods, in percent, that must be available for
	// it to count as ready. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	PrimaryReadyThreshold *int32 `json:"primaryReadyThreshold,omitempty"`

	// CanaryReadyThreshold is the share of the canary's pods, in percent, that must be available for
	// it to count as ready. Default: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	CanaryReadyThreshold *int32 `json:"canaryReadyThreshold,omitempty"`

	// Match picks the requests that go to the canary in an A/B analysis. A request goes there when one
	// entry matches.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Match []CanaryMatch `json:"match,omitempty"`

	// Metrics are what the canary is judged by at each check.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Metrics []CanaryMetric `json:"metrics,omitempty"`

	// Alerts are sent besides those that the operator is set to send.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Alerts []CanaryAlert `json:"alerts,omitempty"`

	// Webhooks are called in the course of a rollout.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Webhooks []CanaryWebhook `json:"webhooks,omitempty"`

	// SessionAffinity keeps a user who has met the canary on it, where the router can.
	// +optional
	SessionAffinity *SessionAffinity `json:"sessionAffinity,omitempty"`
}

// CanaryStep is one step of an analysis.
type CanaryStep struct {
	// Name of the step, in messages.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// Weight is the canary's share of the traffic in percent, in tenths where the router can. Without it
	// the weight of the step before stays; it is never less than that.
	// +optional
	Weight *Weight `json:"weight,omitempty"`

	// Duration is the least time that the step is given. It is judged at every interval meanwhile.
	// Default: one interval.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s|h)([0-9]+([.][0-9]+)?(ms|m|s|h))*$`
	// +kubebuilder:validation:MaxLength=32
	Duration string `json:"duration,omitempty"`

	// Match picks requests that go to the canary in this step whatever its weight is. A request goes there
	// when one entry matches.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Match []CanaryMatch `json:"match,omitempty"`

	// Mirror is the share of requests, in percent, of which the canary gets a copy in this step.
	// +optional
	Mirror Weight `json:"mirror,omitempty"`

	// Metrics that the step is judged by, besides those of the analysis.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Metrics []CanaryMetric `json:"metrics,omitempty"`

	// Webhooks of the step, besides those of the analysis: of type rollout at each of its checks, of type
	// confirm-traffic-increase before it is left.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Webhooks []CanaryWebhook `json:"webhooks,omitempty"`

	// Pause holds the rollout at the end of the step until somebody promotes it (kubectl serin promote).
	// +optional
	Pause bool `json:"pause,omitempty"`
}

// CanaryMatch is met by a request that meets all of it.
type CanaryMatch struct {
	// Headers by their lower-case names.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, has(self[k].exact) || has(self[k].prefix) || has(self[k].suffix) || has(self[k].regex))",message="say how a header is compared: exact, prefix, suffix or regex"
	Headers map[string]StringMatch `json:"headers,omitempty"`

	// QueryParams by their names.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	QueryParams map[string]StringMatch `json:"queryParams,omitempty"`

	// Cookies by their names.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(k, has(self[k].exact) || has(self[k].prefix) || has(self[k].suffix) || has(self[k].regex))",message="say how a cookie is compared: exact, prefix, suffix or regex"
	Cookies map[string]StringMatch `json:"cookies,omitempty"`

	// Method of the request.
	// +optional
	Method *StringMatch `json:"method,omitempty"`

	// SourceLabels are labels of the workload that asks (Istio).
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	SourceLabels map[string]string `json:"sourceLabels,omitempty"`
}

// CanaryAlert sends messages of this canary to an AlertProvider.
type CanaryAlert struct {
	// Name of the alert.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Severity from which on messages are sent: info, warn or error. Default: info.
	// +optional
	// +kubebuilder:validation:Enum="";info;warn;error
	Severity string `json:"severity,omitempty"`

	// ProviderRef names the AlertProvider.
	// +required
	ProviderRef CrossNamespaceNameReference `json:"providerRef"`
}

// Values of CanaryAlert.Severity.
const (
	SeverityInfo  = "info"
	SeverityWarn  = "warn"
	SeverityError = "error"
)

// SessionAffinity sets a cookie.
type SessionAffinity struct {
	// CookieName is the name of the cookie of those who have met the canary.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	CookieName string `json:"cookieName"`

	// PrimaryCookieName is the name of the cookie of those who have met the primary. Without it they
	// are not kept there.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PrimaryCookieName string `json:"primaryCookieName,omitempty"`

	// MaxAge of the cookie in seconds.
	// +optional
	// +kubebuilder:default=86400
	// +kubebuilder:validation:Minimum=0
	MaxAge int32 `json:"maxAge,omitempty"`

	// Domain attribute of the cookie.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Domain string `json:"domain,omitempty"`

	// Path attribute of the cookie.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path,omitempty"`

	// SameSite attribute of the cookie.
	// +optional
	// +kubebuilder:validation:Enum=Strict;Lax;None
	SameSite string `json:"sameSite,omitempty"`

	// Secure attribute of the cookie.
	// +optional
	Secure bool `json:"secure,omitempty"`

	// HTTPOnly attribute of the cookie.
	// +optional
	HTTPOnly bool `json:"httpOnly,omitempty"`

	// Partitioned attribute of the cookie.
	// +optional
	Partitioned bool `json:"partitioned,omitempty"`
}
