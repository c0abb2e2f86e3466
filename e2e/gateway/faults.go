package main

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// faultsName is the ConfigMap that tells the control plane to misbehave.
const faultsName = "gateway-faults"

// faults are the ways in which the control plane misbehaves on demand.
type faults struct {
	delay  time.Duration
	reject string
	paused bool
}

// parseFaults reads a ConfigMap. A key that is unknown or unreadable is an
// error, lest a test believe in a fault that was never there.
func parseFaults(m *corev1.ConfigMap) (faults, error) {
	var f faults
	var err error
	for key, value := range m.Data {
		switch key {
		case "delay":
			f.delay, err = time.ParseDuration(value)
		case "paused":
			f.paused, err = strconv.ParseBool(value)
		case "reject":
			f.reject = value
		default:
			err = fmt.Errorf("no such fault; there are delay, paused and reject")
		}
		if err != nil {
			return faults{}, fmt.Errorf("ConfigMap %s, key %q: %w", faultsName, key, err)
		}
	}
	return f, nil
}
