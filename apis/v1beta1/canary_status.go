package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CanaryStatus is the plan's cursor: the operator makes the cluster follow it. One write of it is
// one transition.
type CanaryStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase of the canary.
	// +optional
	// +kubebuilder:validation:Enum=Initializing;Initialized;Waiting;Progressing;WaitingPromotion;Promoting;Finalising;Succeeded;Failed;Terminating;Terminated
	Phase Phase `json:"phase,omitempty"`

	// Reason says in one word why the phase is what it is.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// Step of the running analysis, as "3/10"; empty when none is running.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Step string `json:"step,omitempty"`

	// CanaryWeight is the share of the traffic, in percent, that the canary is set to receive.
	// +optional
	CanaryWeight Weight `json:"canaryWeight"`

	// SeenWeight is the share of requests, in percent, that the canary was seen to receive at the
	// last check, or "unverified".
	// +optional
	// +kubebuilder:validation:MaxLength=32
	SeenWeight string `json:"seenWeight,omitempty"`

	// FailedChecks counts the failed checks of the running or last rollout.
	// +optional
	FailedChecks int32 `json:"failedChecks"`

	// InconclusiveChecks counts the checks of the running or last rollout that had no evidence.
	// +optional
	InconclusiveChecks int32 `json:"inconclusiveChecks,omitempty"`

	// Iterations counts the iterations of an A/B or blue/green analysis.
	// +optional
	Iterations int32 `json:"iterations"`

	// LastAppliedSpec names the revision that was analysed last, whatever came of it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LastAppliedSpec string `json:"lastAppliedSpec,omitempty"`

	// LastPromotedSpec names the revision that the primary serves.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LastPromotedSpec string `json:"lastPromotedSpec,omitempty"`

	// TrackedConfigs are the ConfigMaps and Secrets that are part of the revision, with a keyed hash each.
	// +optional
	TrackedConfigs *map[string]string `json:"trackedConfigs,omitempty"`

	// LastTransitionTime is when the phase, step or weight last changed.
	// +optional
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`

	// Promoted is the revision that serves.
	// +optional
	Promoted *RevisionStatus `json:"promoted,omitempty"`

	// Rejected names a revision that failed and is not tried again until the template changes.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Rejected string `json:"rejected,omitempty"`

	// Rollout is the running rollout, or the last one until the next begins.
	// +optional
	Rollout *RolloutStatus `json:"rollout,omitempty"`

	// Initialization is the running adoption.
	// +optional
	Initialization *InitializationStatus `json:"initialization,omitempty"`

	// Release is the handing back of the traffic, while it goes on and after it.
	// +optional
	Release *ReleaseStatus `json:"release,omitempty"`

	// Transition counts the transitions of this canary. World writes carry it.
	// +optional
	Transition int64 `json:"transition,omitempty"`

	// WeightTransition is the transition that set the present weight. A route that carries it and
	// stands elsewhere was edited.
	// +optional
	WeightTransition int64 `json:"weightTransition,omitempty"`

	// SuspendedAt is when spec.suspend was seen set. The clocks of a run stand still from then on.
	// +optional
	SuspendedAt *metav1.MicroTime `json:"suspendedAt,omitempty"`

	// Command is the last command that was given, and what came of it.
	// +optional
	Command *CommandStatus `json:"command,omitempty"`

	// PausedAt is when a command paused the canary; empty while none did.
	// +optional
	PausedAt *metav1.MicroTime `json:"pausedAt,omitempty"`

	// RestartedAt is when a command last had the pods of the revision that serves replaced.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	RestartedAt string `json:"restartedAt,omitempty"`

	// Promotions are the revisions that were promoted last, oldest first; the last one serves.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=11
	Promotions []string `json:"promotions,omitempty"`

	// Repairs counts the foreign writes that were undone since the spec last changed.
	// +optional
	Repairs *RepairStatus `json:"repairs,omitempty"`

	// Checks are the latest checks, one a metric or hook.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Checks []CheckStatus `json:"checks,omitempty"`

	// Journal holds the last 40 decisions, and up to 200 while somebody has not been told of them; oldest
	// first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Journal []JournalEntry `json:"journal,omitempty"`

	// Told is the last transition whose decisions have reached everybody who is to be told, but for those
	// in Sinks.
	// +optional
	Told int64 `json:"told,omitempty"`

	// Sinks are those who have not been told everything up to Told: they are being told, could not be, or
	// refused it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=80
	Sinks []SinkStatus `json:"sinks,omitempty"`

	// History holds the last rollouts, oldest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	History []RolloutRecord `json:"history,omitempty"`

	// SessionAffinityCookie is the value of the canary's cookie in the running or last rollout.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SessionAffinityCookie string `json:"sessionAffinityCookie,omitempty"`

	// PreviousSessionAffinityCookie is the value of the rollout before.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PreviousSessionAffinityCookie string `json:"previousSessionAffinityCookie,omitempty"`

	// PrimarySessionAffinityCookie is the value of the primary's cookie.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PrimarySessionAffinityCookie string `json:"primarySessionAffinityCookie,omitempty"`

	// Receipts are what notification sinks returned for the rollout's last message, by sink.
	// +optional
	Receipts map[string]string `json:"receipts,omitempty"`

	// Conditions are Ready, Reconciling and Stalled as kstatus has them, Promoted, and Warning.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// CommandStatus is a command and what came of it.
type CommandStatus struct {
	// ID is its nonce.
	// +kubebuilder:validation:MaxLength=253
	ID string `json:"id"`
	// Text is the command as it was written, without nonce and name.
	// +kubebuilder:validation:MaxLength=1024
	Text string `json:"text"`
	// By is who asked.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
	// SelfReported is true where nobody vouches for By but whoever wrote it.
	// +optional
	SelfReported bool `json:"selfReported,omitempty"`
	// At is when it was seen.
	At metav1.MicroTime `json:"at"`
	// Refused is true where nothing was done.
	// +optional
	Refused bool `json:"refused,omitempty"`
	// Message says what it does, or why nothing was done.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// RevisionStatus names a revision and what it runs.
type RevisionStatus struct {
	// Name of the ControllerRevision that holds the snapshot.
	Name string `json:"name"`
	// Image of the first container, without its registry.
	// +optional
	Image string `json:"image,omitempty"`
	// Images of all containers, in their order.
	// +optional
	// +listType=atomic
	Images []string `json:"images,omitempty"`
}

// InitializationStatus is the adoption of a workload.
type InitializationStatus struct {
	// Step of the adoption.
	Step Step `json:"step"`
	// Since is when the step began.
	Since metav1.MicroTime `json:"since"`
	// Until is when the step is overdue.
	// +optional
	Until *metav1.MicroTime `json:"until,omitempty"`
	// Replicas that the primary is made with.
	Replicas int32 `json:"replicas"`
}

// ReleaseStatus is the handing back of a workload.
type ReleaseStatus struct {
	// Step of the release.
	Step Step `json:"step"`
	// Since is when the step began.
	Since metav1.MicroTime `json:"since"`
	// Until is when the step is overdue: what is safe is done then, and said.
	// +optional
	Until *metav1.MicroTime `json:"until,omitempty"`
	// Replicas that the target gets at least.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// Served is true when the primary had the traffic as the release began.
	// +optional
	Served bool `json:"served,omitempty"`
	// Stays is what goes on running because it could not be handed back: Primary or Everything.
	// +optional
	Stays Stays `json:"stays,omitempty"`
	// Reason why it stays, in a word.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// Message says why it stays.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// RolloutStatus is one rollout.
type RolloutStatus struct {
	// Number of the rollout, counted from 1 for each canary.
	Number int64 `json:"number"`
	// Revision under analysis.
	Revision RevisionStatus `json:"revision"`
	// From is the promoted revision that the rollout began from.
	From RevisionStatus `json:"from"`

	// Pinned is true where a command chose the revision and not the template.
	// +optional
	Pinned bool `json:"pinned,omitempty"`
	// Skipped says why the revision is not analysed; empty where it is.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Skipped string `json:"skipped,omitempty"`
	// Forced is what a command asked for and the rollout has not done yet: step or full.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Forced string `json:"forced,omitempty"`

	// Step that the rollout is in.
	Step Step `json:"step"`
	// Since is when that step began.
	Since metav1.MicroTime `json:"since"`
	// Until is when that step is overdue; empty where it cannot be.
	// +optional
	Until *metav1.MicroTime `json:"until,omitempty"`
	// StartedAt is when the rollout began.
	StartedAt metav1.MicroTime `json:"startedAt"`
	// EndedAt is when its outcome was complete; empty while it runs.
	// +optional
	EndedAt *metav1.MicroTime `json:"endedAt,omitempty"`

	// WeightIndex is the listed step that the rollout is in, from 1.
	// +optional
	WeightIndex int32 `json:"weightIndex,omitempty"`
	// Weights is how many steps are listed.
	// +optional
	Weights int32 `json:"weights,omitempty"`
	// Plan is a digest of the listed steps that WeightIndex counts in.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Plan string `json:"plan,omitempty"`
	// StepSince is when the present listed step began.
	// +optional
	StepSince *metav1.MicroTime `json:"stepSince,omitempty"`
	// Passed counts the checks that passed in it.
	// +optional
	Passed int32 `json:"passed,omitempty"`
	// Rules are what the route does beside its weights, while it does.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Rules *RouteRules `json:"rules,omitempty"`
	// Gate is what the rollout is waiting at; empty while nothing has to say yes.
	// +optional
	Gate *GateStatus `json:"gate,omitempty"`
	// WeightSince is when the present weight was committed.
	// +optional
	WeightSince *metav1.MicroTime `json:"weightSince,omitempty"`
	// ExposedSince is when this revision was first given a weight: no query looks further back.
	// +optional
	ExposedSince *metav1.MicroTime `json:"exposedSince,omitempty"`
	// NextCheckAt is when the present weight, or a waiting hook, is judged next.
	// +optional
	NextCheckAt *metav1.MicroTime `json:"nextCheckAt,omitempty"`
	// Attempt counts the questions asked in this rollout; it is part of their idempotency key.
	// +optional
	Attempt int64 `json:"attempt,omitempty"`
	// PassedHooks are the hooks of the present step that have passed and are not asked again.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	PassedHooks []string `json:"passedHooks,omitempty"`

	// Held is why the present check has no verdict yet, once that has been told.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Held string `json:"held,omitempty"`

	// LostAt is when the canary was first seen to have traffic and no ready pod; empty while it has one.
	// +optional
	LostAt *metav1.MicroTime `json:"lostAt,omitempty"`

	// Queued is what the template holds in place of Revision while the primary is not back at From.
	// +optional
	Queued *RevisionStatus `json:"queued,omitempty"`

	// PrimaryReplicas are the replicas that the primary had when the rollout began. It is not made
	// smaller while the rollout runs.
	// +optional
	PrimaryReplicas int32 `json:"primaryReplicas,omitempty"`
	// CanaryReplicas are the replicas that the canary is set to.
	// +optional
	CanaryReplicas int32 `json:"canaryReplicas,omitempty"`

	// Outcome that the rollout is ending or has ended with.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`
	// Reason of that outcome, in a word.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// Message says why, with the arithmetic.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// GateStatus is a gate that keeps a rollout waiting.
