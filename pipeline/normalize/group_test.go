package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// growingPages is an ownership whose topic of raw pages grows right after its end was looked at, as it does while an
// extractor runs.
type growingPages struct {
	*memlog.Partition
	grow func()
}

func (g *growingPages) End(ctx context.Context, topic string) (int64, error) {
	end, err := g.Partition.End(ctx, topic)
	if topic == topics.RawPages && g.grow != nil {
		g.grow()
		g.grow = nil
	}
	return end, err
}

// said tells everything that was published, and why something was not.
func (r *rig) said() string {
	r.t.Helper()
	var out []string
	for _, m := range r.messages() {
		out = append(out, fmt.Sprintf("%s v%d %s %s seq=%v offset=%d", m.RecordID, m.Version, m.Change, m.Forward.Expansion, m.ConversationSeq != nil, m.Provenance.RawOffset))
	}
	for _, d := range r.dead() {
		out = append(out, "dead "+d.ErrorClass)
	}
	return strings.Join(out, "\n")
}

// TestOnceKeepsAPageAndItsExpansionsTogether: the fetch in which --once passes its end breaks off between expansions and
// their page, while an extractor writes. What is published is what any other reading of the topic publishes.
func TestOnceKeepsAPageAndItsExpansionsTogether(t *testing.T) {
	seq := int64(7)
	for name, c := range map[string]struct {
		decoders map[string]func() connectors.Decoder
		records  func(r *rig) []schemas.Record // the first is there at the start
	}{
		"made up": {nil, func(r *rig) []schemas.Record {
			return []schemas.Record{
				r.raw(sheet{body: page(item{ID: "n", Rev: 1}), number: 1}), r.raw(expansion(2, "f", "", child{ID: "a", Text: "x"})),
				r.raw(sheet{body: page(item{ID: "f", Rev: 1, Forward: true, Seq: &seq}), number: 2}),
			}
		}},
		"Yunxin's merged file": {
			map[string]func() connectors.Decoder{schemas.Yunxin: func() connectors.Decoder { return yunxin.NewDecoder() }},
			func(*rig) []schemas.Record { return mergedFile() },
		},
	} {
		run := func(cut bool) string {
			f := memlog.Faults{}
			if cut {
				f.MaxRecords = 2
			}
			r := newRig(t, f)
			if c.decoders != nil {
				r.conf.Decoders = c.decoders
			}
			all := c.records(r)
			r.log.Append(all[0])
			if !cut {
				r.log.Append(all[1:]...)
				r.toTheEnd()
				return r.said()
			}
			own := &growingPages{r.log.Own(topics.RawPages, 0), func() { r.log.Append(all[1:]...) }}
			if err := r.normalizer().Partition(t.Context(), own); err != nil {
				t.Fatal(err)
			}
			if own.grow != nil {
				t.Error("the topic did not grow")
			}
			if err := r.normalizer().Partition(t.Context(), r.log.Own(topics.RawPages, 0)); err != nil { // --once again
				t.Fatal(err)
			}
			return r.said()
		}
		whole, split := run(false), run(true)
		if whole != split || !strings.Contains(whole, schemas.ExpansionComplete) {
			t.Errorf("%s: read in one go:\n%s\n--once while the topic grew, then --once again:\n%s", name, whole, split)
		}
	}
}

// mergedFile is a page of Yunxin, and another with the file of a merged forward that it shows before it.
func mergedFile() []schemas.Record {
	const talk = "p2p:alice:bob"
	raw := func(n int64, typ, request, subject, body string) schemas.Record {
		p := schemas.Page{
			Container: schemas.NewContainerKey(schemas.Yunxin, "appkey", schemas.KindConversation, talk), Conversation: schemas.NewConversationKey(schemas.Yunxin, "appkey", talk),
			Type: typ, ContentType: "application/json", Time: fixed.Add(time.Duration(n) * time.Second), Epoch: 1, Number: n, Request: request, HTTPStatus: 200, Code: "200",
			Subject: subject, AppID: "appkey", ConnectorVersion: "chatlake/test", Body: []byte(body),
		}
		if typ == schemas.YunxinMergedFile {
			p.Code, p.ContentType = "0", "text/plain"
		}
		return p.Record(topics.RawPages, 1)
	}
	list := func(id, rest string) string {
		return fmt.Sprintf(`{"code":200,"msg":"success","data":{"has_more":true,"next_token":"t","items":[{"message_server_id":%s,"conversation_type":1,"sender_id":"alice",`+
			`"receiver_id":"bob","create_time":1722247467123,"message_client_id":"c%s",%s}]}}`, id, id, rest)
	}
	const file = `{"version":0,"terminal":1,"message_count":2}` + "\n" +
		`{"0":0,"1":"bob","2":"alice","7":1722247460000,"8":0,"9":"first","11":"k1","12":501}` + "\n" +
		`{"0":0,"1":"bob","2":"alice","7":1722247461000,"8":0,"9":"second","11":"k2","12":502}`
	return []schemas.Record{
		raw(1, schemas.YunxinMessagesList, "GET /1", "", list("9001", `"message_type":0,"text":"hi"`)),
		raw(2, schemas.YunxinMergedFile, "https://nim.nosdn.127.net/f", "9002", file),
		raw(2, schemas.YunxinMessagesList, "GET /2", "", list("9002", `"message_type":100,"attachment":{"type":101,"data":{"url":"https://nim.nosdn.127.net/f","depth":1,"sessionName":"s","abstracts":[]}}`)),
	}
}

