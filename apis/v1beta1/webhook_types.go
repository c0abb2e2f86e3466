package v1beta1

import corev1 "k8s.io/api/core/v1"

// CanaryWebhook is an HTTP POST of `{name, namespace, phase, checksum, metadata}`. An answer of 2xx
// passes.
type CanaryWebhook struct {
	// Type says when it is called and what its answer decides. `confirm-rollout`: before the canary
	// starts; waits until it passes. `pre-rollout`: before the first traffic; a failure counts as a
	// failed check. `rollout` (default): at each check; a failure counts as a failed check.
	// `confirm-traffic-increase`: before each step; waits until it passes. `confirm-promotion`: before
	// promotion; waits until it passes, and the analysis goes on meanwhile. `rollback`: at each check;
	// a pass rolls back. `post-rollout`: after the end; decides nothing. `event`: at every event;
	// decides nothing.
	// +optional
	// +kubebuilder:validation:Enum="";confirm-rollout;pre-rollout;rollout;confirm-traffic-increase;confirm-promotion;rollback;post-rollout;event
	Type string `json:"type,omitempty"`

	// Name of the hook, in messages too.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// URL that is posted to.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost().size() > 0",message="url must begin with http:// or https:// and name a host"
	URL string `json:"url"`

	// Timeout of one call. Default, and for 0s: 10s.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s)([0-9]+([.][0-9]+)?(ms|m|s))*$`
	// +kubebuilder:validation:MaxLength=32
	Timeout string `json:"timeout,omitempty"`

	// Retries is how often a call is repeated that could not be made or was answered with 429 or 5xx.
	// Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Retries int32 `json:"retries,omitempty"`

	// MuteAlert sends no alert when this hook makes the canary wait.
	// +optional
	MuteAlert bool `json:"muteAlert,omitempty"`

	// DisableTLS trusts any certificate of the URL.
	// +optional
	DisableTLS bool `json:"disableTLS,omitempty"`

	// Headers are added to each call.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Headers map[string]string `json:"headers,omitempty"`

	// SecretRef names a Secret in the Canary's namespace. Its keys that count: `token` is sent as a bearer
	// token, `ca.crt` is what the URL's certificate is checked against, `tls.crt` and `tls.key` are the
	// caller's own certificate.
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="name is missing: name the Secret in this namespace"
	SecretRef *corev1.LocalObjectReference `json:"secretRef,omitempty"`

	// RemindAfter is how long a gate (confirm-*) keeps a rollout waiting until it is told again.
	// Default: it is told once.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s|h)([0-9]+([.][0-9]+)?(ms|m|s|h))*$`
	// +kubebuilder:validation:MaxLength=32
	RemindAfter string `json:"remindAfter,omitempty"`

	// Deadline is how long a gate (confirm-*) may keep a rollout waiting. Default: for ever.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s|h)([0-9]+([.][0-9]+)?(ms|m|s|h))*$`
	// +kubebuilder:validation:MaxLength=32
	Deadline string `json:"deadline,omitempty"`

	// OnDeadline is what happens then: rollback (default) ends the rollout as failed, proceed takes the
	// gate for open.
	// +optional
	// +kubebuilder:validation:Enum="";rollback;proceed
	OnDeadline string `json:"onDeadline,omitempty"`

	// Metadata is passed on in the body.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Values of CanaryWebhook.OnDeadline. An empty one means OnDeadlineRollback.
const (
	OnDeadlineRollback = "rollback"
	OnDeadlineProceed  = "proceed"
)

// Values of CanaryWebhook.Type. An empty one means HookRollout.
const (
	HookConfirmRollout         = "confirm-rollout"
	HookPreRollout             = "pre-rollout"
	HookRollout                = "rollout"
	HookConfirmTrafficIncrease = "confirm-traffic-increase"
	HookConfirmPromotion       = "confirm-promotion"
	HookRollback               = "rollback"
	HookPostRollout            = "post-rollout"
	HookEvent                  = "event"
)