type GateStatus struct {
	// Name of the webhook, or `pause` for a step that waits for a command.
	Name string `json:"name"`
	// Type of the webhook.
	// +optional
	Type string `json:"type,omitempty"`
	// Since is when the rollout came to it.
	Since metav1.MicroTime `json:"since"`
	// ToldAt is when somebody was last told.
	// +optional
	ToldAt *metav1.MicroTime `json:"toldAt,omitempty"`
	// Message is what the gate said last.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// RepairStatus counts foreign writes that were undone.
type RepairStatus struct {
	// Replicas counts how often the target was scaled back to zero.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// Selector counts how often the apex Service was turned back to the primary.
	// +optional
	Selector int32 `json:"selector,omitempty"`
	// Route counts how often the weights were set back.
	// +optional
	Route int32 `json:"route,omitempty"`
	// LastAt is when the last repair was made.
	// +optional
	LastAt *metav1.MicroTime `json:"lastAt,omitempty"`
	// RouteAt is when the weights were last set back. Until the proxies have surely followed, the canary
	// is not given another revision.
	// +optional
	RouteAt *metav1.MicroTime `json:"routeAt,omitempty"`
}

// CheckStatus is one check as it was judged last.
type CheckStatus struct {
	// Name of the metric or hook.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Verdict is Passed, Failed or Inconclusive.
	Verdict Verdict `json:"verdict"`
	// Value with its unit; empty without evidence.
	// +optional
	Value string `json:"value,omitempty"`
	// Threshold with its relation and unit, as "≥ 99 %".
	// +optional
	Threshold string `json:"threshold,omitempty"`
	// Samples is the number of requests that the value stands on, where it is known.
	// +optional
	Samples int64 `json:"samples,omitempty"`
	// Message says why, in words.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// At is when it was judged.
	At metav1.Time `json:"at"`
}

// JournalEntry is one decision. The journal is also the outbox: what Told has not reached is still
// to be told.
type JournalEntry struct {
	// At is when it was decided.
	At metav1.Time `json:"at"`
	// Transition that made the decision.
	Transition int64 `json:"transition"`
	// Index is its place among the decisions of the same transition.
	// +optional
	Index int32 `json:"index,omitempty"`
	// Reason is the decision's name.
	Reason string `json:"reason"`
	// Moment is Started, Moved, Held or Ended of a rollout, or Notice outside of one.
	Moment string `json:"moment"`
	// Severity is info, warn or error.
	Severity string `json:"severity"`
	// Rollout that it is about; 0 outside of one.
	// +optional
	Rollout int64 `json:"rollout,omitempty"`
	// Muted entries are shown as events and sent to nobody.
	// +optional
	Muted bool `json:"muted,omitempty"`
	// What was decided.
	// +kubebuilder:validation:MaxLength=1024
	What string `json:"what"`
	// Why, with the arithmetic.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Why string `json:"why,omitempty"`
	// Next is what happens next, or what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Next string `json:"next,omitempty"`
}

// SinkStatus is somebody who has not been told everything.
type SinkStatus struct {
	// Name of the sink: `alert/` or `hook/` with its place and name in the spec, or one of the operator's own.
	// +kubebuilder:validation:MaxLength=300
	Name string `json:"name"`
	// Told is the last transition that it was told. One that refuses what it is sent is told the next.
	Told int64 `json:"told"`
	// Missed is how many decisions it will never be told: they were too old or too many when it could not
	// be told. It is told how many they are before it is told the next one.
	// +optional
	Missed int64 `json:"missed,omitempty"`
	// Message says why, in its own words; empty while it has not failed for a minute.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// RolloutRecord is one ended rollout.
type RolloutRecord struct {
	// Number of the rollout.
	Number int64 `json:"number"`
	// Revision that it was about.
	Revision string `json:"revision"`
	// Image of that revision's first container.
	// +optional
	Image string `json:"image,omitempty"`
	// Outcome of the rollout.
	Outcome Outcome `json:"outcome"`
	// Reason of the outcome, in a word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says why, with the arithmetic.
	// +optional
	Message string `json:"message,omitempty"`
	// StartedAt is when it began.
	StartedAt metav1.Time `json:"startedAt"`
	// EndedAt is when its outcome was complete.
	EndedAt metav1.Time `json:"endedAt"`
}
