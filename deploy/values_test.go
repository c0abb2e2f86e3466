package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestWrongValuesAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a misspelt value":             {[]string{"--set", "metricServer=http://x:9090"}, "'metricServer' not allowed"},
		"a misspelt value in a group":  {[]string{"--set", "slack.chanel=x"}, "'chanel' not allowed"},
		"another chart's slack.proxy":  {[]string{"--set", "slack.proxy=http://x"}, "'proxy' not allowed"},
		"an unknown router":            {[]string{"--set", "meshProvider=glo"}, "meshProvider"},
		"a server without a scheme":    {[]string{"--set", "metricsServer=prometheus:9090"}, "metricsServer"},
		"a number for a name":          {[]string{"--set", "clusterName=7"}, "clusterName"},
		"an unknown level":             {[]string{"--set", "logLevel=warning"}, "logLevel"},
		"a text for a switch":          {[]string{"--set-string", "prometheus.install=true"}, "prometheus"},
		"an interval without a unit":   {[]string{"--set-string", "prometheus.scrapeInterval=5"}, "scrapeInterval"},
		"an unknown pull policy":       {[]string{"--set", "image.pullPolicy=Sometimes"}, "pullPolicy"},
		"secrets without names":        {[]string{"--set", "metricSecrets[0].namespace=test"}, "names"},
		"secrets by an empty list":     {[]string{"--set-json", `metricSecrets=[{"namespace":"test","names":[]}]`}, "names"},
		"secrets of all namespaces":    {[]string{"--set-json", `configTracking.secretNamespaces=["*"]`}, "secretNamespaces"},
		"secrets by a pattern":         {[]string{"--set-json", `metricSecrets=[{"namespace":"test","names":["*"]}]`}, "names"},
		"two load testers in one":      {[]string{"--set-json", `trustedLoadtesters=["http://a/,http://b/"]`}, "trustedLoadtesters"},
		"an address with a port":       {[]string{"--set", "allowedAddresses={prometheus:9090}"}, "allowedAddresses"},
		"an address with a scheme":     {[]string{"--set", "allowedAddresses={http://prometheus}"}, "allowedAddresses"},
		"two that act at once":         {[]string{"--set", "leaderElection.enabled=false,leaderElection.replicaCount=2"}, "replicaCount"},
		"an argument that is no flag":  {[]string{"--set", "extraArgs={log-level=debug}"}, "extraArgs"},
		"a bot that knows no channel":  {[]string{"--set", "slack.token=x"}, "slack.token needs slack.channel"},
		"two places for slack's token": {[]string{"--set", "slack.token=x,slack.channel=c,slack.existingSecret=y"}, "set one or the other"},
		"references by a pattern":      {[]string{"--set-json", `referenceNamespaces=["team-*"]`}, "referenceNamespaces"},
		"metrics for whom":             {[]string{"--set", "metrics.auth=tls"}, "auth"},
		"rights beyond its namespace":  {[]string{"--set", "namespace=shop,metrics.auth=kubernetes"}, "metrics.auth=kubernetes needs rights that reach beyond a namespace"},
		"certificates of nobody":       {[]string{"--set", "metrics.auth=certificate"}, "metrics.auth=certificate needs metrics.certSecret"},
		"a certificate in plain HTTP":  {[]string{"--set", "metrics.auth=none,metrics.certSecret=x"}, "metrics.certSecret has no effect with metrics.auth=none"},
		"a monitor of nothing":         {[]string{"--set", "namespace=shop,podMonitor.enabled=true"}, "podMonitor.enabled has nothing to scrape"},
		"a monitor without a token":    {[]string{"--set", "podMonitor.enabled=true"}, "podMonitor would not be let in: set podMonitor.endpoint.authorization.credentials"},
		"a monitor that is nobody":     {[]string{"--set", "namespace=shop,metrics.certSecret=x,serviceMonitor.enabled=true"}, "serviceMonitor would not be let in: set serviceMonitor.endpoint.tlsConfig"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, tc.args...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("helm says %v, want a message with %q", err, tc.want)
			}
		})
	}
}

func TestOldClustersAreRefused(t *testing.T) {
	for version, want := range map[string]bool{"1.28.9": false, "1.29.0": true, "1.31.4-gke.1000": true} {
		_, err := run(helm(t), "template", release, chart, "--kube-version", version)
		if got := err == nil; got != want {
			t.Errorf("on %s: installs is %t, want %t (%v)", version, got, want, err)
		}
	}
}

