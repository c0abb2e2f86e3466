package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// now is where a Canary stands, in a line.
func now(c *v1beta1.Canary) string {
	s := &c.Status
	if s.Phase == "" {
		return "no operator has taken it up yet"
	}
	text := string(s.Phase)
	if s.CanaryWeight > 0 {
		text += fmt.Sprintf(" at %s %%", s.CanaryWeight)
	}
	if s.Step != "" {
		text += ", step " + s.Step
	}
	if why := because(c); why != "" {
		text += ": " + why
	}
	return text
}

// message is the operator's sentence about where the Canary stands.
func message(c *v1beta1.Canary) string {
	if ready := meta.FindStatusCondition(c.Status.Conditions, v1beta1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}
