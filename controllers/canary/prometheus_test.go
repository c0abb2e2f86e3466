package canary_test

import "github.com/serin-dev/serin/metrics/fake"

// prometheus is the provider in memory with steady traffic behind it.
type prometheus struct{ *fake.Steady }

func newPrometheus() *prometheus { return &prometheus{fake.NewSteady()} }

// succeed sets the success rate, in percent.
func (p *prometheus) succeed(rate float64) { p.Succeed(rate) }