// The router of a canary and the chart's default for it are the same list.
func TestRoutersOfTheSchemaAreThoseOfTheCRD(t *testing.T) {
	var crd apiextensionsv1.CustomResourceDefinition
	load(t, "crds/serin.dev_canaries.yaml", &crd)
	provider := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["provider"]
	var want []string
	for _, v := range provider.Enum {
		var s string
		if err := json.Unmarshal(v.Raw, &s); err != nil {
			t.Fatal(err)
		}
		if s != "" {
			want = append(want, s)
		}
	}
	got := readSchema(t).Properties["meshProvider"].Enum
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Errorf("meshProvider (-CRD +schema):\n%s", diff)
	}
}

type valueSchema struct {
	Ref         string                 `json:"$ref"`
	Properties  map[string]valueSchema `json:"properties"`
	Definitions map[string]valueSchema `json:"definitions"`
	Additional  any                    `json:"additionalProperties"`
	Enum        []string               `json:"enum"`
}

func readSchema(t *testing.T) valueSchema {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s valueSchema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaAndValuesNameTheSame(t *testing.T) {
	var values map[string]any
	load(t, filepath.Join(chart, "values.yaml"), &values)
	root := readSchema(t)
	var compare func(path string, s valueSchema, v any)
	compare = func(path string, s valueSchema, v any) {
		if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
			s = root.Definitions[name]
		}
		if len(s.Properties) == 0 || strings.HasSuffix(path, "resources") { // those are Kubernetes' names
			return
		}
		if s.Additional != false {
			t.Errorf("%s takes any name", path)
		}
		group, _ := v.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			value, ok := group[name]
			switch {
			case path == "" && name == "global": // Helm's, not the user's
			case !ok:
				t.Errorf("values.yaml does not show %s.%s, which the schema has", path, name)
			default:
				compare(strings.TrimPrefix(path+"."+name, "."), s.Properties[name], value)
			}
		}
	}
	compare("", root, values)
}

// change is another value than the default, and what else must be set, or be so, for it to matter.
type change struct {
	json string
	with []string
}

var (
	withPrometheus     = []string{"prometheus.install=true"}
	withPodMonitor     = []string{"podMonitor.enabled=true", `metrics.auth="none"`}
	withServiceMonitor = []string{"serviceMonitor.enabled=true"}
	withWebhook        = []string{`slack.url="https://hooks.example.com/x"`}
)

