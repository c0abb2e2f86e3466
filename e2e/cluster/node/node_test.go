package node

import (
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func testCluster() *Cluster {
	return New(Config{Run: "/cache/run", Kube: "/cache/bin/kube", Port: 16443}, nil)
}

func TestSettingsAreComplete(t *testing.T) {
	for name, text := range map[string]string{
		"containerd": containerdConfig, "cni": cniConfig, "kubelet": kubeletConfig, "kube-proxy": kubeProxyConfig,
	} {
		got, err := render(text, testCluster().settings())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(string(got), "{{") || strings.Contains(string(got), "no value") {
			t.Errorf("%s is not filled in:\n%s", name, got)
		}
	}
}

func TestCNISettingsAreJSON(t *testing.T) {
	text, err := render(cniConfig, testCluster().settings())
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Plugins []struct {
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if got := list.Plugins[0].IPAM.Ranges[0][0].Subnet; got != podCIDR {
		t.Errorf("pods are in %s, want %s", got, podCIDR)
	}
}

func TestKubeletStaysInItsOwnPlaces(t *testing.T) {
	text, err := render(kubeletConfig, testCluster().settings())
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"cgroupRoot":               "/serin",
		"podLogsDir":               "/cache/run/pods",
		"containerRuntimeEndpoint": "unix:///cache/run/containerd.sock",
	}
	for key, value := range want {
		if config[key] != value {
			t.Errorf("%s is %v, want %v", key, config[key], value)
		}
	}
}

func TestConditions(t *testing.T) {
	tests := map[string]struct {
		object string
		want   bool
	}{
		"true":           {`{"status":{"conditions":[{"type":"Other","status":"False"},{"type":"Ready","status":"True"}]}}`, true},
		"unknown":        {`{"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}}`, false},
		"not there yet":  {`{"metadata":{"name":"node-1"}}`, false},
		"no JSON at all": {`404 page not found`, false},
	}
	for name, tc := range tests {
		if got := hasCondition([]byte(tc.object), "Ready"); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}

func TestMountsBelow(t *testing.T) {
	const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:40 / /cache/run rw - tmpfs tmpfs rw
41 40 0:41 / /cache/run/kubelet/pods/x rw - tmpfs tmpfs rw
42 22 0:42 / /cache/running rw - tmpfs tmpfs rw
43 41 0:43 / /cache/run/kubelet/pods/x/y rw - tmpfs tmpfs rw
`
	got, err := mountsBelow(strings.NewReader(mountinfo), "/cache/run")
	if want := []string{"/cache/run/kubelet/pods/x", "/cache/run/kubelet/pods/x/y"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestTooLongFoldersAreRefused(t *testing.T) {
	c := testCluster()
	if err := c.checkPath(); err != nil {
		t.Error(err)
	}
	c.Run = "/" + strings.Repeat("x", 90)
	if err := c.checkPath(); err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
		t.Errorf("error %v, want advice", err)
	}
}

// TestForward sends a request whose end is the client's half-close, as kubectl's
// uploads are.
func TestForward(t *testing.T) {
	server, front := listen(t), listen(t)
	go func() { _ = forward(front, server.Addr().String()) }()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		text, _ := io.ReadAll(conn)
		_, _ = conn.Write([]byte(strings.ToUpper(string(text))))
		_ = conn.Close()
	}()

	conn, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "HELLO" {
		t.Errorf("answer %q, %v", got, err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
