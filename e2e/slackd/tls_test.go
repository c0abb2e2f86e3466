package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestACertificateIsBelievedByItsPEMOnly: a client without it refuses, one with it is answered.
func TestACertificateIsBelievedByItsPEMOnly(t *testing.T) {
	cert, ca, err := selfSigned("slackd.tools")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	for name, roots := range map[string]*x509.CertPool{"without the PEM": x509.NewCertPool(), "with the PEM": pool} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "slackd.tools", MinVersion: tls.VersionTLS12}}}
		resp, err := client.Get(s.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		if believed := err == nil; believed != (roots == pool) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
