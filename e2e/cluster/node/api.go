package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/serin-dev/serin/e2e/cluster/pki"
)

// api asks the API server the few things that are waited for. A kubectl for each
// question would cost more than the daemons that are starting meanwhile.
type api struct {
	http   *http.Client
	server string
}

func (c *Cluster) api() (*api, error) {
	// Not the configured port: a cluster that is up may have another.
	server, err := pki.Server(c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(c.pki("admin.crt"), c.pki("admin.key"))
	if err != nil {
		return nil, fmt.Errorf("certificate of the administrator: %w", err)
	}
	ca, err := os.ReadFile(c.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}
	return &api{http: &http.Client{Transport: transport, Timeout: 5 * time.Second}, server: server}, nil
}

// get reads path into answer, and says whether there was a good answer.
func (a *api) get(ctx context.Context, path string, answer *bytes.Buffer) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return false
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = answer.ReadFrom(resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

// ready says whether the API server works with all its parts.
func (a *api) ready(ctx context.Context) bool {
	var answer bytes.Buffer
	return a.get(ctx, "/readyz", &answer)
}

// is returns a question: has the object at path this condition?
func (a *api) is(condition, path string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		var answer bytes.Buffer
		return a.get(ctx, path, &answer) && hasCondition(answer.Bytes(), condition)
	}
}

func hasCondition(object []byte, condition string) bool {
	var o struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal(object, &o); err != nil {
		return false
	}
	for _, c := range o.Status.Conditions {
		if c.Type == condition {
			return c.Status == "True"
		}
	}
	return false
}
