package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
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

// errorsIn counts pages by what they hold.
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
		t.Errorf("found %v: %s", r.Counts, told(r))
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

func told(r *audit.Report) string {
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

// pick finds a record of a topic, with its place.
func pick(t *testing.T, c *copied, topic string, fits func(*schemas.Record) bool) (list string, i int) {
	t.Helper()
	for p := range int32(partitions) {
		list = at(topic, p)
		if i := slices.IndexFunc(c.records[list], func(r schemas.Record) bool { return fits(&r) }); i >= 0 {
			return list, i
		}
	}
	t.Fatalf("%s has no such record", topic)
	return "", 0
}

// link picks a page in the middle of the chain of a chat that is complete.
func link(t *testing.T, c *copied, number int64) (list string, i int, page schemas.Page) {
	t.Helper()
	list, i = pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
		p, err := schemas.ParsePage(r)
		return err == nil && p.Type == schemas.FeishuMessagesList && p.Number == number && p.Epoch == 2 && strings.Contains(string(p.Container), "/chat/")
	})
	page, _ = schemas.ParsePage(&c.records[list][i])
	return list, i, page
}

// header gives a record with another header.
func header(r schemas.Record, key, value string) schemas.Record {
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
		}
	}
	return r
}

// without drops a header.
func without(r schemas.Record, key string) schemas.Record {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h schemas.Header) bool { return h.Key == key })
	return r
}

// again puts a record at the end of its partition.
func (c *copied) again(list string, r schemas.Record) {
	r.Offset = c.end[list]
	c.records[list] = append(c.records[list], r)
	c.end[list]++
}

func (c *copied) remove(list string, i int) { c.records[list] = slices.Delete(c.records[list], i, i+1) }

