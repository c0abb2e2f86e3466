package translate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// The states that Gloo gives an object, as it writes them today. Older
// releases write numbers.
const (
	StateAccepted = "Accepted"
	StateWarning  = "Warning"
	StateRejected = "Rejected"
)

// reporter is the name Gloo signs a status with.
const reporter = "gloo"

// Status is what Gloo writes under status.statuses.<its namespace>.
type Status struct {
	State               string            `json:"state"`
	Reason              string            `json:"reason,omitempty"`
	ReportedBy          string            `json:"reportedBy"`
	SubresourceStatuses map[string]Status `json:"subresourceStatuses,omitempty"`
}

// report collects what there is to say of one object. The same words are kept
// once: a route with two matchers is not two problems.
type report struct{ errors, warnings []string }

func (r *report) fail(format string, args ...any) {
	r.errors = appendNew(r.errors, fmt.Sprintf(format, args...))
}

func (r *report) warn(format string, args ...any) {
	r.warnings = appendNew(r.warnings, fmt.Sprintf(format, args...))
}

func (r *report) refused() bool { return len(r.errors) > 0 }

func (r *report) merge(other *report) {
	r.errors = appendNew(r.errors, other.errors...)
	r.warnings = appendNew(r.warnings, other.warnings...)
}

func appendNew(list []string, items ...string) []string {
	for _, item := range items {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}

// status words a report the way Gloo's reporter does, line breaks included:
// whoever shows these to a user has to cope with them.
func (r *report) status(subresources map[string]Status) Status {
	s := Status{State: StateAccepted, ReportedBy: reporter, SubresourceStatuses: subresources}
	var parts []string
	if len(r.errors) > 0 {
		s.State = StateRejected
		parts = append(parts, listErrors(r.errors))
	}
	if len(r.warnings) > 0 {
		if s.State == StateAccepted {
			s.State = StateWarning
		}
		parts = append(parts, "warning: \n  "+strings.Join(r.warnings, "\n"))
	}
	s.Reason = strings.Join(parts, "\n")
	return s
}

func listErrors(errors []string) string {
	if len(errors) == 1 {
		return "1 error occurred:\n\t* " + errors[0] + "\n\n"
	}
	return fmt.Sprintf("%d errors occurred:\n\t* %s\n\n", len(errors), strings.Join(errors, "\n\t* "))
}

type reports map[gloo.ID]*report

func (r reports) of(id gloo.ID) *report {
	if r[id] == nil {
		r[id] = &report{}
	}
	return r[id]
}

// statuses gives every object its status. The verdict on the proxy as a whole
// is a subresource of every VirtualService and RouteTable, whether it concerns
// them or not; it is the only place where a RouteTable shows that an Upstream
// is missing.
func statuses(w World, s Settings, gateway, upstreams reports, proxy *report) map[gloo.ID]Status {
	sub := map[string]Status{"*v1.Proxy.gateway-proxy_" + s.Namespace: proxy.status(nil)}
	all := map[gloo.ID]Status{}
	for _, vs := range w.VirtualServices {
		all[vs.ID()] = gateway.of(vs.ID()).status(sub)
	}
	for _, rt := range w.RouteTables {
		all[rt.ID()] = gateway.of(rt.ID()).status(sub)
	}
	for _, us := range w.Upstreams {
		all[us.ID()] = upstreams.of(us.ID()).status(nil)
	}
	return all
}
