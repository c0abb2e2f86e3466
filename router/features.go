package router

import (
	"fmt"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Refuse returns a *NotReady error that names what a router with these features cannot do with the
// traffic, and nil where it can do all. No router matches by sourceLabels: they are of a mesh.
func (f Features) Refuse(tr Traffic) error {
	cannot := append(f.lacksForWeights(tr.Weights), f.lacksForRules(tr.Rules)...)
	if len(cannot) == 0 {
		return nil
	}
	return &NotReady{Problem: Problem{
		Reason: "NotSupportedByRouter",
		Message: fmt.Sprintf("the router of this canary cannot %s: take that out of spec.analysis, or set another spec.provider",
			strings.Join(cannot, ", nor ")),
	}}
}

func (f Features) lacksForWeights(w Weights) []string {
	switch {
	case !f.Weights && w.Canary != 0 && w.Primary != 0:
		return []string{fmt.Sprintf("share requests by weight (%s)", w)}
	case !f.Tenths && w.Canary%10 != 0:
		return []string{fmt.Sprintf("set tenths of a percent (%s)", w)}
	}
	return nil
}

func (f Features) lacksForRules(r v1beta1.RouteRules) []string {
	var cannot []string
	need := func(needed, has bool, what string) {
		if needed && !has {
			cannot = append(cannot, what)
		}
	}
	var headers, cookies, queryParams, methods, sourceLabels bool
	for _, m := range r.Match {
		headers = headers || len(m.Headers) > 0
		cookies = cookies || len(m.Cookies) > 0
		queryParams = queryParams || len(m.QueryParams) > 0
		methods = methods || m.Method != nil
		sourceLabels = sourceLabels || len(m.SourceLabels) > 0
	}
	need(headers, f.Headers, "match requests by headers")
	need(cookies, f.Headers, "match requests by cookies")
	need(queryParams, f.QueryParams, "match requests by queryParams")
	need(methods, f.Methods, "match requests by method")
	need(sourceLabels, false, "match requests by sourceLabels")
	need(r.Mirror > 0, f.Mirror, "mirror requests")
	need(f.Mirror && r.Mirror > 0 && r.Mirror < v1beta1.FullWeight, f.MirrorShare, fmt.Sprintf("mirror a share of the requests (%s %%)", r.Mirror))
	need(r.Affinity != nil, f.Affinity, "keep users on a side by a cookie (sessionAffinity)")
	return cannot
}