// TestExpansionsAtTheEndWaitForTheNextRecord: neither a run's end nor a session's, nor a commit, ends their group. Any
// record that is not of it does.
func TestExpansionsAtTheEndWaitForTheNextRecord(t *testing.T) {
	for name, next := range map[string]struct {
		add  func(r *rig)
		want string
	}{
		"their page": {func(r *rig) { r.add(sheet{body: page(item{ID: "f", Rev: 1, Forward: true}), number: 2}) },
			"n NONE NONE; f CONTAINER COMPLETE() 1 NONE; f/a CHILD x NONE"},
		"another page": {func(r *rig) { r.add(sheet{body: page(item{ID: "m", Rev: 1}), number: 3}) },
			"n NONE NONE; f CONTAINER COMPLETE() 1 NONE; f/a CHILD x NONE; m NONE NONE"},
		"no page at all": {func(r *rig) { x := r.raw(page()); x.Headers = nil; r.add(x) },
			"n NONE NONE; f CONTAINER COMPLETE() 1 NONE; f/a CHILD x NONE"},
	} {
		r := newRig(t, memlog.Faults{})
		r.add(sheet{body: page(item{ID: "n", Rev: 1}), number: 1}, expansion(2, "f", "", child{ID: "a", Text: "x"}))
		for range 3 {
			r.toTheEnd()
			if got := r.forwards(); got != "n NONE NONE" || r.log.Own(topics.RawPages, 0).Committed() != 1 {
				t.Errorf("%s: before it came: %s, committed %d", name, got, r.log.Own(topics.RawPages, 0).Committed())
			}
		}
		if n := r.log.Attempts(); n != 1 {
			t.Errorf("%s: %d commits before it came", name, n)
		}
		next.add(r)
		r.toTheEnd()
		if got := r.forwards(); got != next.want {
			t.Errorf("%s: %s, want %s", name, got, next.want)
		}
	}
}

// TestAWorkerWaitsForThePage of expansions for as long as it takes, and commits what came before them meanwhile.
func TestAWorkerWaitsForThePage(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.Faults{MaxRecords: 1})
		r.dir, r.conf.Once, r.conf.Now, r.conf.CommitInterval = dir, false, time.Now, 200*time.Millisecond
		stop, done := errors.New("stop"), make(chan error, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { done <- r.session(ctx) }()
		r.add(sheet{body: page(item{ID: "n", Rev: 1}), number: 1}, expansion(2, "f", "", child{ID: "a", Text: "x"}))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := r.forwards(); got != "n NONE NONE" || r.log.Attempts() != 1 {
			t.Errorf("after an hour: %s in %d commits", got, r.log.Attempts())
		}
		r.add(sheet{body: page(item{ID: "f", Rev: 1, Forward: true}), number: 2})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.forwards(); got != "n NONE NONE; f CONTAINER COMPLETE() 1 NONE; f/a CHILD x NONE" || r.log.Attempts() != 2 {
			t.Errorf("after the page: %s in %d commits", got, r.log.Attempts())
		}
		cancel(stop)
		if err := <-done; !errors.Is(err, stop) {
			t.Error(err)
		}
	})
}

