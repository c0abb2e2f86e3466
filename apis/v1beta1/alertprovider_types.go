package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AlertProvider is a place that canaries send messages to.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=all
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AlertProvider struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is where messages go.
	// +required
	Spec AlertProviderSpec `json:"spec"`
}

// AlertProviderList is a list of alert providers.
//
// +kubebuilder:object:root=true
type AlertProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AlertProvider `json:"items"`
}

// AlertProviderSpec is where messages go.
//
// +kubebuilder:validation:XValidation:rule="has(self.address) != has(self.secretRef)",message="set exactly one of address (a webhook URL) and secretRef (a Secret that holds the address or a token)"
type AlertProviderSpec struct {
	// Type of the place: slack; msteams (a workflow's URL); discord; rocket; gchat; webhook, which posts
	// every message as a CloudEvent; or cdevents, which posts what became of a service as a CDEvent.
	// Those listed can be applied; one that this installation does not send to makes the canaries that
	// use it warn and lists those that it does.
	// +required
	// +kubebuilder:validation:Enum=cdevents;discord;gchat;msteams;rocket;slack;webhook
	Type string `json:"type"`

	// Channel that messages go to. Default: general with a Slack token. A webhook of Rocket.Chat, and an
	// older one of Slack, can be sent to another than its own. Everywhere else it has its own alone.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Channel string `json:"channel,omitempty"`

	// Username that messages are sent under, on Slack, Discord and Rocket.Chat. Default: serin.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`

	// Template is the text of a message as a Go template, in place of Serin's own sentence:
	// `{{.Canary}} {{.To}}: {{.What}}`. Its fields are .Canary, .Namespace, .Kind, .Severity, .What, .Why,
	// .Next, .From, .To, .Weight, .Phase, .Rollout and .Cluster; if, with, and, or, not and the
	// comparisons can be used. Where it makes nothing of a message the sentence is sent.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Template string `json:"template,omitempty"`

	// Address is the webhook's URL. Who knows it can post there: prefer secretRef.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost().size() > 0",message="address must be a URL that begins with https:// or http://"
	Address string `json:"address,omitempty"`

	// Proxy is the URL of an HTTP proxy that messages are sent through.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Proxy string `json:"proxy,omitempty"`

	// SecretRef names a Secret in the provider's namespace with the key `address` (a webhook URL) or
	// `token` (a Slack bot's). For webhook and cdevents it has an `address`, and may have a `token`, sent
	// as a bearer token, and a `signingKey`, which each event is signed with.
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.name) && size(self.name) > 0",message="name is missing: name the Secret in this namespace that holds the address or the token"
	SecretRef *corev1.LocalObjectReference `json:"secretRef,omitempty"`
}
