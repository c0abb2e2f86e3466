package rollout

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// scene is a whole story; its transcript is compared with testdata/<name>.golden.
type scene struct {
	name     string
	edit     func(*v1beta1.Canary)
	play     func(*sim)
	lasts    time.Duration
	phase    v1beta1.Phase
	promoted string
}

var scenes = []scene{
	{name: "adoption", lasts: time.Minute, phase: v1beta1.PhaseInitialized, promoted: "6.0.0"},
	{name: "promotion", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "rollback on failed checks", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = succeedingAt(96.2) }},
	{name: "superseded in mid-run", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.setImage(47*time.Second, "6.0.2") }},
	{name: "superseded by contents alone", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1-red",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.setContents(47*time.Second, "6.0.1", "red") }},
	{name: "superseded by the template alone", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1-b",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(47*time.Second, "change a variable of the template", func() { s.target.Revision.Name = "podinfo-6.0.1-b" })
		}},
	{name: "reverted in mid-run", lasts: 3 * time.Minute, phase: v1beta1.PhaseInitialized, promoted: "6.0.0",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.setImage(47*time.Second, "6.0.0") }},
	{name: "a newer revision while the primary lacks a pod", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		play: func(s *sim) {
			s.reply = succeedingAt(96.2)
			s.setImage(30*time.Second, "6.0.1")
			s.user(100*time.Second, "a pod of the primary is not ready", func() { s.reply = healthy; s.primary.ready-- })
			s.setImage(101*time.Second, "6.0.2")
			s.user(106*time.Second, "it is ready again", func() { s.primary.ready = s.primary.replicas })
		}},
	{name: "the next weight waits for its pods", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight, c.Spec.Analysis.StepWeights = 0, 0, []int32{5, 60}
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "a pod of the canary dies, and takes long to come back", func() { s.startup = 25 * time.Second; s.canary.ready--; s.grow("canary", s.canary) })
		}},
	{name: "a canary loses its pods under traffic", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "the canary's pods die", func() { s.die("canary") })
		}},
	{name: "pods that are back in a second", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "a readiness probe fails", func() { s.canary.ready = 0 })
			s.user(41*time.Second, "it passes", func() { s.canary.ready = s.canary.replicas })
		}},
	{name: "no pod is listed while the cluster takes its nodes for lost", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "the control plane takes all nodes for lost", func() { s.silent = true })
			s.user(65*time.Second, "it hears of them again", func() { s.silent = false })
		}},
	{name: "whoever matches is sent to a canary without pods", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { iterate(c, 3); c.Spec.Analysis.Match = insiders },
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "the canary's pods die", func() { s.die("canary") })
		}},
	{name: "a canary is lost during the promotion", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "pods take 20 seconds", func() { s.startup = 20 * time.Second })
			s.user(60*time.Second, "somebody deletes the canary's Deployment", func() { s.canary = nil })
		}},
	{name: "a canary is lost while the traffic returns in steps", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeightPromotion = 5 },
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(110*time.Second, "the canary's pods die", func() { s.die("canary") })
		}},
	{name: "a rollback waits for a pod of the primary", lasts: 5 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "the primary's pods die, and errors begin", func() { s.reply, s.startup = succeedingAt(90), time.Minute; s.die("primary") })
		}},
	{name: "a fix while the primary has no pod", lasts: 25 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		edit: func(c *v1beta1.Canary) { iterate(c, 2) },
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(56*time.Second, "neither 6.0.0 nor 6.0.1 starts any more", func() { s.broken["podinfo-6.0.0"], s.broken["podinfo-6.0.1"] = true, true })
			s.user(62*time.Second, "the pods of the primary are lost", func() { s.primary.ready, s.primary.old = 0, 0 })
			s.setImage(12*time.Minute, "6.0.2")
			s.user(14*time.Minute, "6.0.0 starts", func() { delete(s.broken, "podinfo-6.0.0"); s.grow("primary", s.primary) })
		}},
	{name: "pods never ready", lasts: 13 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.broken["podinfo-6.0.1"] = true }},
	{name: "no data ends without evidence", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if q.Kind == AskMetric {
					return Answer{Measurement: analysis.Measurement{Evidence: analysis.NoData, Message: "no series"}}, true
				}
				return healthy(s, q)
			}
		}},
	{name: "prometheus away for 75 seconds", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if at := s.now.Sub(s.begin); q.Kind != AskHook && at > 40*time.Second && at < 115*time.Second {
					m := "connection refused"
					return Answer{Measurement: analysis.Measurement{Evidence: analysis.Unavailable, Message: m},
						Counts: analysis.Counts{Message: m}, Traffic: analysis.Traffic{Message: m}}, true
				}
				return healthy(s, q)
			}
		}},
	{name: "gateway does not follow for 40 seconds", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(42*time.Second, "the gateway's control plane goes away", func() { s.follows = false })
			s.user(82*time.Second, "the gateway's control plane is back", func() { s.follows = true; s.inProxy = s.route.CanaryWeight })
		}},
	{name: "gateway stands still and is sampled rarely", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeight, c.Spec.Analysis.StepWeights = 0, []int32{10, 20, 30, 40}
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(38*time.Second, "the gateway's control plane goes away", func() { s.follows = false })
			s.user(100*time.Second, "the gateway's control plane is back", func() { s.follows = true; s.inProxy = s.route.CanaryWeight })
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if q.Kind == AskShare && q.Window < 12*time.Second {
					return Answer{Counts: analysis.Counts{Soon: true, Message: "one sample so far"}}, true
				}
				return healthy(s, q)
			}
		}},
	{name: "primary does not take the revision", lasts: 20 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "6.0.1 stops starting", func() { s.broken["podinfo-6.0.1"] = true })
		}},
	{name: "nothing starts on the primary, and a fix waits", lasts: 60 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "neither 6.0.0 nor 6.0.1 starts any more", func() { s.broken["podinfo-6.0.0"], s.broken["podinfo-6.0.1"] = true, true })
			s.setImage(20*time.Minute, "6.0.2")
			s.user(40*time.Minute, "6.0.1 starts again", func() { delete(s.broken, "podinfo-6.0.1") })
			s.tell(41*time.Minute, "retry")
		}},
	{name: "the promoted revision is lost, and the new one set again", lasts: 25 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "6.0.0 does not start any more", func() { s.broken["podinfo-6.0.0"] = true; s.startup = 30 * time.Second })
			s.setImage(60*time.Second, "6.0.0")
			s.setImage(20*time.Minute, "6.0.1")
		}},
	{name: "tag moved after the analysis", lasts: 4 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if q.Kind == AskImages {
					return Answer{Images: Images{Known: true, Drift: "container podinfod (podinfo:6.0.1): sha256:1111 was analysed, sha256:2222 runs now"}}, true
				}
				return healthy(s, q)
			}
		}},
	{name: "images cannot be compared", lasts: 15 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if q.Kind == AskImages {
					return Answer{Images: Images{Message: "list pods in apps: forbidden"}}, true
				}
				return healthy(s, q)
			}
		}},
	{name: "suspended in mid-run", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "suspend", func() { s.c.Spec.Suspend = true })
			s.user(100*time.Second, "resume", func() { s.c.Spec.Suspend = false })
		}},
	{name: "analysis skipped", lasts: 2 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { c.Spec.SkipAnalysis = true },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "status lost in mid-run", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "the Canary is deleted and applied again", func() { s.c.Status = v1beta1.CanaryStatus{} })
		}},
	{name: "rejected revision pushed again after a revert", lasts: 6 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.reply = succeedingAt(96.2)
			s.setImage(30*time.Second, "6.0.1")
			s.setImage(120*time.Second, "6.0.0")
			s.user(130*time.Second, "the cause is mended", func() { s.reply = healthy })
			s.setImage(140*time.Second, "6.0.1")
		}},
	{name: "foreign writes are repaired and reported", lasts: 2 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.user(20*time.Second, "a GitOps tool resets replicas", func() { s.target.Replicas, s.target.Writer = 2, "argocd-controller" })
			s.user(25*time.Second, "a GitOps tool resets the selector", func() { s.apex.ToPrimary, s.apex.Writer = false, "argocd-controller" })
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "somebody edits the route", func() { s.route.CanaryWeight = 10 })
		}},
	{name: "the template's size is the primary's", lasts: time.Minute, phase: v1beta1.PhaseInitialized, promoted: "6.0.0",
		play: func(s *sim) {
			s.user(20*time.Second, "scale to 5", func() { s.target.Replicas, s.target.Writer = 5, "kubectl" })
		}},
	{name: "hook refuses once", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.Webhooks = []v1beta1.CanaryWebhook{{Type: v1beta1.HookPreRollout, Name: "accept", URL: "http://t"}, {Name: "load", URL: "http://t"}}
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			asked := 0
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if q.Kind == AskHook && q.Hook.Name == "accept" {
					if asked++; asked == 1 {
						return Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: 0, Message: "HTTP 500: not yet"}}, true
					}
				}
				return healthy(s, q)
			}
		}},
}

