{{/* How those who scrape the operator prove who they are. */}}
{{- define "serin.metricsAuth" -}}
{{- $auth := .Values.metrics.auth }}
{{- if and (eq $auth "kubernetes") .Values.namespace }}
{{- fail "metrics.auth=kubernetes needs rights that reach beyond a namespace, and with namespace the operator has none: set metrics.auth to certificate, with metrics.certSecret, or to none" }}
{{- else if and (eq $auth "certificate") (not .Values.metrics.certSecret) }}
{{- fail "metrics.auth=certificate needs metrics.certSecret: a Secret with tls.crt, tls.key and, for those who may scrape, their authority in ca.crt" }}
{{- else if and (has $auth (list "none" "disabled")) .Values.metrics.certSecret }}
{{- fail (printf "metrics.certSecret has no effect with metrics.auth=%s: set metrics.auth to kubernetes or certificate, or leave one of the two out" $auth) }}
{{- else if $auth }}
{{- $auth }}
{{- else if not .Values.namespace }}
{{- "kubernetes" }}
{{- else }}
{{- ternary "certificate" "disabled" (not (empty .Values.metrics.certSecret)) }}
{{- end }}
{{- end }}

{{- define "serin.metricsPort" -}}
{{- ternary 8080 8443 (eq (include "serin.metricsAuth" .) "none") }}
{{- end }}

{{/* The arguments are the root, the name of a monitor's group of values, and what its kind gives a Prometheus
to prove who it is by a token. */}}
{{- define "serin.metricsEndpoint" -}}
{{- $root := index . 0 }}
{{- $name := index . 1 }}
{{- $monitor := get $root.Values $name }}
{{- $auth := include "serin.metricsAuth" $root }}
{{- $endpoint := dict "port" "metrics" }}
{{- with $monitor.interval }}
{{- $_ := set $endpoint "interval" . }}
{{- end }}
{{- if eq $auth "disabled" }}
{{- fail (printf "%s.enabled has nothing to scrape: with namespace, metrics are served once metrics.certSecret, or metrics.auth=none, is set" $name) }}
{{- end }}
{{- if ne $auth "none" }}
{{- $_ := set $endpoint "scheme" "https" }}
{{- if not $root.Values.metrics.certSecret }}
{{- $_ := set $endpoint "tlsConfig" (dict "insecureSkipVerify" true) }}
{{- end }}
{{- end }}
{{- if eq $auth "kubernetes" }}
{{- $endpoint = merge $endpoint (index . 2) }}
{{- end }}
{{- $endpoint = mergeOverwrite $endpoint (deepCopy $monitor.endpoint) }}
{{- if and (eq $auth "kubernetes") (not (or $endpoint.authorization $endpoint.bearerTokenFile $endpoint.bearerTokenSecret $endpoint.oauth2)) }}
{{- fail (printf "%s would not be let in: set %s.endpoint.authorization.credentials to {name, key} of a Secret with a token that has the right to /metrics, or use serviceMonitor" $name $name) }}
{{- end }}
{{- if and (eq $auth "certificate") (not (dig "tlsConfig" "cert" "" $endpoint)) (not (dig "tlsConfig" "certFile" "" $endpoint)) }}
{{- fail (printf "%s would not be let in: set %s.endpoint.tlsConfig with ca, cert and keySecret, a certificate of the authority in metrics.certSecret" $name $name) }}
{{- end }}
{{- toYaml $endpoint }}
{{- end }}
