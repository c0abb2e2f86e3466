package rollout

import "testing"

// TestReady: what permits a step is about the revision, the present template and all pods that are
// wanted. Where nodes give their number, none of them may be left out for a small wish.
func TestReady(t *testing.T) {
	up := Workload{Exists: true, Revision: "r", Replicas: 3, Pods: 3, Updated: 3, Available: 3, Synced: true, Endpoints: 3}
	with := func(edit func(*Workload)) Workload {
		w := up
		edit(&w)
		return w
	}
	for sentence, test := range map[string]struct {
		w             Workload
		want, percent int32
		ready         bool
	}{
		"all pods are up":                        {up, 3, 100, true},
		"fewer are wanted":                       {up, 1, 100, true},
		"more are wanted":                        {up, 4, 100, false},
		"a share is enough":                      {with(func(w *Workload) { w.Available, w.Endpoints = 2, 2 }), 3, 60, true},
		"it is another revision":                 {with(func(w *Workload) { w.Revision = "s" }), 3, 100, false},
		"the counts are about another template":  {with(func(w *Workload) { w.Synced = false }), 3, 100, false},
		"an older pod is left":                   {with(func(w *Workload) { w.Pods = 4 }), 3, 100, false},
		"no address is listed":                   {with(func(w *Workload) { w.Endpoints = 0 }), 1, 100, false},
		"one node of three, and one is wished":   {with(func(w *Workload) { w.Given, w.Available, w.Endpoints = true, 1, 1 }), 1, 100, false},
		"each node has it, and one is wished":    {with(func(w *Workload) { w.Given = true }), 1, 100, true},
		"a node went since more were wished":     {with(func(w *Workload) { w.Given = true }), 4, 100, true},
		"no node fits, so nothing could be seen": {Workload{Exists: true, Revision: "r", Synced: true, Given: true}, 1, 100, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.w.Ready("r", test.want, test.percent); got != test.ready {
				t.Errorf("got %t, want %t: %+v", got, test.ready, test.w)
			}
		})
	}
}

// TestAnswers: an address is the word of a pod; a count is one for older pods only, which have no address here.
func TestAnswers(t *testing.T) {
	for sentence, test := range map[string]struct {
		w       Workload
		answers bool
	}{
		"addresses are listed":                       {Workload{Revision: "r", Synced: true, Pods: 2, Updated: 2, Available: 2, Endpoints: 1}, true},
		"none is, and all pods are of the revision":  {Workload{Revision: "r", Synced: true, Pods: 2, Updated: 2, Available: 2}, false},
		"none is, and one pod is of an older one":    {Workload{Revision: "r", Synced: true, Pods: 3, Updated: 2, Available: 1}, true},
		"the counts are about the template before":   {Workload{Revision: "r", Pods: 2, Updated: 2, Available: 2}, true},
		"it is another tool's, without any revision": {Workload{Synced: true, Pods: 2, Updated: 2, Available: 2}, true},
		"nothing is available":                       {Workload{Revision: "r", Pods: 2, Updated: 1}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.w.Answers(); got != test.answers {
				t.Errorf("got %t, want %t: %+v", got, test.answers, test.w)
			}
		})
	}
}
