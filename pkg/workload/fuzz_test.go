package workload

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// FuzzService lets somebody edit the user's Service and one of ours in any way: what is rendered from the one
// is in step with itself, and what is written to the other brings it where it should lead, so that no edit is
// answered with a write for ever.
func FuzzService(f *testing.F) {
	for _, users := range []string{
		`{}`, `{"spec":{"selector":null}}`, `{"spec":{"type":"ExternalName","externalName":"x"}}`, `{"spec":{"clusterIP":"None","selector":{"app":"podinfo"}}}`,
		`{"metadata":{"annotations":{"serin.dev/original-selector":"null"}},"spec":{"selector":{"app":"podinfo-primary"}}}`,
		`{"metadata":{"annotations":{"serin.dev/original-selector":"{\"app\":7}"},"labels":{"a~/b":""}},"spec":{"ports":[{"port":-1},{"name":"x","targetPort":"y"}]}}`,
		`{"spec":{"ports":[{"port":80,"protocol":"UDP","nodePort":30000,"appProtocol":""}],"sessionAffinity":"ClientIP","sessionAffinityConfig":{}}}`,
	} {
		f.Add([]byte(users), []byte(`{"metadata":{"labels":{"team":"shop"}},"spec":{"selector":{"app":"other"},"ports":[{"port":1}]}}`))
		f.Add([]byte(`{"spec":{"selector":{"app":"podinfo"},"ports":[{"port":9898}]}}`), []byte(users))
	}
	f.Fuzz(func(t *testing.T, users, ours []byte) {
		var apex, live corev1.Service
		if json.Unmarshal(users, &apex) != nil || json.Unmarshal(ours, &live) != nil {
			return
		}
		for _, s := range []*corev1.Service{&apex, &live} {
			s.Namespace, s.Name, s.ResourceVersion = "apps", "podinfo", "7"
			for i := range s.Spec.Ports {
				if s.Spec.Ports[i].Protocol == "" {
					s.Spec.Ports[i].Protocol = corev1.ProtocolTCP // as the API server has it
				}
			}
		}
		s := makeServices(&apex)
		_, _, _ = s.MissingPort(), s.OriginalSelector(), s.TargetPods()
		if got := s.ApexSelector()[s.Label.Key]; got != s.Label.Of(v1beta1.RolePrimary) {
			t.Errorf("the Service of all selects %q", got)
		}
		for _, role := range []string{v1beta1.RolePrimary, v1beta1.RoleCanary} {
			if want := s.Role(role); !SameService(want, s.Role(role)) {
				t.Errorf("the Service of the %s is never what it should be: %+v", role, want)
			}
			for _, on := range []bool{true, false} {
				side := ServiceClone{Canary: s.Canary, Target: &apex, Role: role, Revision: "podinfo-1", Fields: ServiceFields(&apex), On: on, Stamp: 7}
				if after := patched(t, live, side.Changes(&live)); !side.Same(&after) || ServiceOn(&after) != on && apex.Spec.Selector[v1beta1.ScaleToZeroKey] == "" {
					t.Errorf("the side of the %s, on %t, is after a write: %+v", role, on, after)
				}
			}
		}
	})
}
