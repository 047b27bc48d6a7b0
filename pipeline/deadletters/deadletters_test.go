package deadletters_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/pipeline/deadletters"
	"chatlake/schemas"
)

func words(s string) *string { return &s }

// letter is a dead letter of stage extract that names a message.
func letter(id string, at schemas.Millis) *schemas.DeadLetter {
	return &schemas.DeadLetter{
		ID: strings.Repeat("0", 60) + id, Stage: schemas.StageExtract, ErrorClass: "404", ConversationKey: "yunxin/key/p2p:a:b",
		RecordID: words("yunxin/key/" + id), ContainerKey: words("yunxin/key/messages/p2p:a:b!1"), FailedAt: at,
	}
}

func TestFilter(t *testing.T) {
	d := letter("1", 100)
	for name, tt := range map[string]struct {
		f    deadletters.Filter
		fits bool
	}{
		"all":            {deadletters.Filter{}, true},
		"its own":        {deadletters.Filter{Class: "404", Stage: "extract", Platform: "yunxin", Since: 100}, true},
		"another class":  {deadletters.Filter{Class: "40"}, false},
		"another stage":  {deadletters.Filter{Stage: "decode"}, false},
		"other platform": {deadletters.Filter{Platform: "feishu"}, false},
		"later":          {deadletters.Filter{Since: 101}, false},
	} {
		if got := tt.f.Fits(d); got != tt.fits {
			t.Errorf("%s: %v", name, got)
		}
	}
	d.ConversationKey, d.ContainerKey = "unknown", words("feishu/t/chat/oc_1")
	if p := deadletters.Platform(d); p != "feishu" {
		t.Errorf("platform of a container alone: %q", p)
	}
}

func TestEachIDStandsOnce(t *testing.T) {
	body := []byte("body")
	set := deadletters.Set{}
	for _, at := range []schemas.Millis{5, 9, 7} {
		d := letter("1", at)
		d.Body = &body
		set.Add(d)
	}
	set.Add(letter("2", 3))
	all := set.List()
	if len(all) != 2 || all[0].FailedAt != 3 || all[1].FailedAt != 9 || all[1].Body != nil {
		t.Errorf("%+v", all)
	}
	if d, err := set.Find(all[1].ID); err != nil || d != all[1] {
		t.Errorf("by id: %v", err)
	}
	for prefix, want := range map[string]error{"000000": deadletters.ErrAmbiguous, "00000": deadletters.ErrUnknown, "ffffff": deadletters.ErrUnknown, all[0].ID: nil} {
		if _, err := set.Find(prefix); !errors.Is(err, want) {
			t.Errorf("%s: %v", prefix, err)
		}
	}
	if got := deadletters.Counts(append(all, &schemas.DeadLetter{Stage: "decode", ErrorClass: "x"})); len(got) != 2 || got[0] != (deadletters.Count{Stage: "extract", Class: "404", N: 2}) {
		t.Errorf("%+v", got)
	}
}

