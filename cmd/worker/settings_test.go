package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"chatlake/cmd/worker"
	"chatlake/connectors/yunxin"
)

// clean takes every setting of ours out of the environment for one test.
func clean(t *testing.T) {
	t.Helper()
	for _, s := range []any{&worker.ExtractorSettings{}, &worker.NormalizerSettings{}} {
		for _, f := range worker.Fields(s) {
			for _, name := range []string{f.Name, f.Name + "_FILE"} {
				t.Setenv(name, "") // so that it is put back
				if err := os.Unsetenv(name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestReadmeListsEverySetting(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "<!-- settings -->")
	table, _, _ = strings.Cut(table, "<!-- /settings -->")
	row := regexp.MustCompile(`(?m)^\| ([A-Z_]+)(?:\[_FILE\])? \| (.*?) \| (.*) \|$`)
	rows := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		rows[m[1]] = m[2:]
	}
	known := map[string]bool{}
	for _, s := range []any{&worker.ExtractorSettings{}, &worker.NormalizerSettings{}} {
		for _, f := range worker.Fields(s) {
			known[f.Name] = true
			r := rows[f.Name]
			if r == nil {
				t.Errorf("README does not list %s", f.Name)
				continue
			}
			if !strings.Contains(r[0], f.Default) || (f.Default == "" && r[0] != "") {
				t.Errorf("%s: README says the default is %q, it is %q", f.Name, r[0], f.Default)
			}
			if got := strings.NewReplacer(`\<`, "<", `\*`, "*").Replace(r[1]); got != f.Meaning {
				t.Errorf("%s: README says %q, --help says %q", f.Name, got, f.Meaning)
			}
		}
	}
	for name := range rows {
		if !known[name] {
			t.Errorf("README lists %s, which is no setting", name)
		}
	}
}

func TestLoad(t *testing.T) {
	const secret = "s3cr3t-value"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": secret}
	tests := []struct {
		name string
		env  map[string]string
		want string // name of the setting that is refused, "" if none
	}{
		{"an app is enough", app, ""},
		{"no app", nil, "FEISHU_APP_ID"},
		{"no secret", map[string]string{"FEISHU_APP_ID": "cli_a"}, "FEISHU_APP_SECRET"},
		{"secret from a file", map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET_FILE": file}, ""},
		{"secret twice", map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": secret, "FEISHU_APP_SECRET_FILE": file}, "FEISHU_APP_SECRET"},
		{"file is missing", map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET_FILE": file + "x"}, "FEISHU_APP_SECRET_FILE"},
		{"misspelt", with(app, "EXTRACTOR_WORKER", "3"), "EXTRACTOR_WORKER"},
		{"another program's", with(app, "NORMALIZER_OUTPUT", "x"), ""},
		{"empty is not set", with(app, "EXTRACTOR_WORKERS", ""), ""},
		{"misspelt, of Yunxin", with(app, "YUNXIN_APPKEY", "k"), "YUNXIN_APPKEY"},
		{"empty and unknown", with(app, "YUNXIN_SOMETHING", ""), ""},
		{"injected by Kubernetes", with(app, "EXTRACTOR_SERVICE_HOST", "10.0.0.1"), ""},
		{"injected by Kubernetes, port", with(app, "EXTRACTOR_PORT_9480_TCP_ADDR", "10.0.0.1"), ""},
		{"a word for a number", with(app, "EXTRACTOR_WORKERS", secret), "EXTRACTOR_WORKERS"},
		{"a negative number", with(app, "EXTRACTOR_WORKERS", "-1"), "EXTRACTOR_WORKERS"},
		{"no worker", with(app, "EXTRACTOR_WORKERS", "0"), "EXTRACTOR_WORKERS"},
		{"no duration", with(app, "EXTRACTOR_PATIENCE", "15"), "EXTRACTOR_PATIENCE"},
		{"neither true nor false", with(app, "KAFKA_TLS", "perhaps"), "KAFKA_TLS"},
		{"no brokers", with(app, "KAFKA_BROKERS", " , "), "KAFKA_BROKERS"},
		{"broker without port", with(app, "KAFKA_BROKERS", "localhost"), "KAFKA_BROKERS"},
		{"broker with a word for a port", with(app, "KAFKA_BROKERS", "a:1,localhost:kafka"), "KAFKA_BROKERS"},
		{"address without port", with(app, "HTTP_ADDR", "localhost"), "HTTP_ADDR"},
		{"registry without scheme", with(app, "SCHEMA_REGISTRY_URL", "localhost:8081"), "SCHEMA_REGISTRY_URL"},
		{"registry with credentials", with(app, "SCHEMA_REGISTRY_URL", "http://u:"+secret+"@h"), "SCHEMA_REGISTRY_URL"},
		{"unknown mechanism", with(app, "KAFKA_SASL_MECHANISM", "GSSAPI"), "KAFKA_SASL_MECHANISM"},
		{"mechanism without user", with(app, "KAFKA_SASL_MECHANISM", "PLAIN"), "KAFKA_SASL_USERNAME"},
		{"certificate without key", with(app, "KAFKA_TLS_CERT_FILE", "x"), "KAFKA_TLS_CERT_FILE"},
		{"prefix that no topic can have", with(app, "TOPIC_PREFIX", "a/b"), "TOPIC_PREFIX"},
		{"level that is none", with(app, "LOG_LEVEL", "loud"), "LOG_LEVEL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clean(t)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var s worker.ExtractorSettings
			err := worker.Load(&s)
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want == "" && (string(s.Feishu.AppSecret) != secret || s.Tenant != "cli_a" || s.Group != "im-extractor" || s.Workers != 64):
				t.Errorf("got %+v", s)
			case tt.want == "":
			case err == nil:
				t.Fatal("it was accepted")
			case !strings.HasPrefix(err.Error(), tt.want+" "):
				t.Errorf("error does not begin with %s: %v", tt.want, err)
			case strings.Contains(err.Error(), secret):
				t.Errorf("error shows the value: %v", err)
			case worker.ExitCode(err, 1) != 2:
				t.Errorf("exit code %d, want 2", worker.ExitCode(err, 1))
			}
		})
	}
}

// TestLoadYunxin is the same for the second platform, alone and beside the first.
func TestLoadYunxin(t *testing.T) {
	const secret = "s3cr3t-value"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := map[string]string{"YUNXIN_APP_KEY": "key", "YUNXIN_APP_SECRET": secret}
	tests := []struct {
		name string
		env  map[string]string
		want string // name of the setting that is refused, "" if none
	}{
		{"an app is enough", app, ""},
		{"beside Feishu", with(with(app, "FEISHU_APP_ID", "cli_a"), "FEISHU_APP_SECRET", "s"), ""},
		{"beside half a Feishu", with(app, "FEISHU_APP_ID", "cli_a"), "FEISHU_APP_SECRET"},
		{"secret from a file", map[string]string{"YUNXIN_APP_KEY": "key", "YUNXIN_APP_SECRET_FILE": file}, ""},
		{"no secret", map[string]string{"YUNXIN_APP_KEY": "key"}, "YUNXIN_APP_SECRET"},
		{"no key", map[string]string{"YUNXIN_APP_SECRET": secret}, "YUNXIN_APP_KEY"},
		{"secret twice", with(app, "YUNXIN_APP_SECRET_FILE", file), "YUNXIN_APP_SECRET"},
		{"file is missing", map[string]string{"YUNXIN_APP_KEY": "key", "YUNXIN_APP_SECRET_FILE": file + "x"}, "YUNXIN_APP_SECRET_FILE"},
		{"the newer API", with(app, "YUNXIN_API_VERSION", "v2.1"), ""},
		{"no such API", with(app, "YUNXIN_API_VERSION", "v3"), "YUNXIN_API_VERSION"},
		{"no rate", with(app, "YUNXIN_RATE_PER_SECOND", "0"), "YUNXIN_RATE_PER_SECOND"},
		{"a word for a rate", with(app, "YUNXIN_RATE_PER_SECOND", "fast"), "YUNXIN_RATE_PER_SECOND"},
		{"address without scheme", with(app, "YUNXIN_BASE_URL", "open.yunxinapi.com"), "YUNXIN_BASE_URL"},
		{"address with credentials", with(app, "YUNXIN_BASE_URL", "https://u:"+secret+"@h"), "YUNXIN_BASE_URL"},
		{"hosts", with(app, "YUNXIN_FILE_HOSTS", "files.example, *.cdn.example ,http://127.0.0.1:9000"), ""},
		{"no host", with(app, "YUNXIN_FILE_HOSTS", "files.example,a/b"), "YUNXIN_FILE_HOSTS"},
		{"any host", with(app, "YUNXIN_FILE_HOSTS", "*"), "YUNXIN_FILE_HOSTS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clean(t)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var s worker.ExtractorSettings
			err := worker.Load(&s)
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want == "" && (string(s.Yunxin.AppSecret) != secret || s.AppKey != "key" || s.Yunxin.PerSecond != 50 || s.Yunxin.BaseURL != yunxin.DefaultBaseURL):
				t.Errorf("got %+v", s)
			case tt.want == "":
			case err == nil:
				t.Fatal("it was accepted")
			case !strings.HasPrefix(err.Error(), tt.want+" ") || strings.Contains(err.Error(), secret) || worker.ExitCode(err, 1) != 2:
				t.Errorf("refused with %d: %v", worker.ExitCode(err, 1), err)
			}
		})
	}
}

func TestNoPlatformNamesBothWays(t *testing.T) {
	clean(t)
	err := worker.Load(&worker.ExtractorSettings{})
	if worker.ExitCode(err, 1) != 2 {
		t.Fatalf("accepted, or another fault: %v", err)
	}
	for _, name := range []string{"FEISHU_APP_ID", "FEISHU_APP_SECRET", "YUNXIN_APP_KEY", "YUNXIN_APP_SECRET"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

// TestToolNeedsNoSecret has the tool take a tenant of each platform from what is no secret.
func TestToolNeedsNoSecret(t *testing.T) {
	clean(t)
	t.Setenv("FEISHU_APP_ID", "cli_a")
	t.Setenv("YUNXIN_APP_KEY", "key")
	var s worker.ToolSettings
	if err := worker.Load(&s); err != nil || s.Tenant != "cli_a" || s.AppKey != "key" {
		t.Errorf("%+v, %v", s, err)
	}
	t.Setenv("YUNXIN_API_VERSION", "v3")
	if err := worker.Load(&worker.ToolSettings{}); err == nil || !strings.HasPrefix(err.Error(), "YUNXIN_API_VERSION ") {
		t.Errorf("a version that is none: %v", err)
	}
}

// TestFileHostsAreThoseOfTheConnector compares what --help says with what holds.
func TestFileHostsAreThoseOfTheConnector(t *testing.T) {
	for _, f := range worker.Fields(&worker.ExtractorSettings{}) {
		if f.Name == "YUNXIN_FILE_HOSTS" && !strings.Contains(f.Meaning, strings.Join(yunxin.DefaultFileHosts, ", ")) {
			t.Errorf("%s says %q, but the connector takes %v", f.Name, f.Meaning, yunxin.DefaultFileHosts)
		}
	}
}

func with(m map[string]string, k, v string) map[string]string {
	out := map[string]string{k: v}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func TestValuesThatTheLibraryWouldMisread(t *testing.T) {
	clean(t)
	t.Setenv("KAFKA_BROKERS", "a:1, b:2,")
	t.Setenv("TOPIC_PARTITIONS", "010")
	t.Setenv("HTTP_ADDR", "")
	t.Setenv("NORMALIZER_COMMIT_INTERVAL", "1s")
	var s worker.NormalizerSettings
	if err := worker.Load(&s); err != nil {
		t.Fatal(err)
	}
	if len(s.Brokers) != 2 || s.Brokers[1] != "b:2" || s.Partitions != 10 || s.HTTPAddr != "" || s.Interval != time.Second {
		t.Errorf("got %+v", s)
	}
	if s.Output != "im.messages" || s.Group != "im.messages-normalizer" {
		t.Errorf("defaults of output and group: %q, %q", s.Output, s.Group)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const value = "s3cr3t-value"
	s := worker.Feishu{AppID: "cli_a", AppSecret: worker.Secret(value)}
	y := worker.Yunxin{AppKey: "key", AppSecret: worker.Secret(value)}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "feishu", s, "yunxin", y)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %v %+v %#v", s, s, s, s.AppSecret, y, y, y), log.String()} {
		if strings.Contains(shown, value) {
			t.Errorf("shown in %s", shown)
		}
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	var help strings.Builder
	s := &worker.ExtractorSettings{}
	worker.Usage(&help, "extractor", "does", s)
	for _, f := range worker.Fields(s) {
		if !strings.Contains(help.String(), f.Name) || !strings.Contains(help.String(), f.Meaning) {
			t.Errorf("--help does not tell %s", f.Name)
		}
	}
}

// cancelled is a context that has ended, for what must fail before it reaches anything.
func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	return ctx
}
