package chaos

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// scenario is a whole rollout: what the user does, and what has to come of it.
type scenario struct {
	name string
	edit func(*v1beta1.Canary)
	// adopts is true where the adoption is what is disturbed; else it is over by then.
	adopts bool
	play   func(*world)
	ended  func(moment) bool
	// weights that the route stands at one after the other, and the outcomes of the rollouts.
	weights  []string
	outcomes []string

	undisturbed undisturbed
}

// slowly leaves the user all the time to act before the next check, however slow the machine is.
func slowly(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "10m" }

var scenarios = []*scenario{
	{
		name: "adoption", adopts: true,
		edit: func(*v1beta1.Canary) {}, play: func(*world) {}, ended: rests(0),
		weights: []string{"100/0"},
	},
	{
		name: "success",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{20, 50} },
		play: func(w *world) { w.setImage("podinfo:6.0.1") }, ended: rests(1),
		weights: []string{"100/0", "80/20", "50/50", "100/0"}, outcomes: []string{"podinfo:6.0.1 Promoted"},
	},
	{
		name: "rollback",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.Threshold = 2 },
		play: func(w *world) { w.prom.Succeed(96.2); w.setImage("podinfo:6.0.1") }, ended: rests(1),
		weights: []string{"100/0", "50/50", "100/0"}, outcomes: []string{"podinfo:6.0.1 Failed ChecksFailed"},
	},
	{
		name: "supersession", edit: slowly,
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.setInterval("1s") // for the next weight: the check of this one stays where it is
			w.setImage("podinfo:6.0.2")
		}, ended: rests(2),
		weights:  []string{"100/0", "50/50", "100/0", "50/50", "100/0"},
		outcomes: []string{"podinfo:6.0.1 Superseded", "podinfo:6.0.2 Promoted"},
	},
	{
		name: "revert", edit: slowly,
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.setImage("podinfo:6.0.0")
		}, ended: rests(1),
		weights: []string{"100/0", "50/50", "100/0"}, outcomes: []string{"podinfo:6.0.1 Reverted"},
	},
	{
		name: "configuration", edit: func(*v1beta1.Canary) {},
		play: func(w *world) { w.configure("red") }, ended: rests(1),
		weights: []string{"100/0", "50/50", "100/0"}, outcomes: []string{"podinfo:6.0.0 Promoted"},
	},
	{
		name: "deletion", edit: slowly,
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.remove()
		}, ended: isGone,
		weights: []string{"100/0", "50/50", "100/0", "released"}, outcomes: []string{"podinfo:6.0.1 Reverted"},
	},
	{
		name: "failed promotion",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.Interval, c.Spec.ProgressDeadlineSeconds = "20s", ptr.To(int32(20))
		},
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.images.Break("podinfo:6.0.1")
		}, ended: rests(1),
		weights: []string{"100/0", "50/50", "100/0"}, outcomes: []string{"podinfo:6.0.1 Failed PrimaryNotReady"},
	},
	{
		name: "failed bake",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime, c.Spec.Analysis.Interval = "10m", "3s" },
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			var next time.Time
			w.until("the revision before is warm", func(m moment) bool {
				warm := m.canary.Status.Reason == "Baking" && m.isWarm("canary", m.canary.Status.Rollout.From.Name, 2)
				if warm {
					next = m.canary.Status.Rollout.NextCheckAt.Time
				}
				return warm
			})
			w.until("it is seen to be", func(m moment) bool { return m.canary.Status.Rollout.NextCheckAt.After(next) })
			w.prom.Succeed(96.2)
		}, ended: rests(1),
		weights: []string{"100/0", "50/50", "100/0", "0/100", "100/0"}, outcomes: []string{"podinfo:6.0.1 Failed BakeFailed"},
	},
}
