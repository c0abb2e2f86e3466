package v1beta1

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

	// Metadata is passed on in the body.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Metadata map[string]string `json:"metadata,omitempty"`
}

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
