package loadtester

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	fetchTimeout = 5 * time.Second
	maxKeysSize  = 1 << 20

	keysPath      = "/openid/v1/jwks"
	discoveryPath = "/.well-known/openid-configuration"
	accountDir    = "/var/run/secrets/kubernetes.io/serviceaccount/"
)

// KeySource says where a cluster publishes its keys.
type KeySource struct {
	// URL of the key set (JWKS).
	URL string
	// Issuer of tokens. With none it is read from the discovery document beside
	// URL, which an API server has.
	Issuer string
	// CAFile, when set, holds the authorities of URL's certificate.
	CAFile string
	// TokenFile, when set, holds a bearer token for URL. It is read at each fetch:
	// the kubelet renews it.
	TokenFile string
}

// InCluster is the API server of the pod's cluster, by the address in the pod's
// environment (it needs no DNS), asked with the pod's own service account.
func InCluster() KeySource {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		host, port = "kubernetes.default.svc", "443"
	}
	return KeySource{
		URL:       "https://" + net.JoinHostPort(host, port) + keysPath,
		CAFile:    accountDir + "ca.crt",
		TokenFile: accountDir + "token",
	}
}

func (s KeySource) check() error {
	if u, err := url.Parse(s.URL); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("address of the cluster's keys %q is not an https URL", s.URL)
	}
	if s.Issuer == "" && !strings.HasSuffix(s.URL, keysPath) {
		return fmt.Errorf("issuer of tokens is needed: %s is not an API server's address, which would tell", s.URL)
	}
	return nil
}

func (s KeySource) fetch(ctx context.Context) (published, error) {
	client, err := s.client()
	if err != nil {
		return published{}, err
	}
	defer client.CloseIdleConnections()
	var set jose.JSONWebKeySet
	if err := s.get(ctx, client, s.URL, &set); err != nil {
		return published{}, err
	}
	issuer := s.Issuer
	if issuer == "" {
		if issuer, err = s.discover(ctx, client); err != nil {
			return published{}, err
		}
	}
	return published{issuer: issuer, keys: publicKeys(set)}, nil
}

func (s KeySource) discover(ctx context.Context, client *http.Client) (string, error) {
	var doc struct {
		Issuer string `json:"issuer"`
	}
	address := strings.TrimSuffix(s.URL, keysPath) + discoveryPath
	if err := s.get(ctx, client, address, &doc); err != nil {
		return "", err
	}
	if doc.Issuer == "" {
		return "", fmt.Errorf("%s names no issuer", address)
	}
	return doc.Issuer, nil
}

func publicKeys(set jose.JSONWebKeySet) map[string]any {
	keys := map[string]any{}
	for _, key := range set.Keys {
		if key.KeyID != "" && key.IsPublic() {
			keys[key.KeyID] = key.Key
		}
	}
	return keys
}

// client is made anew for each fetch, which is rare: authorities may change too.
func (s KeySource) client() (*http.Client, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read authorities of the API server: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", s.CAFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport: transport,
		// A redirect could lead the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func (s KeySource) get(ctx context.Context, client *http.Client, address string, into any) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	if s.TokenFile != "" {
		token, err := os.ReadFile(s.TokenFile)
		if err != nil {
			return fmt.Errorf("read token for the API server: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := client.Do(req)
	if err != nil {
		return err // a *url.Error: it names the address
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: answered %s", address, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeysSize)).Decode(into); err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	return nil
}
