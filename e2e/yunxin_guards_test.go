package e2e_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// yunxinGuard is something that Yunxin does to a history and to a list of messages that are asked for, and what must come of
// it.
type yunxinGuard struct {
	faults  []simulator.Fault
	config  simulator.YunxinConfig
	between func(*simulator.Yunxin) // what becomes of the platform between two processes
	// stops says that the process ends, once, with a fatal error that says one of these words: then the faults are mended.
	stops string
	// history and list are the codes with which the containers end as FAILED, "" where they are COMPLETE.
	history, list string
	gone          string // class of the dead letters of what would be there without the faults, "" where it is there
	some          bool   // that holds for some of it only
	files         string // ce_error of all pages of merged files that may be asked for, some words; "*": none has any
	large         bool   // bodies take long: fewer restarts
}

func on(api simulator.API, f simulator.Fault) []simulator.Fault {
	f.API = api
	return []simulator.Fault{f}
}

// both is a fault of history and of lists, files apart.
func both(f simulator.Fault) []simulator.Fault {
	return append(on(simulator.APIHistory, f), on(simulator.APIBatch, f)...)
}

func says(code int, msg string) simulator.Fault {
	return simulator.Fault{Action: simulator.Answer, Code: code, Msg: msg}
}

// theRef is in the place of a message that is asked for by its id.
const theRef = "the ref"

func bigMessage(id string) simulator.Fault {
	return simulator.Fault{Action: simulator.BigItem, Message: id, Bytes: 24<<20 + 1}
}

// at has a fault act from a call on, every so often, so many times.
func at(from, every, times int, f simulator.Fault) simulator.Fault {
	f.From, f.Every, f.Times = from, every, times
	return f
}

var (
	noFile  = simulator.Fault{Action: simulator.Answer, Status: 404, Body: []byte("<Error><Code>NoSuchKey</Code></Error>"), ContentType: "application/xml"}
	noStore = simulator.Fault{Action: simulator.Answer, Status: 503}
	hugeOne = simulator.Fault{Action: simulator.Answer, Status: 200, Body: make([]byte, 24<<20+1), ContentType: "text/plain"}
	badPage = simulator.Fault{Action: simulator.Answer, Status: 200, Body: html, ContentType: "text/html"}
	badID   = says(414, "parameter error: messages.message_server_id")
)

