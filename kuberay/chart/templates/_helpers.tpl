{{- /* The ConfigMap of one file of base/config, with the settings of the values; its name depends on what it says. */ -}}
{{- define "wallets.settings" -}}
{{- $data := dict -}}
{{- range $line := splitList "\n" (.root.Files.Get (printf "base/config/%s.env" .name)) -}}
  {{- if and $line (not (hasPrefix "#" $line)) -}}
    {{- $pair := splitn "=" 2 $line -}}
    {{- $_ := set $data $pair._0 $pair._1 -}}
  {{- end -}}
{{- end -}}
{{- if eq .name "ray" -}}{{- $_ := set $data "APP__TOPOLOGY" .root.Values.topology -}}{{- end -}}
{{- range $key, $value := index .root.Values.settings .name -}}{{- $_ := set $data $key (include "wallets.text" $value) -}}{{- end -}}
{{- dict "name" (printf "wallets-%s-settings-%s" .name (toJson $data | sha256sum | trunc 10)) "data" $data | toYaml -}}
{{- end -}}

{{- /* A value as text. Numbers of files of values are floats, of which toString makes 1e+06 from a million on. */ -}}
{{- define "wallets.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ printf "%.0f" . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{- define "wallets.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}
{{- else if and .tag (eq .pullPolicy "Never") -}}{{ .repository }}:{{ .tag }}
{{- else -}}{{ fail "image.digest: name the image by digest (sha256:...); a tag is taken only with pullPolicy Never" }}
{{- end -}}
{{- end -}}

{{- /* A text of base or of an overlay, with the image and the names of the ConfigMaps put in. */ -}}
{{- define "wallets.placed" -}}
{{- $root := .root -}}
{{- $text := .text | replace "image: crypto-wallets-service\n" (printf "image: %s\n" (include "wallets.image" $root.Values.image)) -}}
{{- $text = $text | replace "imagePullPolicy: IfNotPresent\n" (printf "imagePullPolicy: %s\n" $root.Values.image.pullPolicy) -}}
{{- range $name := list "ray" "edge" "custody" "redis" -}}
  {{- $config := include "wallets.settings" (dict "root" $root "name" $name) | fromYaml -}}
  {{- $text = $text | replace (printf "name: wallets-%s-settings\n" $name) (printf "name: %s\n" $config.name) -}}
{{- end -}}
{{- $text -}}
{{- end -}}
