package v1beta1_test

import "testing"

const canary = `
apiVersion: serin.dev/v1beta1
kind: Canary
metadata: {name: podinfo}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  service: {port: 9898}
  analysis: {interval: 1m, threshold: 5, stepWeight: 10}
`

var canaryAdmission = map[string]admission{
	"the least that a canary needs":  {},
	"no service":                     {`spec: {service: null}`, "service is missing: set service.port to the port that receives the traffic"},
	"no service, and Knative routes": {`spec: {service: null, provider: knative, targetRef: {apiVersion: serving.knative.dev/v1, kind: Service}}`, ""},
	"no port":                        {`spec: {service: {port: null}}`, "spec.service.port: Required value"},
	"no target":                      {`spec: {targetRef: null}`, "spec.targetRef: Required value"},
	"a field that does not exist":    {`spec: {analysis: {stepWieght: 5}}`, `unknown field "spec.analysis.stepWieght"`},

	"no analysis": {`spec: {analysis: null}`,
		"analysis is missing: say how a revision is judged, or set skipAnalysis: true"},
	"no analysis, and skipped":     {`spec: {analysis: null, skipAnalysis: true}`, ""},
	"no analysis, and not skipped": {`spec: {analysis: null, skipAnalysis: false}`, "analysis is missing"},

	"a router that the field knows":      {`spec: {provider: "gatewayapi:v1"}`, ""},
	"a router that nobody knows":         {`spec: {provider: haproxy}`, `Unsupported value: "haproxy"`},
	"a metrics server":                   {`spec: {metricsServer: "http://prometheus.monitoring:9090"}`, ""},
	"a metrics server left empty":        {`spec: {metricsServer: ""}`, ""},
	"a metrics server without http":      {`spec: {metricsServer: "prometheus:9090"}`, "metricsServer must be a URL that begins with http:// or https://"},
	"a progress deadline of a minute":    {`spec: {progressDeadlineSeconds: 60}`, ""},
	"a progress deadline that is over":   {`spec: {progressDeadlineSeconds: 0}`, "greater than or equal to 1"},
	"suspended, and reverted when it is": {`spec: {suspend: true, revertOnDeletion: true}`, ""},

	"a DaemonSet":                       {`spec: {targetRef: {kind: DaemonSet}}`, ""},
	"a Deployment of a former group":    {`spec: {targetRef: {apiVersion: extensions/v1beta1}}`, ""},
	"a Service":                         {`spec: {targetRef: {apiVersion: v1, kind: Service}}`, ""},
	"a Service in the field's words":    {`spec: {targetRef: {apiVersion: core/v1, kind: Service}}`, ""},
	"a Service of Knative":              {`spec: {targetRef: {apiVersion: serving.knative.dev/v1, kind: Service}}`, ""},
	"a target without its apiVersion":   {`spec: {targetRef: {apiVersion: null}}`, "spec.targetRef.apiVersion: Required value"},
	"a StatefulSet":                     {`spec: {targetRef: {kind: StatefulSet}}`, "kind must be Deployment, DaemonSet or Service"},
	"a Deployment in the field's words": {`spec: {targetRef: {apiVersion: v1}}`, ""},
	"a DaemonSet of another group": {`spec: {targetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: DaemonSet}}`,
		"the apiVersion of a Deployment or DaemonSet is apps/v1"},
	"a Service of another group": {`spec: {targetRef: {kind: Service}}`,
		"the apiVersion of a Service is v1, or serving.knative.dev/v1 for one of Knative"},
	"a name that leaves room for -primary": {`spec: {targetRef: {name: ` + name55 + `}}`, ""},
	"a name that leaves none": {`spec: {targetRef: {name: ` + name55 + `x}}`,
		"the name in targetRef is longer than 55 characters and cannot name the Services <name>-primary and <name>-canary: set service.name to a shorter one"},
	"a name that leaves none, and a Service name": {`spec: {targetRef: {name: ` + name55 + `x}, service: {name: podinfo}}`, ""},
	"a Service name that leaves none":             {`spec: {service: {name: ` + name55 + `x}}`, "may not be more than 55"},

	"an autoscaler": {`spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo}}`, ""},
	"an autoscaler of another group": {`spec: {autoscalerRef: {apiVersion: v2, kind: HorizontalPodAutoscaler, name: podinfo}}`,
		"the apiVersion of a HorizontalPodAutoscaler is autoscaling/v2"},
	"a scaled object with bounds": {`spec: {autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: podinfo,
		primaryScalerQueries: {prometheus-trigger: "sum(rate(x[1m]))"}, primaryScalerReplicas: {minReplicas: 2, maxReplicas: 2}}}`, ""},
	"a scaled object of another group": {`spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: ScaledObject, name: podinfo}}`,
		"the apiVersion of a ScaledObject is keda.sh/v1alpha1"},
	"one bound": {`spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo,
		primaryScalerReplicas: {minReplicas: 2}}}`, ""},
	"bounds that cross": {`spec: {autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo,
		primaryScalerReplicas: {minReplicas: 3, maxReplicas: 2}}}`, "minReplicas must not be greater than maxReplicas"},

	"an Ingress":             {`spec: {ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: podinfo}}`, ""},
	"an Ingress of a kind":   {`spec: {ingressRef: {apiVersion: networking.k8s.io/v1, kind: Route, name: podinfo}}`, "kind must be Ingress"},
	"an ApisixRoute":         {`spec: {routeRef: {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: podinfo}}`, ""},
	"a route of a kind":      {`spec: {routeRef: {apiVersion: v1, kind: HTTPRoute, name: podinfo}}`, "kind must be ApisixRoute"},
	"an Upstream elsewhere":  {`spec: {upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: podinfo, namespace: gloo-system}}`, ""},
	"an Upstream of a kind":  {`spec: {upstreamRef: {apiVersion: v1, kind: Service, name: podinfo}}`, "kind must be Upstream"},
	"a port out of range":    {`spec: {service: {port: 65536}}`, "less than or equal to 65535"},
	"a target port's name":   {`spec: {service: {targetPort: http}}`, ""},
	"a target port's number": {`spec: {service: {targetPort: 8080}}`, ""},

	"one comparison":                {`spec: {service: {match: [{uri: {prefix: /}, method: {exact: GET}, headers: {x-user: {}}}]}}`, ""},
	"two comparisons":               {`spec: {service: {match: [{uri: {prefix: /, exact: /}}]}}`, "set only one of exact, prefix, suffix and regex"},
	"a mirror with a port":          {`spec: {service: {mirror: [{backendRef: {name: shadow, port: 80}}]}}`, ""},
	"a mirror of another kind":      {`spec: {service: {mirror: [{backendRef: {group: x.io, kind: Backend, name: shadow}}]}}`, ""},
	"a mirror without a port":       {`spec: {service: {mirror: [{backendRef: {name: shadow}}]}}`, "port is missing: a Service needs one"},
	"a traffic policy of any shape": {`spec: {service: {trafficPolicy: {connectionPool: {http: {maxRetries: 3}}, tls: {mode: DISABLE}}}}`, ""},
	"a traffic policy of no shape":  {`spec: {service: {trafficPolicy: DISABLE}}`, "must be of type object"},
}

// name55 is the longest name that fits with -primary into the name of a Service.
const name55 = "podinfo-podinfo-podinfo-podinfo-podinfo-podinfo-podinfo"

func TestCanaryAdmission(t *testing.T) { admit(t, canary, canaryAdmission) }