// message decodes and encodes a message again.
func (c *copied) message(t *testing.T, list string, i int, change func(*schemas.Message)) {
	t.Helper()
	var m schemas.Message
	_, body, err := schemas.Frame(c.records[list][i].Value)
	if err == nil {
		err = schemas.MessageSchema.Decode(body, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(&m)
	c.records[list][i].Value = encoded(t, topics.Messages, &m)
}

// once only gives a message that has one version, and comes from a list page of its own.
func single(t *testing.T, c *copied) (list string, i int, m schemas.Message) {
	t.Helper()
	for p := range int32(partitions) {
		list, count := at(topics.Messages, p), map[string]int{}
		for _, r := range c.records[list] {
			count[r.Key]++
		}
		for i, r := range c.records[list] {
			var m schemas.Message
			_, body, _ := schemas.Frame(r.Value)
			if err := schemas.MessageSchema.Decode(body, &m); err != nil {
				t.Fatal(err)
			}
			if count[r.Key] == 1 && m.Forward.Role == schemas.ForwardNone && m.Provenance.SourceAPI == schemas.FeishuMessagesList {
				return list, i, m
			}
		}
	}
	t.Fatal("no message has one version")
	return "", 0, schemas.Message{}
}

// TestWhatIsPlantedIsFound tampers with one thing at a time.
func TestWhatIsPlantedIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		want  string // kinds, each once or more, in alphabetical order
		plant func(*testing.T, *copied) (want audit.Finding)
	}{
		"gap": {"checkpoint gap orphan", func(t *testing.T, c *copied) audit.Finding {
			_, _, behind := link(t, c, 3)
			list, i, page := link(t, c, 2)
			c.remove(list, i)
			key, n := string(page.Container), int64(2)
			return audit.Finding{Kind: audit.KindGap, ContainerKey: &key, Page: &n, PageID: &behind.ID, Epoch: &page.Epoch}
		}},
		"first page": {"checkpoint gap orphan", func(t *testing.T, c *copied) audit.Finding {
			_, _, behind := link(t, c, 2)
			list, i, _ := link(t, c, 1)
			c.remove(list, i)
			n := int64(1)
			return audit.Finding{Kind: audit.KindGap, Page: &n, PageID: &behind.ID}
		}},
		"broken link": {"gap", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 3)
			c.records[list][i] = header(c.records[list][i], "ce_prev", strings.Repeat("0", 64))
			return audit.Finding{Kind: audit.KindGap, PageID: &page.ID}
		}},
		"no link": {"gap", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 3)
			c.records[list][i] = without(c.records[list][i], "ce_prev")
			return audit.Finding{Kind: audit.KindGap, PageID: &page.ID}
		}},
		"fork of a number": {"fork", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			request := page.Request + "&other=1"
			id := schemas.PageID(page.Container, page.Epoch, page.Number, request, page.Subject)
			r := header(header(c.records[list][i], "ce_request", request), "ce_id", id)
			c.again(list, r)
			return audit.Finding{Kind: audit.KindFork, PageID: &id}
		}},
		"fork of a link": {"fork", func(t *testing.T, c *copied) audit.Finding {
			_, _, second := link(t, c, 2)
			list, i, page := link(t, c, 3)
			c.records[list][i] = header(c.records[list][i], "ce_prev", second.Prev)
			return audit.Finding{Kind: audit.KindFork, PageID: &page.ID}
		}},
		"repeat": {"repeat", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			c.again(list, c.records[list][i])
			return audit.Finding{Kind: audit.KindRepeat, PageID: &page.ID}
		}},
		"repeated expansion": {"repeat", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
				p, _ := schemas.ParsePage(r)
				return p.Expansion()
			})
			page, _ := schemas.ParsePage(&c.records[list][i])
			c.again(list, c.records[list][i])
			return audit.Finding{Kind: audit.KindRepeat, PageID: &page.ID}
		}},
		"no final": {"no_final", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
				p, _ := schemas.ParsePage(r)
				return p.Final && p.Error == "" && p.Epoch == 2
			})
			page, _ := schemas.ParsePage(&c.records[list][i])
			c.records[list][i] = without(c.records[list][i], "ce_final")
			return audit.Finding{Kind: audit.KindNoFinal, PageID: &page.ID, Epoch: &page.Epoch}
		}},
		"no final of an earlier epoch": {"no_final", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
				p, _ := schemas.ParsePage(r)
				return p.Error == "superseded" && p.Number > 1
			})
			page, _ := schemas.ParsePage(&c.records[list][i])
			c.remove(list, i)
			return audit.Finding{Kind: audit.KindNoFinal, PageID: &page.Prev, Epoch: &page.Epoch}
		}},
		"bad id": {"bad_id", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			c.records[list][i] = header(c.records[list][i], "ce_request", "GET /elsewhere")
			return audit.Finding{Kind: audit.KindBadID, PageID: &page.ID, Page: &page.Number}
		}},
		"order": {"order orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 3)
			_, j, _ := link(t, c, 2)
			a, b := &c.records[list][i], &c.records[list][j]
			*a, *b = *b, *a
			a.Offset, b.Offset = b.Offset, a.Offset
			return audit.Finding{Kind: audit.KindOrder, PageID: &page.ID}
		}},
		"checkpoint without its page": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool { return false || bytes.Contains([]byte(r.Key), []byte("/chat/")) })
			key := c.records[list][i].Key
			v := c.checkpoint(t, list, key)
			id := strings.Repeat("ab", 32)
			v.LastPageID = &id
			c.again(list, schemas.Record{Topic: topics.Checkpoints, Key: key, Value: encoded(t, topics.Checkpoints, v)})
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key, PageID: &id}
		}},
		"checkpoint that counts more": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool { return strings.Contains(r.Key, "/thread/") })
			key := c.records[list][i].Key
			v := c.checkpoint(t, list, key)
			v.Pages++
			c.again(list, schemas.Record{Topic: topics.Checkpoints, Key: key, Value: encoded(t, topics.Checkpoints, v)})
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key, Page: &v.Pages}
		}},
		"no checkpoint": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool { return strings.Contains(r.Key, "/thread/") })
			key := c.records[list][i].Key
			c.records[list] = slices.DeleteFunc(c.records[list], func(r schemas.Record) bool { return r.Key == key })
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key}
		}},
		"an older checkpoint": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			_, _, page := link(t, c, 2)
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool {
				var v schemas.Checkpoint
				_, body, _ := schemas.Frame(r.Value)
				return schemas.CheckpointSchema.Decode(body, &v) == nil && v.ContainerKey == string(page.Container) && v.Epoch == 2 && v.Pages == 1
			})
			c.again(list, c.records[list][i])
			key := string(page.Container)
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key, PageID: &page.ID}
		}},
		"unaccounted": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.remove(list, i)
			return audit.Finding{Kind: audit.KindUnaccounted, RecordID: &m.RecordID, PageID: &m.Provenance.PageID}
		}},
		"unaccounted child": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Messages, func(r *schemas.Record) bool { return strings.Count(r.Key, "/") == 3 })
			key := c.records[list][i].Key
			c.records[list] = slices.DeleteFunc(c.records[list], func(r schemas.Record) bool { return r.Key == key })
			return audit.Finding{Kind: audit.KindUnaccounted, RecordID: &key}
		}},
		"unaccounted of Yunxin's file": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Messages, func(r *schemas.Record) bool {
				return strings.HasPrefix(r.Key, "yunxin/") && strings.Count(r.Key, "/") == 3
			})
			key := c.records[list][i].Key
			c.records[list] = slices.DeleteFunc(c.records[list], func(r schemas.Record) bool { return r.Key == key })
			return audit.Finding{Kind: audit.KindUnaccounted, RecordID: &key}
		}},
		"item that is no object": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			r := &c.records[list][i]
			r.Value = bytes.Replace(r.Value, []byte(`"items":[`), []byte(`"items":[7,`), 1)
			c.shift(t, page.ID)
			return audit.Finding{Kind: audit.KindUnaccounted, PageID: &page.ID}
		}},
		"page that is none": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list := at(topics.RawPages, 0)
			c.again(list, schemas.Record{Topic: topics.RawPages, Key: "feishu/x/y", Value: []byte("{}")})
			c.committed[0] = c.end[list]
			return audit.Finding{Kind: audit.KindUnaccounted}
		}},
		"orphan without an item": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.ItemPointer = "/data/items/4711" })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID, PageID: &m.Provenance.PageID}
		}},
		"orphan without a page": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			id := strings.Repeat("ab", 32)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.PageID = id })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID, PageID: &id}
		}},
		"orphan at another offset": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.RawOffset++ })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID}
		}},
		"orphan in another partition": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.RawPartition++ })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID}
		}},
		"version twice": {"version", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.again(list, c.records[list][i])
			return audit.Finding{Kind: audit.KindVersion, RecordID: &m.RecordID}
		}},
		"version that falls": {"version", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.again(list, c.records[list][i])
			c.message(t, list, len(c.records[list])-1, func(m *schemas.Message) { m.Version-- })
			return audit.Finding{Kind: audit.KindVersion, RecordID: &m.RecordID}
		}},
		"unreadable message": {"unreadable", func(t *testing.T, c *copied) audit.Finding {
			c.again(at(topics.Messages, 1), schemas.Record{Topic: topics.Messages, Value: []byte("gibberish")})
			return audit.Finding{Kind: audit.KindUnreadable}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := sample(t)
			want := tt.plant(t, c)
			r := c.audit(t)
			var kinds []string
			for kind := range r.Counts {
				kinds = append(kinds, kind)
			}
			slices.Sort(kinds)
			if got := strings.Join(kinds, " "); r.OK || got != tt.want || r.Found() != int64(len(r.Findings)) {
				t.Errorf("found %v, want %s%s", r.Counts, tt.want, told(r))
			}
			if !slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return names(&f, &want) }) {
				t.Errorf("no finding is %s%s", told(&audit.Report{Findings: []audit.Finding{want}}), told(r))
			}
		})
	}
}

