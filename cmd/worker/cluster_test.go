package worker

import (
	"errors"
	"fmt"
	"testing"

	"chatlake/kafka"
	"chatlake/pipeline"
)

var _ pipeline.Log = owned{}

// A stage sees a refusal for size as its own, however it was wrapped, and every other error as it is.
func TestStagedErrors(t *testing.T) {
	err := staged(fmt.Errorf("commit: %w", &kafka.TooLarge{Topic: "im.raw.pages", Index: 3, Size: 20, Limit: 10}))
	var large *pipeline.TooLarge
	if !errors.As(err, &large) || *large != (pipeline.TooLarge{Topic: "im.raw.pages", Index: 3, Size: 20, Limit: 10}) {
		t.Errorf("got %v", err)
	}
	other := errors.New("other")
	if err := staged(other); !errors.Is(err, other) || staged(nil) != nil {
		t.Error("another error is changed")
	}
}

// A stage sees what could not be read.
func TestBatchesTellWhatWasSkipped(t *testing.T) {
	b := batch(kafka.Batch{Next: 9, Skipped: []kafka.Damaged{{First: 3, Last: 5, Why: "CRC"}, {First: 6, Last: 8, Why: "zstd"}}})
	if b.Next != 9 || len(b.Skipped) != 2 || b.Skipped[0] != (pipeline.Damaged{First: 3, Last: 5, Why: "CRC"}) || b.Skipped[1].Last != 8 {
		t.Errorf("%+v", b)
	}
}
