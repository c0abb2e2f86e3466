package v1beta1

// FieldManager is the name under which Serin's writes show in managedFields.
const FieldManager = "serin"

const (
	// CanaryLabel on everything that Serin creates names the Canary it belongs to. It is how objects
	// are found again: nothing that serves traffic carries an owner reference to the Canary.
	CanaryLabel = "serin.dev/canary"
	// RoleLabel on the two workloads and their pods is primary or canary.
	RoleLabel = "serin.dev/role"
	// RevisionLabel on pods names the snapshot that they run, so that a ready endpoint can be told
	// from one of an older revision.
	RevisionLabel = "serin.dev/revision"

	// ShardLabel on a Canary names the operator that it is handled by, where there are several: the one
	// that was started with that --shard. Without the label it is the one without the flag.
	ShardLabel = "serin.dev/shard"

	// TransitionAnnotation on what Serin writes holds the transition counter of the commit that the
	// write belongs to. A writer that meets a higher one has been overtaken.
	TransitionAnnotation = "serin.dev/transition"
	// MadeForAnnotation on Services, autoscalers and budgets that Serin created names the Canary once more:
	// a label may be on anything.
	MadeForAnnotation = "serin.dev/made-for"
	// RevisionAnnotation on the two workloads names the snapshot that their template renders.
	RevisionAnnotation = "serin.dev/revision"
	// RestartedAnnotation on the primary's pods is when a command last had them replaced.
	RestartedAnnotation = "serin.dev/restarted-at"
	// OriginalReplicasAnnotation on the target keeps the replicas it had when it became a template.
	OriginalReplicasAnnotation = "serin.dev/original-replicas"
	// OriginalNodeSelectorAnnotation on a DaemonSet keeps the node selector it had when it became a template.
	OriginalNodeSelectorAnnotation = "serin.dev/original-node-selector"
	// ScaleToZeroKey in a DaemonSet's node selector keeps its pods away: no node has it. It is Serin's
	// and no part of what the DaemonSet's owner wrote.
	ScaleToZeroKey = "serin.dev/scale-to-zero"
	// OriginalPausedReplicasAnnotation on a ScaledObject keeps the pause that it had before its target
	// became a template; empty for none.
	OriginalPausedReplicasAnnotation = "serin.dev/original-paused-replicas"
	// OriginalSelectorAnnotation on the apex Service keeps the selector it had before it was adopted.
	OriginalSelectorAnnotation = "serin.dev/original-selector"

	// ReleaseFinalizer keeps a deleted Canary until its traffic is back on the target.
	ReleaseFinalizer = "serin.dev/release"
	// ReleaseAnnotation on a Canary, with the value "true", has the traffic handed back while the object
	// stays. Without it the target is adopted again.
	ReleaseAnnotation = "serin.dev/release"
)

// Values of RoleLabel.
const (
	RolePrimary = "primary"
	RoleCanary  = "canary"
	// RoleRelease is the role of the Service that shows, during a release, which of the target's own
	// pods can be reached.
	RoleRelease = "release"
)

// Phase is where a canary stands, in the words that this field's users know.
type Phase string

const (
	PhaseInitializing     Phase = "Initializing"
	PhaseInitialized      Phase = "Initialized"
	PhaseWaiting          Phase = "Waiting"
	PhaseProgressing      Phase = "Progressing"
	PhaseWaitingPromotion Phase = "WaitingPromotion"
	PhasePromoting        Phase = "Promoting"
	PhaseFinalising       Phase = "Finalising"
	PhaseSucceeded        Phase = "Succeeded"
	PhaseFailed           Phase = "Failed"
	PhaseTerminating      Phase = "Terminating"
	PhaseTerminated       Phase = "Terminated"
)

// Step is the persisted sub-step of a phase. Each is safe to be killed in and to be repeated.
type Step string

const (
	// StepCloning (Initializing): the primary is made from the target and becomes ready.
	StepCloning Step = "CloningPrimary"
	// StepRouting (Initializing): the route turns to the primary.
	StepRouting Step = "RoutingToPrimary"
	// StepTurning (Initializing): the apex Service turns to it, once the proxies have followed the
	// route: one that still leads to the Service would meet its endpoints in mid-change.
	StepTurning Step = "TurningService"
	// StepEmptying (Initializing): the target goes to zero and is a template from then on.
	StepEmptying Step = "EmptyingTarget"
	// StepConfirming (Waiting): the gates before a rollout are asked; nothing has been started.
	StepConfirming Step = "ConfirmingRollout"
	// StepStarting (Progressing): the canary's pods start and pre-rollout hooks are asked, at weight 0.
	StepStarting Step = "StartingCanary"
	// StepAnalysing (Progressing): the weight holds for an interval and is judged at its end.
	StepAnalysing Step = "Analysing"
	// StepCopying (Promoting): the primary rolls to the analysed revision; the weights stay.
	StepCopying Step = "CopyingToPrimary"
	// StepRestoring (Promoting): the primary did not become ready and rolls back to what it was.
	StepRestoring Step = "RestoringPrimary"
	// StepShiftingBack: all traffic goes to the primary, which has the capacity for it.
	StepShiftingBack Step = "ShiftingBack"
	// StepDraining: the canary still answers what it was sent.
	StepDraining Step = "Draining"
	// StepBaking (Finalising): the promoted revision is watched, and the one before is kept warm.
	StepBaking Step = "Baking"
	// StepScalingDown: the canary goes to zero.
	StepScalingDown Step = "ScalingDown"
	// StepEnding (Terminating): the rollout that was under way ends as an abandoned one does.
	StepEnding Step = "EndingRollout"
	// StepFilling (Terminating): the target gets the promoted template and its pods, and they are ready.
	StepFilling Step = "FillingTarget"
	// StepReturning (Terminating): the apex Service turns back to the target's pods.
	StepReturning Step = "ReturningService"
	// StepReleasing (Terminating): the route leads to the apex Service and to nothing of ours.
	StepReleasing Step = "ReleasingRoute"
	// StepRemoving (Terminating): what only Serin needed goes.
	StepRemoving Step = "RemovingClones"
)

// Stays is what a release leaves running because it could not be handed back safely.
type Stays string

const (
	// StaysPrimary: the primary serves on, and Service and route lead to it.
	StaysPrimary Stays = "Primary"
	// StaysEverything: all that carries traffic is left as it stood.
	StaysEverything Stays = "Everything"
)

// Outcome is how a rollout ended.
type Outcome string

const (
	OutcomePromoted   Outcome = "Promoted"
	OutcomeFailed     Outcome = "Failed"
	OutcomeSuperseded Outcome = "Superseded"
	OutcomeReverted   Outcome = "Reverted"
)

// Verdict of a check.
type Verdict string

const (
	VerdictPassed       Verdict = "Passed"
	VerdictFailed       Verdict = "Failed"
	VerdictInconclusive Verdict = "Inconclusive"
)

// Condition types. Ready, Reconciling and Stalled follow kstatus; Promoted is what this field's
// scripts wait for.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
	ConditionPromoted    = "Promoted"
	// ConditionWarning is True while the object asks for something that has no effect here.
	ConditionWarning = "Warning"
)
