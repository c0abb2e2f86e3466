package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/pkg/webhook"
)

// environment looks variables up in a map.
func environment(vars map[string]string) func(string) (string, bool) {
	return func(key string) (string, bool) { v, ok := vars[key]; return v, ok }
}

// TestDefaultsWork: in the cluster, where POD_NAMESPACE is set, no flag is needed.
func TestDefaultsWork(t *testing.T) {
	got, err := parse(nil, environment(map[string]string{"POD_NAMESPACE": "serin-system", "SLACK_URL": "https://hooks.slack.com/x"}))
	if err != nil {
		t.Fatal(err)
	}
	want := options{
		provider: "gloo", metricsServer: "http://prometheus:9090", slackURL: "https://hooks.slack.com/x", slackUser: "serin",
		leaderElect: true, leaderNamespace: "serin-system", metricsAddress: ":8080", metricsAuth: "none", healthAddress: ":8081",
		logLevel: "info", logFormat: "json", selectorLabels: []string{"app", "name", "app.kubernetes.io/name"}, configTracking: true,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestLists(t *testing.T) {
	got, err := parse([]string{"--leader-elect=false", "--selector-labels= app ,,name", "--trusted-loadtesters=http://a,http://b", "--secret-namespaces=shop, test", "--reference-namespaces=ops,*"}, environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app", "name"}, got.selectorLabels); diff != "" {
		t.Errorf("selector labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"http://a", "http://b"}, got.trustedLoadtesters); diff != "" {
		t.Errorf("load testers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shop", "test"}, got.secretNamespaces); diff != "" {
		t.Errorf("namespaces of Secrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ops", "*"}, got.referenceNamespaces); diff != "" {
		t.Errorf("namespaces of references (-want +got):\n%s", diff)
	}
}

// TestWrongFlagsAreExplained: which flag, what was given, what is wanted.
func TestWrongFlagsAreExplained(t *testing.T) {
	for sentence, test := range map[string]struct {
		args string
		want string
	}{
		"a level that is none":        {"--log-level=loud", `--log-level "loud": want debug, info, warn or error`},
		"a format that is none":       {"--log-format=xml", `--log-format "xml": want json or text`},
		"a shard that names no Lease": {"--shard=A_b", `--shard "A_b": want lower case letters, digits and dashes, as in a namespace's name`},
		"no selector label":           {"--selector-labels=,", "--selector-labels is empty: name at least one label"},
		"an argument":                 {"run", `unexpected argument "run"; serin -h lists the flags`},
		"an election without a place": {"--leader-elect=true", "--leader-election-namespace is empty and POD_NAMESPACE is not set"},
		"an address with a port":      {"--allowed-addresses=10.0.0.0/8,prometheus:9090", `--allowed-addresses: "prometheus:9090" is neither a network such as 10.0.0.0/8`},
		"a token that is not there":   {"--loadtester-token-file=/nowhere/token", "--loadtester-token-file: stat /nowhere/token"},
		"metrics for whom":            {"--metrics-auth=tls", `--metrics-auth "tls": want kubernetes, certificate or none`},
		"certificates in plain HTTP":  {"--metrics-cert-dir=/certs", "--metrics-cert-dir has no effect with --metrics-auth=none, which is plain HTTP: set --metrics-auth to kubernetes or certificate"},
		"nobody's certificates":       {"--metrics-auth=certificate", "--metrics-auth=certificate needs --metrics-cert-dir: a directory with tls.crt and tls.key, and with the authority of those who may read in ca.crt"},
		"no authority":                {"--metrics-auth=certificate --metrics-cert-dir=/nowhere", "--metrics-cert-dir: open /nowhere/ca.crt"},
		"no certificate":              {"--metrics-auth=kubernetes --metrics-cert-dir=/nowhere", "--metrics-cert-dir: open /nowhere/tls.crt"},
	} {
		t.Run(sentence, func(t *testing.T) {
			args := strings.Fields(test.args)
			if test.args != "--leader-elect=true" {
				args = append([]string{"--leader-elect=false"}, args...)
			}
			_, err := parse(args, environment(nil))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestNotifiers(t *testing.T) {
	none, err := options{}.notifiers()
	if err != nil || len(none) != 0 {
		t.Errorf("without Slack: %v %v", none, err)
	}
	one, err := options{slackURL: "https://hooks.slack.com/services/T/B/x"}.notifiers()
	if err != nil || one["slack"] == nil {
		t.Errorf("with Slack: %v %v", one, err)
	}
	if _, err := (options{slackURL: "::"}).notifiers(); err == nil || !strings.HasPrefix(err.Error(), "set up Slack: ") {
		t.Errorf("with an address that is none: %v", err)
	}
}

// TestNoNameIsRegisteredTwice: must would stop the binary.
func TestNoNameIsRegisteredTwice(t *testing.T) {
	if diff := cmp.Diff([]string{"gatewayapi:v1", "gatewayapi:v1beta1", "gloo", "kubernetes"}, implementations.Routers().Names()); diff != "" {
		t.Errorf("routers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"prometheus"}, implementations.Metrics().Types()); diff != "" {
		t.Errorf("metric providers (-want +got):\n%s", diff)
	}
}

// TestOwnAddressesAreAllowed: a list is for what users write, not for what the operator was started with.
func TestOwnAddressesAreAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	for sentence, test := range map[string]struct {
		args    []string
		proxy   string
		refused bool
	}{
		"no list":             {nil, "", false},
		"a list":              {[]string{"--allowed-addresses=10.0.0.0/8"}, "", true},
		"listed":              {[]string{"--allowed-addresses=10.0.0.0/8,127.0.0.0/8"}, "", false},
		"the Prometheus":      {[]string{"--allowed-addresses=10.0.0.0/8", "--metrics-server=" + s.URL}, "", false},
		"the event webhook":   {[]string{"--allowed-addresses=10.0.0.0/8", "--event-webhook=" + s.URL}, "", false},
		"a load tester":       {[]string{"--allowed-addresses=10.0.0.0/8", "--trusted-loadtesters=http://a/," + s.URL}, "", false},
		"the cluster's proxy": {[]string{"--allowed-addresses=10.0.0.0/8"}, strings.TrimPrefix(s.URL, "http://"), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Setenv("HTTPS_PROXY", test.proxy)
			o, err := parse(append([]string{"--leader-elect=false"}, test.args...), environment(nil))
			if err != nil {
				t.Fatal(err)
			}
			caller := webhook.New(o.guard, nil, "")
			_, err = caller.Call(t.Context(), webhook.Request{Hook: v1beta1.CanaryWebhook{Name: "gate", URL: s.URL}})
			if refused := err != nil && strings.Contains(err.Error(), "is refused: "); refused != test.refused {
				t.Errorf("got %v, want it refused: %t", err, test.refused)
			}
		})
	}
}
