package v1beta1

// GatewayReference is a ParentReference of Gateway API.
type GatewayReference struct {
	// Group of the parent.
	// +optional
	// +kubebuilder:default="gateway.networking.k8s.io"
	// +kubebuilder:validation:MaxLength=253
	Group *string `json:"group,omitempty"`

	// Kind of the parent.
	// +optional
	// +kubebuilder:default=Gateway
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// Name of the parent.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the parent. Default: the Canary's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// SectionName is one listener of a Gateway.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`

	// Port of the parent.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
}

// StringMatch compares a string in one way. Without any, the string only has to be there.
//
// +kubebuilder:validation:XValidation:rule="[has(self.exact), has(self.prefix), has(self.suffix), has(self.regex)].filter(x, x).size() <= 1",message="set only one of exact, prefix, suffix and regex"
type StringMatch struct {
	// Exact is the whole string.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Exact string `json:"exact,omitempty"`

	// Prefix begins the string.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Prefix string `json:"prefix,omitempty"`

	// Suffix ends the string.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Suffix string `json:"suffix,omitempty"`

	// Regex (RE2) matches the whole string.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Regex string `json:"regex,omitempty"`
}

// HTTPMatch is met by a request that meets all of it.
type HTTPMatch struct {
	// Name of the entry, for the proxy's logs.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// URI is the path.
	// +optional
	URI *StringMatch `json:"uri,omitempty"`

	// IgnoreURICase compares the path without regard to case.
	// +optional
	IgnoreURICase bool `json:"ignoreUriCase,omitempty"`

	// Scheme is http or https.
	// +optional
	Scheme *StringMatch `json:"scheme,omitempty"`

	// Method is the request's method.
	// +optional
	Method *StringMatch `json:"method,omitempty"`

	// Authority is the host that was asked.
	// +optional
	Authority *StringMatch `json:"authority,omitempty"`

	// Headers by their lower-case names.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Headers map[string]StringMatch `json:"headers,omitempty"`

	// WithoutHeaders must not match, by their lower-case names.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	WithoutHeaders map[string]StringMatch `json:"withoutHeaders,omitempty"`

	// QueryParams by their names.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	QueryParams map[string]StringMatch `json:"queryParams,omitempty"`

	// Port that the request came in on.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// SourceLabels are labels of the workload that asks (Istio).
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	SourceLabels map[string]string `json:"sourceLabels,omitempty"`

	// SourceNamespace is the namespace of the workload that asks (Istio).
	// +optional
	// +kubebuilder:validation:MaxLength=63
	SourceNamespace string `json:"sourceNamespace,omitempty"`

	// Gateways that the entry is for (Istio).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Gateways []string `json:"gateways,omitempty"`
}

// HTTPRewrite changes a request before it goes to a pod.
type HTTPRewrite struct {
	// URI is the new path, or what takes the place of the matched prefix.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	URI string `json:"uri,omitempty"`

	// Authority is the new host.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Authority string `json:"authority,omitempty"`

	// Type is ReplacePrefixMatch or ReplaceFullPath (Gateway API).
	// +optional
	// +kubebuilder:validation:Enum="";ReplacePrefixMatch;ReplaceFullPath
	Type string `json:"type,omitempty"`
}

// HTTPRetries says when a request is tried again.
type HTTPRetries struct {
	// Attempts is how often.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempts int32 `json:"attempts,omitempty"`

	// PerTryTimeout bounds each try, as the router writes durations: 2s.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	PerTryTimeout string `json:"perTryTimeout,omitempty"`

	// RetryOn lists the conditions, as the proxy names them: gateway-error,connect-failure.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	RetryOn string `json:"retryOn,omitempty"`
}

// Headers are changed on the way.
type Headers struct {
	// Request headers, before a request goes to a pod.
	// +optional
	Request *HeaderOperations `json:"request,omitempty"`

	// Response headers, before an answer goes to the client.
	// +optional
	Response *HeaderOperations `json:"response,omitempty"`
}

// HeaderOperations change headers.
type HeaderOperations struct {
	// Set gives headers a value, whatever they had.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Set map[string]string `json:"set,omitempty"`

	// Add appends values to headers.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Add map[string]string `json:"add,omitempty"`

	// Remove takes headers away.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Remove []string `json:"remove,omitempty"`
}

// RequestMirror sends copies of requests to a backend.
type RequestMirror struct {
	// BackendRef is the backend.
	// +required
	BackendRef BackendReference `json:"backendRef"`
}

// BackendReference is a BackendObjectReference of Gateway API.
//
// +kubebuilder:validation:XValidation:rule="(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",message="port is missing: a Service needs one"
type BackendReference struct {
	// Group of the backend.
	// +optional
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`

	// Kind of the backend.
	// +optional
	// +kubebuilder:default=Service
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// Name of the backend.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the backend. Default: the Canary's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// Port of the backend.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
}

// CorsPolicy says what browsers may ask on behalf of other origins.
type CorsPolicy struct {
	// AllowOrigin lists whole origins; `*` allows any.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AllowOrigin []string `json:"allowOrigin,omitempty"`

	// AllowOrigins match origins.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AllowOrigins []StringMatch `json:"allowOrigins,omitempty"`

	// AllowMethods lists methods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AllowMethods []string `json:"allowMethods,omitempty"`

	// AllowHeaders lists headers that requests may have.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AllowHeaders []string `json:"allowHeaders,omitempty"`

	// ExposeHeaders lists headers of answers that scripts may read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	ExposeHeaders []string `json:"exposeHeaders,omitempty"`

	// MaxAge is how long browsers may remember the answer: 24h.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	MaxAge string `json:"maxAge,omitempty"`

	// AllowCredentials allows cookies and the like.
	// +optional
	AllowCredentials *bool `json:"allowCredentials,omitempty"`
}