func (sc scene) run(t *testing.T, jitter *rand.Rand) *sim {
	s := newSim(t, sc.edit)
	if sc.play != nil {
		sc.play(s)
	}
	s.jitter = jitter
	s.run(sc.lasts)
	return s
}

func (sc scene) check(t *testing.T, s *sim) {
	t.Helper()
	st := s.c.Status
	if st.Phase != sc.phase || st.Promoted == nil || st.Promoted.Name != "podinfo-"+sc.promoted {
		t.Errorf("ended as %s with %v promoted, want %s with %s\n%s", st.Phase, st.Promoted, sc.phase, sc.promoted, s.out.String())
	}
	if s.route.CanaryWeight != 0 || s.route.Rules != "" || s.canary.replicas != 0 || s.primary.revision != "podinfo-"+sc.promoted || s.target.Replicas != 0 {
		t.Errorf("not at rest: route %+v, canary %+v, primary %+v, target %+v\n%s", s.route, s.canary, s.primary, s.target, s.out.String())
	}
	if s.primary.floor != 0 {
		t.Errorf("the primary's floor of %d was left behind", s.primary.floor)
	}
}

func TestScenesReadAsTheirTranscripts(t *testing.T) {
	for _, sc := range slices.Concat(scenes, strategies, steered) {
		t.Run(sc.name, func(t *testing.T) {
			s := sc.run(t, nil)
			sc.check(t, s)
			path := filepath.Join("testdata", strings.ReplaceAll(sc.name, " ", "-")+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(s.out.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), s.out.String()); diff != "" {
				t.Errorf("transcript (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScenesEndTheSameInAnyOrder delays pods, answers and watch events by chance: the way differs,
// the end does not.
func TestScenesEndTheSameInAnyOrder(t *testing.T) {
	for _, sc := range slices.Concat(scenes, strategies, steered) {
		for seed := range uint64(15) {
			t.Run(fmt.Sprintf("%s/seed %d", sc.name, seed), func(t *testing.T) {
				sc.lasts += 3 * time.Minute
				sc.check(t, sc.run(t, rand.New(rand.NewPCG(seed, 1))))
			})
		}
	}
}

// TestIdleIsFree: at rest nothing is written, asked or waited for.
func TestIdleIsFree(t *testing.T) {
	s := scenes[1].run(t, nil)
	writes := s.writes
	for range 100 {
		s.now = s.now.Add(time.Hour)
		o := s.observed()
		d := Plan(o)
		if d.Next != nil || len(d.Questions) > 0 || !d.WakeAt.IsZero() {
			t.Fatalf("at rest: %+v", d)
		}
	}
	if s.writes != writes {
		t.Errorf("%d writes at rest", s.writes-writes)
	}
}

// TestAStepIsOneStatusWrite: what passes by itself in a moment is not worth a write.
func TestAStepIsOneStatusWrite(t *testing.T) {
	sc := scenes[1]
	s := newSim(t, nil)
	sc.play(s)
	s.run(sc.lasts)
	if transitions := int(s.c.Status.Transition); s.writes > transitions {
		t.Errorf("%d status writes for %d transitions", s.writes, transitions)
	}
}

// TestADrainForgetsWhatAStandstillSent: requests of minutes ago do not keep a canary that is quiet now.
func TestADrainForgetsWhatAStandstillSent(t *testing.T) {
	s := newSim(t, nil)
	s.setImage(30*time.Second, "6.0.1")
	s.user(62*time.Second, "the gateway stands still at the shift back", func() { s.follows = false })
	var oldest time.Duration
	s.reply = func(s *sim, q Question) (Answer, bool) {
		if q.Kind == AskTraffic {
			oldest = max(oldest, s.now.Sub(q.Since), q.Window)
		}
		if q.Kind == AskMetric && s.now.Sub(s.begin) > 50*time.Second {
			return succeedingAt(90)(s, q)
		}
		return healthy(s, q)
	}
	s.run(5 * time.Minute)
	if oldest == 0 || oldest > drainWindow+time.Second {
		t.Errorf("a look at the canary's traffic reached back %s, want at most %s", oldest, drainWindow)
	}
	if r := s.c.Status.Rollout; r.Step != v1beta1.StepDraining || r.EndedAt != nil {
		t.Errorf("the canary was taken away in step %s while requests reached it", r.Step)
	}
}

// TestADrainThatIsNotShownWhatIsInFlight takes its time, and does not say that nothing is.
func TestADrainThatIsNotShownWhatIsInFlight(t *testing.T) {
	s := newSim(t, nil)
	s.setImage(30*time.Second, "6.0.1")
	s.reply = func(s *sim, q Question) (Answer, bool) {
		a, ok := healthy(s, q)
		a.Traffic.ActiveKnown = false
		return a, ok
	}
	s.run(5 * time.Minute)
	journal := s.c.Status.Journal
	drained := slices.IndexFunc(journal, func(e v1beta1.JournalEntry) bool { return e.Reason == "Drained" })
	if drained < 1 {
		t.Fatalf("the canary was not drained: %v", journal)
	}
	if took := journal[drained].At.Sub(journal[drained-1].At.Time); took < drainBlind {
		t.Errorf("the canary went %s after the shift, want %s", took, drainBlind)
	}
	if said := journal[drained].What; strings.Contains(said, "none in flight") {
		t.Errorf("nobody saw it, and it is said: %s", said)
	}
	if s.c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("phase %s, want %s", s.c.Status.Phase, v1beta1.PhaseSucceeded)
	}
}