// TestOffsetWithinAGroup: an offset that an earlier version committed between expansions and their page, or that an operator
// has set there, does not part them, whether the index is kept, lost or behind it.
func TestOffsetWithinAGroup(t *testing.T) {
	for offset := range int64(5) {
		for _, state := range []string{"kept", "lost"} {
			r := newRig(t, memlog.Faults{})
			r.add(sheet{body: page(item{ID: "n", Rev: 1}), number: 1})
			r.toTheEnd()
			r.add(expansion(2, "f", "", child{ID: "a", Text: "x"}), expansion(2, "f2", "", child{ID: "b", Text: "y"}),
				sheet{body: page(item{ID: "f", Rev: 1, Forward: true}, item{ID: "f2", Rev: 1, Forward: true}), number: 2}, sheet{body: page(item{ID: "f", Rev: 1, Forward: true}), number: 3})
			r.log.SetCommitted(topics.RawPages, 0, offset)
			if state == "lost" {
				r.dir = t.TempDir()
			}
			r.toTheEnd()
			want := "n NONE NONE"
			if offset <= 3 {
				want += "; f CONTAINER COMPLETE() 1 NONE; f/a CHILD x NONE; f2 CONTAINER COMPLETE() 1 NONE; f2/b CHILD y NONE"
			} else { // its page lies before the offset: it counts as published
				want += "; f CONTAINER COMPLETE() 1 NONE"
			}
			if got := r.forwards(); got != want {
				t.Errorf("offset %d, state %s: %s, want %s", offset, state, got, want)
			}
			for _, tx := range r.log.History()[1:] {
				if tx.Next < offset {
					t.Errorf("offset %d, state %s: the group's offset fell to %d", offset, state, tx.Next)
				}
			}
		}
	}
}

// TestExpansionsWithoutTheirPageAreNormalizedOnce: groups whose page never comes stand one behind another, so that the offset
// between two of them is committed. What they gave then is not written again after a crash, by whatever decoder.
func TestExpansionsWithoutTheirPageAreNormalizedOnce(t *testing.T) {
	records := func(r *rig) (all []schemas.Record) {
		for n := range int64(4) {
			x := expansion(10+n, fmt.Sprint("f", n), "", child{ID: "a", Text: "x"})
			x.Failed = []string{"feishu/cli_1/broken"}
			all = append(all, r.raw(x))
		}
		return append(all, r.raw(page(item{ID: "n", Rev: 1})))
	}
	for outcome := memlog.Refused; outcome <= memlog.Kept; outcome++ {
		for k := 1; k <= 4; k++ {
			for _, decoder := range []string{"first", "second"} {
				for _, lose := range []bool{false, true} {
					r := newRig(t, memlog.Faults{MaxRecords: 1, Commit: failAt(k, outcome)})
					r.use("first")
					r.log.Append(records(r)...)
					r.toTheEnd(func() {
						if r.use(decoder); lose {
							r.dir = t.TempDir()
						}
					})
					name := fmt.Sprintf("outcome %d of commit %d, then the %s decoder, state lost %v", outcome, k, decoder, lose)
					r.rises(name)
					if m, d := len(r.messages()), len(r.dead()); m != 9 || d != 4 {
						t.Errorf("%s: %d messages and %d dead letters, want 9 and 4", name, m, d)
					}
				}
			}
		}
	}
}

// TestGroupsAreBounded: what no page of ours has before it is not gathered for ever. Where a group is cut depends on the
// records alone.
func TestGroupsAreBounded(t *testing.T) {
	const mib = 1 << 20
	run := func(size int) (string, string) {
		var said strings.Builder
		r := newRig(t, memlog.Faults{MaxRecords: size})
		r.conf.Logger = slog.New(slog.NewTextHandler(&said, nil))
		for i := range 9 { // 108 MiB: beyond the bound with the ninth
			x := r.raw(expansion(1, fmt.Sprint("f", i), "", child{ID: "a"}))
			x.Value = append(x.Value, strings.Repeat(" ", 12*mib)...)
			r.add(x)
		}
		items := []item{}
		for i := range 9 {
			items = append(items, item{ID: fmt.Sprint("f", i), Rev: 1, Forward: true})
		}
		r.add(sheet{body: page(items...), number: 1})
		r.toTheEnd()
		return r.forwards(), said.String()
	}
	want, said := run(0)
	if n := strings.Count(want, "COMPLETE"); n != 9 || strings.Count(said, "expansions without their page") != 1 || !strings.Contains(said, "records=7") {
		t.Errorf("%d forwards of 9 in\n%s\nlog: %s", n, want, said)
	}
	if got, _ := run(2); got != want {
		t.Errorf("two a batch:\n%s, want\n%s", got, want)
	}
}

// TestOnceWaitsForWhatIsHidden: an open transaction hides a page that was there when the run began.
func TestOnceWaitsForWhatIsHidden(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.Faults{})
		r.dir = dir
		r.add(page(item{ID: "a", Rev: 1}))
		end := r.log.Begin(schemas.Record{Topic: topics.RawPages})
		r.add(page(item{ID: "b", Rev: 1}))
		go func() {
			time.Sleep(50 * time.Second)
			end(false)
		}()
		began := time.Now()
		r.toTheEnd()
		r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -")
		if took := time.Since(began); took < 50*time.Second {
			t.Errorf("it ended after %v", took)
		}
	})
}
