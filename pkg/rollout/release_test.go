package rollout

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// handback is what a release finds in the sim's cluster, and leaves there.
type handback struct {
	asked bool
	// pods of the target that are ready with its template, and whether their Service shows them.
	pods    int32
	running string
	probed  bool
	// apexAt is when the apex Service last turned.
	apexAt time.Time
	// released and removed are the route and the clones; stuck keeps them from being so.
	released, removed bool
	stuckRoute, stuck bool
}

func (s *sim) seeRelease(o Observed) Observed {
	b := &s.back
	o.Release = b.asked
	if !o.Target.Exists {
		o.Target = Target{Keeper: s.target.Keeper}
	} else {
		o.Target.Pods = Workload{Exists: true, Revision: s.target.Revision.Name, Replicas: s.target.Replicas,
			Pods: s.target.Replicas, Updated: s.target.Replicas, Available: b.pods, Synced: true}
		if b.probed && b.running == s.target.Revision.Name {
			o.Target.Pods.Endpoints = b.pods
		}
	}
	o.Route.Released = b.released
	if rel := s.c.Status.Release; rel != nil && rel.Step == v1beta1.StepRemoving && !b.removed {
		o.Leftovers = []string{"Deployment podinfo-primary"}
		if rel.Stays != "" {
			o.Leftovers = []string{"marks on Deployment podinfo-primary"}
		}
	}
	return o
}

// handBack does what the controller's converge does in a release, and checks what must hold: traffic
// never turns to a side without ready pods, and nothing goes that may still have some.
func (s *sim) handBack(w World) {
	b := &s.back
	if w.ApexToPrimary && s.apex.ToTarget {
		s.apex.ToTarget = false
		b.apexAt = s.now
	}
	h := w.Release
	if h == nil {
		return
	}
	b.probed = h.Probe
	if h.Template != "" && s.target.Revision.Name != h.Template {
		s.target.Revision = rev(strings.TrimPrefix(h.Template, "podinfo-"))
		s.line("write", "target := %s", h.Template)
		s.growTarget()
	} else if h.Replicas > s.target.Replicas {
		s.target.Replicas = h.Replicas
		s.line("write", "target replicas %d", h.Replicas)
		s.growTarget()
	}
	if h.ApexToTarget && !s.apex.ToTarget {
		if s.c.Status.Release.Served && (b.pods == 0 || b.running != s.c.Status.LastPromotedSpec || w.Bridge != v1beta1.RoleRelease) {
			s.t.Errorf("the apex Service turns to a target that does not serve: %+v, bridge %q\n%s", *b, w.Bridge, s.out.String())
		}
		s.apex.ToTarget, s.apex.ToPrimary, b.apexAt = true, false, s.now
		s.line("write", "apex Service selects the target")
	}
	if h.Route && !b.released && !b.stuckRoute {
		if s.now.Sub(b.apexAt) < SettleTime {
			s.t.Errorf("the route is handed back %s after the apex Service turned\n%s", s.now.Sub(b.apexAt), s.out.String())
		}
		b.released = true
		s.line("write", "route to the apex Service")
		s.at(0, watched, func(*sim) {})
	}
	if h.Remove && !b.removed && !b.stuck {
		s.checkRemoval()
		b.removed = true
		s.line("write", "leftovers removed")
		s.at(0, watched, func(*sim) {})
	}
}

func (s *sim) growTarget() {
	b := &s.back
	b.pods = 0
	name := s.target.Revision.Name
	s.at(s.startup, "target pods ready", func(s *sim) {
		b := &s.back
		if s.target.Exists && s.target.Revision.Name == name && !s.broken[name] && s.target.Replicas > 0 && b.pods < s.target.Replicas {
			b.pods, b.running = s.target.Replicas, name
			s.line("cluster", "target %s ready %d/%d", name, b.pods, s.target.Replicas)
		}
	})
}

func (s *sim) checkRemoval() {
	rel := s.c.Status.Release
	if rel.Stays != "" || !rel.Served || !s.target.Exists {
		return
	}
	if !s.back.released || !s.apex.ToTarget || s.back.pods == 0 {
		s.t.Errorf("the primary goes while it may have traffic: %+v, apex %+v\n%s", s.back, s.apex, s.out.String())
	}
}

// remove deletes the Canary after d.
func (s *sim) remove(d time.Duration) {
	s.user(d, "delete the Canary", func() {
		at := metav1.NewTime(s.now)
		s.c.DeletionTimestamp = &at
		s.back.asked = true
	})
}

type releaseScene struct {
	name  string
	edit  func(*v1beta1.Canary)
	play  func(*sim)
	lasts time.Duration
	stays v1beta1.Stays
	// template and pods that the target has at the end.
	template string
	pods     int32
}

