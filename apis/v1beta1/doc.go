// Package v1beta1 holds the types of the group serin.dev: Canary, MetricTemplate and AlertProvider,
// what derives from them without a cluster, and the words that conditions, labels and annotations use.
//
// Doc comments of the types are user documentation: the CRDs and the field reference are generated
// from them.
//
// +kubebuilder:object:generate=true
// +groupName=serin.dev
package v1beta1

// Floats (allowDangerousTypes) are for metric thresholds only; ThresholdRange says why.
//go:generate go tool controller-gen object crd:allowDangerousTypes=true paths=. output:crd:dir=../../deploy/crds
//go:generate go run ../../docs/gen ../../deploy/crds ../../docs/reference
