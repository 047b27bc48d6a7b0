package worker

import (
	"cmp"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors/yunxin"
)

// Where a setting comes from.
const (
	SourceDefault     = "default"
	SourceEnvironment = "environment"
	SourceFile        = "file" // named by its …_FILE
)

// Effective is a setting as a program would use it.
type Effective struct {
	Name     string   `json:"name"`
	Value    string   `json:"value"` // of a secret "set", or empty
	Source   string   `json:"source"`
	Programs []string `json:"programs"` // that read it
}

// EffectiveSettings gives all settings of all programs, each once; one whose default differs between programs once for each
// default. An error is a *SettingError: of what does not parse, or cannot hold for any program.
func EffectiveSettings() ([]Effective, error) {
	var tool ToolSettings
	var normalizer NormalizerSettings
	var extractor ExtractorSettings
	sources := sourcesOf(&extractor, &normalizer, &tool)
	if err := Load(&tool); err != nil {
		return nil, err
	}
	if err := Load(&normalizer); err != nil {
		return nil, err
	}
	if err := parse(&extractor); err != nil { // whether it has a platform is not asked here
		return nil, err
	}
	extractor.derive()
	extractor.Tenant = tool.Tenant
	normalizer.Lookups = strconv.FormatBool(normalizer.asks())
	tool.Output = normalizer.Output
	if len(extractor.FileHosts) == 0 {
		extractor.FileHosts, tool.FileHosts = yunxin.DefaultFileHosts, yunxin.DefaultFileHosts
	}
	var out []Effective
	for _, p := range []struct {
		name     string
		settings any
	}{{"extractor", &extractor}, {"normalizer", &normalizer}, {"chatlake", &tool}} {
		values := valuesOf(p.settings)
		for n, f := range Fields(p.settings) {
			e := Effective{Name: f.Name, Value: values[n], Source: cmp.Or(sources[f.Name], SourceDefault), Programs: []string{p.name}}
			at := slices.IndexFunc(out, func(o Effective) bool { return o.Name == e.Name && o.Value == e.Value })
			if at < 0 {
				out = append(out, e)
				continue
			}
			out[at].Programs = append(out[at].Programs, p.name)
		}
	}
	return out, nil
}

// sourcesOf tells which settings are set, and how. It is for before they are loaded, which reads files into variables.
func sourcesOf(all ...any) map[string]string {
	sources := map[string]string{}
	for _, settings := range all {
		for _, f := range Fields(settings) {
			v, set := os.LookupEnv(f.Name)
			cut, _ := Cut(v)
			switch {
			case cut != "" || set && f.Name == "HTTP_ADDR":
				sources[f.Name] = SourceEnvironment
			case f.Secret && os.Getenv(f.Name+"_FILE") != "":
				sources[f.Name] = SourceFile
			}
		}
	}
	return sources
}

// valuesOf gives the values of a settings struct, in the order of Fields.
func valuesOf(settings any) []string {
	var out []string
	v := reflect.ValueOf(settings).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Anonymous:
			out = append(out, valuesOf(v.Field(i).Addr().Interface())...)
		case f.IsExported():
			out = append(out, valueText(v.Field(i).Interface()))
		}
	}
	return out
}

// valueText is a value as one would write it into a variable.
func valueText(v any) string {
	switch v := v.(type) {
	case Secret:
		if v == "" {
			return ""
		}
		return "set"
	case List:
		return strings.Join(v, ",")
	case time.Duration:
		s := v.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	}
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return strconv.FormatInt(r.Int(), 10)
	case r.Kind() == reflect.Bool:
		return strconv.FormatBool(r.Bool())
	}
	return r.String()
}
