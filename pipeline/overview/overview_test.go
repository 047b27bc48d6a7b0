package overview_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"chatlake/pipeline/overview"
	"chatlake/schemas"
)

func container(id string, epoch int64) *schemas.Container {
	return &schemas.Container{
		Key: "feishu/t/chat/" + id, Platform: "feishu", TenantID: "t", Kind: "chat", ID: id, ConversationID: id, Epoch: epoch, Mode: "backfill", Cause: "user",
	}
}

func at(ms schemas.Millis) *schemas.Millis { return &ms }

func TestRowsShowWhatIsInForce(t *testing.T) {
	code := "230002"
	for name, tt := range map[string]struct {
		c     *schemas.Container
		cp    *schemas.Checkpoint
		state string
		epoch int64
		pages int64
	}{
		"nothing read":               {container("a", 1), nil, "PENDING", 1, 0},
		"an older epoch's":           {container("a", 2), &schemas.Checkpoint{Epoch: 1, State: "COMPLETE", Pages: 7}, "PENDING", 2, 0},
		"this epoch's":               {container("a", 2), &schemas.Checkpoint{Epoch: 2, State: "RUNNING", Pages: 7}, "RUNNING", 2, 7},
		"a newer epoch's":            {container("a", 2), &schemas.Checkpoint{Epoch: 3, State: "FAILED", Pages: 7, ErrorCode: &code}, "FAILED", 3, 7},
		"cancelled":                  {&schemas.Container{Epoch: 1, Cancelled: true}, &schemas.Checkpoint{Epoch: 1, State: "RUNNING", Pages: 7}, "CANCELLED", 1, 7},
		"cancelled, not begun":       {&schemas.Container{Epoch: 1, Cancelled: true}, nil, "CANCELLED", 1, 0},
		"cancelled, but complete":    {&schemas.Container{Epoch: 1, Cancelled: true}, &schemas.Checkpoint{Epoch: 1, State: "COMPLETE", Pages: 7}, "COMPLETE", 1, 7},
		"a failure dismissed":        {&schemas.Container{Epoch: 1, Cancelled: true}, &schemas.Checkpoint{Epoch: 1, State: "FAILED", Pages: 7}, "CANCELLED", 1, 7},
		"cancelled before its epoch": {&schemas.Container{Epoch: 1, Cancelled: true}, &schemas.Checkpoint{Epoch: 2, State: "RUNNING", Pages: 7}, "RUNNING", 2, 7},
	} {
		if r := overview.NewRow(tt.c, tt.cp); r.State != tt.state || r.Epoch != tt.epoch || r.Pages != tt.pages || r.Mode != "backfill" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	var keys map[string]any
	text, err := json.Marshal(overview.NewRow(container("a", 1), nil))
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"key", "platform", "tenant_id", "kind", "id", "conversation_id", "name", "mode", "cause", "epoch", "state", "pages", "items", "calls",
		"watermark", "caught_up_at", "due_at", "error_code", "error_message", "updated_at"} {
		if _, ok := keys[k]; !ok {
			t.Errorf("a row has no key %s", k)
		}
	}
}

// between checks a time left, in seconds.
func between(t *testing.T, what string, got *int64, low, high int64) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: nothing is known", what)
		return
	}
	if *got < low || *got > high {
		t.Errorf("%s: %d s left, want %d to %d", what, *got, low, high)
	}
}

// busy is an extractor that goes on as in the last minute.
func busy(calls map[string]int) overview.Activity {
	return overview.Activity{Calls: calls, Pace: calls}
}

func rows() []overview.Row {
	return []overview.Row{
		{Key: "b", ConversationID: "1", Platform: "feishu", State: "COMPLETE", Pages: 3, Calls: 4, Kind: "chat", UpdatedAt: at(10), Watermark: at(5)},
		{Key: "a", ConversationID: "1", Platform: "feishu", State: "FAILED", Pages: 9, Calls: 9, Kind: "thread", UpdatedAt: at(20), ErrorCode: new("230002"), Watermark: at(7)},
		{Key: "c", ConversationID: "2", Platform: "feishu", State: "PENDING", Kind: "chat"},
		{Key: "d", ConversationID: "3", Platform: "yunxin", State: "ASLEEP", Kind: "conversation"},
	}
}

func TestOrders(t *testing.T) {
	for order, want := range map[string]string{"key": "abcd", "activity": "abcd", "pages": "abcd", "state": "cbad"} {
		all := rows()
		overview.Sort(all, order)
		got := ""
		for _, r := range all {
			got += r.Key
		}
		if got != want {
			t.Errorf("by %s: %s, want %s", order, got, want)
		}
	}
}