var yunxinGuards = map[string]yunxinGuard{
	"nothing":                       {files: "*"},
	"ends of windows left out":      {config: simulator.YunxinConfig{BeginExclusive: true, EndExclusive: true}},
	"newest first":                  {config: simulator.YunxinConfig{DescendingIsNewestFirst: true}},
	"newest first, end left out":    {config: simulator.YunxinConfig{DescendingIsNewestFirst: true, EndExclusive: true}},
	"pages in no order":             {config: simulator.YunxinConfig{Jumbled: true}},
	"members only":                  {config: simulator.YunxinConfig{MembersOnly: true}},
	"batches of thirty":             {config: simulator.YunxinConfig{MaxBatch: 30}},
	"tokens refused after restarts": {between: (*simulator.Yunxin).RefusePageTokens},
	"tokens refused now and then":   {faults: on(simulator.APIHistory, at(3, 3, 2, simulator.Fault{Action: simulator.RefusePageToken}))},
	"tokens refused for ever":       {faults: on(simulator.APIHistory, simulator.Fault{Action: simulator.RefusePageToken}), history: "token_refused"},
	"repeated token":                {faults: on(simulator.APIHistory, simulator.Fault{Action: simulator.RepeatPageToken}), history: "token_repeated"},
	"more and no token":             {faults: on(simulator.APIHistory, simulator.Fault{Action: simulator.NoPageToken}), history: "token_missing"},
	"some empty pages":              {faults: on(simulator.APIHistory, at(2, 1, 49, simulator.Fault{Action: simulator.EmptyPage}))},
	"empty pages for ever":          {faults: on(simulator.APIHistory, at(2, 1, 0, simulator.Fault{Action: simulator.EmptyPage})), history: "no_progress"},
	"a token at the end":            {faults: on(simulator.APIHistory, simulator.Fault{Action: simulator.LastPageToken})},
	"416 now and then":              {faults: both(at(2, 3, 4, simulator.Fault{Action: simulator.Throttle}))},
	"416 for long":                  {faults: both(at(2, 1, 10, simulator.Fault{Action: simulator.Throttle}))},
	"431 now and then":              {faults: both(at(1, 3, 0, says(431, "")))},
	"431 for long":                  {faults: both(at(2, 1, 11, says(431, "")))},
	"a clock a little ahead":        {faults: []simulator.Fault{at(3, 1, 0, simulator.Fault{Action: simulator.SkewClock, Delay: 4 * time.Minute})}},
	"a clock ahead from the start":  {faults: both(simulator.Fault{Action: simulator.SkewClock, Delay: 10 * time.Hour}), stops: "clock"},
	"a clock ahead":                 {faults: both(at(3, 1, 0, simulator.Fault{Action: simulator.SkewClock, Delay: 10 * time.Hour})), stops: "clock"},
	"a clock behind, as 403": {
		faults: both(simulator.Fault{Action: simulator.SkewClock, Delay: -10 * time.Hour}), config: simulator.YunxinConfig{AuthCode: 403}, stops: "clock",
	},
	"an app that is unknown here":  {faults: both(at(2, 1, 0, says(101303, ""))), stops: "YUNXIN_BASE_URL"},
	"bodies cut short":             {faults: both(at(2, 3, 0, simulator.Fault{Action: simulator.Cut}))},
	"a gateway's HTML":             {faults: both(at(2, 3, 0, simulator.Fault{Action: simulator.HTML}))},
	"HTML as if all were well":     {faults: both(at(2, 1, 11, badPage))},
	"connections reset":            {faults: both(at(2, 3, 0, simulator.Fault{Action: simulator.Reset}))},
	"connections reset for long":   {faults: both(at(2, 1, 40, simulator.Fault{Action: simulator.Reset}))},
	"no answer now and then":       {faults: both(at(2, 4, 0, simulator.Fault{Action: simulator.Hang}))},
	"a page of 20 MB":              {faults: on(simulator.APIHistory, at(2, 1, 1, simulator.Fault{Action: simulator.BigPage, Bytes: 20 << 20})), large: true},
	"pages over 24 MiB":            {faults: on(simulator.APIHistory, at(2, 1, 6, simulator.Fault{Action: simulator.BigPage, Bytes: 24<<20 + 1})), large: true},
	"a message over 24 MiB":        {faults: on(simulator.APIHistory, bigMessage(theMessage)), large: true},
	"the last message over 24 MiB": {faults: on(simulator.APIHistory, bigMessage(theLast)), large: true, history: "too_large"},
	"an unknown code three times":  {faults: both(at(2, 1, 3, says(777777, "")))},
	"an unknown code for ever":     {faults: on(simulator.APIHistory, at(2, 1, 0, says(777777, ""))), history: "777777"},
	"a team that is gone":          {faults: on(simulator.APIHistory, at(2, 1, 0, says(108404, ""))), history: "108404"},
	"internal errors for long":     {faults: both(at(2, 1, 11, says(500, "")))},
	"a message of an internal error": {
		faults: on(simulator.APIBatch, simulator.Fault{Message: theRef, Action: simulator.Answer, Code: 500}), gone: "internal_error", some: true,
	},
	"messages that are not valid": {faults: on(simulator.APIBatch, badID), gone: "414"},
	"no such account":             {faults: on(simulator.APIBatch, says(102404, "")), list: "102404", gone: "102404"},
	"no lists":                    {faults: on(simulator.APIBatch, simulator.Fault{Action: simulator.NoLists}), gone: "unaccounted"},
	"null for lists at first":     {faults: on(simulator.APIBatch, at(1, 1, 2, simulator.Fault{Action: simulator.NullLists}))},
	"the first is left out":       {faults: on(simulator.APIBatch, simulator.Fault{Action: simulator.DropItem}), gone: "unaccounted", some: true},
	"twice the first":             {faults: on(simulator.APIBatch, simulator.Fault{Action: simulator.RepeatItem})},
	"errors that may pass":        {faults: on(simulator.APIBatch, at(1, 1, 3, simulator.Fault{Action: simulator.FailItems, Code: 449}))},
	"errors that could pass":      {faults: on(simulator.APIBatch, simulator.Fault{Action: simulator.FailItems, Code: 449}), gone: "449"},
	"files that are gone":         {faults: on(simulator.APIMergedFile, noFile)},
	"files that are not had now":  {faults: on(simulator.APIMergedFile, at(2, 1, 30, noStore)), files: "*"},
	"files over 24 MiB":           {faults: on(simulator.APIMergedFile, hugeOne), large: true, files: "too_large"},
	"files cut short":             {faults: on(simulator.APIMergedFile, at(2, 1, 30, simulator.Fault{Action: simulator.Cut})), files: "*"},
	"files reset at first":        {faults: on(simulator.APIMergedFile, at(1, 2, 8, simulator.Fault{Action: simulator.Reset})), files: "*"},
	"files that do not come":      {faults: on(simulator.APIMergedFile, at(2, 1, 12, simulator.Fault{Action: simulator.Hang})), files: "*"},
}

