// Package rollout is the pure core: what was observed goes in, and out come the next transition,
// the questions to ask and what to tell. Plan decides, Desired says what the world has to look like
// for a status; neither knows a client, a clock, a context or chance, so that every decision can be
// replayed. The status is the cursor: a decision exists once its status is written, and not before.
package rollout

import (
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// Observed is everything a plan may know, as of Now.
type Observed struct {
	Now    time.Time
	Object *v1beta1.Canary
	// Problems are the user's to mend before anything goes on; Warnings are said and nothing waits.
	Problems, Warnings []Problem
	Target             Target
	Primary, Canary    Workload
	Apex               Apex
	Route              Route
	// Command is the last one that was given; nil without.
	Command *Command
	// Revisions are the snapshots that are kept, newest first.
	Revisions []Snapshot
	// Ahead says whom a new rollout has to wait for; empty for nobody.
	Ahead string
	// Answers to questions that were asked, by key. A missing one has not been answered yet.
	Answers map[string]Answer
	// Release is true while the traffic is to be handed back: the object is deleted, or it was asked for.
	Release bool
	// Leftovers name what a release has still to remove or to take its marks off.
	Leftovers []string
	// HighestStamp is the highest transition found on anything that Serin wrote for this canary. A
	// status that was lost starts above it.
	HighestStamp int64
}

// Problem is something that the user must mend: what is wrong, where, and what to do.
type Problem struct{ Reason, Message string }

// Command is what somebody asked for.
type Command struct {
	v1beta1.Command
	// Written is the text as it stands; Wrong says why it is none that can be obeyed.
	Written, Wrong string
	// SelfReported is true where nobody vouches for who asked.
	SelfReported bool
}

// Snapshot is a revision that can be returned to.
type Snapshot struct {
	v1beta1.RevisionStatus
	Number int64
	// Commit that the template was made from, where it says.
	Commit string
}

// Target is the user's workload, the template.
type Target struct {
	Exists bool
	// Revision names the snapshot of the template as it stands; empty while there is none yet.
	Revision v1beta1.RevisionStatus
	Replicas int32
	// SizeField is where the target's size stands, and Writer the field manager that last set it.
	SizeField, Writer string
	// Change says which ConfigMaps and Secrets differ from the revision under analysis, and from the
	// promoted one where there is none; empty where nothing does.
	Change string
	// Autoscaled is true when an autoscaler sizes the primary.
	Autoscaled bool
	// Pods are its own, Original the replicas that it had when it was adopted, Limit the most that its
	// autoscaler lets it have (0 without), and Keeper the tool that writes its template again as it has
	// it. ContentsDiffer says which of the ConfigMaps and Secrets that the promoted template refers to
	// hold something else by now; empty where none does. Looked at during a release only.
	Pods           Workload
	Original       int32
	Limit          int32
	Keeper         string
	ContentsDiffer string
}

// Workload is one of the two clones. Counts speak of what the cluster last reported.
type Workload struct {
	Exists bool
	// Ours is true when it is marked as this canary's.
	Ours bool
	// Revision names the snapshot that the template renders; empty on a clone of another tool's.
	Revision string
	// Images of the template, to compare a clone of another tool's by.
	Images []string
	// Replicas wanted; Pods, Updated and Available as reported.
	Replicas, Pods, Updated, Available int32
	// Given is true where something else says how many pods there are, as nodes do of a DaemonSet: a wish
	// for any is one for all of them.
	Given bool
	// Synced is true when the reported counts are about the present template.
	Synced bool
	// Endpoints are the ready addresses in the clone's Service whose pods run Revision.
	Endpoints int32
	// Trouble is why pods do not come up, in the cluster's words; empty without.
	Trouble string
}

// Ready is true when want pods of the revision, or percent of them, are up and reachable, and no
// older pod is left. Counts of another revision never count.
func (w Workload) Ready(revision string, want, percent int32) bool {
	want = w.whole(want)
	need := (want*percent + 99) / 100
	return w.Exists && w.Revision == revision && w.Synced &&
		w.Replicas >= want && w.Updated == w.Pods &&
		w.Available >= need && w.Endpoints >= need
}

// Answers is true when a pod takes requests, of whichever revision. Older ones are only counted, and a count
// says nothing of the others: it lags behind, and stands while the cluster takes all of its nodes for lost.
func (w Workload) Answers() bool {
	return w.Endpoints > 0 || w.Available > 0 && (w.Updated < w.Pods || !w.Synced || w.Revision == "")
}

// whole is the number of pods that want stands for.
func (w Workload) whole(want int32) int32 {
	if w.Given {
		return max(w.Replicas, 1)
	}
	return want
}

// Apex is the Service that users know.
type Apex struct {
	Exists bool
	// ToPrimary is true when it selects the primary's pods.
	ToPrimary bool
	// ToTarget is true when it selects what it selected before the adoption. Known during a release only.
	ToTarget bool
	// Writer is the field manager that last set the selector, where it does not.
	Writer string
}

// Route is the router's route as it stands.
type Route struct {
	Exists       bool
	CanaryWeight v1beta1.Weight
	// Rules is the digest of the rules that stand beside the weights.
	Rules string
	// Weighted is true where traffic can be shared; without, a side has all of it or none.
	Weighted bool
	// NoCopies is true where the proxy is known not to copy requests.
	NoCopies bool
	// Stamp is the transition that last wrote the weights.
	Stamp int64
	// Confirmed is true when the router itself says that the proxies follow.
	Confirmed bool
	// Rejected holds the proxy's words when the present route was refused.
	Rejected string
	// Problem keeps traffic from flowing as asked; nil without.
	Problem *Problem
	// Released is true when the route leads to the apex Service and needs nothing of ours any more.
	Released bool
}

// QuestionKind says who is asked.
type QuestionKind string

const (
	// AskMetric: a metric of the analysis.
	AskMetric QuestionKind = "Metric"
	// AskHook: a webhook.
	AskHook QuestionKind = "Hook"
	// AskShare: how many requests each side received.
	AskShare QuestionKind = "Share"
	// AskTraffic: what still reaches the canary.
	AskTraffic QuestionKind = "Traffic"
	// AskImages: whether both sides run the same images.
	AskImages QuestionKind = "Images"
)

// Question is asked after the commit of the status that it belongs to.
type Question struct {
	// Key is the same whenever the same question is asked again, and unlike any other question's.
	Key string
	// Subject is what is asked, the same with every turn: while it is being asked it is not put again,
	// and the answer is one to the latest turn.
	Subject string
	Kind    QuestionKind
	// Metric or Hook that is asked, and its index among those of its step: names may repeat.
	Metric *v1beta1.CanaryMetric
	Hook   *v1beta1.CanaryWebhook
	Index  int
	// gate is true for hooks that are asked all along a step.
	gate bool
	// Primary is true where the metric is asked of the primary's pods.
	Primary bool
	// Since bounds every look back: nothing before it is this revision's, or this weight's.
	Since time.Time
	// Window that a query looks back over.
	Window time.Duration
}

// Answer to a question; the fields of its kind are set.
type Answer struct {
	// Measurement of a metric. A hook's is Measured when it answered at all, with 1 for a pass and 0
	// for a refusal, and Message has what it said.
	Measurement analysis.Measurement
	Counts      analysis.Counts
	Traffic     analysis.Traffic
	Images      Images
}

// Decision is what a plan comes to.
type Decision struct {
	// Next is the status to commit; nil when nothing changed.
	Next *v1beta1.CanaryStatus
	// Questions to ask unless they are being asked already. They belong to the present status.
	Questions []Question
	// WakeAt is when to plan again even if nothing happens; zero for never.
	WakeAt time.Time
}

// Severity of a telling.
type Severity string

const (
	Info    Severity = "info"
	Warning Severity = "warn"
	Error   Severity = "error"
)

// Moment is where in a rollout a telling stands.
type Moment string

const (
	Started Moment = "Started"
	Moved   Moment = "Moved"
	Held    Moment = "Held"
	Ended   Moment = "Ended"
	Notice  Moment = "Notice"
)

// Telling is a decision in words. It goes into the journal, which is told after the commit.
type Telling struct {
	// Reason is a CamelCase word.
	Reason string
	// Muted tellings are shown as events and sent to nobody.
	Muted    bool
	Moment   Moment
	Severity Severity
	// What was decided, why, and what happens next or what to do. One line each.
	What, Why, Next string
}
