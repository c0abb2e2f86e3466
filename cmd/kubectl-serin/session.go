package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// session is what all commands share: where to print, and how to reach the cluster that the flags and
// the kubeconfig name.
type session struct {
	out       io.Writer
	now       func() time.Time
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// bind adds the flags that every kubectl command has.
func (s *session) bind(fs *pflag.FlagSet) {
	s.rules = clientcmd.NewDefaultClientConfigLoadingRules()
	fs.StringVar(&s.rules.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "path of the kubeconfig")
	clientcmd.BindOverrideFlags(&s.overrides, fs, clientcmd.RecommendedConfigOverrideFlags(""))
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// target is one Canary in one cluster.
type target struct {
	client.WithWatch
	key client.ObjectKey
}

// cluster is what the flags and the kubeconfig name. Nothing is asked yet.
func (s *session) cluster() (config *rest.Config, namespace string, err error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(s.rules, &s.overrides)
	if namespace, _, err = loader.Namespace(); err == nil {
		config, err = loader.ClientConfig()
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.UserAgent = "kubectl-serin/" + release()
	config.QPS = -1 // the API server's own fairness decides: a release of all asks for many at once
	return config, namespace, nil
}

// open leads to a Canary. Nothing is asked yet.
func (s *session) open(name string) (target, error) {
	config, namespace, err := s.cluster()
	if err != nil {
		return target{}, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: newScheme(), Mapper: newMapper()})
	if err != nil {
		return target{}, fmt.Errorf("set up the client: %w", err)
	}
	return target{WithWatch: c, key: client.ObjectKey{Namespace: namespace, Name: name}}, nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, authenticationv1.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil { // compiled in: fails always or never
			panic(err)
		}
	}
	return scheme
}

// newMapper knows the few kinds that are used, so that no command begins with asking the server for
// all that it has.
func newMapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(v1beta1.GroupVersion.WithKind("Canary"), meta.RESTScopeNamespace)
	m.Add(appsv1.SchemeGroupVersion.WithKind("ControllerRevision"), meta.RESTScopeNamespace)
	m.Add(authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"), meta.RESTScopeRoot)
	return m
}

func (t target) get(ctx context.Context) (*v1beta1.Canary, error) {
	c := &v1beta1.Canary{}
	if err := t.Get(ctx, t.key, c); err != nil {
		return nil, t.explain("read", err)
	}
	return c, nil
}

// explain words an error of the API server for whoever typed the command.
func (t target) explain(verb string, err error) error {
	switch {
	case meta.IsNoMatchError(err), apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse) && apierrors.IsNotFound(err):
		return fmt.Errorf("this cluster knows no canaries.%s: Serin's CRDs are not installed", v1beta1.GroupVersion.Group)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("there is no Canary %s in namespace %s; kubectl get canaries -A lists all", t.key.Name, t.key.Namespace)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w. Who may view a namespace may look, and who may edit it may steer, where Serin's roles are aggregated", err)
	default:
		return fmt.Errorf("%s Canary %s: %w", verb, t.key, err)
	}
}