// TestYunxinGuards lets the platform do all of this, without a restart and with one at commits from the first to the last: lost before
// it took effect, and kept though its worker was told otherwise. More than two pages of the history stand in one millisecond.
func TestYunxinGuards(t *testing.T) {
	w, err := simulator.NewYunxinWorld(simulator.YunxinOptions{Seed: 3, Conversations: 3, ConversationSize: 330, Mix: simulator.YunxinMix{Forwards: 30, Recalled: 30, Blocked: 20}})
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range yunxinGuards {
		t.Run(name, func(t *testing.T) {
			commits := 0
			synctest.Test(t, func(t *testing.T) { commits = g.run(t, w, nil) })
			restarts := 4
			if g.large || testing.Short() {
				restarts = 1
			}
			step := max(1, commits/restarts)
			runs := 1
			for k := 1 + step/2; k <= commits; k += step {
				for _, outcome := range []memlog.Outcome{memlog.Refused, memlog.Kept} {
					runs++
					synctest.Test(t, func(t *testing.T) {
						defer func() {
							if t.Failed() {
								t.Logf("with outcome %d of commit %d", outcome, k)
							}
						}()
						g.run(t, w, func(n int) memlog.Outcome {
							if n == k {
								return outcome
							}
							return memlog.Done
						})
					})
				}
			}
			t.Logf("%d commits, %d runs", commits, runs)
		})
	}
}

// run reads the world under the guard's faults, judges, and where something failed reads it again from a platform that is
// well. It tells how many commits that took.
func (g *yunxinGuard) run(t *testing.T, w *simulator.YunxinWorld, commit func(int) memlog.Outcome) int {
	s := newTalkStage(t, w, g.config, memlog.Faults{Commit: commit})
	if g.between != nil {
		s.restart = func(*simulator.Feishu) { g.between(s.yunxin) }
	}
	talks := w.Conversations()
	a, all := wantAll(t, w, 200), w.Messages(talks[2].ID, true)
	ref := slices.IndexFunc(a.refs, func(r schemas.MessageRef) bool { return a.fates[r.MessageID] == "" })
	names := strings.NewReplacer(theMessage, all[len(all)/2].ID, theLast, all[len(all)-1].ID, theRef, a.refs[ref].MessageID)
	for _, f := range g.faults {
		f.Message = names.Replace(f.Message)
		if f.Action == simulator.BigItem {
			s.large = f.Message
		}
		s.yunxin.AddFaults(f)
	}
	history := yunxinContainer(w, schemas.KindConversation, talks[2].APIID, talks[2].ID)
	end := schemas.MillisOf(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) // a bubble's present is before all that was said
	history.WindowEnd = &end
	list := yunxinContainer(w, schemas.KindMessages, talks[0].APIID, a.talk, a.refs...)
	s.add(history, list)
	if g.stops != "" {
		s.stopped(g.stops)
		s.yunxin.SetFaults()
	}
	s.toTheEnd()
	commits := s.log.Attempts()
	k := s.check()
	s.ended(k, &history, g.history)
	s.ended(k, &list, g.list)
	s.listed(k, &list, a, g)
	s.filed(g)
	if g.history != "" || g.list != "" {
		s.yunxin.SetFaults()
		s.large = ""
		history.Epoch, list.Epoch = 2, 2
		s.add(history, list)
		s.toTheEnd()
		k = s.check()
		s.ended(k, &history, "")
		s.ended(k, &list, "")
	}
	s.paged(k)
	return commits
}

// stopped expects a process to end with a fatal error that says what to do, before anything was charged to a container.
func (s *talkStage) stopped(words string) {
	s.t.Helper()
	err := s.process()
	for errors.Is(err, memlog.ErrFault) {
		err = s.process()
	}
	var e *connectors.Error
	if !errors.As(err, &e) || e.Class != connectors.ClassFatal || !strings.Contains(err.Error(), words) {
		s.t.Fatalf("the process ends with %v, want a fatal error that says %q", err, words)
	}
	k := newKept()
	for _, tx := range s.log.History() {
		k.take(s.t, &tx, func(*schemas.Page) {})
	}
	for key, cp := range k.checkpoints {
		if cp.State == schemas.StateFailed {
			s.t.Errorf("%s has failed of what the process is to blame for", key)
		}
	}
}

