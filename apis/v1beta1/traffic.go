package v1beta1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Weight is a share of the traffic in tenths of a percent. In JSON it is a number of percent: 12.5.
//
// +kubebuilder:validation:Type=number
// +kubebuilder:validation:Minimum=0
// +kubebuilder:validation:Maximum=100
// +kubebuilder:validation:XValidation:rule="self * 10.0 - double(int(self * 10.0 + 0.5)) < 0.001 && self * 10.0 - double(int(self * 10.0 + 0.5)) > -0.001",message="a weight has one decimal place at most"
type Weight int32

// FullWeight is all of the traffic.
const FullWeight Weight = 1000

// Percent is a weight of whole percents.
func Percent(p int32) Weight { return Weight(p) * 10 }

// Percent is the weight in percent.
func (w Weight) Percent() float64 { return float64(w) / 10 }

// String prints percents as people write them: 20, 12.5.
func (w Weight) String() string { return strconv.FormatFloat(w.Percent(), 'f', -1, 64) }

// MarshalJSON writes a number of percent.
func (w Weight) MarshalJSON() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalJSON reads a number of percent; what is finer than a tenth is rounded.
func (w *Weight) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("a weight is a number of percent: %w", err)
	}
	*w = Weight(math.Round(f * 10))
	return nil
}

// RouteRules is what a route does beside sharing requests by weight. The zero value is nothing.
type RouteRules struct {
	// Match picks requests that go to the canary whatever the weights are. One entry is enough.
	Match []CanaryMatch `json:"match,omitempty"`
	// Mirror is the share of the requests of which the canary gets a copy; nobody gets its answers.
	Mirror Weight `json:"mirror,omitempty"`
	// Affinity keeps users on the side that they have met.
	Affinity *Affinity `json:"affinity,omitempty"`
}

// Affinity is a cookie that tells who has met which side.
type Affinity struct {
	SessionAffinity `json:",inline"`
	// CanaryValue is the canary's cookie of this run; PrimaryValue the primary's, empty where users are
	// not kept there.
	CanaryValue  string `json:"canaryValue"`
	PrimaryValue string `json:"primaryValue,omitempty"`
}

// Empty is true where the weights say all.
func (r RouteRules) Empty() bool { return len(r.Match) == 0 && r.Mirror == 0 && r.Affinity == nil }

// Digest names the rules, so that a route can carry which ones it was written with; empty for none.
func (r RouteRules) Digest() string {
	if r.Empty() {
		return ""
	}
	b, err := json.Marshal(r)
	if err != nil { // strings and numbers always encode
		panic(fmt.Sprintf("encode route rules: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:10]
}
