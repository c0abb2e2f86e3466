package gloo

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Duration is read as Gloo reads it: a decimal number of seconds followed by
// "s". "1m" is an error there, and so it is here.
type Duration struct{ *durationpb.Duration }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(b []byte) error {
	d.Duration = &durationpb.Duration{}
	if err := protojson.Unmarshal(b, d.Duration); err != nil {
		return fmt.Errorf("duration %s: %w", b, err)
	}
	return nil
}

// RouteOptions are the options of a route that are honoured.
type RouteOptions struct {
	Timeout            *Duration           `json:"timeout"`
	Retries            *Retries            `json:"retries"`
	PrefixRewrite      *string             `json:"prefixRewrite"`
	HeaderManipulation *HeaderManipulation `json:"headerManipulation"`
	Shadowing          *Shadowing          `json:"shadowing"`

	// Unknown lists what was set and is not honoured.
	Unknown []string `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *RouteOptions) UnmarshalJSON(b []byte) error {
	type plain RouteOptions
	return readOptions(b, (*plain)(o), &o.Unknown)
}

// Inherit fills what is not set from the options of the delegating route.
func (o RouteOptions) Inherit(parent RouteOptions) RouteOptions {
	if o.Timeout == nil {
		o.Timeout = parent.Timeout
	}
	if o.Retries == nil {
		o.Retries = parent.Retries
	}
	if o.PrefixRewrite == nil {
		o.PrefixRewrite = parent.PrefixRewrite
	}
	if o.HeaderManipulation == nil {
		o.HeaderManipulation = parent.HeaderManipulation
	}
	if o.Shadowing == nil {
		o.Shadowing = parent.Shadowing
	}
	return o
}

// DestinationOptions are the options of one weighted destination.
type DestinationOptions struct {
	HeaderManipulation *HeaderManipulation `json:"headerManipulation"`

	// Unknown lists what was set and is not honoured.
	Unknown []string `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *DestinationOptions) UnmarshalJSON(b []byte) error {
	type plain DestinationOptions
	return readOptions(b, (*plain)(o), &o.Unknown)
}

// VirtualHostOptions are the options of a whole VirtualService.
type VirtualHostOptions struct {
	HeaderManipulation *HeaderManipulation `json:"headerManipulation"`
	Retries            *Retries            `json:"retries"`

	// Unknown lists what was set and is not honoured.
	Unknown []string `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *VirtualHostOptions) UnmarshalJSON(b []byte) error {
	type plain VirtualHostOptions
	return readOptions(b, (*plain)(o), &o.Unknown)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *UpstreamSpec) UnmarshalJSON(b []byte) error {
	type plain UpstreamSpec
	return readOptions(b, (*plain)(s), &s.Unknown)
}

// Retries is Envoy's retry policy in Gloo's words.
type Retries struct {
	RetryOn              string    `json:"retryOn"`
	NumRetries           uint32    `json:"numRetries"`
	PerTryTimeout        *Duration `json:"perTryTimeout"`
	RetriableStatusCodes []uint32  `json:"retriableStatusCodes"`
}

// HeaderManipulation adds and removes headers on the way in and out.
type HeaderManipulation struct {
	RequestHeadersToAdd     []HeaderToAdd `json:"requestHeadersToAdd"`
	RequestHeadersToRemove  []string      `json:"requestHeadersToRemove"`
	ResponseHeadersToAdd    []HeaderToAdd `json:"responseHeadersToAdd"`
	ResponseHeadersToRemove []string      `json:"responseHeadersToRemove"`
}

// HeaderToAdd is one header. Without Append it is appended, as in Envoy.
type HeaderToAdd struct {
	Header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"header"`
	Append *bool `json:"append"`
}

// Shadowing sends a copy of some requests elsewhere and drops the answers.
type Shadowing struct {
	Upstream   *Ref    `json:"upstream"`
	Percentage float64 `json:"percentage"`
}

// readOptions reads b into out and lists what out has no place for.
func readOptions(b []byte, out any, unknown *[]string) error {
	if err := json.Unmarshal(b, out); err != nil {
		return err
	}
	var raw any
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*unknown = unknownFields(raw, out)
	return nil
}