func TestItem(t *testing.T) {
	page := []byte(`{"code":0,"data":{"items":[{"id":9007199254740993,"a/b":{"~":"x"}}, "two" ]}}`)
	for name, tt := range map[string]struct {
		body    []byte
		pointer string
		want    string
		ok      bool
	}{
		"the whole":       {page, "", string(page), true},
		"verbatim":        {page, "/data/items/0", `{"id":9007199254740993,"a/b":{"~":"x"}}`, true},
		"escapes":         {page, "/data/items/0/a~1b/~0", `"x"`, true},
		"the last":        {page, "/data/items/1", `"two"`, true},
		"no such index":   {page, "/data/items/2", "", false},
		"below 0":         {page, "/data/items/-1", "", false},
		"no such member":  {page, "/data/nothing/0", "", false},
		"into a string":   {page, "/data/items/1/0", "", false},
		"no pointer":      {page, "data", "", false},
		"broken JSON":     {page[:30], "/data/items/0", "", false},
		"line of a file":  {[]byte("head\r\n{\"a\":1}\r\nend"), "/lines/1", `{"a":1}`, true},
		"its last line":   {[]byte("head\nend"), "/lines/1", "end", true},
		"no such line":    {[]byte("head\nend\n"), "/lines/2", "", false},
		"line of no file": {[]byte("head"), "/lines/x", "", false},
		"deep":            {[]byte(strings.Repeat("[", 100_000)), "/0/0", "", false},
	} {
		got, ok := deadletters.Item(tt.body, tt.pointer)
		if string(got) != tt.want || ok != tt.ok {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

// ledger is what is known: records fold as the topic's do.
type ledger struct{ schemas.Fold }

func (l ledger) known(all ...*schemas.DeadLetter) deadletters.Known {
	set := deadletters.Set{}
	for _, d := range all {
		set.Add(d)
	}
	return deadletters.Known{Letters: set, Containers: l.Fold, InForce: func(key schemas.ContainerKey) int64 {
		if c := l.Fold[key]; c != nil {
			return c.Epoch
		}
		return 0
	}}
}

func (l ledger) take(p *deadletters.Plan) {
	for _, c := range p.Containers {
		l.Add(c)
	}
}

const failed = schemas.Millis(1_700_000_000_000)

// archive knows a list of messages of Yunxin, read in the name of b, and a chat of Feishu.
func archive() ledger {
	l := ledger{schemas.Fold{}}
	created := failed - 1000
	refs := []schemas.MessageRef{{MessageID: "11", CreatedAt: &created}, {MessageID: "12", CreatedAt: &created}}
	l.Add(&schemas.Container{
		Key: "yunxin/key/messages/p2p:a:b!1", Platform: "yunxin", TenantID: "key", Kind: schemas.KindMessages, ID: "b|1|a", ConversationID: "p2p:a:b",
		Mode: "backfill", Epoch: 1, Refs: refs, Cause: schemas.CauseUser, RequestedAt: failed - 500,
	})
	from := failed - 9000
	l.Add(&schemas.Container{
		Key: "feishu/t/chat/oc_1", Platform: "feishu", TenantID: "t", Kind: schemas.KindChat, ID: "oc_1", ConversationID: "oc_1", WindowStart: &from,
		Mode: "backfill", Epoch: 4, Cause: schemas.CauseDiscovered, RequestedAt: failed - 500, Cancelled: true,
	})
	return l
}

// letters are of every way to be redriven, and of every way not to be.
func letters() []*schemas.DeadLetter {
	message := letter("om_9", failed)
	message.ConversationKey, message.RecordID, message.ContainerKey = "feishu/t/oc_1", words("feishu/t/om_9/om_child"), words("feishu/t/thread/omt_1")
	chat := letter("c", failed)
	chat.ConversationKey, chat.RecordID, chat.ContainerKey, chat.ErrorClass = "feishu/t/oc_1", nil, words("feishu/t/chat/oc_1"), "bad_container"
	chat2 := *chat
	chat2.ID = "another"
	unknown := letter("u", failed)
	unknown.RecordID, unknown.ContainerKey = nil, words("feishu/t/chat/oc_unknown")
	badRef := letter("x1", failed)
	badRef.ErrorClass = "bad_ref"
	page := letter("p", failed)
	page.Stage, page.ErrorClass = schemas.StageDecode, "bad_item"
	page2 := *page
	page2.Stage = schemas.StageEncode
	return []*schemas.DeadLetter{letter("11", failed), letter("12", failed+50), message, chat, &chat2, unknown, badRef, page, page, &page2}
}

func TestRedriveAsksForWhatFailed(t *testing.T) {
	l := archive()
	ask := deadletters.Ask{Now: time.UnixMilli(int64(failed) + 10_000), Output: "im.messages"}
	p := deadletters.Redrive(letters(), l.known(letters()...), ask)
	if p.Redriven != 5 || len(p.Containers) != 3 {
		t.Fatalf("%d redriven, %d containers: %+v", p.Redriven, len(p.Containers), p)
	}
	chat, message, messages := p.Containers[0], p.Containers[1], p.Containers[2]
	if chat.Key != "feishu/t/chat/oc_1" || chat.Epoch != 5 || chat.Cancelled || chat.WindowStart == nil || chat.Cause != schemas.CauseDiscovered {
		t.Errorf("chat: %+v", chat)
	}
	if message.Key != "feishu/t/message/oc_1!om_9" || message.Kind != schemas.KindMessage || message.ID != "om_9" || message.Epoch != 1 || message.Cause != schemas.CauseUser {
		t.Errorf("message: %+v", message)
	}
	want := string(schemas.MessagesContainerKey("yunxin", "key", "p2p:a:b", []string{"11", "12"}))
	if messages.Key != want || messages.ID != "b|1|a" || len(messages.Refs) != 2 || messages.Refs[0].CreatedAt == nil || messages.ConversationID != "p2p:a:b" {
		t.Errorf("messages: %+v", messages)
	}
	for _, c := range p.Containers {
		if err := c.Validate(); err != nil || c.RequestedAt != failed+10_000 {
			t.Errorf("%s: %v, asked for at %s", c.Key, err, c.RequestedAt)
		}
	}
	var got []string
	for _, m := range p.Remedies {
		got = append(got, fmt.Sprintf("%s %s %d", m.Stage, m.ErrorClass, m.N))
		if replay := strings.Contains(m.Remedy, "chatlake replay --to im.messages.replay"); replay != (m.Stage != schemas.StageExtract) {
			t.Errorf("%+v", m)
		}
	}
	if !slices.Equal(got, []string{"extract 404 1", "extract bad_ref 1", "decode bad_item 2", "encode bad_item 1"}) {
		t.Errorf("remedies: %v", got)
	}
	if got := l.Fold["feishu/t/chat/oc_1"]; got.Epoch != 4 || !got.Cancelled {
		t.Errorf("planning changed what is known: %+v", got)
	}
}

// TestRedriveAsksOnce: a second run asks for nothing, also where its clock is behind, or it names fewer of them, or the platform
// has meanwhile answered the same; what fails in another way is asked for.
func TestRedriveAsksOnce(t *testing.T) {
	for name, now := range map[string]time.Time{"later": time.UnixMilli(int64(failed) + 10_000), "a clock that is behind": time.UnixMilli(int64(failed) - 3_600_000)} {
		t.Run(name, func(t *testing.T) {
			l := archive()
			ask := deadletters.Ask{Now: now, Output: "im.messages"}
			l.take(deadletters.Redrive(letters(), l.known(letters()...), ask))
			for _, some := range [][]*schemas.DeadLetter{letters(), letters()[:1], letters()[1:2]} {
				if p := deadletters.Redrive(some, l.known(letters()...), ask); p.Redriven != 0 || len(p.Containers) != 0 || len(p.Remedies) == 0 {
					t.Errorf("asks again: %+v", p)
				}
			}
			ask.Again = true
			if p := deadletters.Redrive(letters(), l.known(letters()...), ask); p.Redriven != 5 || len(p.Containers) != 3 || p.Containers[1].Epoch != 2 {
				t.Errorf("asked to ask again: %+v", p)
			}
			ask.Again = false
			asked := l.Fold[schemas.MessagesContainerKey("yunxin", "key", "p2p:a:b", []string{"11", "12"})].RequestedAt
			second := letter("11", asked+20)
			second.ID = "of another page"
			all := []*schemas.DeadLetter{letter("11", failed), letter("12", failed), second}
			if p := deadletters.Redrive(all, l.known(all...), ask); p.Redriven != 0 || len(p.Remedies) != 2 || !strings.Contains(p.Remedies[1].Remedy+p.Remedies[0].Remedy, "the same way") {
				t.Errorf("what failed in the same way: %+v", p)
			}
			second.ErrorClass = "500"
			if p := deadletters.Redrive(all, l.known(all...), ask); p.Redriven != 1 || len(p.Containers) != 1 {
				t.Errorf("what failed in another way: %+v", p)
			}
		})
	}
}

// TestManyMessagesTakeFewContainers: refs are asked for by the hundred.
func TestManyMessagesTakeFewContainers(t *testing.T) {
	var many []*schemas.DeadLetter
	for i := range 250 {
		many = append(many, letter(fmt.Sprintf("%03d", i), failed))
	}
	p := deadletters.Redrive(many, ledger{schemas.Fold{}}.known(), deadletters.Ask{Now: time.Now()})
	if p.Redriven != 250 || len(p.Containers) != 3 {
		t.Errorf("%d redriven by %d containers", p.Redriven, len(p.Containers))
	}
	for _, c := range p.Containers {
		if c.ID != "p2p:a:b" || len(c.Refs) > schemas.MaxLookupRefs {
			t.Errorf("%s: %d refs", c.ID, len(c.Refs))
		}
	}
}

func TestASetIsSmall(t *testing.T) {
	const n = 5_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	set := deadletters.Set{}
	for i := range n {
		d := letter(fmt.Sprint(i), failed)
		d.Body = &[]byte{1, 2, 3}
		d.ErrorMessage = strings.Repeat("x", 16<<10)[:100] // a part of something large
		set.Add(d)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n
	t.Logf("%d bytes each", used)
	if used > 1500 {
		t.Errorf("a dead letter takes %d bytes", used)
	}
	runtime.KeepAlive(set)
}
