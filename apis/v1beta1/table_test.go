package v1beta1_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

// Scripts cut these columns by their place.
func TestColumns(t *testing.T) {
	cs, err := kubernetes.NewForConfig(apitest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := cs.RESTClient().Get().AbsPath("/apis/serin.dev/v1beta1/canaries").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	table := &metav1.Table{}
	if err := json.Unmarshal(data, table); err != nil {
		t.Fatal(err)
	}
	var narrow, wide []string
	for _, c := range table.ColumnDefinitions {
		if c.Priority == 0 {
			narrow = append(narrow, c.Name)
		} else {
			wide = append(wide, c.Name)
		}
	}
	if diff := cmp.Diff([]string{"Name", "Status", "Weight", "Step", "Reason", "Promoted", "LastTransitionTime"}, narrow); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	want := []string{"SeenWeight", "FailedChecks", "Interval", "StepWeight", "StepWeights", "MaxWeight", "Suspended"}
	if diff := cmp.Diff(want, wide); diff != "" {
		t.Errorf("columns of -o wide (-want +got):\n%s", diff)
	}
}

func TestStatusIsWrittenApart(t *testing.T) {
	c := strictClient(t)
	key := client.ObjectKey{Namespace: apitest.Namespace(t, c), Name: "podinfo"}
	u := object(t, canary, `status: {phase: Succeeded}`)
	u.SetNamespace(key.Namespace)
	if err := c.Create(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	got := &v1beta1.Canary{}
	if err := c.Get(t.Context(), key, got); err != nil {
		t.Fatal(err)
	}
	if got.Status.Phase != "" {
		t.Errorf("a manifest set the phase %s", got.Status.Phase)
	}
	got.Status.Phase = v1beta1.PhaseInitializing
	got.Spec.Suspend = true
	if err := c.Status().Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), key, got); err != nil {
		t.Fatal(err)
	}
	if got.Status.Phase != v1beta1.PhaseInitializing || got.Spec.Suspend {
		t.Errorf("phase %q, suspend %v; want the phase alone to be written", got.Status.Phase, got.Spec.Suspend)
	}
}
