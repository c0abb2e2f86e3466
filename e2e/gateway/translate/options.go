package translate

import (
	"errors"
	"fmt"
	"math"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

func applyOptions(o gloo.RouteOptions, out *routev3.RouteAction) error {
	out.Timeout = duration(o.Timeout)
	out.RetryPolicy = retryPolicy(o.Retries)
	if o.PrefixRewrite != nil {
		out.PrefixRewrite = *o.PrefixRewrite
	}
	if o.Shadowing != nil {
		mirror, err := shadow(*o.Shadowing)
		if err != nil {
			return err
		}
		out.RequestMirrorPolicies = []*routev3.RouteAction_RequestMirrorPolicy{mirror}
	}
	return nil
}

func duration(d *gloo.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return d.Duration
}

// retryPolicy is nil unless it is asked for: Gloo retries nothing by itself.
func retryPolicy(r *gloo.Retries) *routev3.RetryPolicy {
	if r == nil {
		return nil
	}
	return &routev3.RetryPolicy{
		RetryOn:              r.RetryOn,
		NumRetries:           wrapperspb.UInt32(max(r.NumRetries, 1)),
		PerTryTimeout:        duration(r.PerTryTimeout),
		RetriableStatusCodes: r.RetriableStatusCodes,
	}
}

func shadow(s gloo.Shadowing) (*routev3.RouteAction_RequestMirrorPolicy, error) {
	if s.Upstream == nil {
		return nil, errors.New("invalid plugin spec: must specify an upstream ref")
	}
	if s.Percentage < 0 || s.Percentage > 100 {
		return nil, fmt.Errorf("shadow percentage must be between 0 and 100, received %v", s.Percentage)
	}
	const perPercent = 1_000_000 / 100
	return &routev3.RouteAction_RequestMirrorPolicy{
		Cluster: clusterName(*s.Upstream),
		RuntimeFraction: &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{
			Numerator:   uint32(math.Round(s.Percentage * perPercent)),
			Denominator: typev3.FractionalPercent_MILLION,
		}},
	}, nil
}

// changes are a HeaderManipulation in Envoy's words.
type changes struct {
	requestAdd, responseAdd       []*corev3.HeaderValueOption
	requestRemove, responseRemove []string
}

func headerChanges(h *gloo.HeaderManipulation) (changes, error) {
	if h == nil {
		return changes{}, nil
	}
	requestAdd, err := headersToAdd(h.RequestHeadersToAdd)
	if err != nil {
		return changes{}, err
	}
	responseAdd, err := headersToAdd(h.ResponseHeadersToAdd)
	if err != nil {
		return changes{}, err
	}
	return changes{
		requestAdd:     requestAdd,
		responseAdd:    responseAdd,
		requestRemove:  h.RequestHeadersToRemove,
		responseRemove: h.ResponseHeadersToRemove,
	}, nil
}

func headersToAdd(headers []gloo.HeaderToAdd) ([]*corev3.HeaderValueOption, error) {
	var out []*corev3.HeaderValueOption
	for _, h := range headers {
		switch {
		case h.Header.Key == "":
			return nil, errors.New("header section of header value option cannot be nil")
		case strings.HasPrefix(h.Header.Key, ":"), strings.EqualFold(h.Header.Key, "host"):
			return nil, fmt.Errorf(":-prefixed headers and Host cannot be set: '%s'", h.Header.Key)
		}
		action := corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		if h.Append != nil && !*h.Append {
			action = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		}
		out = append(out, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.Header.Key, Value: h.Header.Value},
			AppendAction: action,
		})
	}
	return out, nil
}
