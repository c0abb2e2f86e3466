package translate

import (
	"errors"
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// action writes where a route sends its requests. A destination that does not
// exist is worth a warning only: Envoy answers its share with 503.
func (g *routing) action(r gloo.Route, verdict *report) (*routev3.RouteAction, error) {
	out := &routev3.RouteAction{}
	a := r.RouteAction
	var err error
	switch {
	case a.Multi != nil:
		err = g.weighted(a.Multi.Destinations, out, verdict)
	case a.Single != nil:
		err = g.single(*a.Single, out, verdict)
	default:
		err = errors.New("unknown upstream destination type")
	}
	if err != nil {
		return out, err
	}
	return out, applyOptions(r.Options, out)
}

func (g *routing) single(d gloo.Destination, out *routev3.RouteAction, verdict *report) error {
	cluster, err := g.cluster(d, "", verdict)
	if err != nil {
		return err
	}
	out.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: cluster}
	return nil
}

func (g *routing) weighted(destinations []gloo.WeightedDestination, out *routev3.RouteAction, verdict *report) error {
	if len(destinations) == 0 {
		return errors.New("must specify at least one weighted destination for multi destination routes")
	}
	clusters := &routev3.WeightedCluster{}
	var total uint64
	for _, d := range destinations {
		share, err := g.share(d, verdict)
		if err != nil {
			return err
		}
		clusters.Clusters = append(clusters.Clusters, share)
		total += uint64(d.Weight)
	}
	out.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: clusters}
	if total == 0 {
		return errors.New("Incorrect configuration for Weighted Destination for route - " + // Gloo's own words
			"Weighted Destinations require a total weight that is greater than or equal to 1")
	}
	return nil
}

func (g *routing) share(d gloo.WeightedDestination, verdict *report) (*routev3.WeightedCluster_ClusterWeight, error) {
	cluster, err := g.cluster(d.Destination, "invalid destination in weighted destination list: ", verdict)
	if err != nil {
		return nil, err
	}
	headers, err := headerChanges(d.Options.HeaderManipulation)
	if err != nil {
		return nil, err
	}
	return &routev3.WeightedCluster_ClusterWeight{
		Name:                    cluster,
		Weight:                  wrapperspb.UInt32(d.Weight),
		RequestHeadersToAdd:     headers.requestAdd,
		RequestHeadersToRemove:  headers.requestRemove,
		ResponseHeadersToAdd:    headers.responseAdd,
		ResponseHeadersToRemove: headers.responseRemove,
	}, nil
}

// cluster names the cluster of a destination, whether it exists or not.
func (g *routing) cluster(d gloo.Destination, context string, verdict *report) (string, error) {
	ref, ok := d.UpstreamRef()
	if !ok {
		return "", fmt.Errorf("%sno destination type specified", context)
	}
	if !g.clusters.known[ref] {
		verdict.warn("Route Warning: InvalidDestinationWarning. Reason: %s*v1.Upstream { %s } not found", context, ref)
	}
	return clusterName(ref), nil
}
