package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-dev/serin/e2e/gateway/envoybin"
	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	"github.com/serin-dev/serin/e2e/gateway/manifests"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// proxy is a real Envoy that is configured by a real publisher.
type proxy struct {
	publisher *publisher
	admin     string // base URLs
	requests  string
}

var proxySettings = translate.Settings{Namespace: "gloo-system", Address: "127.0.0.1"}

// startProxy runs Envoy with the bootstrap of the manifests, but on loopback
// and on ports that the system picks.
func startProxy(t *testing.T, world translate.World) *proxy {
	t.Helper()
	p := &proxy{publisher: newPublisher()}
	p.put(t, world)
	xds, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.publisher.serve(ctx, xds) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	addressFile := filepath.Join(t.TempDir(), "admin")
	runEnvoy(t, bootstrap(t, xds.Addr().(*net.TCPAddr).Port), addressFile)
	gatewaytest.Eventually(t, 30*time.Second, func() error {
		raw, err := os.ReadFile(addressFile)
		p.admin = "http://" + string(raw)
		return err
	})
	gatewaytest.Eventually(t, 30*time.Second, func() error {
		if _, err := get(p.admin + "/ready"); err != nil {
			return err
		}
		p.requests, err = p.listener()
		return err
	})
	return p
}

// put translates a world and puts it in force.
func (p *proxy) put(t *testing.T, world translate.World) {
	t.Helper()
	if err := p.publisher.publish(context.Background(), translate.Translate(world, proxySettings)); err != nil {
		t.Fatal(err)
	}
}

// listener asks Envoy for the port on which it takes requests.
func (p *proxy) listener() (string, error) {
	raw, err := get(p.admin + "/listeners?format=json")
	if err != nil {
		return "", err
	}
	var answer struct {
		ListenerStatuses []struct {
			LocalAddress struct {
				SocketAddress struct {
					PortValue int `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal([]byte(raw), &answer); err != nil {
		return "", err
	}
	for _, l := range answer.ListenerStatuses {
		if port := l.LocalAddress.SocketAddress.PortValue; port != 0 {
			return fmt.Sprintf("http://127.0.0.1:%d", port), nil
		}
	}
	return "", fmt.Errorf("no listener in %s", raw)
}

// bootstrap is the configuration in the manifests with other addresses: what
// starts here starts in the cluster.
func bootstrap(t *testing.T, xdsPort int) string {
	t.Helper()
	file, err := manifests.FS.ReadFile("20-gateway-proxy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := gatewaytest.Objects(t, file)[0].Object["data"].(map[string]any)["envoy.yaml"].(string)
	for old, replacement := range map[string]string{
		"{address: 0.0.0.0, port_value: 19000}":                           "{address: 127.0.0.1, port_value: 0}",
		"{address: gloo.gloo-system.svc.cluster.local, port_value: 9977}": fmt.Sprintf("{address: 127.0.0.1, port_value: %d}", xdsPort),
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("no %s in the bootstrap of the manifests", old)
		}
		config = strings.Replace(config, old, replacement, 1)
	}
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func runEnvoy(t *testing.T, config, addressFile string) {
	t.Helper()
	binary, err := envoybin.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "envoy.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--config-path", config, "--service-cluster", "gateway-proxy", "--service-node", "test",
		"--concurrency", "1", "--disable-hot-restart", "--log-level", "warn", "--admin-address-path", addressFile)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("Envoy ended before its time: %v", err)
		}
		_ = cmd.Wait() // ended by a signal, as asked
		said, _ := os.ReadFile(log.Name())
		t.Logf("Envoy said:\n%s", said)
		_ = log.Close()
	})
}

// get fetches a page and fails unless it is there.
func get(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), err
}