var releaseScenes = []releaseScene{
	{name: "released at rest", lasts: 2 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.remove(30 * time.Second) }},
	{name: "released in mid-run", lasts: 3 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.remove(50 * time.Second) }},
	{name: "released in mid-promotion", lasts: 4 * time.Minute, template: "6.0.1", pods: 2,
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.remove(57 * time.Second) }},
	{name: "released while it is superseded", lasts: 4 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.setImage(47*time.Second, "6.0.2")
			s.remove(48 * time.Second)
		}},
	{name: "released with a rejected template", lasts: 4 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = succeedingAt(90)
			s.remove(2 * time.Minute)
		}},
	{name: "released with a rejected template that Argo CD keeps", lasts: 4 * time.Minute, template: "6.0.1", stays: v1beta1.StaysPrimary,
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = succeedingAt(90)
			s.target.Keeper = "Argo CD"
			s.remove(2 * time.Minute)
		}},
	{name: "released with rejected contents", lasts: 4 * time.Minute, template: "6.0.0-red", stays: v1beta1.StaysPrimary,
		play: func(s *sim) {
			s.setContents(30*time.Second, "6.0.0", "red")
			s.reply = succeedingAt(90)
			s.remove(2 * time.Minute)
		}},
	{name: "released while contents are analysed", lasts: 3 * time.Minute, template: "6.0.0-red", stays: v1beta1.StaysPrimary,
		play: func(s *sim) { s.setContents(30*time.Second, "6.0.0", "red"); s.remove(50 * time.Second) }},
	{name: "released and contents change meanwhile", lasts: 3 * time.Minute, template: "6.0.0-red", stays: v1beta1.StaysPrimary, pods: 2,
		play: func(s *sim) { s.remove(30 * time.Second); s.setContents(36*time.Second, "6.0.0", "red") }},
	{name: "released while cloning", lasts: time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.remove(2 * time.Second) }},
	{name: "released while routing", lasts: time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.remove(4100 * time.Millisecond) }},
	{name: "released while the Service turns", lasts: time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.remove(9500 * time.Millisecond) }},
	{name: "released before anything was adopted", lasts: time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.back.asked = true }},
	{name: "released while suspended in mid-run", lasts: 5 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "suspend", func() { s.c.Spec.Suspend = true })
			s.remove(100 * time.Second)
		}},
	{name: "released after the status was lost in mid-run", lasts: 5 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "the status is lost", func() { s.c.Status = v1beta1.CanaryStatus{} })
			s.remove(50 * time.Second)
		}},
	{name: "released while it bakes", lasts: 4 * time.Minute, template: "6.0.1", pods: 2,
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "10m" },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.remove(90 * time.Second) }},
	{name: "released while the traffic returns in steps", lasts: 4 * time.Minute, template: "6.0.1", pods: 2,
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeightPromotion = 5 },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.remove(62 * time.Second) }},
	{name: "released while a gate is closed", lasts: 4 * time.Minute, template: "6.0.0", pods: 2,
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmRollout, Name: "never"})
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = opensAfter("never", time.Hour)
			s.remove(60 * time.Second)
		}},
	{name: "released, and commands come too late", lasts: 2 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) {
			s.remove(30 * time.Second)
			s.tell(33*time.Second, "pause")
			s.tell(80*time.Second, "retry")
		}},
	{name: "released without the target", lasts: 2 * time.Minute, template: "6.0.0", stays: v1beta1.StaysPrimary,
		play: func(s *sim) { s.loseTarget(29 * time.Second); s.remove(30 * time.Second) }},
	{name: "released with target and Service gone", lasts: 2 * time.Minute, template: "6.0.0",
		play: func(s *sim) {
			s.remove(30 * time.Second)
			s.loseTarget(31 * time.Second)
			s.user(32*time.Second, "delete the Service", func() { s.apex = Apex{} })
		}},
	{name: "released and the target goes once the Service has turned", lasts: 2 * time.Minute, template: "6.0.0", stays: v1beta1.StaysPrimary,
		play: func(s *sim) { s.remove(30 * time.Second); s.loseTarget(41 * time.Second) }},
	{name: "released and the target never gets ready", lasts: 13 * time.Minute, template: "6.0.0", stays: v1beta1.StaysPrimary, pods: 0,
		play: func(s *sim) {
			s.remove(30 * time.Second)
			s.user(29*time.Second, "6.0.0 stops starting", func() { s.broken["podinfo-6.0.0"] = true })
		}},
	{name: "released and the route cannot be handed back", lasts: 5 * time.Minute, template: "6.0.0", stays: v1beta1.StaysEverything, pods: 2,
		play: func(s *sim) { s.back.stuckRoute = true; s.remove(30 * time.Second) }},
	{name: "released and the gateway never follows back", lasts: 20 * time.Minute, template: "6.0.1", stays: v1beta1.StaysEverything,
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(48*time.Second, "the gateway's control plane goes away", func() { s.follows = false })
			s.remove(50 * time.Second)
		}},
	{name: "released and something cannot be removed", lasts: 5 * time.Minute, template: "6.0.0", pods: 2,
		play: func(s *sim) { s.back.stuck = true; s.remove(30 * time.Second) }},
}

