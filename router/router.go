// Package router is the contract between a rollout and whatever moves its traffic: an ingress
// gateway, a mesh, or nothing at all. An implementation is one package below this one and one line
// in cmd/serin; routertest holds the suite that all of them pass. It decides nothing: which weight
// is wanted, and when, is pkg/rollout's.
package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Target names what is routed: one canary and the three Services it owns.
type Target struct {
	// Canary is the object's namespace and name; everything a router writes is in that namespace.
	Canary types.NamespacedName
	// Apex is the Service that users and routes know; PrimaryService and CanaryService carry the
	// two workloads under analysis.
	Apex, PrimaryService, CanaryService string
	// Port is the Services' port that receives the traffic.
	Port int32
	// Upstream names the object whose connection settings the two sides copy and follow; nil without.
	Upstream *v1beta1.CrossNamespaceObjectReference
	// Watched is the only namespace that can be read; empty for all.
	Watched string
	// Metadata goes on the object that routers share with the apex Service.
	Metadata v1beta1.CustomMetadata
	// Service holds the canary's other wishes for the route: where it is attached, which requests it
	// answers and what it does to them. Features.ServiceFields says which of them a router heeds.
	Service v1beta1.CanaryService
}

// Weights are shares of the traffic. They sum to v1beta1.FullWeight.
type Weights struct {
	Primary, Canary v1beta1.Weight
}

// Split gives the canary its weight and the primary the rest.
func Split(canary v1beta1.Weight) Weights {
	return Weights{Primary: v1beta1.FullWeight - canary, Canary: canary}
}

// Percent gives the canary whole percents and the primary the rest.
func Percent(canary int32) Weights { return Split(v1beta1.Percent(canary)) }

// Validate reports weights that no router can set.
func (w Weights) Validate() error {
	if w.Primary < 0 || w.Canary < 0 || w.Primary+w.Canary != v1beta1.FullWeight {
		return fmt.Errorf("weights %s are not shares of 100", w)
	}
	return nil
}

// String prints primary/canary as users write it: 80/20.
func (w Weights) String() string { return fmt.Sprintf("%s/%s", w.Primary, w.Canary) }

// Traffic is what a route is to do with requests: rules first, and weights for the rest.
type Traffic struct {
	Weights
	Rules v1beta1.RouteRules
}

// Features are what a router can do beside whole percents of weight. What a canary asks for and its
// router cannot is told before a rollout begins, and never ignored.
type Features struct {
	// Weights is false where a side has all of the traffic or none.
	Weights bool
	// Tenths of a percent are taken as they are.
	Tenths bool
	// Headers, QueryParams and Methods say what requests can be matched by. A cookie is a header.
	Headers, QueryParams, Methods bool
	// Mirror copies requests, MirrorShare a share of them.
	Mirror, MirrorShare bool
	// Affinity keeps users on their side by a cookie.
	Affinity bool
	// Upstream copies the settings of what spec.upstreamRef names.
	Upstream bool
	// ServiceFields are the fields of spec.service, by their JSON names, that say something of the route
	// and that the router heeds.
	ServiceFields []string
}

// Stamp is the transition counter of the commit that a write belongs to. Routers keep it in the
// annotation v1beta1.TransitionAnnotation beside what they write; a write that meets a higher one
// has been overtaken.
type Stamp int64

// Verdict is what a router can say of the last weights that it wrote.
type Verdict string

const (
	// NotKnown means that the router gives no answer that is surely about the last write.
	NotKnown Verdict = "NotKnown"
	// InForce means that the proxies were seen to follow the last write.
	InForce Verdict = "InForce"
	// Rejected means that the last write, or somebody's edit of it, was refused; State.Message has the words.
	Rejected Verdict = "Rejected"
)

// State is the route as it stands, read from the cache.
type State struct {
	// Exists is false before the first Ensure and after somebody's deletion.
	Exists bool
	// Weights as they stand. Meaningless unless Exists.
	Weights Weights
	// Rules is the digest of the rules that stand, as a whole and unedited; a word of the router's own
	// where somebody's edit broke them.
	Rules string
	// Stamp of the last write of ours; 0 on a route that another tool wrote.
	Stamp Stamp
	// Verdict on those weights, and the proxy's own words when it is Rejected.
	Verdict Verdict
	Message string
	// Problems keep traffic from flowing as asked and are the user's to mend: nothing delegates to
	// this route, a port is missing. One line each: what, where, what to do.
	Problems []Problem
	// Features are set where the proxy behind this very route is known to do less than the router's
	// objects can say.
	Features *Features
}

// Problem is something that the user must mend. A blocking one stalls the canary.
type Problem struct {
	// Reason is a CamelCase condition reason.
	Reason  string
	Message string
	// Warning problems are said and nothing waits for them.
	Warning bool
	// Unwatched is set where no watch can tell that it is mended: it is looked at now and then.
	Unwatched bool
}

