package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/serin-dev/serin/e2e/load/stream"
)

// sum prints how it went, and fails if a request was lost at any time: between the rollouts too.
func (s *show) sum(ctx context.Context, acts ...act) error {
	report, err := s.StopLoad(ctx, users)
	if err != nil {
		return err
	}
	failed, failures := report.Total.Failed, report.Failures
	fmt.Println()
	for _, a := range acts {
		fmt.Println(a)
		failed += a.faults.Total.Failed
		failures = append(failures, a.faults.Failures...)
	}
	fmt.Println(s.realAndNot(ctx))
	if failed > 0 {
		return fmt.Errorf("%d requests failed that podinfo did not fail itself, the first of them:\n%s", failed, listed(failures))
	}
	return nil
}

func listed(failures []stream.Failure) string {
	var b strings.Builder
	for _, f := range failures {
		fmt.Fprintf(&b, "  %s %s\n", f.At.UTC().Format("15:04:05.000"), f.What)
	}
	return b.String()
}

// realAndNot says what was real and what stood in for something else.
func (s *show) realAndNot(ctx context.Context) string {
	line := "Kubernetes " + s.KubernetesVersion() + " · Envoy " + s.envoy(ctx) + " · stand-in for Gloo's control plane"
	if s.Existing {
		return line
	}
	return line + " · everything under " + s.CacheFolder()
}

var imageTag = regexp.MustCompile(`:v?([0-9.]+)`)

func (s *show) envoy(ctx context.Context) string {
	image, err := s.KubectlOutput(ctx, "-n", s.Gateway, "get", "deployment", "gateway-proxy", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	if m := imageTag.FindStringSubmatch(image); err == nil && m != nil {
		return m[1]
	}
	return "of an unknown version"
}

// post shows what may explain a failure, before everything is taken down.
func (s *show) post(ctx context.Context) {
	for _, args := range [][]string{
		{"-n", s.App, "get", "pods,deployments,canaries,routetables"},
		{"-n", s.App, "describe", "canary", "podinfo"},
		{"-n", s.Operator, "logs", "deployment/" + s.Release, "--tail=40"},
	} {
		out, err := s.KubectlOutput(ctx, args...)
		if err != nil {
			out = err.Error()
		}
		fmt.Fprintf(os.Stderr, "\n$ kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

// playOn says how to go on by hand.
func (s *show) playOn() string {
	kubeconfig := s.Kubeconfig
	if kubeconfig == "" {
		kubeconfig = "~/.kube/config"
	}
	return strings.NewReplacer(
		"{kubeconfig}", kubeconfig, "{kubectl}", s.Kubectl, "{app}", s.App, "{tools}", s.Tools,
		"{operator}", s.Operator, "{release}", s.Release, "{gateway}", s.Gateway, "{host}", host, "{down}", s.down(),
	).Replace(`
It is all still there:

  export KUBECONFIG={kubeconfig}
  alias kubectl={kubectl}

  kubectl -n {app} get canaries --watch
  kubectl -n {app} set image deployment/podinfo podinfod=stefanprodan/podinfo:6.1.0
  kubectl -n {app} describe canary podinfo
  kubectl -n {tools} logs -f slackd
  kubectl -n {operator} logs -f deployment/{release}

The canary's load test sends requests while a rollout runs. More, and errors:

  kubectl -n {app} exec deploy/loadtester -- hey -z 1m -q 10 -c 2 -host {host} http://gateway-proxy.{gateway}/
  kubectl -n {app} exec deploy/loadtester -- hey -z 1m -q 5 -c 2 -host {host} http://gateway-proxy.{gateway}/status/500

Take it down:

  {down}
`)
}

func (s *show) down() string {
	if !s.Existing {
		return "make cluster-down"
	}
	return fmt.Sprintf("kubectl -n %s delete canaries --all && kubectl delete namespace %s && helm -n %s uninstall %s && kubectl delete namespace %s %s %s",
		s.App, s.App, s.Operator, s.Release, s.Operator, s.Gateway, s.Tools)
}