// names reports whether a finding says what is wanted.
func names(f, want *audit.Finding) bool {
	same := func(got, want *string) bool { return want == nil || got != nil && *got == *want }
	number := func(got, want *int64) bool { return want == nil || got != nil && *got == *want }
	return f.Kind == want.Kind && f.Detail != "" && same(f.ContainerKey, want.ContainerKey) && same(f.PageID, want.PageID) &&
		same(f.RecordID, want.RecordID) && number(f.Page, want.Page) && number(f.Epoch, want.Epoch)
}

// checkpoint gives the one in force.
func (c *copied) checkpoint(t *testing.T, list, key string) *schemas.Checkpoint {
	t.Helper()
	var v schemas.Checkpoint
	for _, r := range c.records[list] {
		if r.Key != key {
			continue
		}
		v = schemas.Checkpoint{}
		_, body, err := schemas.Frame(r.Value)
		if err == nil {
			err = schemas.CheckpointSchema.Decode(body, &v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &v
}

// shift has the messages of a page come from the items one further.
func (c *copied) shift(t *testing.T, page string) {
	t.Helper()
	for p := range int32(partitions) {
		list := at(topics.Messages, p)
		for i := range c.records[list] {
			c.message(t, list, i, func(m *schemas.Message) {
				var n int
				if _, err := fmt.Sscanf(m.Provenance.ItemPointer, "/data/items/%d", &n); err == nil && m.Provenance.PageID == page {
					m.Provenance.ItemPointer = fmt.Sprintf("/data/items/%d", n+1)
				}
			})
		}
	}
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
			t.Errorf("%s: %v%s", name, r.Counts, told(r))
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
		t.Errorf("pages that are not normalized: %+v%s", r, told(r))
	}
	c.committed = [partitions]int64{-1, -1}
	if r := c.audit(t); !r.OK || r.Pending != r.Pages || r.Items != 0 {
		t.Errorf("nothing is normalized: %+v%s", r, told(r))
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
		t.Errorf("%+v%s", r, told(r))
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
			t.Errorf("%s: %d messages, found %v%s", name, r.Messages, r.Counts, told(r))
		}
		list, i, m := single(t, c)
		c.message(t, list, i, func(m *schemas.Message) { m.Provenance.ItemPointer = "/data/items/4711" })
		if r := c.audit(t); len(r.Findings) != 1 || *r.Findings[0].RecordID != m.RecordID {
			t.Errorf("%s: found %v%s", name, r.Counts, told(r))
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
			t.Errorf("%s: found %v%s", topic, r.Counts, told(r))
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
