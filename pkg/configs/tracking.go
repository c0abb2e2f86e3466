package configs

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TrackingAnnotation on a ConfigMap or Secret says whether it is part of the revision of what refers
// to it: disabled keeps it a live reference, enabled tracks a Secret whose type would not be. On a
// workload or its template, disabled holds for all that it refers to.
const TrackingAnnotation = "serin.dev/config-tracking"

// flaggerAnnotation is the same in manifests written for Flagger.
const flaggerAnnotation = "flagger.app/config-tracking"

// What others write and rotate: a copy would outlive what it proves.
const (
	certificateAnnotation = "cert-manager.io/certificate-name"
	bundleLabel           = "trust.cert-manager.io/bundle"
	// clusterCA is written into every namespace by Kubernetes itself.
	clusterCA = "kube-root-ca.crt"
)

// Used are the annotations and labels that tracking is decided by; caches need no others.
var Used = []string{TrackingAnnotation, flaggerAnnotation, certificateAnnotation, bundleLabel}

// Disabled is true where annotations opt out of tracking. Flagger takes any value that begins so.
func Disabled(annotations map[string]string) bool {
	return strings.HasPrefix(annotations[TrackingAnnotation], "disable") || strings.HasPrefix(annotations[flaggerAnnotation], "disable")
}

// Enabled is true where annotations ask for tracking whatever the type.
func Enabled(annotations map[string]string) bool { return annotations[TrackingAnnotation] == "enabled" }

// Live is true for what its metadata tells to stay a live reference.
func Live(o metav1.Object) bool {
	if Enabled(o.GetAnnotations()) {
		return false
	}
	_, bundle := o.GetLabels()[bundleLabel]
	_, certificate := o.GetAnnotations()[certificateAnnotation]
	return Disabled(o.GetAnnotations()) || bundle || certificate || o.GetName() == clusterCA
}

// settings are the types of Secret that users write. Others are credentials and certificates that
// something else issues and rotates.
var settings = []corev1.SecretType{"", corev1.SecretTypeOpaque, corev1.SecretTypeBasicAuth, corev1.SecretTypeSSHAuth}

// LiveSecret is true for a Secret that stays a live reference, its type considered too. One that
// holds a service account's token cannot be copied at all.
func LiveSecret(s *corev1.Secret) bool {
	if s.Type == corev1.SecretTypeServiceAccountToken {
		return true
	}
	return Live(s) || !slices.Contains(settings, s.Type) && !Enabled(s.Annotations)
}
