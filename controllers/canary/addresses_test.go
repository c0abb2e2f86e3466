package canary_test

import (
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/dial"
)

// TestAnAddressThatIsNotAllowedIsSaid: of a sink and of a provider, each where its failures are shown.
func TestAnAddressThatIsNotAllowedIsSaid(t *testing.T) {
	w := newWorld(t)
	guard, err := dial.New([]string{"10.0.0.0/8"})
	must(t, err)
	w.guard = guard
	r := receive(t)
	template := w.template("")
	template.Spec.Provider.Address = r.URL
	w.create(template, w.alertProvider(w.ns, "team", r), w.deployment("podinfo:6.0.0"), w.service(), w.canary(templated,
		alerting(alertTo("team", "", ""))))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	const refused = "127.0.0.1 is refused: neither it nor its address is in --allowed-addresses of the operator"
	w.warns("NotTold", refused)
	w.setImage("podinfo:6.0.1")
	w.eventually("an event says that the provider's address is refused", func() bool {
		return w.saysEvent("ProviderUnavailable", "errors: provider unavailable: "+refused)
	})
	if n := len(r.posts()); n > 0 {
		t.Errorf("it was called %d times", n)
	}
}