// changes has an entry for every value in values.yaml.
var changes = map[string]change{
	"meshProvider":                       {`"istio"`, nil},
	"metricsServer":                      {`"http://other:9090"`, nil},
	"prometheus.install":                 {`true`, nil},
	"prometheus.image":                   {`"example.com/prometheus:v9"`, withPrometheus},
	"prometheus.pullPolicy":              {`"Always"`, withPrometheus},
	"prometheus.pullSecret":              {`"registry"`, withPrometheus},
	"prometheus.retention":               {`"6h"`, withPrometheus},
	"prometheus.scrapeInterval":          {`"1s"`, withPrometheus},
	"prometheus.namespaces":              {`["gloo-system"]`, withPrometheus},
	"prometheus.resources":               {`{"requests":{"cpu":"9"}}`, withPrometheus},
	"prometheus.nodeSelector":            {`{"a":"b"}`, withPrometheus},
	"prometheus.tolerations":             {`[{"key":"a","operator":"Exists"}]`, withPrometheus},
	"prometheus.affinity":                {`{"podAntiAffinity":{}}`, withPrometheus},
	"prometheus.securityContext.enabled": {`false`, withPrometheus},
	"prometheus.securityContext.context": {`{"runAsUser":7}`, withPrometheus},
	"slack.url":                          {`"https://hooks.example.com/y"`, nil},
	"slack.token":                        {`"xoxb-1"`, []string{`slack.channel="c"`}},
	"slack.existingSecret":               {`"mine"`, nil},
	"slack.channel":                      {`"rollouts"`, withWebhook},
	"slack.user":                         {`"bird"`, nil},
	"slack.proxyUrl":                     {`"http://proxy:3128"`, withWebhook},
	"eventWebhook":                       {`"http://events.test/"`, nil},
	"clusterName":                        {`"prod"`, nil},
	"namespace":                          {`"shop"`, nil},
	"shard":                              {`"b"`, nil},
	"selectorLabels":                     {`"app"`, nil},
	"metricSecrets":                      {`[{"namespace":"test","names":["x"]}]`, nil},
	"configTracking.enabled":             {`false`, nil},
	"configTracking.secretNamespaces":    {`["test"]`, nil},
	"trustedLoadtesters":                 {`["http://loadtester.test/"]`, nil},
	"allowedAddresses":                   {`["10.0.0.0/8"]`, nil},
	"crd.create":                         {`false`, nil},
	"rbac.create":                        {`false`, nil},
	"rbac.aggregate":                     {`false`, nil},
	"admissionPolicy.create":             {`false`, policyServed},
	"serviceAccount.create":              {`false`, nil},
	"serviceAccount.name":                {`"other"`, nil},
	"serviceAccount.annotations":         {`{"eks.amazonaws.com/role-arn":"x"}`, nil},
	"podMonitor.enabled":                 {`true`, []string{`metrics.auth="none"`}},
	"podMonitor.namespace":               {`"monitoring"`, withPodMonitor},
	"podMonitor.labels":                  {`{"release":"x"}`, withPodMonitor},
	"podMonitor.interval":                {`"15s"`, withPodMonitor},
	"podMonitor.endpoint":                {`{"scheme":"http"}`, withPodMonitor},
	"serviceMonitor.enabled":             {`true`, nil},
	"serviceMonitor.namespace":           {`"monitoring"`, withServiceMonitor},
	"serviceMonitor.labels":              {`{"release":"x"}`, withServiceMonitor},
	"serviceMonitor.interval":            {`"15s"`, withServiceMonitor},
	"serviceMonitor.endpoint":            {`{"tlsConfig":{"serverName":"serin"}}`, withServiceMonitor},
	"metrics.auth":                       {`"disabled"`, nil},
	"metrics.certSecret":                 {`"metrics"`, nil},
	"referenceNamespaces":                {`["ops"]`, nil},
	"releaseOnUninstall.enabled":         {`false`, nil},
	"releaseOnUninstall.timeoutSeconds":  {`30`, nil},
	"podDisruptionBudget.enabled":        {`true`, nil},
	"podDisruptionBudget.minAvailable":   {`"50%"`, []string{"podDisruptionBudget.enabled=true"}},
	"image.repository":                   {`"example.com/serin"`, nil},
	"image.tag":                          {`"dev"`, nil},
	"image.pullPolicy":                   {`"Never"`, nil},
	"image.pullSecret":                   {`"registry"`, nil},
	"imagePullSecrets":                   {`[{"name":"registry"}]`, nil},
	"leaderElection.enabled":             {`false`, nil},
	"leaderElection.replicaCount":        {`2`, nil},
	"logLevel":                           {`"debug"`, nil},
	"extraArgs":                          {`["--pprof-bind-address=127.0.0.1:6060"]`, nil},
	"env":                                {`[{"name":"HTTPS_PROXY","value":"x"}]`, nil},
	"resources":                          {`{"requests":{"cpu":"9"}}`, nil},
	"securityContext.enabled":            {`false`, nil},
	"securityContext.context":            {`{"runAsUser":7}`, nil},
	"podPriorityClassName":               {`"system-cluster-critical"`, nil},
	"nodeSelector":                       {`{"a":"b"}`, nil},
	"tolerations":                        {`[{"key":"a","operator":"Exists"}]`, nil},
	"affinity":                           {`{"podAntiAffinity":{}}`, nil},
	"podAnnotations":                     {`{"a":"b"}`, nil},
	"podLabels":                          {`{"a":"b"}`, nil},
	"annotations":                        {`{"a":"b"}`, nil},
	"deploymentLabels":                   {`{"a":"b"}`, nil},
	"additionalVolumes":                  {`[{"name":"ca","emptyDir":{}}]`, nil},
	"additionalVolumeMounts":             {`[{"name":"ca","mountPath":"/ca"}]`, nil},
	"nameOverride":                       {`"bird"`, nil},
	"fullnameOverride":                   {`"bird"`, nil},
}

func TestEveryValueChangesSomething(t *testing.T) {
	var values map[string]any
	load(t, filepath.Join(chart, "values.yaml"), &values)
	known := map[string]bool{}
	var walk func(prefix string, group map[string]any)
	walk = func(prefix string, group map[string]any) {
		for name, v := range group {
			path := prefix + name
			if c, ok := changes[path]; ok {
				known[path] = true
				t.Run(path, func(t *testing.T) { changesSomething(t, path, c) })
				continue
			}
			sub, ok := v.(map[string]any)
			if !ok || len(sub) == 0 {
				t.Errorf("no test changes %s", path)
			}
			walk(path+".", sub)
		}
	}
	walk("", values)
	for path := range changes {
		if !known[path] {
			t.Errorf("values.yaml does not have %s", path)
		}
	}
}

func changesSomething(t *testing.T, path string, c change) {
	t.Parallel()
	var given []string
	if path != "crd.create" { // they are most of what is rendered, and nothing else changes them
		given = []string{"--set-json", "crd.create=false"}
	}
	for _, v := range c.with {
		if strings.HasPrefix(v, "--") {
			given = append(given, v)
			continue
		}
		given = append(given, "--set-json", v)
	}
	before, err := template(t, given...)
	if err != nil {
		t.Fatal(err)
	}
	after, err := template(t, append(given, "--set-json", path+"="+c.json)...)
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Errorf("%s=%s changes nothing", path, c.json)
	}
	decode(t, after)
}
