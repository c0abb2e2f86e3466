package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/e2e/load/stream"
	"github.com/serin-dev/serin/e2e/slackd/event"
)

const toolsManifest = `apiVersion: v1
kind: Namespace
metadata:
  name: %[1]s
---
apiVersion: v1
kind: Service
metadata:
  name: slackd
  namespace: %[1]s
spec:
  selector: {app: slackd}
  ports:
  - {name: https, port: 443, targetPort: 8443}
  - {name: http, port: 80, targetPort: 8080}
`

// A bare pod each, never restarted: what it has counted lives in it, and must not vanish unseen.
const toolPod = `---
apiVersion: v1
kind: Pod
metadata:
  name: %[2]s
  namespace: %[1]s
  labels: {app: %[2]s}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: %[2]s
    image: %[3]s
    imagePullPolicy: IfNotPresent
    command: [/%[2]s, -listen=:8080%[4]s]
    readinessProbe:
      httpGet: {path: /healthz, port: 8080}
      periodSeconds: 1
    resources:
      requests: {cpu: 100m, memory: 32Mi}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
`

// The tools' pods.
const (
	loadPod  = "load"
	slackPod = "slackd"
)

// startTools starts the load generator and the Slack receiver with nothing counted yet.
func (s *Stage) startTools(ctx context.Context) error {
	var manifest strings.Builder
	fmt.Fprintf(&manifest, toolsManifest, s.Tools)
	pods := []string{loadPod, slackPod}
	for _, pod := range pods {
		flags := ""
		if pod == slackPod {
			flags = ", -tls-name=" + s.slackHost()
		}
		fmt.Fprintf(&manifest, toolPod, s.Tools, pod, s.Image(toolsImage), flags)
	}
	gone := append([]string{"-n", s.Tools, "delete", "pod", "--ignore-not-found"}, pods...)
	if err := s.kubectl(ctx, gone...); err != nil {
		return err
	}
	if err := s.apply(ctx, manifest.String()); err != nil {
		return fmt.Errorf("start the tools: %w", err)
	}
	err := s.kubectl(ctx, "-n", s.Tools, "wait", "--for=condition=Ready", "pod/"+loadPod, "pod/"+slackPod, "--timeout=1m")
	if err != nil {
		return fmt.Errorf("start the tools: %w\n%s", err, s.podsOf(ctx, s.Tools))
	}
	s.steps.Step("load generator and Slack receiver are up in namespace %s", s.Tools)
	return nil
}

// slackHost is the receiver's name in the cluster.
func (s *Stage) slackHost() string { return "slackd." + s.Tools }

// slackAPI is the base of the receiver's methods, for a bot's token. Like Slack's it is HTTPS: the
// operator meets it with the roots that its image ships, and one more.
func (s *Stage) slackAPI() string { return fmt.Sprintf("https://%s/api/", s.slackHost()) }

// slackCA is what makes the receiver's certificate believed.
func (s *Stage) slackCA(ctx context.Context) ([]byte, error) {
	return s.raw(ctx, slackPod, http.MethodGet, "ca.pem", nil, nil)
}

// call reaches a tool through the API server, which reaches every pod.
func (s *Stage) call(ctx context.Context, pod, method, path string, params map[string]string, in, out any) error {
	answer, err := s.raw(ctx, pod, method, path, params, in)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func (s *Stage) raw(ctx context.Context, pod, method, path string, params map[string]string, in any) ([]byte, error) {
	req := s.set.CoreV1().RESTClient().Verb(method).Namespace(s.Tools).
		Resource("pods").Name(pod + ":8080").SubResource("proxy").Suffix(path)
	for key, value := range params {
		req = req.Param(key, value)
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		req = req.Body(body)
	}
	answer, err := req.DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %s %s: %w: %s", pod, method, path, err, answer)
	}
	return answer, nil
}

// StartLoad starts a stream of requests.
func (s *Stage) StartLoad(ctx context.Context, name string, spec stream.Spec) error {
	return s.call(ctx, loadPod, http.MethodPut, "streams/"+name, nil, spec, nil)
}

// Load reports on a stream, with the seconds from the given time on.
func (s *Stage) Load(ctx context.Context, name string, from time.Time) (report stream.Report, err error) {
	params := map[string]string{"from": strconv.FormatInt(from.Unix(), 10)}
	err = s.call(ctx, loadPod, http.MethodGet, "streams/"+name, params, nil, &report)
	return report, err
}

// StopLoad ends a stream and returns all of it.
func (s *Stage) StopLoad(ctx context.Context, name string) (report stream.Report, err error) {
	err = s.call(ctx, loadPod, http.MethodDelete, "streams/"+name, nil, nil, &report)
	return report, err
}

// Misbehave tells the receiver's part of that name, slack or hook, how to.
func (s *Stage) Misbehave(ctx context.Context, part string, fault event.Fault) error {
	return s.call(ctx, slackPod, http.MethodPut, "faults/"+part, nil, fault, nil)
}

// SlackService is the receiver's Service, and HookURL a webhook behind it.
func (s *Stage) SlackService() (namespace, name string) { return s.Tools, slackPod }

// HookURL is a webhook that says yes unless it is told to misbehave.
func (s *Stage) HookURL() string { return fmt.Sprintf("http://%s/hook", s.slackHost()) }

// Slack returns what happened in the channel, from the given event on.
func (s *Stage) Slack(ctx context.Context, from int) (events []event.Event, err error) {
	err = s.call(ctx, slackPod, http.MethodGet, "events", map[string]string{"from": strconv.Itoa(from)}, nil, &events)
	return events, err
}
