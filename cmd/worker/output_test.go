package worker_test

import (
	"strings"
	"testing"

	"chatlake/cmd/worker"
)

// TestOutputIsNoOtherTopic: the registry does not keep messages out of the raw pages, which have no schema.
func TestOutputIsNoOtherTopic(t *testing.T) {
	tests := []struct {
		output string
		fine   bool
	}{
		{"", true}, {"im.messages", true}, {"im.messages2", true}, {"raw.pages", true}, {"im2.raw.pages", true}, {"im.raw.pages2", true},
		{"im", false}, {"im.raw.pages", false}, {"im.containers", false}, {"im.checkpoints", false}, {"im.deadletters", false},
		{"im.conversations", false}, {"im.users", false}, {"im.reactions", false}, {"a/b", false},
	}
	for _, tt := range tests {
		t.Run(tt.output, func(t *testing.T) {
			clean(t)
			t.Setenv("NORMALIZER_OUTPUT", tt.output)
			for name, err := range map[string]error{
				"normalizer": worker.Load(&worker.NormalizerSettings{}), "chatlake": worker.Load(&worker.ToolSettings{}),
			} {
				switch {
				case tt.fine && err != nil:
					t.Errorf("%s: %v", name, err)
				case tt.fine:
				case err == nil:
					t.Errorf("%s: it was accepted", name)
				case !strings.HasPrefix(err.Error(), "NORMALIZER_OUTPUT ") || worker.ExitCode(err, 1) != 2:
					t.Errorf("%s: exit code %d: %v", name, worker.ExitCode(err, 1), err)
				}
			}
		})
	}
}