// Telemetry names the series by which a proxy tells what it did with a target's traffic.
// The queries are templates of package metrics that come to vectors.
type Telemetry struct {
	// SuccessRate is a query for the canary's share of requests without a server error, in percent
	// (0 to 100), over {{ interval }}.
	SuccessRate string
	// Latency is a query for the canary's 99th percentile in milliseconds over {{ interval }}.
	Latency string
	// PrimarySuccessRate and PrimaryLatency are the same of the primary.
	PrimarySuccessRate, PrimaryLatency string
	// PrimaryRequests and CanaryRequests select monotonic counters, one or more series a side.
	PrimaryRequests, CanaryRequests Selector
	// CanaryActive and PrimaryActive select gauges of the requests in flight. Zero where the proxy has none.
	PrimaryActive, CanaryActive Selector
}

// Selector names what a proxy counts of one side: the series whose label matches a regular expression as
// a whole. The zero value selects nothing.
type Selector struct{ Series, Label, Pattern string }

// Matching is the selector in PromQL, with more matchers such as code="200" beside its own.
func (s Selector) Matching(more ...string) string {
	return fmt.Sprintf("%s{%s}", s.Series, strings.Join(append([]string{fmt.Sprintf("%s=~%q", s.Label, s.Pattern)}, more...), ","))
}

// Router moves the traffic of canaries. Every method is idempotent and safe to repeat after a crash.
// A method returns ErrOvertaken when it met a higher stamp, a *NotReady error when what it needs
// is not there, and otherwise what the API server said.
type Router interface {
	// Ensure creates what is missing at 100/0 and repairs what is ours. The weights of an existing
	// route, and whatever else users put on it, stay as they are. At adoption the apex Service turns
	// only after it: a route to the apex can fail for seconds while that Service's selector changes.
	Ensure(ctx context.Context, t Target, s Stamp) error
	// Get reads the route from the cache. A route that does not exist is no error.
	Get(ctx context.Context, t Target) (State, error)
	// Set writes the traffic and the stamp, and nothing when both stand already. Weights and rules change
	// in one write. The stamp is raised even where all stands: an operator that was overtaken before it
	// wrote would otherwise meet no higher stamp than its own, and undo a later step that asked for no
	// change. Rules that Features does not have are refused.
	Set(ctx context.Context, t Target, tr Traffic, s Stamp) error
	// Release leaves the route with one destination, the apex Service, so that the proxies go on
	// serving without Serin, and then removes what only Serin needed. It returns nil once both are
	// done, and a *NotReady with RetryAfter while the proxies may still use what it removes. By then
	// the apex Service selects what is to serve, and has for SettleTime, for the same reason.
	Release(ctx context.Context, t Target) error
	// Telemetry names the proxy's series for the target.
	Telemetry(t Target) Telemetry
	// Features says what this router can do.
	Features() Features
	// Watches lists what wakes a canary: each object kind with the canaries that an object concerns.
	Watches() []Watch
}

// Watch is one kind of object that a router reads.
type Watch struct {
	Object client.Object
	// Canaries maps an object of that kind to the canaries to wake.
	Canaries func(ctx context.Context, obj client.Object) []types.NamespacedName
	// Index has what the router lists the kind by, by the name of the field: there can be thousands.
	Index map[string]client.IndexerFunc
}

// IndexUpstream is the field by which canaries are found that follow an Upstream, as namespace/name.
const IndexUpstream = "spec.upstreamRef"

// UpstreamOf is what a canary has under IndexUpstream.
func UpstreamOf(c *v1beta1.Canary) []string {
	ref := c.Spec.UpstreamRef
	if ref == nil {
		return nil
	}
	return []string{cmp.Or(ref.Namespace, c.Namespace) + "/" + ref.Name}
}

// Factory builds a router once its object kinds are known to the API server; it returns a *NotReady
// error that names the missing kinds otherwise. c reads from the cache and writes to the API server.
type Factory func(c client.Client) (Router, error)

// SettleTime is how long a shift that nothing can confirm is given before it counts as taken.
const SettleTime = 5 * time.Second

// ErrOvertaken says that the object carries a higher stamp: another operator has committed a later
// step and this write is dropped.
var ErrOvertaken = errors.New("overtaken: the route carries a later transition")

// NotReady says that a router cannot work yet and what to do about it.
type NotReady struct {
	Problem Problem
	// RetryAfter is set where time alone mends it: no user is asked, and the call is due again then.
	RetryAfter time.Duration
}

func (e *NotReady) Error() string { return e.Problem.Message }

// NotSeen says that something just written has not come back through the cache: quietly try again.
func NotSeen(what string) *NotReady {
	return &NotReady{
		Problem:    Problem{Reason: "NotSeenYet", Message: what + " is not there yet: it is made first"},
		RetryAfter: time.Second,
	}
}
