package gloo

// Upstream is a place that requests can be sent to.
type Upstream struct {
	Object `json:",inline"`
	Spec   UpstreamSpec `json:"spec"`
}

// ID names the Upstream among all kinds.
func (u *Upstream) ID() ID { return ID{UpstreamKind, u.Ref()} }

// UpstreamSpec is the part of an Upstream that is honoured. Of what has no
// influence on where requests go, load balancing and circuit breakers are
// taken without a word, the rest is reported in Unknown.
type UpstreamSpec struct {
	Kube     *KubeUpstream   `json:"kube"`
	Static   *StaticUpstream `json:"static"`
	UseHTTP2 bool            `json:"useHttp2"`

	LoadBalancerConfig any `json:"loadBalancerConfig"`
	CircuitBreakers    any `json:"circuitBreakers"`
	DiscoveryMetadata  any `json:"discoveryMetadata"`

	Unknown []string `json:"-"`
}

// KubeUpstream follows the ready endpoints of one port of a Service. Where a
// selector is given, only pods that carry its labels count.
type KubeUpstream struct {
	ServiceName      string            `json:"serviceName"`
	ServiceNamespace string            `json:"serviceNamespace"`
	ServicePort      uint32            `json:"servicePort"`
	Selector         map[string]string `json:"selector"`
}

// StaticUpstream is a fixed list of hosts.
type StaticUpstream struct {
	Hosts []struct {
		Addr string `json:"addr"`
		Port uint32 `json:"port"`
	} `json:"hosts"`
}
