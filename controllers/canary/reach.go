package canary

import (
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// referenceFlag is the operator's flag for Options.ReferenceNamespaces, as messages name it.
const referenceFlag = "--reference-namespaces"

// anyNamespace in Options.ReferenceNamespaces opens all of them.
const anyNamespace = "*"

// reasonRefused is that of a reference which is out of reach.
const reasonRefused = "ReferenceRefused"

func (o Options) watches(namespace string) bool {
	return o.Namespace == "" || namespace == o.Namespace
}

// outOfReach is an error for what a Canary of a namespace may not name: an object where the operator does
// not watch, or in another namespace that was not opened. It is used as it stands, with credentials that
// whoever writes the Canary has no right to.
func (o Options) outOfReach(namespace string, key client.ObjectKey) error {
	if !o.watches(key.Namespace) {
		return fmt.Errorf("the operator watches namespace %s alone: name one there", o.Namespace)
	}
	if key.Namespace == namespace || slices.Contains(o.ReferenceNamespaces, key.Namespace) || slices.Contains(o.ReferenceNamespaces, anyNamespace) {
		return nil
	}
	return fmt.Errorf("canaries of other namespaces may not name it: name one in %s, or start the operator with %s=%s (the chart's value referenceNamespaces)",
		namespace, referenceFlag, key.Namespace)
}
