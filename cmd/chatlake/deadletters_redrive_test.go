package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatlake/simulator"
)

// TestRedriveBringsWhatWasMissing: a message that the platform did not show when it was asked for is a dead letter; when the
// platform shows it, a redrive brings it, in the name and with the time that it was asked for before.
func TestRedriveBringsWhatWasMissing(t *testing.T) {
	world, yunxin := yunxinPlatform(t)
	twin, err := simulator.NewYunxinWorld(simulator.YunxinOptions{Seed: 3, Conversations: 3, Messages: 900})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range world.Conversations() {
		late, err := twin.Send(c.ID, "said late")
		if err != nil {
			t.Fatal(err)
		}
		var created int64
		for _, m := range twin.Messages(c.ID, true) {
			if m.ID == late {
				created = m.CreatedAt
			}
		}
		t.Run(c.Kind, func(t *testing.T) {
			up, r, err := startUp(yunxin, filepath.Join(t.TempDir(), "data"))
			if err != nil {
				t.Fatal(err)
			}
			defer up.stop()
			env := append(r.env(), yunxin...)
			refs := strings.NewReader(fmt.Sprintf(`{"message_id":"%s","created_at":%d}`, late, created))
			if added := chatlakeWith(t, refs, env, addMessages(c.APIID, "-")...); added.code != 0 {
				t.Fatal(added.stderr)
			}
			letters := await(t, func() letterList { return decoded[letterList](t, env, "deadletters", "list", "--stage", "extract") },
				func(l letterList) bool { return len(l.DeadLetters) == 1 })
			if s := decoded[shown](t, env, "deadletters", "show", letters.DeadLetters[0]["id"].(string)); s.Raw == nil || s.Body == nil || s.Raw.Headers["ce_type"] != "yunxin.im.v2.messages.batch" {
				t.Errorf("shown as %+v", s)
			}
			if r := decoded[redriven](t, env, "deadletters", "redrive"); r.Redriven != 1 || len(r.Added) != 1 {
				t.Fatalf("%+v", r)
			}
			await(t, func() letterList { return decoded[letterList](t, env, "deadletters", "list") },
				func(l letterList) bool { return len(l.DeadLetters) == 2 })
			if r := decoded[redriven](t, env, "deadletters", "redrive"); r.Redriven != 0 || len(r.Added) != 0 || len(r.Remedies) != 2 {
				t.Fatalf("when the platform has answered the same: %+v", r)
			}
			if id, err := world.Send(c.ID, "said late"); err != nil || id != late {
				t.Fatalf("the platform has %s, %v", id, err)
			}
			if r := decoded[redriven](t, env, "deadletters", "redrive", "--again"); r.Redriven != 2 || len(r.Added) != 1 || len(r.Remedies) != 0 {
				t.Fatalf("%+v", r)
			}
			if r := decoded[redriven](t, env, "deadletters", "redrive"); r.Redriven != 0 || len(r.Added) != 0 {
				t.Fatalf("twice in a row: %+v", r)
			}
			await(t, func() string { return ok(t, env, "tail", "--follow=false", "--grep", "^said late$") },
				func(out string) bool { return strings.Count(out, "\n") == 1 })
			if r := decoded[redriven](t, env, "deadletters", "redrive"); r.Redriven != 0 {
				t.Errorf("when it is there: %+v", r)
			}
			if code := up.stop(); code != 0 {
				t.Errorf("exit %d: %s", code, up.stderr.String())
			}
		})
	}
}

// await asks until what is there satisfies want.
func await[T any](t *testing.T, get func() T, want func(T) bool) T {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(deadline); ; {
		if v := get(); want(v) {
			return v
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never seen: the last was %+v", get())
		}
	}
}
