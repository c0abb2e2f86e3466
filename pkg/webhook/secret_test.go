package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func withSecret(address string, secret map[string][]byte) Request {
	r := call(hook(address))
	r.Hook.SecretRef = &corev1.LocalObjectReference{Name: "gates"}
	r.Secret = secret
	return r
}

func TestHeadersAndToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("operator"), 0o600); err != nil {
		t.Fatal(err)
	}
	for sentence, test := range map[string]struct {
		headers map[string]string
		secret  map[string][]byte
		want    map[string]string
	}{
		"headers are added": {
			headers: map[string]string{"x-team": "shop", "Content-Type": "application/vnd.gate+json"},
			want:    map[string]string{"X-Team": "shop", "Content-Type": "application/vnd.gate+json", "Authorization": "Bearer operator"},
		},
		"the hook's own token goes before the operator's": {
			secret: map[string][]byte{"token": []byte("own\n")},
			want:   map[string]string{"Authorization": "Bearer own", "Content-Type": "application/json"},
		},
		"the key cannot be replaced: repetitions would look like new calls": {
			headers: map[string]string{"idempotency-key": "mine", "host": "gates.internal"},
			want:    map[string]string{"Idempotency-Key": "u/1/Analysing/0", "Host": "gates.internal"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := map[string]string{}
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				for name := range test.want {
					got[name] = r.Header.Get(name)
				}
				if _, ok := test.want["Host"]; ok {
					got["Host"] = r.Host
				}
			}))
			defer s.Close()
			r := withSecret(s.URL, test.secret)
			r.Hook.Headers = test.headers
			if reply, err := New(nil, []string{s.URL}, file).Call(t.Context(), r); err != nil || !reply.Passed {
				t.Fatalf("got %+v %v", reply, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheTokenIsToldToNobody: neither by a server that echoes it, nor after a redirect, nor in an error.
func TestTheTokenIsToldToNobody(t *testing.T) {
	const token = "s3cret-token"
	var followed []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		followed = append(followed, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, "who is %q?", r.Header.Get("Authorization"))
	}))
	defer echo.Close()
	redirect := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusPermanentRedirect))
	defer redirect.Close()
	for name, address := range map[string]string{"echo": echo.URL, "redirect": redirect.URL, "gone": gone.URL} {
		reply, err := New(nil, nil, "").Call(t.Context(), withSecret(address, map[string][]byte{"token": []byte(token)}))
		if reply.Passed || strings.Contains(fmt.Sprintf("%+v %v %#v", reply, err, err), token) {
			t.Errorf("%s: got %+v %v", name, reply, err)
		}
	}
	if len(followed) > 0 {
		t.Errorf("the redirect was followed with %q", followed)
	}
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{}
	certificate, key := a.issue(t, true)
	var err error
	if a.cert, err = x509.ParseCertificate(certificate.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	return a
}

func (a authority) issue(t *testing.T, isCA bool) (tls.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "serin"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: isCA, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if !isCA {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, key
}

// pair is a certificate with its key as a Secret holds them.
func (a authority) pair(t *testing.T) (cert, key []byte) {
	t.Helper()
	c, k := a.issue(t, false)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestMutualTLS: a server that only our own authority vouches for, and that asks for a certificate.
func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	served, _ := ca.issue(t, false)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{served}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	address := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	cert, key := ca.pair(t)
	foreign, foreignKey := newAuthority(t).pair(t)
	for sentence, test := range map[string]struct {
		secret map[string][]byte
		says   string
	}{
		"authority and certificate":          {map[string][]byte{"ca.crt": ca.pem, "tls.crt": cert, "tls.key": key}, ""},
		"no authority":                       {map[string][]byte{"tls.crt": cert, "tls.key": key}, "certificate"},
		"no certificate":                     {map[string][]byte{"ca.crt": ca.pem}, "certificate"},
		"a certificate of another authority": {map[string][]byte{"ca.crt": ca.pem, "tls.crt": foreign, "tls.key": foreignKey}, "certificate"},
		"a certificate without its key":      {map[string][]byte{"ca.crt": ca.pem, "tls.crt": cert}, "Secret gates needs both tls.crt and tls.key"},
		"an authority that is none":          {map[string][]byte{"ca.crt": []byte("-----")}, "key ca.crt of Secret gates holds no PEM certificate"},
		"a key that is none":                 {map[string][]byte{"ca.crt": ca.pem, "tls.crt": cert, "tls.key": []byte("hidden")}, "keys tls.crt and tls.key of Secret gates are no PEM certificate with its key"},
	} {
		t.Run(sentence, func(t *testing.T) {
			reply, err := New(nil, nil, "").Call(t.Context(), withSecret(address, test.secret))
			if test.says == "" {
				if err != nil || !reply.Passed {
					t.Fatalf("got %+v %v", reply, err)
				}
				return
			}
			if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %+v %v, want an error that says %q", reply, err, test.says)
			}
		})
	}
}

// TestConnectionsAreUsedAgain, over one client for hooks that do TLS alike whatever their tokens are.
func TestConnectionsAreUsedAgain(t *testing.T) {
	addresses := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addresses[r.RemoteAddr] = true
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Repeat("no ", maxBody))
	}))
	defer s.Close()
	c := New(nil, nil, "")
	for i := range 5 {
		if _, err := c.Call(t.Context(), withSecret(s.URL, map[string][]byte{"token": fmt.Append(nil, i)})); err != nil {
			t.Fatal(err)
		}
	}
	if len(addresses) != 1 || len(c.clients.kept) != 1 {
		t.Errorf("%d connections of %d clients, want one of one", len(addresses), len(c.clients.kept))
	}
}

func TestClientsAreBounded(t *testing.T) {
	var c clients
	ca := newAuthority(t).pem
	for i := range 3 * maxClients {
		own := append([]byte(fmt.Sprintf("# %d\n", i)), ca...)
		if _, err := c.of(withSecret("", nil).Hook, map[string][]byte{"ca.crt": own}); err != nil {
			t.Fatal(err)
		}
		if len(c.kept) > maxClients {
			t.Fatalf("%d clients are kept", len(c.kept))
		}
	}
}
