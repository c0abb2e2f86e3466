package debian

import (
	"slices"
	"testing"
)

func TestMissingPackagesAreNamedOnce(t *testing.T) {
	got := missingPackages([]Tool{
		{File: "sh", Package: "dash"},
		{File: "/etc/passwd", Package: "base-passwd"},
		{File: "no-such-daemon", Package: "daemon"},
		{File: "/no/such/plugin", Package: "plugins"},
		{File: "no-such-daemon-cli", Package: "daemon"},
	})
	if want := []string{"daemon", "plugins"}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
}
