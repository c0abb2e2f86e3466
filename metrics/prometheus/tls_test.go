package prometheus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/metrics"
)

// identity is a self-signed certificate and its key.
type identity struct {
	pair      tls.Certificate
	cert, key []byte
}

func newIdentity(t *testing.T, host string, until time.Time) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
	if id.pair, err = tls.X509KeyPair(id.cert, id.key); err != nil {
		t.Fatal(err)
	}
	return id
}

func serveTLS(t *testing.T, id identity, clients tls.ClientAuthType) string {
	t.Helper()
	s := httptest.NewUnstartedServer(reply(200, isJSON, success))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{id.pair}, ClientAuth: clients, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what is tested
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestTLS(t *testing.T) {
	loopback := newIdentity(t, "127.0.0.1", time.Now().Add(time.Hour))
	expired := newIdentity(t, "127.0.0.1", time.Now().Add(-time.Hour))
	elsewhere := newIdentity(t, "prometheus.example", time.Now().Add(time.Hour))
	client := newIdentity(t, "serin", time.Now().Add(time.Hour))
	ca := func(id identity) map[string][]byte { return map[string][]byte{"ca.crt": id.cert} }
	mutual := ca(loopback)
	mutual["tls.crt"], mutual["tls.key"] = client.cert, client.key

	t.Run("a CA that the secret holds is trusted", func(t *testing.T) {
		answers(t, metrics.Config{Address: serveTLS(t, loopback, tls.NoClientCert), Secret: ca(loopback)})
	})
	t.Run("a client certificate is shown", func(t *testing.T) {
		answers(t, metrics.Config{Address: serveTLS(t, loopback, tls.RequireAnyClientCert), Secret: mutual})
	})
	t.Run("insecureSkipVerify trusts anyone", func(t *testing.T) {
		answers(t, metrics.Config{Address: serveTLS(t, elsewhere, tls.NoClientCert), InsecureSkipVerify: true})
	})
	for name, c := range map[string]struct {
		server  identity
		clients tls.ClientAuthType
		secret  map[string][]byte
		want    string
	}{
		"an unknown authority": {loopback, tls.NoClientCert, nil, "its certificate is signed by an unknown authority; put the CA into the provider's secret as ca.crt"},
		"another authority":    {loopback, tls.NoClientCert, ca(client), "its certificate is signed by an unknown authority; put the CA into the provider's secret as ca.crt"},
		"another host":         {elsewhere, tls.NoClientCert, ca(elsewhere), "its certificate is for another host name"},
		"an old certificate":   {expired, tls.NoClientCert, ca(expired), "its certificate has expired or is not yet valid"},
		"nothing to show":      {loopback, tls.RequireAnyClientCert, ca(loopback), "it refused the TLS connection: tls: certificate required"},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveTLS(t, c.server, c.clients)
			isUnavailable(t, metrics.Config{Address: address, Secret: c.secret}, c.want+at(address))
		})
	}
	for name, address := range map[string]string{
		"https in front of a server that speaks http":             serve(t, http.NotFound),
		"https in front of a server that speaks neither of these": babble(t, "SSH-2.0-OpenSSH\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			address = strings.Replace(address, "http:", "https:", 1)
			isUnavailable(t, metrics.Config{Address: address}, "it does not speak TLS; should the address begin with http://?"+at(address))
		})
	}
	t.Run("http in front of a server that speaks https", func(t *testing.T) {
		address := strings.Replace(serveTLS(t, loopback, tls.NoClientCert), "https:", "http:", 1)
		isUnavailable(t, metrics.Config{Address: address}, `HTTP 400 Bad Request with the text "Client sent an HTTP request to an HTTPS server." `+
			`instead of an answer of Prometheus; check the address and what stands in between`+at(address))
	})
}

func answers(t *testing.T, cfg metrics.Config) {
	t.Helper()
	if r, err := newProvider(t, cfg).Query(t.Context(), "vector(1)"); err != nil || r.Value != 1 {
		t.Errorf("got %v, %v; want 1", r.Value, err)
	}
}
