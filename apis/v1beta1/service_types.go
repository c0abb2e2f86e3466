package v1beta1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// CanaryService describes the Services and what the route to them should do.
type CanaryService struct {
	// Name of the apex Service. Default: the target's name. An existing Service of this name is
	// adopted: only its selector changes. The limit leaves room for the other two names.
	// +optional
	// +kubebuilder:validation:MaxLength=55
	Name string `json:"name,omitempty"`

	// Port that the Services listen on.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// PortName is the name of that port. Default: http.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	PortName string `json:"portName,omitempty"`

	// TargetPort is the number or name of the container port behind it. Default: port.
	// +optional
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`

	// AppProtocol is the application protocol of that port, as in a Service.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	AppProtocol string `json:"appProtocol,omitempty"`

	// TrafficDistribution of the Services, as in a Service.
	// +optional
	// +kubebuilder:validation:Enum=PreferClose;PreferSameZone;PreferSameNode
	TrafficDistribution string `json:"trafficDistribution,omitempty"`

	// PortDiscovery adds the other container ports of the target to the Services, except those of
	// containers that a mesh injects.
	// +optional
	PortDiscovery bool `json:"portDiscovery,omitempty"`

	// Headless makes the Services headless (clusterIP: None).
	// +optional
	Headless bool `json:"headless,omitempty"`

	// Timeout of a request, as the router writes durations: 15s.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Timeout string `json:"timeout,omitempty"`

	// BackendTimeout bounds one try of a request to a pod (Gateway API).
	// +optional
	// +kubebuilder:validation:MaxLength=63
	BackendTimeout string `json:"backendTimeout,omitempty"`

	// Gateways that the route is attached to (Istio).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Gateways []string `json:"gateways,omitempty"`

	// GatewayRefs are the parents that the route is attached to (Gateway API).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	GatewayRefs []GatewayReference `json:"gatewayRefs,omitempty"`

	// Hosts that the route answers to.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Hosts []string `json:"hosts,omitempty"`

	// Delegation makes the route one that others delegate to: it has no hosts and gateways of its own
	// (Istio).
	// +optional
	Delegation bool `json:"delegation,omitempty"`

	// TrafficPolicy is the `trafficPolicy` of a DestinationRule, passed on as it is (Istio).
	// +optional
	// +kubebuilder:validation:Type=object
	TrafficPolicy *apiextensionsv1.JSON `json:"trafficPolicy,omitempty"`

	// Match narrows the requests that the route answers. A request matches when one entry does.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Match []HTTPMatch `json:"match,omitempty"`

	// Rewrite changes path and authority before a request goes to a pod.
	// +optional
	Rewrite *HTTPRewrite `json:"rewrite,omitempty"`

	// Retries of a request that failed.
	// +optional
	Retries *HTTPRetries `json:"retries,omitempty"`

	// Headers are changed on requests and responses.
	// +optional
	Headers *Headers `json:"headers,omitempty"`

	// Mirror sends copies of all requests to other backends (Gateway API).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Mirror []RequestMirror `json:"mirror,omitempty"`

	// CorsPolicy answers browsers that ask on behalf of other origins.
	// +optional
	CorsPolicy *CorsPolicy `json:"corsPolicy,omitempty"`

	// MeshName is the mesh that the objects belong to (App Mesh).
	// +optional
	// +kubebuilder:validation:MaxLength=253
	MeshName string `json:"meshName,omitempty"`

	// Backends are the services that the workload calls (App Mesh).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Backends []string `json:"backends,omitempty"`

	// Apex is added to the metadata of the apex Service and of the route.
	// +optional
	Apex *CustomMetadata `json:"apex,omitempty"`

	// Primary is added to the metadata of the Service `<name>-primary`.
	// +optional
	Primary *CustomMetadata `json:"primary,omitempty"`

	// Canary is added to the metadata of the Service `<name>-canary`.
	// +optional
	Canary *CustomMetadata `json:"canary,omitempty"`

	// UnmanagedMetadata names labels and annotations of the Services that others manage. Serin leaves
	// every key alone that it did not set, listed or not.
	// +optional
	UnmanagedMetadata *UnmanagedMetadata `json:"unmanagedMetadata,omitempty"`
}

// CustomMetadata is added to what Serin creates.
type CustomMetadata struct {
	// Labels to add.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations to add.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
}

// UnmanagedMetadata lists keys.
type UnmanagedMetadata struct {
	// Labels are keys of labels.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Labels []string `json:"labels,omitempty"`

	// Annotations are keys of annotations.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Annotations []string `json:"annotations,omitempty"`
}
