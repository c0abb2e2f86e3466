package main

// mutant is a fault that is put into a copy of the source, and the test that has to find it.
type mutant struct {
	// fault says what no longer happens.
	fault string
	// file in which old becomes new. old stands there exactly once.
	file, old, new string
	// dir is the module of the test, pkg its package there, test its name.
	dir, pkg, test string
}

// mutants take away what keeps requests and states from being lost, one thing each.
var mutants = []mutant{
	{
		fault: "the canary is not drained before it goes",
		file:  "pkg/rollout/end.go",
		old:   "	if turn == 0 {\n		return // the proxies have not followed yet\n	}\n",
		new:   "	if turn >= 0 {\n		p.drained(\"unseen\")\n		return\n	}\n",
		dir:   ".", pkg: "./pkg/rollout", test: "TestScenesReadAsTheirTranscripts",
	},
	{
		fault: "a weight that the gateway does not take counts",
		file:  "pkg/rollout/questions.go",
		old:   "	share := analysis.JudgeShare(p.status.CanaryWeight, p.weightBefore(), a.Counts)\n",
		new:   "	share := analysis.JudgeShare(p.status.CanaryWeight, p.weightBefore(), a.Counts)\n	share.Force = analysis.Unverified\n",
		dir:   ".", pkg: "./pkg/rollout", test: "TestScenesReadAsTheirTranscripts",
	},
	{
		fault: "a commit has no optimistic lock",
		file:  "controllers/canary/reconcile.go",
		old:   "	v.canary.Status = *next\n	if err",
		new:   "	v.canary.Status = *next\n	v.canary.ResourceVersion = \"\"\n	if err",
		dir:   "e2e", pkg: "./chaos", test: "TestALeaderThatWakesUp|TestTwoAtOnce",
	},
	{
		fault: "the world changes before the decision is committed",
		file:  "controllers/canary/reconcile.go",
		old:   "	if d.Next != nil {\n		err = r.commit(ctx, v, d.Next)\n	}\n	return v, d, err\n",
		new: "	if d.Next != nil {\n		v.canary.Status = *d.Next\n		if err = r.converge(ctx, v, rollout.Desired(v.Observed)); err == nil {\n" +
			"			err = r.commit(ctx, v, d.Next)\n		}\n	}\n	return v, d, err\n",
		dir: "e2e", pkg: "./chaos", test: "TestCrashAtEveryWrite",
	},
	{
		fault: "a writer that was overtaken writes all the same",
		file:  "router/gloo/table.go",
		old:   "		return router.ErrOvertaken\n",
		new:   "		_ = router.ErrOvertaken\n",
		dir:   ".", pkg: "./router/gloo", test: "TestConformanceOnAPIServer",
	},
	{
		fault: "traffic comes before the canary's pods are ready",
		file:  "pkg/rollout/analyse.go",
		old:   "	if !p.Canary.Ready(r.Revision.Name, r.CanaryReplicas, p.spec.Analysis.CanaryReadyPercent()) {\n",
		new:   "	if !p.Canary.Ready(r.Revision.Name, 0, 0) {\n",
		dir:   ".", pkg: "./pkg/rollout", test: "TestScenesReadAsTheirTranscripts",
	},
	{
		fault: "traffic goes back to a primary without ready pods",
		file:  "pkg/rollout/end.go",
		old:   "	case left && !p.primaryServes(), ",
		new:   "	case left && p.status.CanaryWeight > v1beta1.FullWeight && !p.primaryServes(), ",
		dir:   ".", pkg: "./pkg/rollout", test: "TestScenesReadAsTheirTranscripts",
	},
}
