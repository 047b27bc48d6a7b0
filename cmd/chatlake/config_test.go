package main_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"chatlake/cmd/worker"
)

// shownSetting is a setting as config shows it.
type shownSetting struct {
	Name, Value, Source string
	Programs            []string
}

func config(t *testing.T, env ...string) map[string]shownSetting {
	t.Helper()
	out := decoded[struct{ Settings []shownSetting }](t, env, "config")
	all := map[string]shownSetting{}
	for _, s := range out.Settings {
		if _, twice := all[s.Name]; twice && s.Name != "HTTP_ADDR" {
			t.Errorf("%s is shownSetting twice", s.Name)
		}
		all[s.Name] = s
	}
	return all
}

// TestConfigShowsEverySetting: the list comes from the structs that the programs read, so one that is added is shownSetting.
func TestConfigShowsEverySetting(t *testing.T) {
	all := config(t)
	for program, settings := range map[string]any{
		"extractor": &worker.ExtractorSettings{}, "normalizer": &worker.NormalizerSettings{}, "chatlake": &worker.ToolSettings{},
	} {
		for _, f := range worker.Fields(settings) {
			s, found := all[f.Name]
			if !found || s.Source != "default" {
				t.Errorf("%s of %s: %+v", f.Name, program, s)
			}
			if f.Default != "" && f.Name != "HTTP_ADDR" && s.Value != f.Default {
				t.Errorf("%s is %q, its default %q", f.Name, s.Value, f.Default)
			}
		}
	}
}

func TestConfigShowsWhatHolds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := config(t, "TOPIC_PREFIX= chat ", "FEISHU_APP_ID=cli_1", "FEISHU_APP_SECRET=quiet-quiet", "YUNXIN_APP_SECRET_FILE="+file,
		"EXTRACTOR_PATIENCE=90m", "KAFKA_BROKERS=a:1, b:2", "LOG_LEVEL=", "NORMALIZER_OUTPUT=side", "HTTP_ADDR=")
	for name, want := range map[string][2]string{
		"TOPIC_PREFIX": {"chat", "environment"}, "FEISHU_APP_ID": {"cli_1", "environment"}, "FEISHU_TENANT": {"cli_1", "default"},
		"FEISHU_APP_SECRET": {"set", "environment"}, "YUNXIN_APP_SECRET": {"set", "file"}, "KAFKA_SASL_PASSWORD": {"", "default"},
		"EXTRACTOR_PATIENCE": {"1h30m", "environment"}, "KAFKA_BROKERS": {"a:1,b:2", "environment"}, "LOG_LEVEL": {"info", "default"},
		"EXTRACTOR_GROUP": {"chat-extractor", "default"}, "NORMALIZER_GROUP": {"side-normalizer", "default"},
		"NORMALIZER_LOOKUPS": {"false", "default"}, "HTTP_ADDR": {"", "environment"},
	} {
		if got := all[name]; got.Value != want[0] || got.Source != want[1] {
			t.Errorf("%s: %+v, want %v", name, got, want)
		}
	}
	if got := all["TOPIC_PREFIX"].Programs; !reflect.DeepEqual(got, []string{"extractor", "normalizer", "chatlake"}) {
		t.Errorf("TOPIC_PREFIX is read by %v", got)
	}
	out := ok(t, []string{"FEISHU_APP_SECRET=quiet-quiet", "KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=hush-hush"}, "config")
	if strings.Contains(out, "quiet") || strings.Contains(out, "hush") {
		t.Errorf("a secret is shownSetting: %s", out)
	}
	oneLine(t, chatlake(t, []string{"TOPIC_PARTITIONS=many"}, "config"), 2, "TOPIC_PARTITIONS")
}
