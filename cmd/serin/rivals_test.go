package main

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/internal/leases"
)

// began is when the ages of leases are counted from: creation timestamps know whole seconds.
var began = time.Now().Truncate(time.Second)

// lease of an install that was made some time ago, held and renewed just now.
func lease(namespace, scope string, age time.Duration, edits ...func(*coordinationv1.Lease)) *coordinationv1.Lease {
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName, Labels: leases.Labels(scope, ""),
		CreationTimestamp: metav1.NewTime(began.Add(-age))}}
	l.Spec = coordinationv1.LeaseSpec{HolderIdentity: ptr.To("pod-1"), LeaseDurationSeconds: ptr.To(int32(15)),
		RenewTime: ptr.To(metav1.NowMicro())}
	for _, edit := range edits {
		edit(l)
	}
	return l
}

// TestRivals: of two installs that would undo each other's steps the later one gives way, and says
// whom to.
func TestRivals(t *testing.T) {
	for sentence, test := range map[string]struct {
		scope string
		other *coordinationv1.Lease
		gives bool
	}{
		"alone":                                      {"", nil, false},
		"an older one works everywhere too":          {"", lease("other", "", time.Hour), true},
		"a younger one works everywhere too":         {"", lease("other", "", time.Second), false},
		"an older one works in a namespace of ours":  {"", lease("other", "shop", time.Hour), true},
		"an older one works everywhere, this in one": {"shop", lease("shop", "", time.Hour), true},
		"an older one works in another namespace":    {"shop", lease("shop", "billing", time.Hour), false},
		"an older one works on another shard": {"", lease("other", "", time.Hour, func(l *coordinationv1.Lease) {
			l.Labels = leases.Labels("", "b")
		}), false},
		"an older one is gone": {"", lease("other", "", time.Hour, func(l *coordinationv1.Lease) {
			l.Spec.RenewTime = ptr.To(metav1.NewMicroTime(time.Now().Add(-time.Minute)))
		}), false},
		"an older one was given back":                   {"", lease("other", "", time.Hour, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = ptr.To("") }), false},
		"one of the same second gives way by its name":  {"", lease("zzz", "", time.Minute), false},
		"one of the same second takes over by its name": {"", lease("aaa", "", time.Minute), true},
	} {
		t.Run(sentence, func(t *testing.T) {
			own := lease("serin-system", test.scope, time.Minute)
			b := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(own)
			if test.other != nil {
				b.WithObjects(test.other)
			}
			err := rivals{reader: b.Build(), scope: test.scope, self: types.NamespacedName{Namespace: "serin-system", Name: leaseName}}.look(t.Context())
			if (err != nil) != test.gives {
				t.Fatalf("got %v, want it to give way: %t", err, test.gives)
			}
			if err != nil && !strings.Contains(err.Error(), "Lease "+test.other.Namespace+"/"+leaseName+", held by pod-1. Uninstall one of the two") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAShardHasALeaseOfItsOwn: two operators in one namespace lead side by side.
func TestAShardHasALeaseOfItsOwn(t *testing.T) {
	want := types.NamespacedName{Namespace: "serin-system", Name: "serin-leader-b"}
	o := managerOptions(options{shard: "b", leaderNamespace: want.Namespace})
	if o.LeaderElectionID != want.Name || o.LeaderElectionLabels[v1beta1.ShardLabel] != "b" {
		t.Errorf("leads by %s with the labels %v", o.LeaderElectionID, o.LeaderElectionLabels)
	}
	if got := (options{shard: "b", leaderNamespace: want.Namespace}).leaseKey(); got != want {
		t.Errorf("its own Lease is %s, want %s", got, want)
	}
}

func TestReadinessWaitsForTheCaches(t *testing.T) {
	s := &syncCheck{}
	if s.check(nil) == nil {
		t.Error("ready before the caches are filled")
	}
	s.synced.Store(true)
	if err := s.check(nil); err != nil {
		t.Errorf("not ready after: %v", err)
	}
}
