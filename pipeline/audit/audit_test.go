package audit_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"chatlake/pipeline/audit"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// honest is a log that both stages wrote through faults: chats and conversations with threads, forwards and look-ups, one that
// failed, one that was cancelled, one that was superseded while it was read, and a forward that its topic does not take.
func honest(t *testing.T) (*site, *copied) {
	t.Helper()
	stop := 12
	s := newSite(t,
		simulator.Options{Seed: 5, Chats: 4, ChatSize: 120, BigForward: 400, Mix: simulator.Mix{Forwards: 40, Missing: 40, Recalled: 30}},
		simulator.YunxinOptions{Seed: 5, Conversations: 4, ConversationSize: 120, Burst: 3, Mix: simulator.YunxinMix{Forwards: 40}},
		memlog.Faults{
			Limits: map[string]int{topics.RawPages: 100 << 10},
			Commit: func(n int) memlog.Outcome {
				switch {
				case n == stop, n == 30:
					return memlog.Refused
				case n == 20, n == 45:
					return memlog.Kept
				case n == 25:
					return memlog.Aborted
				}
				return memlog.Done
			},
		})
	s.feishu.SetFaults(simulator.Fault{Container: s.world.Chats()[1].ID, API: simulator.APIMessages, From: 3, Action: simulator.Answer, Status: 400, Code: 230002})
	for i := range s.world.Chats() {
		s.add(s.chat(i, 1))
	}
	for i := range s.app.Conversations() {
		s.add(s.conversation(i))
	}
	_ = s.extract() // as far as the log lets it
	s.add(s.chat(0, 2))
	cancelled := s.conversation(0)
	cancelled.Cancelled = true
	s.add(cancelled)
	late := s.chat(2, 7)
	late.Cancelled = true
	s.add(late)
	s.rounds()
	return s, s.copy()
}

var once struct {
	sync.Once
	*copied
	s *site
}

// sample is the honest data, made once; each test tampers with a copy of its own.
func sample(t *testing.T) *copied {
	t.Helper()
	once.Do(func() { once.s, once.copied = honest(t) })
	return once.clone()
}

// pages are all raw pages.
func (c *copied) pages(t *testing.T) (pages []schemas.Page) {
	t.Helper()
	for p := range int32(partitions) {
		for i := range c.records[at(topics.RawPages, p)] {
			page, err := schemas.ParsePage(&c.records[at(topics.RawPages, p)][i])
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page)
		}
	}
	return pages
}

func TestNothingIsFoundInHonestData(t *testing.T) {
	c := sample(t)
	r := c.audit(t)
	if !r.OK || len(r.Findings) > 0 {
		t.Errorf("found %v: %s", r.Counts, listed(r))
	}
	seen, containers, epochs, codes := map[string]int{}, map[string]bool{}, map[string]bool{}, map[string]int{}
	pages := c.pages(t)
	for i := range pages {
		p := &pages[i]
		seen[p.Type]++
		codes[p.Error]++
		containers[string(p.Container)] = true
		epochs[fmt.Sprint(p.Container, p.Epoch)] = true
		if p.Expansion() {
			seen["expansions"]++
		}
		if p.Code == "230002" {
			codes[p.Code]++
		}
	}
	for _, api := range []string{schemas.FeishuMessagesList, schemas.FeishuMessagesGet, schemas.YunxinMessagesList, schemas.YunxinMergedFile, "expansions"} {
		if seen[api] == 0 {
			t.Errorf("the data has no %s", api)
		}
	}
	for _, code := range []string{"too_large", "cancelled", "superseded", "230002"} {
		if codes[code] == 0 {
			t.Errorf("the data has no page with %s", code)
		}
	}
	if r.Containers != int64(len(containers)) || r.Epochs != int64(len(epochs)) || r.Pages != int64(len(pages)) || r.Pending != 0 || r.Expired != 0 {
		t.Errorf("%+v, want %d containers, %d epochs, %d pages", r, len(containers), len(epochs), len(pages))
	}
	if r.Items < 1000 || r.Messages < 900 {
		t.Errorf("only %d items and %d messages", r.Items, r.Messages)
	}
	t.Logf("%d containers, %d epochs, %d pages, %d items, %d messages; %v %v", r.Containers, r.Epochs, r.Pages, r.Items, r.Messages, seen, codes)
}

func listed(r *audit.Report) string {
	var b strings.Builder
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	for i := range r.Findings[:min(len(r.Findings), 10)] {
		f := &r.Findings[i]
		page := int64(-1)
		if f.Page != nil {
			page = *f.Page
		}
		fmt.Fprintf(&b, "\n%s container %s page %d %.12s record %s: %s", f.Kind, text(f.ContainerKey), page, text(f.PageID), text(f.RecordID), f.Detail)
	}
	return b.String()
}

