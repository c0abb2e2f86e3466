package chaos

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest/podinfo"
)

// stood is a namespace in which podinfo:2 takes the place of podinfo:1.
type stood struct{ moments []moment }

func (s *stood) at(canary int64, outcome v1beta1.Outcome, pods ...*corev1.Pod) *stood {
	m := moment{canary: podinfo.Canary("apps"), route: &weights{100 - canary, canary}, pods: map[string]*corev1.Pod{}}
	m.canary.Status.Rollout = &v1beta1.RolloutStatus{From: v1beta1.RevisionStatus{Name: "one"}, Revision: v1beta1.RevisionStatus{Name: "two"}, Outcome: outcome}
	for name, image := range map[string]string{"one": "podinfo:1", "two": "podinfo:2"} {
		d := podinfo.Deployment("apps", image)
		d.Annotations = map[string]string{v1beta1.RevisionAnnotation: name}
		m = m.after(sight{object: d})
	}
	for _, p := range pods {
		m = m.after(sight{object: p})
	}
	s.moments = append(s.moments, m)
	return s
}

func pod(side, image string, ready corev1.ConditionStatus) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: side + image, Labels: map[string]string{"app": "podinfo-" + side}}}
	p.Spec = podinfo.Deployment("apps", image).Spec.Template.Spec
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	return p
}

// TestTheJudgeSeesWhatIsWrong: a harness that finds nothing has to be able to.
func TestTheJudgeSeesWhatIsWrong(t *testing.T) {
	one, two, late := pod("primary", "podinfo:1", "True"), pod("canary", "podinfo:2", "True"), pod("canary", "podinfo:2", "False")
	wrong := pod("canary", "podinfo:1", "True")
	tests := map[string]struct {
		stood *stood
		bad   int
	}{
		"a raise with ready pods":                    {new(stood).at(0, "", one).at(50, "", one, two), 0},
		"a raise with pods that are not ready":       {new(stood).at(0, "", one).at(50, "", one, late), 1},
		"a raise with pods of another revision":      {new(stood).at(0, "", one).at(50, "", one, wrong), 1},
		"a weight whose pods are gone":               {new(stood).at(50, "", one, two).at(50, "", one), 1},
		"traffic back to a primary of before":        {new(stood).at(50, "", one, two).at(0, "", one), 0},
		"traffic back to a primary not yet promoted": {new(stood).at(50, "", one, two).at(0, v1beta1.OutcomePromoted, one, two), 1},
		"weights of another sum":                     {new(stood).at(101, "", one, two).at(50, "", one, two), 1},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if got := violations(test.stood.moments); len(got) != test.bad {
				t.Errorf("found %d wrong, want %d: %q", len(got), test.bad, got)
			}
		})
	}
}

func TestTheLedgerKnowsGoodReasonsToRepeat(t *testing.T) {
	c1 := entry{process: 1}
	told := func(process int, sink string, transition int64) entry {
		return entry{process, sink, place{transition: transition}}
	}
	a1, a2 := told(1, steady, 1), told(2, steady, 1)
	tests := map[string]struct {
		entries []entry
		bad     int
	}{
		"told once":                              {[]entry{c1, a1, c1}, 0},
		"two sinks are told":                     {[]entry{a1, c1, c1, told(1, unsteady, 1)}, 0},
		"died before the next commit":            {[]entry{c1, a1, a2}, 0},
		"died after a commit that was under way": {[]entry{a1, c1, a2}, 0},
		"died after the next commit":             {[]entry{a1, c1, c1, a2}, 1},
		"told twice in one life":                 {[]entry{a1, a1}, 1},
		"told in order, and again":               {[]entry{a1, told(1, steady, 2), c1, a2, told(2, steady, 2), told(2, steady, 3)}, 0},
		"told one too early":                     {[]entry{told(1, steady, 2), a1}, 1},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			l := &ledger{entries: test.entries}
			if got := append(l.repeats(), l.disorder()...); len(got) != test.bad {
				t.Errorf("found %d wrong, want %d: %q", len(got), test.bad, got)
			}
		})
	}
}
