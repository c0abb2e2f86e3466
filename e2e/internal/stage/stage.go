// Package stage sets up what demo and end-to-end tests play on: a cluster, the images, the gateway,
// the operator from its Helm chart with a Prometheus, a load generator and a Slack receiver. On the
// local cluster it sets all of it up again at each start; in a cluster that exists it stays in
// namespaces of its own, and refuses where an operator is at work that it did not install.
package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/cluster/cache"
	"github.com/serin-dev/serin/e2e/cluster/progress"
)

// Stage is a cluster with everything on it.
type Stage struct {
	Config
	Names
	// Client watches and writes; it has no cache.
	Client client.WithWatch
	// Kubeconfig is the file with which the cluster is reached, empty for kubectl's own default.
	Kubeconfig string
	// Kubectl is the program.
	Kubectl string

	set   kubernetes.Interface
	root  string
	cache cache.Dir
	steps *progress.Log
	// startedCluster is true when there was no local cluster before.
	startedCluster bool
}

// Set sets the stage. The stage is returned beside an error too, for Strike to undo what was done.
func Set(ctx context.Context, c Config, steps *progress.Log) (*Stage, error) {
	s := &Stage{Config: c, Names: localNames, steps: steps}
	if c.Existing {
		s.Names = existingNames
	}
	for _, step := range []func(context.Context) error{
		s.findSources, s.takeCluster, s.connect, s.checkForeign,
		s.loadImages, s.installGateway, s.startTools, s.clearApp, s.installOperator,
	} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// findSources walks up to the repository: demo and tests start in different folders.
func (s *Stage) findSources(context.Context) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if s.cache, err = cache.Open(); err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "deploy", "charts", "serin", "Chart.yaml")); err == nil {
			s.root = dir
			return nil
		}
		if dir == filepath.Dir(dir) {
			return fmt.Errorf("this runs in Serin's repository only: no folder above has deploy/charts/serin")
		}
	}
}

// Path of a file in the repository.
func (s *Stage) Path(parts ...string) string {
	return filepath.Join(append([]string{s.root}, parts...)...)
}

func (s *Stage) connect(context.Context) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	// Errors are returned; without a logger the library complains on the terminal.
	log.SetLogger(logr.Discard())
	// A second's answer is late enough to be told from a cluster that is gone.
	config.Timeout = time.Minute
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	if s.set, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	config.Timeout = 0 // it would end watches
	if s.Client, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	return nil
}

// CacheFolder is where the local cluster keeps everything.
func (s *Stage) CacheFolder() string { return string(s.cache) }

// KubernetesVersion is that of the API server.
func (s *Stage) KubernetesVersion() string {
	v, err := s.set.Discovery().ServerVersion()
	if err != nil {
		return "of an unknown version"
	}
	return strings.TrimPrefix(v.GitVersion, "v")
}
