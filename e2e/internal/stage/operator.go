package stage

import (
	"context"
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
	image, tag, _ := strings.Cut(filepath.Base(s.image(operatorImage)), ":")
	prometheus := map[string]any{"install": true, "scrapeInterval": "2s"}
	values := map[string]any{
		"image":               map[string]any{"repository": filepath.Dir(s.image(operatorImage)) + "/" + image, "tag": tag},
		"prometheus":          prometheus,
		"podAnnotations":      map[string]any{digestAnnotation: digest},
		"clusterName":         "demo",
		"trustedLoadtesters":  []string{"http://loadtester." + s.App + "/"},
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
