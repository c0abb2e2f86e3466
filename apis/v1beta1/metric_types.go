package v1beta1

// Names of the built-in metrics.
const (
	MetricSuccessRate = "request-success-rate"
	MetricDuration    = "request-duration"
)

// CanaryMetric is one number and what it must be. A metric named `request-success-rate` (percent of
// requests without a server error) or `request-duration` (99th percentile in milliseconds) is built
// in; any other has a query or a templateRef.
//
// +kubebuilder:validation:XValidation:rule="self.name in ['request-success-rate', 'request-duration'] || has(self.query) || has(self.templateRef)",message="this name is not built in (those are request-success-rate and request-duration): set templateRef or query"
// +kubebuilder:validation:XValidation:rule="!has(self.query) || !has(self.templateRef)",message="set only one of query and templateRef"
type CanaryMetric struct {
	// Name of the metric, in messages too.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Interval that the query looks back over. It never reaches further than the first request that
	// the revision under analysis was given. Default: 1m.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]+(ms|m|s)([0-9]+([.][0-9]+)?(ms|m|s))*$`
	// +kubebuilder:validation:MaxLength=32
	Interval string `json:"interval,omitempty"`

	// Threshold is the least success rate, or the most of any other metric. Prefer thresholdRange,
	// which wins over it. Without either it is 0: a success rate always passes, anything else above 0
	// fails.
	// +optional
	// +kubebuilder:validation:Type=number
	Threshold *float64 `json:"threshold,omitempty"`

	// ThresholdRange is what the value must be within, bounds included.
	// +optional
	ThresholdRange *ThresholdRange `json:"thresholdRange,omitempty"`

	// Query is a PromQL query for metricsServer, as a Go template; see MetricTemplate. Prefer
	// templateRef, which canaries can share.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Query string `json:"query,omitempty"`

	// TemplateRef names the MetricTemplate that holds the query. It takes the place of a built-in
	// metric of the same name.
	// +optional
	TemplateRef *CrossNamespaceNameReference `json:"templateRef,omitempty"`

	// TemplateVariables are the query's `{{ variables.x }}`.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	TemplateVariables map[string]string `json:"templateVariables,omitempty"`
}

// ThresholdRange has at least one bound.
//
// Bounds are numbers, not quantities: manifests in this field write `min: 99` and `max: 0.5`, and
// they are compared with measured floats. They are only ever read, so no round trip can change them.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="set min, max or both"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="min must not be greater than max"
type ThresholdRange struct {
	// Min is the least value that passes.
	// +optional
	// +kubebuilder:validation:Type=number
	Min *float64 `json:"min,omitempty"`

	// Max is the greatest value that passes.
	// +optional
	// +kubebuilder:validation:Type=number
	Max *float64 `json:"max,omitempty"`
}