func TestRollUp(t *testing.T) {
	all := overview.RollUp(rows())
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	c := all[0]
	if c.ConversationID != "1" || c.Containers["COMPLETE"] != 1 || c.Containers["FAILED"] != 1 || *c.NewestMessageAt != 7 || c.Errors["230002"] != 1 || c.Pages != 12 {
		t.Errorf("%+v", c)
	}
	for _, s := range overview.States {
		if _, ok := c.Containers[s]; !ok {
			t.Errorf("no count of %s", s)
		}
	}
	overview.SortConversations(all, "state")
	if all[0].ConversationID != "1" || all[1].ConversationID != "2" {
		t.Errorf("by state: %+v", all)
	}
}

func TestPlatforms(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	all := overview.Platforms(rows(), busy(map[string]int{"feishu.im.v1.messages.list": 30, "yunxin.im.v2.messages.list": 1}), now)
	if len(all) != 2 || all[0].Platform != "feishu" || all[1].Platform != "yunxin" {
		t.Fatalf("%+v", all)
	}
	p := all[0]
	if p.Pages != 12 || p.Calls != 13 || *p.NewestMessageAt != 7 || len(p.CallsLastMinute) != 1 || p.CallsLastMinute["feishu.im.v1.messages.list"] != 30 {
		t.Errorf("%+v", p)
	}
	between(t, "a chat like the one of 3 pages", p.ETASeconds, 4, 40)
	if all[1].ETASeconds != nil {
		t.Errorf("time left %d of what nobody knows", *all[1].ETASeconds)
	}
	if got := overview.Platforms(rows(), overview.Activity{}, now)[0]; got.ETASeconds != nil || got.CallsLastMinute != nil {
		t.Errorf("without a word of extractors: %+v", got)
	}
	ended := slices.DeleteFunc(rows(), func(r overview.Row) bool { return !r.Ended() })
	if got := overview.Platforms(ended, overview.Activity{}, now)[0]; got.ETASeconds == nil || *got.ETASeconds != 0 {
		t.Errorf("of what has ended: %v", got.ETASeconds)
	}
	pace := busy(map[string]int{"feishu.x": 30})
	long := append(rows(), overview.Row{Key: "e", Platform: "feishu", State: "RUNNING", Kind: "chat", Pages: 40, Calls: 40})
	between(t, "a container longer than all that ended", overview.Platforms(long, pace, now)[0].ETASeconds, 50, 250)
	many := ended
	for i := range 250 {
		r := overview.Row{ConversationID: "1", Platform: "feishu", State: "PENDING", Kind: "thread"}
		if i < 50 {
			r.State, r.Pages, r.Calls = "COMPLETE", 1, 1
		}
		many = append(many, r)
	}
	between(t, "200 threads", overview.Platforms(many, pace, now)[0].ETASeconds, 400, 600)
	young := []overview.Row{{Platform: "feishu", State: "RUNNING", Kind: "chat", Pages: 5, Calls: 5}, {Platform: "feishu", State: "PENDING", Kind: "chat"}}
	between(t, "where none has ended", overview.Platforms(young, pace, now)[0].ETASeconds, 15, 80)
	if got := overview.Platforms(young[1:], pace, now)[0]; got.ETASeconds != nil {
		t.Errorf("where none has begun: %d s", *got.ETASeconds)
	}
	due := []overview.Row{{Platform: "feishu", State: "FOLLOWING", DueAt: at(1_000_000 - 601_000)}, {Platform: "feishu", State: "FOLLOWING", DueAt: at(1_000_000 - 599_000)}}
	if got := overview.Platforms(due, overview.Activity{}, now)[0]; got.Overdue != 1 || *got.ETASeconds != 0 {
		t.Errorf("followed: %+v", got)
	}
}

func TestLag(t *testing.T) {
	var l overview.Lag
	if from := l.Move(0, 10, -1); from != 0 {
		t.Fatalf("from %d", from)
	}
	for _, o := range []int64{0, 1, 3, 4} { // 2 and 5 are markers
		l.Page(o, time.UnixMilli(100+o))
	}
	l.Read(6)
	if l.Done() || l.Pages() != 4+3 { // four of six offsets were pages: so are 2.67 of four
		t.Errorf("%d pages", l.Pages())
	}
	l.Page(6, time.UnixMilli(106))
	l.Read(10)
	if !l.Done() || l.Pages() != 5 {
		t.Errorf("%d pages of all", l.Pages())
	}
	if from := l.Move(0, 12, 4); from != 10 {
		t.Errorf("from %d", from)
	}
	l.Read(12)
	if first, ok := l.Oldest(); l.Pages() != 2 || !ok || first.UnixMilli() != 104 {
		t.Errorf("%d pages beyond 4, oldest %v", l.Pages(), first)
	}
	l.Move(0, 12, 7)
	if _, ok := l.Oldest(); ok || l.Pages() != 0 {
		t.Errorf("%d pages where markers are left", l.Pages())
	}
	if from := l.Move(0, 3, -1); from != 0 || l.Pages() != 3 {
		t.Errorf("created again: from %d, %d pages", from, l.Pages())
	}
	if from := l.Move(0, 3, 9); from != 9 || l.Pages() != 0 {
		t.Errorf("committed beyond the end: from %d, %d pages", from, l.Pages())
	}
}
