package stage

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// installOperator installs the operator and a Prometheus from the operator's own chart.
func (s *Stage) installOperator(ctx context.Context) error {
	s.steps.Step("helm install %s (the first time Helm is built, too)", s.Release)
	values, err := s.values()
	if err != nil {
		return err
	}
	foreign, err := s.foreignCRDs(ctx)
	if err != nil {
		return fmt.Errorf("look at Serin's CRDs: %w", err)
	}
	if err := s.trustSlack(ctx, values); err != nil {
		return err
	}
	values["crd"] = map[string]any{"create": !foreign}
	file, err := os.CreateTemp("", "serin-values-*.json")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := json.NewEncoder(file).Encode(values); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	_, err = s.helm(ctx, "upgrade", "--install", s.Release, s.Path("deploy", "charts", "serin"),
		"--namespace", s.Operator, "--create-namespace", "--values", file.Name(), "--wait", "--timeout", "3m")
	if err != nil {
		return fmt.Errorf("install the operator: %w\n%s", err, s.podsOf(ctx, s.Operator))
	}
	s.steps.Step("operator and Prometheus are up in namespace %s", s.Operator)
	return nil
}

// values are those that differ from the chart's defaults.
func (s *Stage) values() (map[string]any, error) {
	digest, err := s.digest(operatorImage)
	if err != nil {
		return nil, err
	}
	image, tag, _ := strings.Cut(filepath.Base(s.Image(operatorImage)), ":")
	prometheus := map[string]any{"install": true, "scrapeInterval": "2s"}
	values := map[string]any{
		"image":               map[string]any{"repository": filepath.Dir(s.Image(operatorImage)) + "/" + image, "tag": tag},
		"prometheus":          prometheus,
		"podAnnotations":      map[string]any{digestAnnotation: digest},
		"clusterName":         "demo",
		"trustedLoadtesters":  []string{"http://loadtester." + s.App + "/", "http://loadtester.e2e-gates/", "http://loadtester.e2e-gates-grpc/"},
		"slack":               map[string]any{"url": s.slackAPI(), "token": "xoxb-demo", "channel": "rollouts"},
		"podDisruptionBudget": map[string]any{"enabled": false},
	}
	if s.Existing {
		// Bound to the demo's namespace, it neither may nor will touch other canaries.
		values["namespace"] = s.App
		prometheus["namespaces"] = []string{s.Gateway, s.App}
	}
	return values, nil
}

// trustSlack mounts the receiver's certificate beside the roots that the operator's image ships.
func (s *Stage) trustSlack(ctx context.Context, values map[string]any) error {
	ca, err := s.slackCA(ctx)
	if err != nil {
		return fmt.Errorf("read the Slack receiver's certificate: %w", err)
	}
	const name, path = "slack-ca", "/etc/serin-ca"
	manifest := map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{
		map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": s.Operator}},
		map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": s.Operator},
			"data": map[string]any{"slack.crt": string(ca)}},
	}}
	text, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	if err := s.apply(ctx, string(text)); err != nil {
		return fmt.Errorf("give the operator the Slack receiver's certificate: %w", err)
	}
	// A receiver that was started anew has another certificate, and a process reads its roots once.
	values["podAnnotations"].(map[string]any)["serin.dev/slack-ca"] = fmt.Sprintf("%x", sha256.Sum256(ca))[:12]
	values["additionalVolumes"] = []any{map[string]any{"name": name, "configMap": map[string]any{"name": name}}}
	values["additionalVolumeMounts"] = []any{map[string]any{"name": name, "mountPath": path, "readOnly": true}}
	values["env"] = []any{map[string]any{"name": "SSL_CERT_DIR", "value": path}}
	return nil
}

// foreignCRDs is true when Serin's CRDs are there and belong to somebody else than our release, which
// Helm then would not touch. On the local cluster they are brought up to date all the same.
func (s *Stage) foreignCRDs(ctx context.Context) (bool, error) {
	const owner = `jsonpath={.metadata.name},{.metadata.annotations.meta\.helm\.sh/release-name},{.metadata.annotations.meta\.helm\.sh/release-namespace}`
	out, err := s.KubectlOutput(ctx, "get", "crd", "canaries.serin.dev", "--ignore-not-found", "-o", owner)
	if err != nil || out == "" || out == "canaries.serin.dev,"+s.Release+","+s.Operator {
		return false, err
	}
	if s.Existing {
		s.steps.Step("Serin's CRDs are here already and are used as they are")
		return true, nil
	}
	return true, s.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", s.Path("deploy", "charts", "serin", "files", "crds"))
}

// UninstallOperator takes the operator away as its users do, and waits for what the chart does first.
func (s *Stage) UninstallOperator(ctx context.Context) error {
	_, err := s.helm(ctx, "uninstall", s.Release, "--namespace", s.Operator, "--wait")
	return err
}

// InstallOperator brings it back.
func (s *Stage) InstallOperator(ctx context.Context) error { return s.installOperator(ctx) }
