package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MetricTemplate is a query that canaries share, and where it is asked.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=all
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MetricTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the query and where it is asked.
	// +required
	Spec MetricTemplateSpec `json:"spec"`
}

// MetricTemplateList is a list of metric templates.
//
// +kubebuilder:object:root=true
type MetricTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MetricTemplate `json:"items"`
}

// MetricTemplateSpec is a query and where it is asked.
type MetricTemplateSpec struct {
	// Provider is where the query is asked.
	// +required
	Provider MetricTemplateProvider `json:"provider"`

	// Query in the provider's language, as a Go template. It must come to one number. It may use
	// `{{ name }}` and `{{ namespace }}` of the Canary, `{{ target }}` (the workload under analysis,
	// so `{{ target }}-primary` is the one to compare with), `{{ service }}`, `{{ ingress }}`,
	// `{{ route }}`, `{{ interval }}` of the metric and `{{ variables.x }}` of its templateVariables.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Query string `json:"query"`
}

// MetricTemplateProvider is a metrics system.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'prometheus' || has(self.address) && isURL(self.address) && url(self.address).getScheme() in ['http', 'https'] && url(self.address).getHost().size() > 0",message="address must be the URL of the Prometheus and begin with http:// or https://"
type MetricTemplateProvider struct {
	// Type of the metrics system. Those listed can be applied; one that this installation does not ask
	// makes the canaries that use it `Stalled` and lists those that it does.
	// +required
	// +kubebuilder:validation:Enum=cloudwatch;datadog;dynatrace;externalmetrics;graphite;influxdb;keptn;newrelic;prometheus;splunk;stackdriver
	Type string `json:"type"`

	// Address is the system's URL.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Address string `json:"address,omitempty"`

	// Headers are added to each request.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Headers map[string][]string `json:"headers,omitempty"`

	// SecretRef names a Secret in the template's namespace with the credentials: `username` and
	// `password` or `token` for prometheus; see the provider's page for the others.
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="name is missing: name the Secret in this namespace that holds the credentials"
	SecretRef *corev1.LocalObjectReference `json:"secretRef,omitempty"`

	// Region of a cloud provider's system (cloudwatch).
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Region string `json:"region,omitempty"`

	// InsecureSkipVerify trusts any certificate of the system.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
