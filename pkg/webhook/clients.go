package webhook

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/dial"
)

// Keys of a hook's Secret.
const (
	keyToken = "token"
	keyCA    = "ca.crt"
	keyCert  = "tls.crt"
	keyKey   = "tls.key"
)

// maxClients bounds the clients that are kept; rotated certificates leave clients behind that nobody
// uses again.
const maxClients = 64

// clients keeps an HTTP client for each way to do TLS, so that connections are used again. A token is
// no part of that: it is sent with each request and never kept.
type clients struct {
	guard *dial.Guard
	mu    sync.Mutex
	kept  map[[sha256.Size]byte]*http.Client
}

func (c *clients) of(h v1beta1.CanaryWebhook, secret map[string][]byte) (*http.Client, error) {
	id, err := identity(h, secret)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.kept[id]; ok {
		return client, nil
	}
	config, err := tlsConfig(h, secret)
	if err != nil {
		return nil, err
	}
	if c.kept == nil || len(c.kept) >= maxClients {
		for _, client := range c.kept {
			client.CloseIdleConnections() // calls under way end as they would
		}
		c.kept = map[[sha256.Size]byte]*http.Client{}
	}
	c.kept[id] = newClient(c.guard, config)
	return c.kept[id], nil
}

func identity(h v1beta1.CanaryWebhook, secret map[string][]byte) ([sha256.Size]byte, error) {
	b, err := json.Marshal([]any{h.DisableTLS, secret[keyCA], secret[keyCert], secret[keyKey]})
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("tell TLS settings apart: %w", err)
	}
	return sha256.Sum256(b), nil
}

func newClient(guard *dial.Guard, config *tls.Config) *http.Client {
	transport := guard.Transport(http.ProxyFromEnvironment)
	transport.TLSClientConfig = config
	transport.MaxIdleConnsPerHost = 8
	return &http.Client{
		Transport: transport,
		// A redirect is an answer and not followed: the body would be lost, and the token could leave.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// tlsConfig is how the hook's URL is trusted and who calls. Its errors tell nothing of the Secret.
func tlsConfig(h v1beta1.CanaryWebhook, secret map[string][]byte) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	config.InsecureSkipVerify = h.DisableTLS // webhooks[].disableTLS asks for it by name
	if ca := secret[keyCA]; len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("key %s of Secret %s holds no PEM certificate", keyCA, secretName(h))
		}
	}
	cert, key := secret[keyCert], secret[keyKey]
	switch {
	case len(cert) == 0 && len(key) == 0:
		return config, nil
	case len(cert) == 0 || len(key) == 0:
		return nil, fmt.Errorf("Secret %s needs both %s and %s for a certificate of the caller's own", secretName(h), keyCert, keyKey)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, errors.New("keys " + keyCert + " and " + keyKey + " of Secret " + secretName(h) + " are no PEM certificate with its key")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

func secretName(h v1beta1.CanaryWebhook) string {
	if h.SecretRef == nil {
		return ""
	}
	return h.SecretRef.Name
}
