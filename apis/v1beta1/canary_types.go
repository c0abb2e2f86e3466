package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Canary turns every change of a workload's pod template into a measured rollout: traffic moves to
// the new revision step by step, metrics and hooks judge it at each step, and it is promoted or
// rolled back.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=all,shortName=can
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Weight",type=number,JSONPath=`.status.canaryWeight`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.step`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`
// +kubebuilder:printcolumn:name="Promoted",type=string,JSONPath=`.status.promoted.image`
// +kubebuilder:printcolumn:name="SeenWeight",type=string,JSONPath=`.status.seenWeight`,priority=1
// +kubebuilder:printcolumn:name="FailedChecks",type=integer,JSONPath=`.status.failedChecks`,priority=1
// +kubebuilder:printcolumn:name="Interval",type=string,JSONPath=`.spec.analysis.interval`,priority=1
// +kubebuilder:printcolumn:name="StepWeight",type=integer,JSONPath=`.spec.analysis.stepWeight`,priority=1
// +kubebuilder:printcolumn:name="StepWeights",type=string,JSONPath=`.spec.analysis.stepWeights`,priority=1
// +kubebuilder:printcolumn:name="MaxWeight",type=integer,JSONPath=`.spec.analysis.maxWeight`,priority=1
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`,priority=1
// +kubebuilder:printcolumn:name="LastTransitionTime",type=string,JSONPath=`.status.lastTransitionTime`
type Canary struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what you ask for: the workload, how its traffic is routed, and how a revision is judged.
	// +required
	Spec CanarySpec `json:"spec"`

	// Status is what Serin is doing and why.
	// +optional
	Status CanaryStatus `json:"status,omitempty"`
}

// CanaryList is a list of canaries.
//
// +kubebuilder:object:root=true
type CanaryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Canary `json:"items"`
}

// CanarySpec is what you ask for.
//
// +kubebuilder:validation:XValidation:rule="has(self.analysis) || (has(self.skipAnalysis) && self.skipAnalysis)",message="analysis is missing: say how a revision is judged, or set skipAnalysis: true"
// +kubebuilder:validation:XValidation:rule="!has(self.service) || has(self.service.name) || size(self.targetRef.name) <= 55",message="the name in targetRef is longer than 55 characters and cannot name the Services <name>-primary and <name>-canary: set service.name to a shorter one"
// +kubebuilder:validation:XValidation:rule="has(self.service) || self.targetRef.apiVersion.startsWith('serving.knative.dev/')",message="service is missing: set service.port to the port that receives the traffic"
type CanarySpec struct {
	// Provider names what moves this canary's traffic: an ingress router, a mesh, or `kubernetes` for
	// none. Without it the operator's default is used. The names listed here can be applied; one that
	// this installation does not drive makes the canary `Stalled` and lists those that it does.
	// +optional
	// +kubebuilder:validation:Enum=apisix;appmesh;appmesh:v1beta2;contour;gatewayapi:v1;gatewayapi:v1beta1;gloo;istio;knative;kubernetes;kuma;linkerd;nginx;osm;skipper;smi:v1alpha1;smi:v1alpha2;smi:v1alpha3;traefik
	Provider string `json:"provider,omitempty"`

	// MetricsServer is the URL of the Prometheus that answers the built-in checks and inline queries
	// of this canary. Without it the operator's default is used.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="size(self) == 0 || isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost().size() > 0",message="metricsServer must be a URL that begins with http:// or https://"
	MetricsServer string `json:"metricsServer,omitempty"`

	// TargetRef names the workload in this namespace whose changes are rolled out: an apps/v1
	// Deployment or DaemonSet, a v1 Service, or a serving.knative.dev/v1 Service. It becomes a
	// template: Serin runs its clones `<name>-primary` and `<name>-canary`. An apiVersion of v1 or
	// extensions on the first two is taken as apps/v1, and core/v1 on a Service as v1.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.kind in ['Deployment', 'DaemonSet', 'Service']",message="kind must be Deployment, DaemonSet or Service"
	// +kubebuilder:validation:XValidation:rule="!(self.kind in ['Deployment', 'DaemonSet']) || self.apiVersion == 'v1' || self.apiVersion.startsWith('apps/') || self.apiVersion.startsWith('extensions/')",message="the apiVersion of a Deployment or DaemonSet is apps/v1"
	// +kubebuilder:validation:XValidation:rule="self.kind != 'Service' || self.apiVersion in ['v1', 'core/v1'] || self.apiVersion.startsWith('serving.knative.dev/')",message="the apiVersion of a Service is v1, or serving.knative.dev/v1 for one of Knative"
	TargetRef LocalObjectReference `json:"targetRef"`

	// AutoscalerRef names the autoscaler of a Deployment. The primary gets a copy of it, which follows it
	// and does not shrink the primary while a rollout is under way.
	// +optional
	AutoscalerRef *AutoscalerReference `json:"autoscalerRef,omitempty"`

	// IngressRef names the Ingress that routers of Ingress objects (nginx, skipper) split.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind == 'Ingress'",message="kind must be Ingress"
	IngressRef *LocalObjectReference `json:"ingressRef,omitempty"`

	// RouteRef names the route that a router splits where it must exist beforehand (apisix).
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind == 'ApisixRoute'",message="kind must be ApisixRoute"
	RouteRef *LocalObjectReference `json:"routeRef,omitempty"`

	// UpstreamRef names a Gloo Upstream whose connection settings (TLS, circuit breakers, load
	// balancing, HTTP/2) the two sides copy and follow.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind == 'Upstream'",message="kind must be Upstream"
	UpstreamRef *CrossNamespaceObjectReference `json:"upstreamRef,omitempty"`

	// Service describes the Services in front of the workload: the apex `<name>`, which users and routes
	// know, and `<name>-primary` and `<name>-canary`. It also holds wishes for the route. Each router
	// honours those that its objects can express; one without effect here is named in the condition
	// `Warning`. Required, but for a Knative Service, which routes by itself.
	// +optional
	Service CanaryService `json:"service,omitzero"`

	// Analysis says how traffic moves and how a revision is judged. Required unless skipAnalysis is
	// true. What it holds decides the strategy: stepWeight or stepWeights move traffic step by step;
	// iterations with match send the requests that match to the canary (A/B); iterations alone test the
	// canary and then switch (blue/green). An edit in mid-run applies from the next check on.
	// +optional
	Analysis *CanaryAnalysis `json:"analysis,omitempty"`

	// ProgressDeadlineSeconds bounds each wait for pods of the canary or the primary to become ready.
	// When it passes the rollout fails and traffic is back on the primary. Default: 600.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// SkipAnalysis promotes a revision as soon as its pods are ready, without giving it traffic first.
	// +optional
	SkipAnalysis bool `json:"skipAnalysis,omitempty"`

	// RollbackWindow lets a revision that was promoted lately be promoted again without an analysis.
	// +optional
	RollbackWindow *RollbackWindow `json:"rollbackWindow,omitempty"`

	// DependsOn names canaries whose rollouts go first: a rollout of this one waits while one of them has
	// a rollout under way, or its last one failed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	DependsOn []CrossNamespaceNameReference `json:"dependsOn,omitempty"`

	// Concurrency bounds how many canaries of a group roll out at once.
	// +optional
	Concurrency *Concurrency `json:"concurrency,omitempty"`

	// RevertOnDeletion hands the traffic back when the Canary is deleted: the target gets the promoted
	// template and its pods, Service and route lead to it again, and what Serin made goes. Set to false,
	// everything stays as it stands and goes on serving. Default: true.
	// +optional
	RevertOnDeletion *bool `json:"revertOnDeletion,omitempty"`

	// Suspend stops everything for this canary: traffic stays where it is, nothing is judged, nothing
	// is repaired, and the clocks of a running rollout stand still. What happened meanwhile is taken up
	// when it is unset.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// RollbackWindow is a number of promotions.
type RollbackWindow struct {
	// Revisions is how many of the last promoted revisions, the present one not counted, may be returned
	// to without an analysis.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Revisions int32 `json:"revisions"`
}

// Concurrency is a share in a group's limit.
type Concurrency struct {
	// Group of canaries in this namespace that share the limit. Default: all canaries of the namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Group string `json:"group,omitempty"`

	// Max is how many canaries of the group may have a rollout under way for this one to begin.
	// +required
	// +kubebuilder:validation:Minimum=1
	Max int32 `json:"max"`
}
