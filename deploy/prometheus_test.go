package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/pkg/apitest"
)

// A real Prometheus with the chart's configuration looks for pods on a real API server.
func TestPrometheusFindsAnnotatedPods(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	// Not the one on the PATH: Debian's is built without discovery in Kubernetes.
	program := filepath.Join(cache, "serin", "bin", "prometheus")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("no Prometheus that knows Kubernetes; make cluster-up builds one (%v)", err)
	}
	c := newCluster(t)
	ns, want := apitest.Namespace(t, c), map[string]target{}
	for name, tc := range map[string]struct {
		pod  pod
		want map[string]string
	}{
		"gateway": {
			pod{ip: "10.9.0.1", scrape: "true", port: "19000", path: "/stats/prometheus", ports: []int32{8080, 19000}, labels: map[string]string{"app.kubernetes.io/name": "gateway"}},
			map[string]string{"http://10.9.0.1:19000/stats/prometheus": "gateway"},
		},
		"ipv6":         {pod{ip: "fd00::9", scrape: "true", port: "9797", ports: []int32{9898}, labels: map[string]string{"app": "six"}}, map[string]string{"http://[fd00::9]:9797/metrics": "six"}},
		"tls":          {pod{ip: "10.9.0.2", scrape: "true", port: "8443", scheme: "https"}, map[string]string{"https://10.9.0.2:8443/metrics": ""}},
		"no-port":      {pod{ip: "10.9.0.3", scrape: "true", ports: []int32{8080, 8081}}, map[string]string{"http://10.9.0.3:8080/metrics": "", "http://10.9.0.3:8081/metrics": ""}},
		"two-labels":   {pod{ip: "10.9.0.4", scrape: "true", port: "1", labels: map[string]string{"app": "short", "app.kubernetes.io/name": "long"}}, map[string]string{"http://10.9.0.4:1/metrics": "short"}},
		"unknown-port": {pod{ip: "10.9.0.9", scrape: "true"}, nil},
		"not-asked":    {pod{ip: "10.9.0.5", ports: []int32{8080}}, nil},
		"turned-off":   {pod{ip: "10.9.0.6", scrape: "false", port: "8080"}, nil},
		"has-ended":    {pod{ip: "10.9.0.7", scrape: "true", port: "8080", phase: corev1.PodSucceeded}, nil},
		"without-port": {pod{ip: "10.9.0.8", scrape: "true", port: "7070"}, map[string]string{"http://10.9.0.8:7070/metrics": ""}},
	} {
		c.start(t, ns, name, tc.pod)
		for url, app := range tc.want {
			want[url] = target{Namespace: ns, Pod: name, App: app}
		}
	}
	address := c.prometheus(t, program, ns)
	var got map[string]target
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && !cmp.Equal(want, got); time.Sleep(200 * time.Millisecond) {
		got = targets(t, address)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

// target is what tells the samples of one scrape target from others'.
type target struct {
	Namespace string `json:"kubernetes_namespace"`
	Pod       string `json:"kubernetes_pod_name"`
	App       string `json:"app"`
}

type pod struct {
	ip, scrape, port, path, scheme string
	ports                          []int32
	labels                         map[string]string
	phase                          corev1.PodPhase
}

// start creates a pod and says what a kubelet would say of it.
func (c cluster) start(t *testing.T, ns, name string, p pod) {
	t.Helper()
	annotations := map[string]string{"scrape": p.scrape, "port": p.port, "path": p.path, "scheme": p.scheme}
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: p.labels, Annotations: map[string]string{}}}
	for key, value := range annotations {
		if value != "" {
			object.Annotations["prometheus.io/"+key] = value
		}
	}
	container := corev1.Container{Name: "main", Image: "x"}
	for _, port := range p.ports {
		container.Ports = append(container.Ports, corev1.ContainerPort{ContainerPort: port})
	}
	object.Spec.ServiceAccountName = c.account(t, ns)
	object.Spec.Containers = []corev1.Container{container, {Name: "sidecar", Image: "x"}}
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	object.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}}}
	if p.phase != "" {
		object.Status.Phase = p.phase
	}
	if err := c.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// prometheus runs the program with the chart's configuration and returns its address. It gets the
// flags of the chart's container, but for the paths and the port.
func (c cluster) prometheus(t *testing.T, program, ns string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, c.configuration(t, ns), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--storage.tsdb.retention.time=2h", "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // it ends with the test's context
		if t.Failed() {
			t.Logf("prometheus:\n%s", &log)
		}
	})
	return "http://" + address
}

// configuration is the rendered one, with this server in place of the cluster that a pod is in.
func (c cluster) configuration(t *testing.T, ns string) []byte {
	t.Helper()
	all := mustTemplate(t, "--set", fmt.Sprintf("prometheus.install=true,prometheus.namespaces={%s}", ns))
	var config struct {
		Global  map[string]any   `json:"global"`
		Scrapes []map[string]any `json:"scrape_configs"`
	}
	text := find[*corev1.ConfigMap](t, all, "serin-prometheus").Data["prometheus.yml"]
	if err := yaml.UnmarshalStrict([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	for _, discovery := range config.Scrapes[0]["kubernetes_sd_configs"].([]any) {
		discovery.(map[string]any)["kubeconfig_file"] = c.kubeconfig
	}
	out, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// targets are those of a Prometheus by their addresses; none while it is not up.
func targets(t *testing.T, address string) map[string]target {
	t.Helper()
	resp, err := http.Get(address + "/api/v1/targets?state=active")
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Data struct {
			Active []struct {
				URL    string `json:"scrapeUrl"`
				Labels target `json:"labels"`
			} `json:"activeTargets"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil
	}
	found := map[string]target{}
	for _, a := range answer.Data.Active {
		if _, twice := found[a.URL]; twice {
			t.Fatalf("%s is scraped more than once; found so far: %v", a.URL, slices.Sorted(maps.Keys(found)))
		}
		found[a.URL] = a.Labels
	}
	return found
}
