{{- define "metallb.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "metallb.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "metallb.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "metallb.selectorLabels" . }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "metallb.secretName" -}}
{{ default (printf "%s-memberlist" (include "metallb.fullname" .)) .Values.speaker.secretName | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- /* A probe: path, values, host or nothing. */ -}}
{{- define "metallb.probe" -}}
{{- $probe := index . 1 -}}
httpGet: {path: {{ index . 0 }}, port: {{ $probe.port }}{{ with index . 2 }}, host: {{ . }}{{ end }}}
initialDelaySeconds: {{ $probe.initialDelaySeconds }}
periodSeconds: {{ $probe.periodSeconds }}
timeoutSeconds: {{ $probe.timeoutSeconds }}
successThreshold: {{ $probe.successThreshold }}
failureThreshold: {{ $probe.failureThreshold }}
{{- end -}}

{{- /* The head of a definition: kind, plural. */ -}}
{{- define "metallb.definition" -}}
{{- $kind := index . 0 -}}
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{ index . 1 }}.metallb.io
spec:
  group: metallb.io
  names: {kind: {{ $kind }}, listKind: {{ $kind }}List, plural: {{ index . 1 }}, singular: {{ $kind | lower }}}
  scope: Namespaced
{{- end -}}

{{- define "metallb.type" -}}
apiVersion: {type: string}
kind: {type: string}
metadata: {type: object}
{{- end -}}

{{- define "metallb.selectors" -}}
{type: array, items: {type: object, x-kubernetes-map-type: atomic, properties: {matchLabels: {type: object, additionalProperties: {type: string}}, matchExpressions: {type: array, x-kubernetes-list-type: atomic, items: {type: object, required: [key, operator], properties: {key: {type: string}, operator: {type: string}, values: {type: array, x-kubernetes-list-type: atomic, items: {type: string}}}}}}}}
{{- end -}}

{{- define "metallb.peerColumns" -}}
- {name: Address, type: string, jsonPath: .spec.peerAddress}
- {name: ASN, type: string, jsonPath: .spec.peerASN}
- {name: BFD Profile, type: string, jsonPath: .spec.bfdProfile}
- {name: Multi Hops, type: string, jsonPath: .spec.ebgpMultiHop}
{{- end -}}
