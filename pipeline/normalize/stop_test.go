package normalize_test

import (
	"context"
	"errors"
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// stopping ends a context at the first page that it decodes.
type stopping struct {
	decoder
	pages int
	stop  func()
}

func (d *stopping) Decode(p []schemas.Page, out *connectors.Decoded) {
	d.pages++
	d.stop()
	d.decoder.Decode(p, out)
}

// TestStopWithinAFetch: who is told to stop does not decode the rest of a fetch first.
func TestStopWithinAFetch(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	for range 20 {
		r.add(page(item{ID: "a", Rev: 1}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	d := &stopping{stop: cancel}
	r.conf.Decoders = map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder { return d }}
	if err := r.session(ctx); !errors.Is(err, context.Canceled) || d.pages != 1 {
		t.Errorf("%d pages were decoded after it, %v", d.pages-1, err)
	}
}
