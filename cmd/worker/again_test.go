package worker_test

import (
	"os"
	"path/filepath"
	"testing"

	"chatlake/cmd/worker"
)

// TestSecretFileIsReadBySeveralSettings is what 'chatlake up' does: the settings of the tool, of the extractor and of the
// normalizer are loaded one after the other.
func TestSecretFileIsReadBySeveralSettings(t *testing.T) {
	clean(t)
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FEISHU_APP_ID", "cli_1")
	t.Setenv("FEISHU_APP_SECRET_FILE", path)
	if err := worker.Load(&worker.ToolSettings{}); err != nil {
		t.Fatal(err)
	}
	if err := worker.Load(&worker.ExtractorSettings{}); err != nil {
		t.Fatalf("second Load: %v", err)
	}
}
