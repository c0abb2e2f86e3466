package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// How those who read /metrics prove who they are.
const (
	metricsOpen          = "none"
	metricsByToken       = "kubernetes"
	metricsByCertificate = "certificate"
)

// checkMetrics finds in the flags, and in the files that they name, what would leave the endpoint open or shut.
func (o options) checkMetrics() error {
	switch o.metricsAuth {
	case metricsOpen:
		if o.metricsCertDir != "" {
			return fmt.Errorf("--metrics-cert-dir has no effect with --metrics-auth=%s, which is plain HTTP: set --metrics-auth to %s or %s, or leave it out",
				metricsOpen, metricsByToken, metricsByCertificate)
		}
		return nil
	case metricsByToken:
	case metricsByCertificate:
		if o.metricsCertDir == "" {
			return fmt.Errorf("--metrics-auth=%s needs --metrics-cert-dir: a directory with tls.crt and tls.key, and with the authority of those who may read in ca.crt", metricsByCertificate)
		}
		if _, err := o.readers(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("--metrics-auth %q: want %s, %s or %s", o.metricsAuth, metricsByToken, metricsByCertificate, metricsOpen)
	}
	if o.metricsCertDir == "" {
		return nil
	}
	// Without this check a file that is missing would be replaced by a certificate of the operator's own.
	if _, err := tls.LoadX509KeyPair(filepath.Join(o.metricsCertDir, "tls.crt"), filepath.Join(o.metricsCertDir, "tls.key")); err != nil {
		return fmt.Errorf("--metrics-cert-dir: %w", err)
	}
	return nil
}

// metrics is how /metrics is served.
func (o options) metrics() metricsserver.Options {
	m := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: o.metricsAuth != metricsOpen, CertDir: o.metricsCertDir}
	switch o.metricsAuth {
	case metricsByToken:
		m.FilterProvider = filters.WithAuthenticationAndAuthorization
	case metricsByCertificate:
		m.TLSOpts = []func(*tls.Config){o.demandCertificates}
	}
	return m
}

// demandCertificates shuts out who has none of the authority in ca.crt. That file is read at each handshake, as an
// authority is replaced like any certificate; nobody gets in by a session from before that.
func (o options) demandCertificates(served *tls.Config) {
	served.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		readers, err := o.readers()
		if err != nil {
			return nil, err
		}
		c := served.Clone()
		c.GetConfigForClient, c.SessionTicketsDisabled = nil, true
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, readers
		return c, nil
	}
}

// readers is the authority of those who may read /metrics.
func (o options) readers() (*x509.CertPool, error) {
	path := filepath.Join(o.metricsCertDir, "ca.crt")
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("--metrics-cert-dir: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("--metrics-cert-dir: %s has no certificate", path)
	}
	return pool, nil
}
