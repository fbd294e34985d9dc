{{- define "hub.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "hub.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "hub.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "hub.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "hub.selector" -}}
app.kubernetes.io/name: {{ include "hub.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hub.labels" -}}
{{ include "hub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "hub.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "hub.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "hub.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "hub.claim" -}}
{{- default (printf "%s-data" (include "hub.fullname" .)) .Values.log.sqlite.existingClaim }}
{{- end }}

{{/* Whether there may be more than one pod. */}}
{{- define "hub.isMany" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}true{{ end }}
{{- end }}

{{/* The file of API keys; empty if there is none. */}}
{{- define "hub.keys" -}}
{{- if and .Values.auth.existingSecret (not .Values.auth.none) }}/keys/{{ .Values.auth.key }}{{ end }}
{{- end }}

{{/* What the port speaks: TLS if the hub has a certificate of its own. */}}
{{- define "hub.scheme" -}}
{{- if .Values.settings.TLS_CERT }}https{{ else }}http{{ end }}
{{- end }}

{{/* A value as the text of a variable: toString would write a million as 1e+06. */}}
{{- define "hub.text" -}}
{{- if kindIs "string" . }}{{ quote . }}{{ else }}{{ toJson . | quote }}{{ end }}
{{- end }}

{{/* What the schema cannot say. */}}
{{- define "hub.check" -}}
{{- $hasOwn := or .Values.envFrom (hasKey .Values.settings "JWT_ISSUERS") (hasKey .Values.settings "JWT_SECRET") (hasKey .Values.settings "LOGIN_ISSUER") (hasKey .Values.settings "TLS_CLIENT_CA") (hasKey .Values.settings "ANONYMOUS_SUBSCRIBE") (hasKey .Values.settings "ANONYMOUS_PUBLISH") }}
{{- if not (or .Values.auth.existingSecret .Values.auth.none $hasOwn) }}
{{- fail "The hub does not start until it knows who may do what: set auth.existingSecret to a Secret with the keys file of `sse-mcp-server key create`, or settings.JWT_ISSUERS, or auth.none=true if everyone who reaches it may do everything" }}
{{- end }}
{{- if and (eq .Values.log.mode "redis") (not .Values.log.redis.existingSecret) }}
{{- fail "log.mode is redis: set log.redis.existingSecret to a Secret with the URL of a Redis or Valkey" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled is true: set httpRoute.parentRefs to the Gateway, such as [{name: my-gateway}]" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.enabled is true: set ingress.host to the name that clients use" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.auth.none) (not .Values.serviceMonitor.existingSecret) }}
{{- fail "serviceMonitor.enabled is true: /metrics asks for the API key of an admin; set serviceMonitor.existingSecret to a Secret with one" }}
{{- end }}
{{- end }}
