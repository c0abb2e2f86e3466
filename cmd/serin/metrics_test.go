package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/pkg/apitest"
)

// TestMetricsByToken: the operator has the rights that are shipped for it, and so has one of two who scrape.
func TestMetricsByToken(t *testing.T) {
	cfg := apitest.Start(t)
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ns := apitest.Namespace(t, c)
	bind(t, c, "metrics-role.yaml", rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "operator"})
	bind(t, c, "metrics-reader-role.yaml", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "prometheus"})
	operator := rest.CopyConfig(cfg)
	operator.Impersonate.UserName = "operator"
	url := served(t, options{metricsAuth: metricsByToken}, operator)
	for who, want := range map[string]int{"": http.StatusUnauthorized, "nobody": http.StatusForbidden, "prometheus": http.StatusOK} {
		token := ""
		if who != "" {
			token = tokenOf(t, c, ns, who)
		}
		if got := scrape(t, url, token, &tls.Config{InsecureSkipVerify: true}); got != want { //nolint:gosec // the operator made its own
			t.Errorf("%q is answered %d, want %d", who, got, want)
		}
	}
	if got := scrape(t, url, "made-up", &tls.Config{InsecureSkipVerify: true}); got < 400 { //nolint:gosec // likewise
		t.Errorf("a token of nobody's is answered %d", got)
	}
	if got := scrape(t, strings.Replace(url, "https:", "http:", 1), tokenOf(t, c, ns, "prometheus"), nil); got == http.StatusOK {
		t.Error("metrics are told without TLS")
	}
}

// TestMetricsByCertificate: no certificate, and one of somebody else's authority, do not get through the handshake.
func TestMetricsByCertificate(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	ours.serves(t, dir, ours)
	url := served(t, options{metricsAuth: metricsByCertificate, metricsCertDir: dir}, &rest.Config{})
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	for who, test := range map[string]struct {
		certificates []tls.Certificate
		want         int
	}{
		"nobody":                  {nil, 0},
		"one of another's":        {[]tls.Certificate{theirs.issue(t)}, 0},
		"one of ours":             {[]tls.Certificate{ours.issue(t)}, http.StatusOK},
		"one who signed his own":  {[]tls.Certificate{{Certificate: [][]byte{theirs.cert.Raw}, PrivateKey: theirs.key}}, 0},
		"a server that is nobody": {[]tls.Certificate{ours.issue(t, x509.ExtKeyUsageServerAuth)}, 0},
	} {
		if got := scrape(t, url, "", &tls.Config{RootCAs: pool, Certificates: test.certificates, MinVersion: tls.VersionTLS12}); got != test.want {
			t.Errorf("%s is answered %d, want %d", who, got, test.want)
		}
	}
}

// TestCertificatesOfMetricsAreReplaced without a restart: the endpoint's own, and the authority of who may read.
func TestCertificatesOfMetricsAreReplaced(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	before.serves(t, dir, before)
	url := served(t, options{metricsAuth: metricsByCertificate, metricsCertDir: dir}, &rest.Config{})
	by := func(a authority) *tls.Config {
		pool := x509.NewCertPool()
		pool.AddCert(a.cert)
		return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{a.issue(t)}, MinVersion: tls.VersionTLS12}
	}
	if got := scrape(t, url, "", by(before)); got != http.StatusOK {
		t.Fatalf("before, its own authority is answered %d", got)
	}
	after.serves(t, dir, after)
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return scrape(t, url, "", by(after)) == http.StatusOK, nil
	})
	if err != nil {
		t.Error("the new certificates are not taken up")
	}
	if got := scrape(t, url, "", &tls.Config{RootCAs: by(after).RootCAs, Certificates: by(before).Certificates, MinVersion: tls.VersionTLS12}); got != 0 {
		t.Errorf("the authority before is answered %d", got)
	}
}

// served serves metrics as the operator does and returns their address.
func served(t *testing.T, o options, cfg *rest.Config) string {
	t.Helper()
	o.metricsAddress = "127.0.0.1:0"
	if err := o.checkMetrics(); err != nil {
		t.Fatal(err)
	}
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := metricsserver.NewServer(o.metrics(), cfg, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	address := ""
	err = wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		address = s.(interface{ GetBindAddr() string }).GetBindAddr()
		return address != "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + address + "/metrics"
}

// scrape returns the answer's code, 0 where there is none.
func scrape(t *testing.T, url, token string, config *tls.Config) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close() //nolint:errcheck // only read
	return res.StatusCode
}

// bind creates a shipped ClusterRole and gives it to somebody.
func bind(t *testing.T, c client.Client, file string, to rbacv1.Subject) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "rbac", file))
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(data, role); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name}, Subjects: []rbacv1.Subject{to},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}}
	for _, o := range []client.Object{role, binding} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// tokenOf makes a ServiceAccount, where there is none yet, and a token of it.
func tokenOf(t *testing.T, c client.Client, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := c.Create(t.Context(), account); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	token := &authenticationv1.TokenRequest{}
	if err := c.SubResource("token").Create(t.Context(), account, token); err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := template("authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	key := newKey(t)
	return authority{signed(t, template, template, key, key), key}
}

// issue signs a certificate for 127.0.0.1, for clients unless something else is said.
func (a authority) issue(t *testing.T, uses ...x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	template := template("somebody")
	template.ExtKeyUsage, template.IPAddresses = uses, []net.IP{net.IPv4(127, 0, 0, 1)}
	if len(uses) == 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	key := newKey(t)
	return tls.Certificate{Certificate: [][]byte{signed(t, template, a.cert, key, a.key).Raw}, PrivateKey: key}
}

// serves writes what --metrics-cert-dir names: a server's certificate, and the authority of those who may read.
func (a authority) serves(t *testing.T, dir string, readers authority) {
	t.Helper()
	server := a.issue(t, x509.ExtKeyUsageServerAuth)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: server.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key}, "ca.crt": {Type: "CERTIFICATE", Bytes: readers.cert.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, template, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), byKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