// TestDeadLettersAccountForItems: what was dead-lettered is not missing; without its letter it is.
func TestDeadLettersAccountForItems(t *testing.T) {
	c := sample(t)
	list, i, m := single(t, c)
	c.remove(list, i)
	letter := func(v schemas.DeadLetter) *copied {
		d := c.clone()
		v.ID, v.ErrorClass, v.ConversationKey = "1", "invalid", "feishu/x/y"
		to := strings.Replace(list, topics.Messages, topics.DeadLetters, 1)
		d.again(to, schemas.Record{Topic: topics.DeadLetters, Value: encoded(t, topics.DeadLetters, &v)})
		return d
	}
	page, pointer, record, none := &m.Provenance.PageID, &m.Provenance.ItemPointer, &m.RecordID, ""
	for name, tt := range map[string]struct {
		letter schemas.DeadLetter
		ok     bool
	}{
		"of the item":      {schemas.DeadLetter{Stage: schemas.StageDecode, PageID: page, ItemPointer: pointer}, true},
		"of the page":      {schemas.DeadLetter{Stage: schemas.StageDecode, PageID: page}, true},
		"of the page, too": {schemas.DeadLetter{Stage: schemas.StageDecode, PageID: page, ItemPointer: &none}, true},
		"of the record":    {schemas.DeadLetter{Stage: schemas.StageEncode, RecordID: record}, true},
		"of another item":  {schemas.DeadLetter{Stage: schemas.StageDecode, PageID: page, ItemPointer: record}, false},
		"of a ref":         {schemas.DeadLetter{Stage: schemas.StageExtract, PageID: page, RecordID: record}, false},
	} {
		if r := letter(tt.letter).audit(t); r.OK != tt.ok {
			t.Errorf("%s: %v%s", name, r.Counts, listed(r))
		}
	}
}

// TestItemsAreDueUpToTheCommittedOffset, and what retention took is counted.
func TestItemsAreDueUpToTheCommittedOffset(t *testing.T) {
	c := sample(t)
	list, i, m := single(t, c)
	c.remove(list, i)
	p := int32(m.Provenance.RawPartition)
	c.committed[p] = m.Provenance.RawOffset - 1
	if r := c.audit(t); !r.OK || r.Pending == 0 {
		t.Errorf("pages that are not normalized: %+v%s", r, listed(r))
	}
	c.committed = [partitions]int64{-1, -1}
	if r := c.audit(t); !r.OK || r.Pending != r.Pages || r.Items != 0 {
		t.Errorf("nothing is normalized: %+v%s", r, listed(r))
	}
}

func TestWhatRetentionTookIsCounted(t *testing.T) {
	c := sample(t)
	for p := range int32(partitions) {
		list := at(topics.RawPages, p)
		half := len(c.records[list]) / 2
		// A page whose expansions are gone would be read without them; retention takes whole segments anyway.
		for ; ; half++ {
			if page, _ := schemas.ParsePage(&c.records[list][half-1]); !page.Expansion() {
				break
			}
		}
		c.start[list] = c.records[list][half].Offset
		c.records[list] = c.records[list][half:]
	}
	if r := c.audit(t); !r.OK || r.Expired == 0 {
		t.Errorf("%+v%s", r, listed(r))
	}
}

// TestCopiesOfTopics: a copy has other offsets, whether its name is another or the same.
func TestCopiesOfTopics(t *testing.T) {
	for _, name := range []string{"other.raw.pages", topics.RawPages} {
		c := sample(t)
		for p := range int32(partitions) {
			for i := range c.records[at(topics.Messages, p)] {
				c.message(t, at(topics.Messages, p), i, func(m *schemas.Message) {
					m.Provenance.RawTopic, m.Provenance.RawOffset = name, m.Provenance.RawOffset+7
				})
			}
		}
		if r := c.audit(t); !r.OK || r.Messages < 900 {
			t.Errorf("%s: %d messages, found %v%s", name, r.Messages, r.Counts, listed(r))
		}
		list, i, m := single(t, c)
		c.message(t, list, i, func(m *schemas.Message) { m.Provenance.ItemPointer = "/data/items/4711" })
		if r := c.audit(t); len(r.Findings) != 1 || *r.Findings[0].RecordID != m.RecordID {
			t.Errorf("%s: found %v%s", name, r.Counts, listed(r))
		}
	}
}

// TestWhatIsHiddenIsNotMissing: an open transaction hides the last record of each topic in turn.
func TestWhatIsHiddenIsNotMissing(t *testing.T) {
	for _, topic := range []string{topics.Checkpoints, topics.RawPages, topics.Messages, topics.DeadLetters} {
		c := sample(t)
		if topic == topics.DeadLetters {
			for p := range int32(partitions) {
				c.again(at(topic, p), schemas.Record{Topic: topic, Value: encoded(t, topic, &schemas.DeadLetter{ID: "1", Stage: schemas.StageDecode, ErrorClass: "invalid", ConversationKey: "feishu/x/y"})})
			}
		}
		c.hidden = topic
		if r := c.audit(t); !r.OK {
			t.Errorf("%s: found %v%s", topic, r.Counts, listed(r))
		}
	}
}

// TestManyFindingsAreBounded counts all and lists some; what is sorted on disk is found as well, and nothing is left there.
func TestManyFindingsAreBounded(t *testing.T) {
	c := sample(t)
	all := c.audit(t)
	for p := range int32(partitions) {
		c.records[at(topics.Messages, p)] = nil
	}
	dir := t.TempDir()
	r := run(t, func(p int32) audit.Log { return looked{c, p} }, func(a *audit.Config) { a.Dir, a.MaxFindings = dir, 5 })
	if len(r.Findings) != 5 || r.Counts[audit.KindUnaccounted] < all.Items/2 || r.OK {
		t.Errorf("%d listed, %v", len(r.Findings), r.Counts)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
