package worker_test

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatlake/cmd/worker"
)

// set is an environment with one variable changed.
func set(env map[string]string, k, v string) map[string]string {
	env = maps.Clone(env)
	env[k] = v
	return env
}

func TestCut(t *testing.T) {
	for in, want := range map[string][2]string{
		"":                             {"", ""},
		"oc_1":                         {"oc_1", ""},
		" oc_1":                        {"oc_1", "U+0020"},
		"oc_1\r\n":                     {"oc_1", "U+000D, U+000A"},
		"\ufeffoc_1\u200b\u2060\u00a0": {"oc_1", "U+FEFF, U+200B, U+2060"},
		"\u200eoc 1\u200f":             {"oc 1", "U+200E, U+200F"},
		"\u3164\ufe0f\u00ad":           {"", "U+3164, U+FE0F, U+00AD"},
		"中文":                           {"中文", ""},
	} {
		if cut, what := worker.Cut(in); cut != want[0] || what != want[1] {
			t.Errorf("%q became %q (%s)", in, cut, what)
		}
	}
	for in, want := range map[string]string{"alice|1|bob": "", "a b": "U+0020", "a\u200bb": "U+200B", "a\tb": "U+0009", "a\u2800b": "U+2800", "é中🙂": ""} {
		if got := worker.Within(in); got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

// loaded loads the extractor's settings from an environment, and gives what is warned about.
func loaded(t *testing.T, env map[string]string) (worker.ExtractorSettings, string, error) {
	t.Helper()
	clean(t)
	for k, v := range env {
		t.Setenv(k, v)
	}
	var s worker.ExtractorSettings
	var log bytes.Buffer
	err := worker.Load(&s)
	s.Warn(slog.New(slog.NewTextHandler(&log, nil)))
	return s, log.String(), err
}

// TestBlanksAroundSettings is case c17: at the ends they are cut with one warning that names the setting.
func TestBlanksAroundSettings(t *testing.T) {
	const secret = "s3cr3t-value"
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	app := map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": secret}
	for name, tt := range map[string]struct {
		env  map[string]string
		warn string // the setting that is named, "" for no warning
	}{
		"blank behind the id":       {set(app, "FEISHU_APP_ID", "cli_a "), "FEISHU_APP_ID"},
		"return behind the secret":  {set(app, "FEISHU_APP_SECRET", secret+"\r"), "FEISHU_APP_SECRET"},
		"mark before the secret":    {set(app, "FEISHU_APP_SECRET", "\ufeff"+secret), "FEISHU_APP_SECRET"},
		"no-break blank":            {set(app, "FEISHU_APP_ID", "\u00a0cli_a"), "FEISHU_APP_ID"},
		"zero width":                {set(app, "FEISHU_TENANT", "cli_a\u200b\u2060"), "FEISHU_TENANT"},
		"number":                    {set(app, "EXTRACTOR_WORKERS", "64\t"), "EXTRACTOR_WORKERS"},
		"one newline in the file":   {map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET_FILE": file(secret + "\n")}, ""},
		"blank only":                {set(app, "FEISHU_TENANT", " \t"), "FEISHU_TENANT"},
		"a pass phrase has a blank": {set(set(set(app, "KAFKA_SASL_MECHANISM", "PLAIN"), "KAFKA_SASL_USERNAME", "u"), "KAFKA_SASL_PASSWORD", "correct horse"), ""},
	} {
		s, log, err := loaded(t, tt.env)
		if err != nil || s.AppID != "cli_a" || string(s.Feishu.AppSecret) != secret || s.Tenant != "cli_a" || s.Workers != 64 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if lines := strings.Count(log, "\n"); tt.warn == "" && lines != 0 || tt.warn != "" && (lines != 1 || !strings.Contains(log, tt.warn+":")) || strings.Contains(log, secret) {
			t.Errorf("%s: warned %q", name, log)
		}
	}
	for _, text := range []string{secret + "\n\n", secret + "\r\n ", "\ufeff" + secret} {
		s, log, err := loaded(t, map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET_FILE": file(text)})
		if err != nil || string(s.Feishu.AppSecret) != secret || strings.Count(log, "\n") != 1 || !strings.Contains(log, "FEISHU_APP_SECRET_FILE:") {
			t.Errorf("file %q: %v, warned %q", text, err, log)
		}
	}
}

// TestBlanksWithinSettings: inside they are refused, with the code point and without the text.
func TestBlanksWithinSettings(t *testing.T) {
	utf16 := filepath.Join(t.TempDir(), "utf16")
	if err := os.WriteFile(utf16, []byte("\xff\xfes\x003\x00c\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "s3cr3t"}
	for name, tt := range map[string]struct {
		env   map[string]string
		point string
	}{
		"FEISHU_APP_ID":            {set(app, "FEISHU_APP_ID", "cli_ab\u200bcd"), "U+200B"},
		"FEISHU_APP_SECRET":        {set(app, "FEISHU_APP_SECRET", "s3cr3t\nmore"), "U+000A"},
		"FEISHU_TENANT":            {set(app, "FEISHU_TENANT", "ab cd"), "U+0020"},
		"YUNXIN_APP_KEY":           {map[string]string{"YUNXIN_APP_KEY": "ab\u2060cd", "YUNXIN_APP_SECRET": "s3cr3t"}, "U+2060"},
		"KAFKA_SASL_PASSWORD":      {set(app, "KAFKA_SASL_PASSWORD", "s3cr3t\u00a0more"), "U+00A0"},
		"SCHEMA_REGISTRY_USERNAME": {set(app, "SCHEMA_REGISTRY_USERNAME", "s3cr3t more"), "U+0020"},
		"FEISHU_APP_SECRET_FILE":   {map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET_FILE": utf16}, "U+0000"},
	} {
		_, _, err := loaded(t, tt.env)
		if err == nil || worker.ExitCode(err, 1) != 2 || !strings.HasPrefix(err.Error(), name+" ") || !strings.Contains(err.Error(), tt.point) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, shown := range []string{"s3cr3t", "more", "ab\u200bcd", "ab cd", "ab\u2060cd"} {
			if strings.Contains(err.Error(), shown) {
				t.Errorf("%s shows %q: %v", name, shown, err)
			}
		}
	}
}

// TestNoErrorShowsAValue puts a secret into every variable there is: whatever is refused says which, and never what.
func TestNoErrorShowsAValue(t *testing.T) {
	const secret = "s3cr3t/v4lue=="
	app := map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x"}
	refused := 0
	for _, f := range worker.Fields(&worker.ExtractorSettings{}) {
		for _, name := range []string{f.Name, f.Name + "_FILE"} {
			if name != f.Name && !f.Secret {
				continue
			}
			env := set(app, name, secret)
			if name != f.Name {
				delete(env, f.Name)
			}
			if strings.HasPrefix(name, "KAFKA_TLS_") {
				env["KAFKA_TLS"], env["KAFKA_TLS_CERT_FILE"], env["KAFKA_TLS_KEY_FILE"] = "true", secret, secret
			}
			s, log, err := loaded(t, env)
			if err == nil {
				_, err = s.Connect(cancelled(t), "", slog.New(slog.DiscardHandler))
			}
			if err != nil && worker.ExitCode(err, 1) == 2 {
				refused++
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") || strings.Contains(log, "s3cr3t") {
				t.Errorf("%s: %v %s", name, err, log)
			}
		}
	}
	if refused < 20 {
		t.Errorf("only %d settings were refused: is the secret in them at all?", refused)
	}
}

// TestAppSecretInTheWrongPlace: an id and a secret that changed places are seen by how ids begin.
func TestAppSecretInTheWrongPlace(t *testing.T) {
	_, _, err := loaded(t, map[string]string{"FEISHU_APP_ID": "s3cr3t", "FEISHU_APP_SECRET": "cli_a"})
	if err == nil || worker.ExitCode(err, 1) != 2 || !strings.HasPrefix(err.Error(), "FEISHU_APP_SECRET ") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%v", err)
	}
	_, log, err := loaded(t, map[string]string{"FEISHU_APP_ID": "s3cr3t", "FEISHU_APP_SECRET": "x"})
	if err != nil || !strings.Contains(log, "FEISHU_APP_ID") || strings.Contains(log, "s3cr3t") {
		t.Errorf("%v, warned %q", err, log)
	}
}

// TestPlainHTTP warns where credentials and messages travel in the clear, and only there.
func TestPlainHTTP(t *testing.T) {
	app := map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x"}
	for name, tt := range map[string]struct {
		value string
		warns bool
	}{
		"FEISHU_BASE_URL":     {"http://feishu.example", true},
		"YUNXIN_BASE_URL":     {"http://10.0.0.7:8080", true},
		"SCHEMA_REGISTRY_URL": {"http://registry:8080/apis/ccompat/v7", true},
	} {
		_, log, err := loaded(t, set(app, name, tt.value))
		if err != nil || strings.Count(log, "\n") != 1 || !strings.Contains(log, name+" is plain http") {
			t.Errorf("%s: %v, warned %q", name, err, log)
		}
		for _, fine := range []string{"http://127.0.0.1:9490", "http://localhost:8081", "http://[::1]:1", "https://feishu.example"} {
			if _, log, err := loaded(t, set(app, name, fine)); err != nil || log != "" {
				t.Errorf("%s=%s: %v, warned %q", name, fine, err, log)
			}
		}
	}
}

func TestPlatformAuthorities(t *testing.T) {
	app := map[string]string{"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x"}
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{none, none + "x"} {
		if _, _, err := loaded(t, set(app, "PLATFORM_TLS_CA_FILE", path)); err == nil || worker.ExitCode(err, 1) != 2 ||
			!strings.HasPrefix(err.Error(), "PLATFORM_TLS_CA_FILE ") || strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	}
}

func TestArgumentsThatAreSettingsAreMasked(t *testing.T) {
	if got := worker.Masked("FEISHU_APP_SECRET=s3cr3t"); got != "FEISHU_APP_SECRET=…" {
		t.Error(got)
	}
	if got := worker.Masked("levitate"); got != "levitate" {
		t.Error(got)
	}
}

// TestPlaceholder: the blocks of README, pasted as they stand.
func TestPlaceholder(t *testing.T) {
	t.Setenv("FEISHU_APP_ID", "cli_…")
	t.Setenv("FEISHU_APP_SECRET", "…")
	err := worker.Load(new(worker.ToolSettings))
	if err == nil || !strings.Contains(err.Error(), "FEISHU_APP_ID is the placeholder") || worker.ExitCode(err, 1) != 2 {
		t.Errorf("got %v", err)
	}
}