func (s *sim) loseTarget(d time.Duration) {
	s.user(d, "delete the Deployment", func() { s.target.Exists, s.back.pods = false, 0 })
}

func (sc releaseScene) run(t *testing.T, jitter *rand.Rand) *sim {
	s := newSim(t, sc.edit)
	s.back.pods, s.back.running = 2, "podinfo-6.0.0"
	sc.play(s)
	s.jitter = jitter
	s.run(sc.lasts)
	return s
}

func (sc releaseScene) check(t *testing.T, s *sim) {
	t.Helper()
	st := s.c.Status
	if st.Phase != v1beta1.PhaseTerminated || st.Release.Stays != sc.stays {
		t.Fatalf("ended as %s with %+v, want Terminated and %q to stay\n%s", st.Phase, st.Release, sc.stays, s.out.String())
	}
	if s.target.Revision.Name != "podinfo-"+sc.template || s.back.pods != sc.pods {
		t.Errorf("the target has %d pods of %s, want %d of %s\n%s", s.back.pods, s.target.Revision.Name, sc.pods, sc.template, s.out.String())
	}
	if sc.stays == v1beta1.StaysPrimary && (s.apex.ToTarget || !s.back.released) {
		t.Errorf("the primary stays, and Service %+v or route %t do not lead to it\n%s", s.apex, s.back.released, s.out.String())
	}
	if r := st.Rollout; r != nil && r.EndedAt == nil {
		t.Errorf("rollout %d is left open\n%s", r.Number, s.out.String())
	}
}

func TestReleaseScenesReadAsTheirTranscripts(t *testing.T) {
	for _, sc := range releaseScenes {
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

// TestAReleaseEndsFromAnyMoment deletes the Canary at every moment of a promotion, and of a rollback,
// with pods and answers delayed by chance, by an operator that is killed after every third commit: it
// always ends, and the sim's invariants hold at each write.
func TestAReleaseEndsFromAnyMoment(t *testing.T) {
	for _, rate := range []float64{99.8, 90} {
		for at := range 140 {
			t.Run(fmt.Sprintf("rate %v, second %d", rate, at), func(t *testing.T) {
				s := newSim(t, nil)
				s.back.pods, s.back.running = 2, "podinfo-6.0.0"
				s.jitter = rand.New(rand.NewPCG(uint64(at), 3))
				s.crash = func(s *sim) bool { return s.back.asked && s.jitter.IntN(3) == 0 }
				s.setImage(30*time.Second, "6.0.1")
				s.reply = succeedingAt(rate)
				s.remove(time.Duration(at)*time.Second + 300*time.Millisecond)
				s.run(10 * time.Minute)
				st := s.c.Status
				if st.Phase != v1beta1.PhaseTerminated || st.Release.Stays != "" || s.back.pods < 2 {
					t.Errorf("ended as %s, %+v, target %d pods\n%s", st.Phase, st.Release, s.back.pods, s.out.String())
				}
				if at >= 30 && s.target.Revision.Name != st.LastPromotedSpec {
					t.Errorf("the target holds %s, promoted is %s\n%s", s.target.Revision.Name, st.LastPromotedSpec, s.out.String())
				}
			})
		}
	}
}

// TestAReleasedTargetIsAdoptedAgain once the annotation is gone.
func TestAReleasedTargetIsAdoptedAgain(t *testing.T) {
	s := newSim(t, nil)
	s.back.pods, s.back.running = 2, "podinfo-6.0.0"
	s.user(30*time.Second, "serin release", func() { s.back.asked = true })
	s.user(2*time.Minute, "serin resume", func() {
		if s.c.Status.Phase != v1beta1.PhaseTerminated {
			t.Errorf("phase %s before the resume", s.c.Status.Phase)
		}
		s.back.asked, s.back.released, s.back.removed = false, false, false
		s.primary, s.canary, s.route = nil, nil, Route{Weighted: true}
		s.apex = Apex{Exists: true}
	})
	s.setImage(3*time.Minute, "6.0.1")
	s.run(6 * time.Minute)
	if st := s.c.Status; st.Phase != v1beta1.PhaseSucceeded || st.Release != nil || st.Promoted.Name != "podinfo-6.0.1" {
		t.Errorf("phase %s, release %+v, promoted %v\n%s", st.Phase, st.Release, st.Promoted, s.out.String())
	}
}
