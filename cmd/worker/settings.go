package worker

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Cluster is how to reach Kafka and the schema registry, and which topics to use. All programs have it.
type Cluster struct {
	Brokers  List   `envconfig:"KAFKA_BROKERS" default:"localhost:9092" desc:"comma list of host:port"`
	TLS      bool   `envconfig:"KAFKA_TLS" default:"false" desc:"true: speak TLS to the brokers"`
	TLSCA    string `envconfig:"KAFKA_TLS_CA_FILE" desc:"PEM file of the authorities to trust; empty: the system's"`
	TLSCert  string `envconfig:"KAFKA_TLS_CERT_FILE" desc:"PEM file of the client certificate, for mutual TLS"`
	TLSKey   string `envconfig:"KAFKA_TLS_KEY_FILE" desc:"PEM file of its key"`
	SASL     string `envconfig:"KAFKA_SASL_MECHANISM" desc:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: none"`
	Username string `exact:"true" envconfig:"KAFKA_SASL_USERNAME" desc:"user name for SASL"`
	Password Secret `exact:"blanks" envconfig:"KAFKA_SASL_PASSWORD" desc:"password for SASL"`

	RegistryURL      string `envconfig:"SCHEMA_REGISTRY_URL" default:"http://localhost:8081" desc:"Confluent-compatible registry; may have a path, such as /apis/ccompat/v7"`
	RegistryUsername string `exact:"true" envconfig:"SCHEMA_REGISTRY_USERNAME" desc:"user name for the registry"`
	RegistryPassword Secret `exact:"blanks" envconfig:"SCHEMA_REGISTRY_PASSWORD" desc:"password for the registry"`
	RegistryCA       string `envconfig:"SCHEMA_REGISTRY_TLS_CA_FILE" desc:"PEM file of the authorities to trust for the registry"`

	Prefix      string `envconfig:"TOPIC_PREFIX" default:"im" desc:"first part of every topic's name"`
	Partitions  Count  `envconfig:"TOPIC_PARTITIONS" default:"12" desc:"partitions of each topic, used only when topics are created; never changed afterwards"`
	Replication Count  `envconfig:"TOPIC_REPLICATION" default:"0" desc:"replicas of each partition, used only when topics are created; 0: the broker's default"`

	MaxMessage Count `envconfig:"TOPIC_MAX_MESSAGE_BYTES" default:"33554432" desc:"max.message.bytes of each topic, used only when topics are created; lower it where a hosted cluster's policy refuses 32 MiB: larger pages are then asked for again in smaller ones"`

	LogLevel  string `envconfig:"LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
	LogFormat string `envconfig:"LOG_FORMAT" default:"text" desc:"text, or json for machines"`
	// Libraries say much, in words of their own, of what our own lines say once; on is for looking into one of them.
	LogLibraries string `envconfig:"LOG_LIBRARIES" default:"off" desc:"on: log, down to LOG_LEVEL, also what the libraries say (Kafka client, index, embedded broker, HTTP servers), each line with its library"`

	notes notes // what is to be warned about
}

// notes are warnings about settings, said once there is a logger.
type notes []string

func (n *notes) note(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

// Warn says what is odd about the settings. They have been loaded.
func (c *Cluster) Warn(logger *slog.Logger) {
	for _, n := range c.notes {
		logger.Warn(n)
	}
	c.notes = nil
}

// Platforms is what the platforms have in common.
type Platforms struct {
	PlatformCA string `envconfig:"PLATFORM_TLS_CA_FILE" desc:"PEM file of authorities to trust for the platforms beside the system's, such as that of a proxy that opens TLS"`

	roots *x509.CertPool // of PlatformCA; nil: the system's
}

// Feishu is the app of one Feishu or Lark tenant; without an app id the platform is off.
type Feishu struct {
	AppID     string `exact:"true" envconfig:"FEISHU_APP_ID" desc:"id of the app (cli_…); empty: Feishu is off"`
	AppSecret Secret `exact:"true" envconfig:"FEISHU_APP_SECRET" desc:"secret of the app"`
	Tenant    string `exact:"true" envconfig:"FEISHU_TENANT" desc:"names the tenant in keys (default: the app id); set once, never changed"`
	BaseURL   string `envconfig:"FEISHU_BASE_URL" default:"https://open.feishu.cn" desc:"https://open.larksuite.com for Lark"`
	PerMinute Count  `envconfig:"FEISHU_RATE_PER_MINUTE" default:"1000" desc:"the app's quota per API and minute, shared by all extractors"`
	PerSecond Count  `envconfig:"FEISHU_RATE_PER_SECOND" default:"50" desc:"the app's quota per API and second, shared by all extractors"`

	roots *x509.CertPool // as of Platforms
}

// Yunxin is one NetEase Yunxin app; without an app key the platform is off. The app key names the tenant in keys.
type Yunxin struct {
	AppKey     string `exact:"true" envconfig:"YUNXIN_APP_KEY" desc:"key of the app, which names the tenant in keys; empty: Yunxin is off"`
	AppSecret  Secret `exact:"true" envconfig:"YUNXIN_APP_SECRET" desc:"secret of the app"`
	BaseURL    string `envconfig:"YUNXIN_BASE_URL" default:"https://open.yunxinapi.com" desc:"address of the API in the app's data centre"`
	APIVersion string `envconfig:"YUNXIN_API_VERSION" default:"v2" desc:"v2 or v2.1, the part of the API's paths that names its version"`
	PerSecond  Count  `envconfig:"YUNXIN_RATE_PER_SECOND" default:"50" desc:"the app's quota per API and second, shared by all extractors; above it the platform refuses an API for a minute"`
	FileHosts  List   `envconfig:"YUNXIN_FILE_HOSTS" desc:"comma list of hosts (name or *.domain) that files of merged forwards may be fetched from, by https and never from a private address; a whole origin (http://127.0.0.1:9000) lifts both for that origin, for tests (default: the platform's own: *.netease.im, nim.nosdn.127.net, nos.netease.com, *.chatnos.com)"`

	roots *x509.CertPool // as of Platforms
}

// ExtractorSettings are the settings of the extractor.
type ExtractorSettings struct {
	Cluster
	HTTPAddr string `envconfig:"HTTP_ADDR" default:"127.0.0.1:9480" desc:"where /metrics, /healthz and /readyz listen; set but empty: nowhere"`
	Platforms
	Feishu
	Yunxin
	Group    string        `envconfig:"EXTRACTOR_GROUP" desc:"consumer group (default: <prefix>-extractor); its transactional ids are <group>-<partition>; all extractors of a prefix must share one: a second group reads and writes everything again"`
	Workers  Count         `envconfig:"EXTRACTOR_WORKERS" default:"64" desc:"containers read at once by one process; more costs memory and calls in flight"`
	Patience time.Duration `envconfig:"EXTRACTOR_PATIENCE" default:"15m" desc:"how long --once waits for a platform that answers nothing useful before exit 1"`
}

// NormalizerSettings are the settings of the normalizer.
type NormalizerSettings struct {
	Cluster
	HTTPAddr string        `envconfig:"HTTP_ADDR" default:"127.0.0.1:9481" desc:"where /metrics, /healthz and /readyz listen; set but empty: nowhere"`
	Output   string        `envconfig:"NORMALIZER_OUTPUT" desc:"topic of messages (default: <prefix>.messages); another name gives a side-by-side replay from the beginning"`
	Group    string        `envconfig:"NORMALIZER_GROUP" desc:"consumer group (default: <output>-normalizer); its transactional ids are <group>-<partition>"`
	StateDir string        `envconfig:"NORMALIZER_STATE_DIR" default:"./state" desc:"index, in <dir>/<group>, one process each; safe to delete: built anew from the topics"`
	Interval time.Duration `envconfig:"NORMALIZER_COMMIT_INTERVAL" default:"200ms" desc:"longest time a message waits for its transaction; shorter costs smaller batches"`
	Lookups  string        `envconfig:"NORMALIZER_LOOKUPS" desc:"true or false: ask the extractor for link targets that no page has shown (default: true, false for another output)"`
}

// ToolSettings are the settings of the operator's tool.
type ToolSettings struct {
	Cluster
	Output string `envconfig:"NORMALIZER_OUTPUT" desc:"topic of messages (default: <prefix>.messages) to create or to read"`
	Platforms
	Feishu
	Yunxin
}

// programs lists all settings structs, to tell a misspelt name from another program's setting.
func programs() []any {
	return []any{&ExtractorSettings{}, &NormalizerSettings{}, &ToolSettings{}}
}

// SettingError is a setting that cannot be used. Its text never holds the value.
type SettingError struct {
	Name string
	Why  string
}

func (e *SettingError) Error() string { return e.Name + " " + e.Why }

// Load fills a pointer to one of the settings structs from the environment. A variable that is set but empty counts as
// not set, but for HTTP_ADDR. Errors are *SettingError.
func Load(settings any) error {
	if err := parse(settings); err != nil {
		return err
	}
	if v, ok := settings.(interface{ check() error }); ok {
		return v.check()
	}
	return nil
}

// parse fills settings without a look at whether they go together.
func parse(settings any) error {
	if err := unknown(os.Environ()); err != nil {
		return err
	}
	var said notes
	for _, f := range Fields(settings) {
		if f.Secret {
			if err := said.fromFile(f.Name); err != nil {
				return err
			}
		}
		if err := said.tidy(f); err != nil {
			return err
		}
	}
	err := envconfig.Process("", settings)
	var parse *envconfig.ParseError
	if errors.As(err, &parse) {
		return &SettingError{parse.KeyName, "is not a valid " + typeWords(parse.TypeName)}
	}
	if err != nil {
		return &SettingError{"settings", "cannot be read: " + err.Error()}
	}
	if v, ok := settings.(interface{ remember(notes) }); ok {
		v.remember(said)
	}
	return nil
}

func (c *Cluster) remember(said notes) { c.notes = append(c.notes, said...) }

// tidy cuts blanks and invisible characters off the ends of a variable, refuses them within an id or credential, and takes
// an empty one away: the library would take it as set, and skip the default.
func (n *notes) tidy(f Field) error {
	v, set := os.LookupEnv(f.Name)
	if !set {
		return nil
	}
	cut, what := Cut(v)
	if what != "" {
		n.note("%s: blanks or invisible characters at its ends were cut off (%s)", f.Name, what)
		if err := os.Setenv(f.Name, cut); err != nil {
			return &SettingError{f.Name, "cannot be read: " + err.Error()}
		}
	}
	within := cut
	if f.Blanks {
		within = strings.ReplaceAll(cut, " ", "")
	}
	if point := Within(within); f.Exact && point != "" {
		return &SettingError{f.Name, "holds a blank or invisible character (" + point + "): copy it again"}
	}
	if f.Exact && !f.Secret && Placeholder(cut) {
		return &SettingError{f.Name, "is the placeholder of an example: put your own in its place"}
	}
	if cut == "" && f.Name != "HTTP_ADDR" {
		if err := os.Unsetenv(f.Name); err != nil {
			return &SettingError{f.Name, "cannot be read: " + err.Error()}
		}
	}
	return nil
}

func typeWords(t string) string {
	switch {
	case strings.HasSuffix(t, "Duration"):
		return "duration, such as 200ms, 30s or 15m"
	case strings.HasSuffix(t, "Count"):
		return "whole number"
	case t == "bool":
		return "true or false"
	}
	return "value"
}

// maxSecret is the most bytes of a file with a secret; a longer one is something else.
const maxSecret = 64 << 10

// fromFile takes a secret from the file that NAME_FILE names; one newline at its end is not part of it. No error repeats
// the file's name: it is where secrets are put by mistake.
func (n *notes) fromFile(name string) error {
	path := os.Getenv(name + "_FILE")
	if path == "" {
		return nil
	}
	if os.Getenv(name) != "" {
		return &SettingError{name, "and " + name + "_FILE are both set: choose one"}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return &SettingError{name + "_FILE", "names a file that cannot be read: " + withoutPath(err)}
	}
	text, what := Cut(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
	switch {
	case what != "":
		n.note("%s_FILE: blanks or invisible characters at the ends of the file's text were cut off (%s)", name, what)
	case len(text) > maxSecret:
		return &SettingError{name + "_FILE", fmt.Sprintf("names a file of more than %d bytes, which is no secret", maxSecret)}
	}
	if strings.ContainsRune(text, 0) {
		return &SettingError{name + "_FILE", "names a file that holds a zero byte (U+0000), as one in UTF-16 does: save it as UTF-8"}
	}
	if err := os.Setenv(name, text); err != nil {
		return &SettingError{name + "_FILE", "holds what no setting can hold: " + err.Error()}
	}
	if err := os.Unsetenv(name + "_FILE"); err != nil { // it has been read: settings may be loaded again
		return &SettingError{name + "_FILE", "cannot be read: " + err.Error()}
	}
	return nil
}

// withoutPath is the reason of a failed call on a file without its name.
func withoutPath(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return "it cannot be used"
}

// ownPrefixes begin names that are ours alone: one that no program knows is a mistake.
var ownPrefixes = []string{"FEISHU_", "YUNXIN_", "EXTRACTOR_", "NORMALIZER_"}

func unknown(environ []string) error {
	known := map[string]bool{}
	for _, p := range programs() {
		for _, f := range Fields(p) {
			known[f.Name] = true
			if f.Secret {
				known[f.Name+"_FILE"] = true
			}
		}
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value == "" { // templates of Kubernetes and compose leave such names behind
			continue
		}
		for _, prefix := range ownPrefixes {
			if strings.HasPrefix(name, prefix) && !known[name] && !injected(name) {
				return &SettingError{name, "is not a setting: see --help for the names"}
			}
		}
	}
	return nil
}

// injected recognises the variables that Kubernetes makes for a service that is called like one of our prefixes
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
func injected(name string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// Field is one setting.
type Field struct {
	Name, Default, Meaning string
	Secret                 bool
	Exact                  bool // an id or credential: no blank or invisible character within
	Blanks                 bool // a plain blank within is fine: a pass phrase
}

// Fields lists the settings of a settings struct, in order.
func Fields(settings any) []Field {
	var out []Field
	t := reflect.TypeOf(settings).Elem()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, Fields(reflect.New(f.Type).Interface())...)
			continue
		}
		if !f.IsExported() {
			continue
		}
		exact := f.Tag.Get("exact")
		out = append(out, Field{
			Name: f.Tag.Get("envconfig"), Default: f.Tag.Get("default"), Meaning: f.Tag.Get("desc"),
			Secret: f.Type == reflect.TypeFor[Secret](), Exact: exact != "", Blanks: exact == "blanks",
		})
	}
	return out
}

// Secret is a setting that no log, error or dump shows.
type Secret string

// String hides the secret.
func (Secret) String() string { return "(secret)" }

// GoString hides it from %#v.
func (Secret) GoString() string { return "(secret)" }

// MarshalText hides it from JSON and from structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// List is a comma list; blanks around items and empty items do not count.
type List []string

// Decode implements envconfig.Decoder.
func (l *List) Decode(s string) error {
	*l = nil
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

// Count is a whole number, 0 or more, in decimal: the library would read 010 as 8.
type Count int

// Decode implements envconfig.Decoder.
func (c *Count) Decode(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return fmt.Errorf("not a whole number")
	}
	*c = Count(n)
	return nil
}
