package audit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// scrapesByToken is let in with the role that the chart has for it, and with nothing less.
func (w *world) scrapesByToken(c *chart) {
	w.Helper()
	for _, name := range []string{"scraper", "stranger"} {
		must(w.T, w.Create(w.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: c.home, Name: name}}))
	}
	role := c.find(w.T, "ClusterRole", "", "serin-metrics-reader")
	must(w.T, w.Create(w.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.GetName()},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: c.home, Name: "scraper"}}}))
	anybody := tls.Config{InsecureSkipVerify: true} //nolint:gosec // nobody vouches for the operator here
	for name, want := range map[string]int{"scraper": http.StatusOK, "stranger": http.StatusForbidden, "": http.StatusUnauthorized} {
		token := ""
		if name != "" {
			token = tokenOf(w.T, w.Client, c.home, name)
		}
		if got := w.scrape(token, anybody.Clone()); got != want {
			w.Errorf("the metrics answer %d to %q, want %d", got, name, want)
		}
	}
}

// scrapesByCertificate is let in with one of the authority that the operator was given, and not without.
func (w *world) scrapesByCertificate() {
	w.Helper()
	nobody := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // nobody vouches for the operator here
	if got := w.scrape("", nobody); got != 0 {
		w.Errorf("the metrics answer %d to nobody", got)
	}
	reader, err := tls.LoadX509KeyPair(filepath.Join(w.certs, "ca.crt"), filepath.Join(w.certs, "ca.key"))
	must(w.T, err)
	known := nobody.Clone()
	known.Certificates = []tls.Certificate{reader}
	if got := w.scrape("", known); got != http.StatusOK {
		w.Errorf("the metrics answer %d to who has a certificate", got)
	}
}

// scrape returns the answer's code, 0 without one.
func (w *world) scrape(token string, config *tls.Config) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "https://"+w.metrics+"/metrics", nil)
	must(w.T, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close() //nolint:errcheck // only read
	return res.StatusCode
}

// certificates is a directory with a server's certificate, and an authority that vouches for itself.
func certificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	server, serverKey, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	authority, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "readers"}, key)
	must(t, err)
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	must(t, err)
	authorityPEM, err := cert.EncodeCertificates(authority)
	must(t, err)
	for name, data := range map[string][]byte{"tls.crt": server, "tls.key": serverKey, "ca.crt": authorityPEM, "ca.key": keyPEM} {
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	return dir
}
