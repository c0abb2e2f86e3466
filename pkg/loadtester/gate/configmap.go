package gate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
)

// namespaceFile is where a pod finds the name of its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// requestTimeout is less than a webhook waits for its answer.
const requestTimeout = 5 * time.Second

// ConfigMap keeps the gates in a ConfigMap, which replicas share. It is read at each question: a gate
// that was opened in one replica is open in all. The ConfigMap must be there; a right to create one
// could not be bound to its name.
type ConfigMap struct {
	client          *rest.RESTClient
	namespace, name string
}

// NewConfigMap keeps the gates in the ConfigMap of that name and namespace. Its client knows
// ConfigMaps alone: one of all kinds would add 16 MB to the program.
func NewConfigMap(config *rest.Config, namespace, name string) (*ConfigMap, error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.ConfigMap{})
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config = rest.CopyConfig(config)
	config.Timeout = requestTimeout
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make client for the gates: %w", err)
	}
	return &ConfigMap{client: client, namespace: namespace, name: name}, nil
}

// InCluster keeps the gates in a ConfigMap of the pod's own namespace.
func InCluster(name string) (*ConfigMap, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("gates in a ConfigMap need a pod with a service account's token: %w", err)
	}
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return nil, fmt.Errorf("find the pod's namespace: %w", err)
	}
	return NewConfigMap(config, strings.TrimSpace(string(namespace)), name)
}

// Read implements Store.
func (c *ConfigMap) Read(ctx context.Context) (Set, error) {
	cm, err := c.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("read gates from ConfigMap %s/%s: %w", c.namespace, c.name, err)
	}
	return decode(cm.Data), nil
}

// Write implements Store. The resourceVersion that was read is the lock: where another replica was
// faster, what it wrote is read again.
func (c *ConfigMap) Write(ctx context.Context, key Key, open bool) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		cm, err := c.get(ctx)
		if err != nil {
			return err
		}
		if cm.Data == nil {
			cm.Data = map[string]string{}
		}
		if !change(cm.Data, key, open) {
			return nil
		}
		return c.client.Put().Namespace(c.namespace).Resource("configmaps").Name(c.name).Body(cm).Do(ctx).Error()
	})
	if err != nil {
		return fmt.Errorf("write gates to ConfigMap %s/%s: %w", c.namespace, c.name, err)
	}
	return nil
}

func (c *ConfigMap) get(ctx context.Context) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{}
	err := c.client.Get().Namespace(c.namespace).Resource("configmaps").Name(c.name).Do(ctx).Into(cm)
	return cm, err
}
