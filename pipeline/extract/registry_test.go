package extract_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/sr"
)

// TestRegistryInTrouble: a registry that answers 503 for a moment says nothing of the record, either.
func TestRegistryInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		tries := 0
		r.conf.Container = schemas.NewDecoder(schemas.ContainerSchema, func(ctx context.Context, id int) (string, error) {
			if tries++; tries < 3 {
				return "", fmt.Errorf("schema registry: fetch schema %d: status 503: %w", id, &sr.ResponseError{StatusCode: 503, Message: "starting"})
			}
			return lookup(ctx, id)
		})
		all := []schemas.Container{r.chat(0), r.chat(1), r.chat(2)}
		r.add(all...)
		err := r.session(t.Context())
		s := r.check()
		t.Logf("session: %v; %d dead letters", err, len(s.dead))
		for i := range all {
			r.whole(s, &all[i])
		}
		if len(s.dead) != 0 {
			t.Errorf("dead letters of good containers: %+v", s.dead[0])
		}
	})
}
