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
	if staged(other) != other || staged(nil) != nil {
		t.Error("another error is changed")
	}
}