// ended expects a container to be whole, or FAILED with a code.
func (s *talkStage) ended(k *kept, c *schemas.Container, failed string) {
	s.t.Helper()
	if failed != "" {
		s.judge(k, c, failed, true)
		return
	}
	at := epochOf{schemas.ContainerKey(c.Key), c.Epoch}
	if cp := k.checkpoints[at.key]; cp.Epoch != c.Epoch || cp.State != schemas.StateComplete {
		s.t.Errorf("%s is %s in epoch %d (%v), not complete", c.Key, cp.State, cp.Epoch, cp.ErrorCode)
	}
	if c.Kind == schemas.KindConversation {
		truth := s.app.Messages(c.ConversationID, true)
		for i := range truth {
			if (k.shown[at][truth[i].ID] == 0) != (truth[i].ID == s.large) {
				s.t.Errorf("%s does not show message %d of %d", c.Key, i+1, len(truth))
			}
		}
	}
	for _, p := range k.chains[at] {
		for _, id := range k.messages[p.ID] {
			m, known := s.app.Message(c.ConversationID, id)
			if !known || m.Forward != nil && !k.expansions[at][p.Number][id] {
				s.t.Errorf("%s page %d: %s is not of this world, or a merged forward without its file", c.Key, p.Number, id)
			}
		}
	}
}

// paged expects every message that a whole answer has shown to stand in a page.
func (s *talkStage) paged(k *kept) {
	s.t.Helper()
	in := map[string]bool{}
	for _, ids := range k.messages {
		for _, id := range ids {
			in[id] = true
		}
	}
	for _, id := range s.yunxin.Shown() {
		if !in[id] && id != s.large {
			s.t.Errorf("message %s was shown and stands in no page", id)
		}
	}
}

// listed expects each message that was asked for to be shown, or to be one dead letter with its class.
func (s *talkStage) listed(k *kept, c *schemas.Container, a *wanted, g *yunxinGuard) {
	s.t.Helper()
	classes := map[string]string{}
	for i := range k.letters {
		d := &k.letters[i]
		id := strings.TrimPrefix(*d.RecordID, "yunxin/"+s.tenant+"/")
		if classes[id] != "" || *d.ContainerKey != c.Key {
			s.t.Errorf("dead letter of %s stands twice, or is of another container: %+v", id, d)
		}
		classes[id] = d.ErrorClass
	}
	shown := k.shown[epochOf{schemas.ContainerKey(c.Key), 1}]
	gone := 0
	for id, class := range a.fates {
		want := class
		switch {
		case g.gone != "" && g.some && class == "" && classes[id] == g.gone, g.gone != "" && !g.some && (class == "" || whole(g.gone)):
			want = g.gone
			gone++
		}
		if classes[id] != want || (shown[id] > 0) != (want == "") {
			s.t.Errorf("message %s is shown %d times and a dead letter of class %q, want class %q", id, shown[id], classes[id], want)
		}
		delete(classes, id)
	}
	if len(classes) > 0 || g.gone != "" && gone == 0 {
		s.t.Errorf("dead letters of messages that nobody asked for: %v; %d as the fault has it", classes, gone)
	}
}

// whole tells whether a class comes of a whole call, whatever would be said of each message.
func whole(class string) bool { return class != "449" }

// filed expects the pages of merged files to say why they were given up.
func (s *talkStage) filed(g *yunxinGuard) {
	s.t.Helper()
	errs := map[string]int{}
	for _, tx := range s.log.History() {
		for i := range tx.Records {
			rec := &tx.Records[i]
			if rec.Topic != stageTopics.RawPages {
				continue
			}
			if p, err := schemas.ParsePage(rec); err == nil && p.Type == schemas.YunxinMergedFile && p.Error != "host_not_allowed" {
				errs[p.Error]++
			}
		}
	}
	for e := range errs {
		if g.files == "*" && e != "" || g.files != "*" && g.files != "" && !slices.Contains(strings.Fields(g.files), e) {
			s.t.Errorf("pages of files by ce_error: %v, want %q", errs, g.files)
		}
	}
	if len(errs) == 0 {
		s.t.Error("no pages of files")
	}
}
