{{- define "serin.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 40 characters leave room for what is appended, such as "-leader-election". */}}
{{- define "serin.fullname" -}}
{{- $name := include "serin.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "serin.selectorLabels" -}}
app.kubernetes.io/name: {{ include "serin.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* On objects, never on pods: a chart of another version must not restart them for its labels' sake. */}}
{{- define "serin.objectLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "serin.labels" -}}
{{ include "serin.selectorLabels" . }}
{{ include "serin.objectLabels" . }}
{{- end }}

{{- define "serin.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "serin.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "serin.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "serin.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "serin.slackSecretName" -}}
{{- default (printf "%s-slack" (include "serin.fullname" .)) .Values.slack.existingSecret }}
{{- end }}

{{/* Apart from the Secret with url and token, which may be one that the user brings. */}}
{{- define "serin.slackProxySecretName" -}}
{{- printf "%s-slack-proxy" (include "serin.fullname" .) }}
{{- end }}

{{/* The argument is a list of the root and the pull secret that belongs to one image. */}}
{{- define "serin.imagePullSecrets" -}}
{{- $root := index . 0 }}
{{- $secrets := $root.Values.imagePullSecrets }}
{{- with index . 1 }}
{{- $secrets = append $secrets (dict "name" .) }}
{{- end }}
{{- with $secrets | uniq -}}
imagePullSecrets:
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "serin.prometheus.fullname" -}}
{{- printf "%s-prometheus" (include "serin.fullname" .) }}
{{- end }}

{{- define "serin.prometheus.selectorLabels" -}}
app.kubernetes.io/name: {{ include "serin.name" . }}-prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "serin.prometheus.labels" -}}
{{ include "serin.prometheus.selectorLabels" . }}
{{ include "serin.objectLabels" . }}
{{- end }}

{{- define "serin.metricsServer" -}}
{{- if .Values.prometheus.install }}
{{- printf "http://%s.%s:9090" (include "serin.prometheus.fullname" .) .Release.Namespace }}
{{- else }}
{{- .Values.metricsServer }}
{{- end }}
{{- end }}

{{/* The rules of a role in files/rbac. */}}
{{- define "serin.rules" -}}
{{- $root := index . 0 }}
{{- $role := $root.Files.Get (printf "files/rbac/%s" (index . 1)) | fromYaml }}
{{- toYaml $role.rules }}
{{- end }}

{{/* The version of MutatingAdmissionPolicy that the cluster serves. Empty where none is to be installed. */}}
{{- define "serin.policyVersion" -}}
{{- if .Values.admissionPolicy.create }}
{{- $found := "" }}
{{- range $version := list "v1alpha1" "v1beta1" "v1" }}
{{- if $.Capabilities.APIVersions.Has (printf "admissionregistration.k8s.io/%s/MutatingAdmissionPolicy" $version) }}
{{- $found = $version }}
{{- end }}
{{- end }}
{{- $found }}
{{- end }}
{{- end }}

{{/* By these the operator, and the Job that does its work at an uninstall, show load testers who they are. */}}
{{- define "serin.loadtesterArgs" -}}
{{- with .Values.trustedLoadtesters }}
- {{ printf "--trusted-loadtesters=%s" (join "," .) | quote }}
- --loadtester-token-file=/var/run/secrets/serin-loadtester/token
{{- end }}
{{- end }}

{{- define "serin.loadtesterMount" -}}
- name: loadtester-token
  mountPath: /var/run/secrets/serin-loadtester
  readOnly: true
{{- end }}

{{- define "serin.loadtesterVolume" -}}
# Good for nothing but load testers: the API server takes no token of this audience.
- name: loadtester-token
  projected:
    sources:
    - serviceAccountToken:
        path: token
        audience: serin-loadtester
        expirationSeconds: 3600
{{- end }}
