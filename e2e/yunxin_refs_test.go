package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"chatlake/connectors/yunxin"
	"chatlake/schemas"
	"chatlake/simulator"
)

// tool builds the operator's tool and gives how to run it; it is expected to succeed.
func (s *site) tool() func(args ...string) string {
	s.t.Helper()
	binary := filepath.Join(s.t.TempDir(), "chatlake")
	if out, err := exec.CommandContext(s.t.Context(), "go", "build", "-o", binary, "chatlake/cmd/chatlake").CombinedOutput(); err != nil {
		s.t.Fatalf("build: %v\n%s", err, out)
	}
	return func(args ...string) string {
		s.t.Helper()
		c := exec.CommandContext(s.t.Context(), binary, args...)
		c.Env = s.env
		out, err := c.CombinedOutput()
		if err != nil {
			s.t.Fatalf("chatlake %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
}

// wanted is what messages are asked for by id, and the class of the dead letter of each that is not to be had, "" for those
// that are.
type wanted struct {
	w     *simulator.YunxinWorld
	talk  string // conversation
	refs  []schemas.MessageRef
	fates map[string]string // by id
}

// ask adds a message; its fate is the platform's answer.
func (a *wanted) ask(id string, at int64) {
	created := schemas.Millis(at)
	a.refs = append(a.refs, schemas.MessageRef{MessageID: id, CreatedAt: &created})
	a.fates[id] = ""
	if code := a.w.Answer(a.talk, id, at); code != 200 {
		a.fates[id] = strconv.Itoa(code)
	}
}

// wantAll asks for n messages of the first conversation in all of the ways that can go wrong without a fault: they are recalled or
// blocked, their time is not told right, they are another conversation's, or nobody's.
func wantAll(t *testing.T, w *simulator.YunxinWorld, n int) *wanted {
	t.Helper()
	talks := w.Conversations()
	a := &wanted{w: w, talk: talks[0].ID, fates: map[string]string{}}
	few := n / 100
	all, others := w.Everything(a.talk), w.Messages(talks[1].ID, true)
	if len(all) < n-2*few || len(others) < few {
		t.Fatalf("%d and %d messages are too few to ask for %d", len(all), len(others), n)
	}
	for i := range few {
		a.ask(others[i].ID, others[i].CreatedAt)
		a.ask(strconv.Itoa(6_100_000_000_000_000_001+2*i), others[i].CreatedAt)
	}
	for i := range all[:n-2*few] {
		at := all[i].CreatedAt
		if i%100 == 50 {
			at++
		}
		a.ask(all[i].ID, at)
	}
	return a
}

// spoil makes faults of some messages that are to be had, each of another kind, and notes what becomes of them.
func (a *wanted) spoil(long bool) (faults []simulator.Fault) {
	poison := func(code int) simulator.Fault {
		return simulator.Fault{Action: simulator.Answer, Code: code, Msg: "parameter error: messages.message_server_id"}
	}
	kinds := []struct {
		fault simulator.Fault
		fate  string
	}{
		{simulator.Fault{Action: simulator.DropItem}, "unaccounted"},
		{simulator.Fault{Action: simulator.DropItem, Times: 1}, ""},
		{poison(414), "414"},
		{poison(414), "414"}, // another, far from the first
		{simulator.Fault{Action: simulator.FailItems, Code: 107451}, "107451"},
		{simulator.Fault{Action: simulator.FailItems, Code: 500, Times: 2}, ""},
		{simulator.Fault{Action: simulator.NullLists, Times: 1}, ""},
		{simulator.Fault{Action: simulator.RepeatItem, Times: 1}, ""},
		{simulator.Fault{Action: simulator.Cut, Times: 2}, ""},
		{simulator.Fault{Action: simulator.HTML, Times: 1}, ""},
		{simulator.Fault{Action: simulator.Answer, Code: 431, Times: 2}, ""},
	}
	if long { // each half of a batch with it is tried again and again before that is halved
		more := slices.Clone(kinds[:2])
		more[0].fault, more[0].fate = poison(500), "internal_error"
		more[1].fault, more[1].fate = simulator.Fault{Action: simulator.FailItems, Code: 500}, "500" // may pass, and does not
		kinds = append(kinds, more...)
	}
	step := len(a.refs) / (len(kinds) + 1)
	for i, k := range kinds {
		at := (i + 1) * step
		for a.fates[a.refs[at].MessageID] != "" {
			at++
		}
		k.fault.API, k.fault.Message = simulator.APIBatch, a.refs[at].MessageID
		a.fates[k.fault.Message] = k.fate
		faults = append(faults, k.fault)
	}
	return faults
}

// lines are the refs as the tool reads them, ids as numbers and as strings.
func (a *wanted) lines() []byte {
	var b bytes.Buffer
	for i, r := range a.refs {
		id := r.MessageID
		if i%2 == 0 {
			id = strconv.Quote(id)
		}
		fmt.Fprintf(&b, `{"message_id":%s,"created_at":%d}`+"\n", id, *r.CreatedAt)
	}
	return b.Bytes()
}

// TestYunxinRefs asks for many messages by id, of which some fail in every way: each is a message, or a dead letter with its
// record_id, and nothing else.
func TestYunxinRefs(t *testing.T) {
	t.Parallel()
	n, lines := 10_000, 10_100
	if testing.Short() {
		n, lines = 700, 750
	}
	s := newSite(t, options{alone: true, partitions: 2, yunxin: &yunxinOptions{
		world:  simulator.YunxinOptions{Seed: 73, Conversations: 2, ConversationSize: lines},
		config: simulator.YunxinConfig{Record: true},
	}})
	a := wantAll(t, s.app, n)
	s.yunxin.AddFaults(a.spoil(!testing.Short())...)
	file := filepath.Join(t.TempDir(), "refs.jsonl")
	if err := os.WriteFile(file, a.lines(), 0o600); err != nil {
		t.Fatal(err)
	}
	add := []string{"containers", "add", "--platform", "yunxin", "--kind", "messages", "--id", s.app.Conversations()[0].APIID, "--refs", file}
	tool := s.tool()
	t.Log(tool(add...))
	rounds := s.rounds()
	f := s.check()
	s.accounted(&f, a.fates)
	t.Logf("%d ids, %d dead letters, %d records, %d pages, %d calls, %d rounds", len(a.refs), f.dead, len(f.last), f.pages, s.yunxin.Report().Calls, rounds)

	t.Log(tool(add...)) // changes nothing
	s.strangers(&f, a)
}

// accounted expects each message that was asked for to be there, or to be one dead letter with its class, and no other dead
// letter.
func (s *site) accounted(f *found, fates map[string]string) {
	s.t.Helper()
	tenant, _ := s.app.App()
	prefix, classes := "yunxin/"+tenant+"/", map[string]string{}
	for _, d := range f.letters {
		id := text(d["record_id"])
		if _, twice := classes[id]; twice || d["stage"] != schemas.StageExtract || text(d["page_id"]) == "" || text(d["container_key"]) == "" || d["body"] != nil {
			s.t.Errorf("dead letter, twice %v: %s", twice, dump(d))
		}
		classes[id] = d["error_class"].(string)
	}
	wrong, there := 0, 0
	for id, class := range fates {
		m := f.last[prefix+id]
		got, dead := classes[prefix+id]
		if dead != (class != "") || dead == (m != nil) || got != class || m != nil && m["message_id"] != id {
			if wrong++; wrong <= 12 {
				s.t.Errorf("message %q is there: %v, dead letter: %v of class %q, want class %q", id, m != nil, dead, got, class)
			}
		}
		delete(classes, prefix+id)
		there++
	}
	if wrong > 0 || len(classes) > 0 {
		s.t.Errorf("%d of %d messages are not accounted for as they should be; dead letters of others: %v", wrong, there, classes)
	}
	s.compareSaid(f)
}

// compareSaid holds what each message says, which depends on no other, against the truth.
func (s *site) compareSaid(f *found) {
	s.t.Helper()
	wrong := 0
	for _, c := range s.app.Conversations() {
		for _, x := range s.app.Everything(c.ID) {
			tenant, _ := s.app.App()
			m := f.last["yunxin/"+tenant+"/"+x.ID]
			if m == nil {
				continue
			}
			var d differences
			(&yunxinRow{message: &x, conversation: &c}).said(&d, m, false)
			if d.is("conversation_id", m["conversation_id"], c.ID); len(d) > 0 {
				if wrong++; wrong <= 5 {
					s.t.Errorf("message %s: %v", x.ID, d)
				}
			}
		}
	}
}

// strangers asks, as another writer of the topic might, for ids that are none, for messages without a time, of conversations that
// cannot be read and of an app that is not ours.
func (s *site) strangers(f *found, a *wanted) {
	s.t.Helper()
	var shown schemas.MessageRef
	for _, r := range a.refs {
		if a.fates[r.MessageID] == "" {
			shown = r
		}
	}
	fates := a.fates
	bad := []schemas.MessageRef{shown, {MessageID: "1234567"}, {MessageID: "1234567"}} // one that is there, one without a time, twice
	fates["1234567"] = "107404"
	for _, id := range []string{"not a number", "0", "-5", "007", "1e3", "99999999999999999999", "1/2!#"} {
		bad = append(bad, schemas.MessageRef{MessageID: id})
		fates[schemas.Part(id)] = "bad_ref"
	}
	talk := s.app.Conversations()[0]
	asked := []schemas.Container{yunxinContainer(s.app, schemas.KindMessages, talk.APIID, talk.ID, bad...)}
	n := 0
	for _, r := range s.app.Refused() {
		var refs []schemas.MessageRef
		for range 130 {
			n++
			id := strconv.Itoa(8_000_000 + n)
			refs, fates[id] = append(refs, schemas.MessageRef{MessageID: id, CreatedAt: shown.CreatedAt}), strconv.Itoa(r.Code)
		}
		if r.Code == 109404 {
			for _, ref := range refs {
				fates[ref.MessageID] = "107404" // who is no member may ask for messages by id
			}
		}
		conversation, err := yunxin.Canonical(r.APIID)
		if err != nil {
			s.t.Fatal(err)
		}
		asked = append(asked, yunxinContainer(s.app, schemas.KindMessages, r.APIID, conversation, refs...))
	}
	foreign := yunxinContainer(s.app, schemas.KindMessages, talk.APIID, talk.ID, shown)
	foreign.TenantID = "another app"
	foreign.Key = string(schemas.MessagesContainerKey(schemas.Yunxin, foreign.TenantID, talk.ID, []string{shown.MessageID}))
	s.add(1, asked...)
	s.once("extractor", 3) // what cannot be read has failed
	s.once("normalizer", 0)
	g := s.check()
	s.accounted(&g, fates)
	if g.messages != f.messages {
		s.t.Errorf("%d versions more", g.messages-f.messages)
	}
	s.add(1, foreign)
	s.once("extractor", 3)
	if h := s.check(); h.pages != g.pages {
		s.t.Errorf("another app's container gave %d pages", h.pages-g.pages)
	}
}
