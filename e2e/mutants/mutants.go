package main

// mutant is a fault that is put into a copy of the source, and the test that has to find it.
type mutant struct {
	// fault says what no longer happens.
	fault string
	// file in which old becomes new. old stands there exactly once.
	file, old, new string
	check
}

// check is a test that has to find faults.
type check struct {
	// dir is the module of the test, pkg its package there, and flags what the package is given.
	dir, pkg, flags string
	// run picks the tests, as for go test. What fails has to lie as deep as this goes: a scenario of
	// chaos that fails above its disturbed runs has failed without being disturbed.
	run string
}

// The checks. The model knows what must never be and nothing of how it is told; transcripts are for
// what it has no rule for.
var (
	model       = check{dir: ".", pkg: "./pkg/rollout", run: "^TestModel$/."}
	standstill  = check{dir: ".", pkg: "./pkg/rollout", run: "^TestScenesReadAsTheirTranscripts$/^gateway_does_not_follow"}
	goesBack    = check{dir: ".", pkg: "./pkg/rollout", run: "^TestScenesReadAsTheirTranscripts$/^a_rollback_waits_for_a_pod"}
	conformance = check{dir: ".", pkg: "./router/gloo", run: "^TestConformanceOnAPIServer$"}
	wakes       = check{dir: "e2e", pkg: "./chaos", run: "^TestALeaderThatWakesUp$/./."}
	crashes     = check{dir: "e2e", pkg: "./chaos", flags: "-full", run: "^TestCrashAtEveryWrite$/^success$/."}
)

// mutants take away what keeps requests and states from being lost, one thing each.
var mutants = []mutant{
	{
		fault: "the canary is not drained before it goes",
		file:  "pkg/rollout/end.go",
		old:   "	if turn == 0 {\n		return // the proxies have not followed yet\n	}\n",
		new:   "	if turn >= 0 {\n		p.drained(\"unseen\")\n		return\n	}\n",
		check: model,
	},
	{
		fault: "a weight that the gateway does not take counts",
		file:  "pkg/rollout/questions.go",
		old:   "	share := analysis.JudgeShare(p.status.CanaryWeight, p.weightBefore(), a.Counts)\n",
		new:   "	share := analysis.JudgeShare(p.status.CanaryWeight, p.weightBefore(), a.Counts)\n	share.Force = analysis.Unverified\n",
		check: standstill,
	},
	{
		fault: "a commit has no optimistic lock",
		file:  "controllers/canary/reconcile.go",
		old:   "	v.canary.Status = *next\n	if err := r.client.Status().Update(ctx, v.canary, ",
		new: "	seen := v.canary.DeepCopy()\n	v.canary.Status = *next\n" +
			"	if err := r.client.Status().Patch(ctx, v.canary, client.MergeFrom(seen), ",
		check: wakes,
	},
	{
		fault: "more traffic comes to the canary before that is committed",
		file:  "controllers/canary/reconcile.go",
		old:   "	if d.Next != nil {\n		err = r.commit(ctx, v, d.Next)\n	}\n",
		new: "	if d.Next != nil {\n		raises := d.Next.CanaryWeight > v.canary.Status.CanaryWeight\n		if v.canary.Status = *d.Next; raises {\n" +
			"			err = r.converge(ctx, v, rollout.Desired(v.Observed))\n		}\n		if err == nil {\n			err = r.commit(ctx, v, d.Next)\n		}\n	}\n",
		check: crashes,
	},
	{
		fault: "a writer that was overtaken writes all the same",
		file:  "router/gloo/table.go",
		old:   "		return router.ErrOvertaken\n",
		new:   "		_ = router.ErrOvertaken\n",
		check: conformance,
	},
	{
		fault: "traffic comes before the canary's pods are ready",
		file:  "pkg/rollout/analyse.go",
		old:   "	if !p.Canary.Ready(r.Revision.Name, r.CanaryReplicas, p.spec.Analysis.CanaryReadyPercent()) {\n",
		new:   "	if !p.Canary.Ready(r.Revision.Name, 0, 0) {\n",
		check: model,
	},
	{
		fault: "traffic goes back to a primary without ready pods",
		file:  "pkg/rollout/end.go",
		old:   "	case left && !p.primaryServes(), ",
		new:   "	case left && p.status.CanaryWeight > v1beta1.FullWeight && !p.primaryServes(), ",
		check: goesBack, // the write waits all the same; that it is told too early is what shows
	},
}
