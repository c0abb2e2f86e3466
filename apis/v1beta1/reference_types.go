package v1beta1

// LocalObjectReference names an object in the Canary's namespace.
type LocalObjectReference struct {
	// APIVersion of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`

	// Kind of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// Name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// CrossNamespaceObjectReference names an object in any namespace.
type CrossNamespaceObjectReference struct {
	// APIVersion of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`

	// Kind of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// Name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the object. Default: the Canary's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// CrossNamespaceNameReference names an object of a known kind in any namespace.
type CrossNamespaceNameReference struct {
	// Name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the object. Default: the Canary's. Any other is refused unless the operator was
	// started with it in --reference-namespaces.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// AutoscalerReference names a HorizontalPodAutoscaler or a KEDA ScaledObject.
//
// +kubebuilder:validation:XValidation:rule="self.kind != 'HorizontalPodAutoscaler' || self.apiVersion.startsWith('autoscaling/')",message="the apiVersion of a HorizontalPodAutoscaler is autoscaling/v2"
// +kubebuilder:validation:XValidation:rule="self.kind != 'ScaledObject' || self.apiVersion.startsWith('keda.sh/')",message="the apiVersion of a ScaledObject is keda.sh/v1alpha1"
type AutoscalerReference struct {
	// APIVersion of the autoscaler.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`

	// Kind of the autoscaler.
	// +required
	// +kubebuilder:validation:Enum=HorizontalPodAutoscaler;ScaledObject
	Kind string `json:"kind"`

	// Name of the autoscaler.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// PrimaryScalerQueries replaces queries in the primary's copy of a ScaledObject, by the name of
	// the trigger. A trigger that is not listed keeps its query with the target's name replaced by the
	// primary's. A HorizontalPodAutoscaler has no queries.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	PrimaryScalerQueries map[string]string `json:"primaryScalerQueries,omitempty"`

	// PrimaryScalerReplicas replaces the bounds in the primary's copy.
	// +optional
	PrimaryScalerReplicas *ScalerReplicas `json:"primaryScalerReplicas,omitempty"`
}

// ScalerReplicas are the bounds of an autoscaler. One that is not set is copied.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas must not be greater than maxReplicas"
type ScalerReplicas struct {
	// MinReplicas is the lower bound.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// MaxReplicas is the upper bound.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}
