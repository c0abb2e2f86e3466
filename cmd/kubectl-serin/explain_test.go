package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func gated(kind string) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) {
		c.Spec.Analysis.Webhooks = []v1beta1.CanaryWebhook{{Type: kind, Name: "approve", URL: "http://gate/", Deadline: "1h"}}
	}
}

// scenes are worlds in every state that a user can meet.
var scenes = map[string]func() *world{
	"not taken up": func() *world {
		w := fresh(nil)
		return w
	},
	"cloning": func() *world {
		w := fresh(nil)
		w.broken = true
		w.until(40 * time.Second)
		return w
	},
	"adopted":  func() *world { return adopted(nil) },
	"analysed": func() *world { w := mid(nil); w.until(44 * time.Second); return w },
	"a failed check": func() *world {
		w := adopted(nil)
		w.rate = new(96.2)
		w.hold("6.0.1")
		w.until(43 * time.Second)
		return w
	},
	"no data": func() *world {
		w := adopted(nil)
		w.rate = nil
		w.hold("6.0.1")
		w.until(43 * time.Second)
		return w
	},
	"starting": func() *world {
		w := adopted(nil)
		w.starting = true
		w.hold("6.0.1")
		w.until(50 * time.Second)
		return w
	},
	"rolled back": func() *world { return failed(nil) },
	"promoted":    func() *world { return promoted(nil) },
	"promoting": func() *world {
		w := mid(nil)
		w.broken = true
		w.tell("promote --full id=1 by=alice")
		return w
	},
	"nothing starts on the primary": func() *world {
		w := mid(nil)
		w.broken = true
		w.tell("promote --full id=1 by=alice")
		w.until(15 * time.Minute)
		w.hold("6.0.2")
		w.until(25 * time.Minute)
		return w
	},
	"waiting for a gate": func() *world {
		w := adopted(gated(v1beta1.HookConfirmPromotion))
		w.closed = true
		w.hold("6.0.1")
		w.until(2 * time.Minute)
		return w
	},
	"waiting to begin": func() *world {
		w := adopted(gated(v1beta1.HookConfirmRollout))
		w.closed = true
		w.hold("6.0.1")
		w.until(2 * time.Minute)
		return w
	},
	"paused": func() *world {
		w := mid(nil)
		w.tell("pause id=1 by=alice")
		w.until(2 * time.Minute)
		return w
	},
	"paused at rest": func() *world {
		w := adopted(nil)
		w.tell("pause id=1 by=alice")
		w.hold("6.0.1")
		w.until(2 * time.Minute)
		return w
	},
	"baking": func() *world {
		w := mid(func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "10m" })
		w.until(2 * time.Minute)
		return w
	},
	"pinned": func() *world {
		w := promoted(nil)
		w.tell("rollback id=1 by=alice")
		return w
	},
	"suspended": func() *world {
		w := mid(nil)
		w.c.Spec.Suspend = true
		w.until(time.Minute)
		return w
	},
	"stalled": func() *world {
		w := adopted(nil)
		w.problems = []rollout.Problem{{Reason: "TargetMissing", Message: "Deployment test/podinfo does not exist: create it, or correct spec.targetRef"}}
		w.warnings = []rollout.Problem{{Reason: "FieldsIgnored", Message: "spec.service.timeout has no effect with provider gloo"}}
		w.until(time.Minute)
		return w
	},
	"a refused command": func() *world {
		w := adopted(nil)
		w.tell("abort id=1 by=alice")
		return w
	},
	"nobody at work": func() *world {
		w := mid(nil)
		w.until(36 * time.Second)
		w.c.Generation++
		w.c.Annotations = map[string]string{v1beta1.CommandAnnotation: "abort id=1"}
		w.now = w.now.Add(2 * time.Hour)
		return w
	},
	"being deleted": func() *world {
		w := adopted(nil)
		w.c.DeletionTimestamp = new(metav1.NewTime(w.now))
		return w
	},
	"being released": func() *world {
		w := promoted(nil)
		w.release = true
		w.until(4 * time.Minute)
		return w
	},
	"released in part": func() *world {
		w := promoted(nil)
		w.target.Exists = false
		w.release = true
		w.until(30 * time.Minute)
		return w
	},
	"repaired": func() *world {
		w := adopted(nil)
		w.target.Replicas, w.target.Writer = 3, "argocd"
		w.target.Autoscaled = true
		w.until(time.Minute)
		return w
	},
}

func TestExplain(t *testing.T) {
	for name, play := range scenes {
		t.Run(name, func(t *testing.T) {
			w := play()
			golden(t, "explain "+name, explain(w.c, w.now))
		})
	}
	files, err := filepath.Glob("testdata/explain-*.txt")
	if err != nil || len(files) != len(scenes) {
		t.Errorf("%d golden files for %d scenes (%v)", len(files), len(scenes), err)
	}
}

// What the page tells people to type at night is not refused.
func TestWhatIsSuggestedIsNotRefused(t *testing.T) {
	suggested := map[v1beta1.Verb]bool{}
	for _, name := range slices.Sorted(maps.Keys(scenes)) {
		for i, s := range steers(scenes[name]().c) {
			w := scenes[name]()
			if len(w.problems) > 0 || w.c.Annotations != nil {
				continue // the plan does not play on from there
			}
			suggested[s.verb] = true
			w.tell(string(s.verb) + s.flags + " id=suggested")
			if got := w.c.Status.Command; got == nil || got.ID != "suggested" || got.Refused {
				t.Errorf("%s, suggestion %d (%s%s): %+v", name, i, s.verb, s.flags, got)
			}
		}
	}
	for _, v := range v1beta1.Verbs {
		if !suggested[v] {
			t.Errorf("no scene suggests %s", v)
		}
	}
}
