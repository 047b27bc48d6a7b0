package e2e_test

import (
	"strings"
	"testing"

	"chatlake/simulator"
)

// size is how much of the corpus a test reads.
func size(t *testing.T, long, short simulator.Options) simulator.Options {
	t.Helper()
	if testing.Short() {
		return short
	}
	return long
}

func TestBackfillIsCompleteExactAndOnce(t *testing.T) {
	s := newSite(t, options{
		world:  size(t, simulator.Options{Seed: 1}, simulator.Options{Seed: 1, Chats: 4}),
		feishu: simulator.FeishuConfig{Record: true}, partitions: 6,
	})
	s.add(1, s.chats()...)
	t.Log(s.once("extractor", 0))
	t.Log(s.once("normalizer", 0))
	f := s.check()
	report := s.feishu.Report()
	t.Logf("%d chats, %d pages, %d message versions of %d records; served %d in lists; %d calls", len(s.chats()), f.pages, f.messages, len(f.versions), report.InLists, report.Calls)
	if len(f.versions) != report.InLists || f.dead != 0 {
		t.Errorf("%d messages for %d that were served in lists, %d dead letters", len(f.versions), report.InLists, f.dead)
	}
	if !testing.Short() && (len(s.chats()) < 20 || report.InLists < 25000) {
		t.Errorf("the corpus gives %d chats and %d messages, fewer than this test is about", len(s.chats()), report.InLists)
	}
	if report.Wrong != 0 {
		t.Errorf("%d calls were at fault", report.Wrong)
	}
	s.compareTexts(&f)

	s.once("extractor", 0)
	s.once("normalizer", 0)
	g := s.check()
	if g.pages != f.pages || g.messages != f.messages || g.checkpoints != f.checkpoints || g.dead != f.dead {
		t.Errorf("a second run of both added something: %+v pages, %+v messages, %+v checkpoints", g.pages-f.pages, g.messages-f.messages, g.checkpoints-f.checkpoints)
	}
}

// compareTexts holds text, state and kind of every message against the truth.
func (s *site) compareTexts(f *found) {
	s.t.Helper()
	tenant, _, _ := s.world.App()
	wrong := 0
	for _, c := range s.world.Chats() {
		for _, want := range s.world.Everything(c.ID) {
			m := f.last["feishu/"+tenant+"/"+want.ID]
			if m == nil {
				continue // not shown by any list
			}
			ok := m["state"] == string(want.State) && m["content_kind"] == want.Kind && m["is_edited"] == want.Edited
			if want.State == simulator.Normal && want.TextExact && !want.TextNone {
				ok = ok && text(m["text"]) == want.Text
			}
			if !ok {
				if wrong++; wrong <= 5 {
					s.t.Errorf("message %s (%s): got state %v kind %v edited %v text %q, want %v %v %v %q", want.ID, want.Type,
						m["state"], m["content_kind"], m["is_edited"], text(m["text"]), want.State, want.Kind, want.Edited, want.Text)
				}
			}
		}
	}
	if wrong > 0 {
		s.t.Errorf("%d messages differ from the truth", wrong)
	}
}

func TestAgainPublishesOnlyWhatChanged(t *testing.T) {
	s := newSite(t, options{world: simulator.Options{Seed: 2, Chats: 2}, feishu: simulator.FeishuConfig{Record: true}, partitions: 2})
	chats := s.chats()
	s.add(1, chats...)
	s.once("extractor", 0)
	s.once("normalizer", 0)
	before := s.check()

	var edited, recalled string
	for _, m := range s.world.Messages(chats[0].ID) {
		switch {
		case m.State != simulator.Normal || m.Type != "text" || m.Edited:
		case edited == "":
			edited = m.ID
		case recalled == "":
			recalled = m.ID
		}
	}
	if err := s.world.Edit(edited, "said better"); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Recall(recalled); err != nil {
		t.Fatal(err)
	}
	s.add(2, chats...)
	t.Log(s.once("extractor", 0))
	t.Log(s.once("normalizer", 0))
	after := s.check()
	if got := after.messages - before.messages; got != 2 {
		t.Errorf("reading again published %d versions, want 2", got)
	}
	tenant, _, _ := s.world.App()
	if m := after.last["feishu/"+tenant+"/"+edited]; m["change"] != "edited" || text(m["text"]) != "said better" {
		t.Errorf("edited message: %s", dump(m))
	}
	if m := after.last["feishu/"+tenant+"/"+recalled]; m["change"] != "recalled" || m["state"] != "RECALLED" || m["text"] != nil {
		t.Errorf("recalled message: %s", dump(m))
	}
}

func TestFailedContainerEndsWithThreeAndTheOthersGoOn(t *testing.T) {
	s := newSite(t, options{world: simulator.Options{Seed: 3, Chats: 3}, feishu: simulator.FeishuConfig{Record: true}, partitions: 3})
	chats := s.chats()
	s.feishu.SetFaults(simulator.Fault{Container: chats[1].ID, API: simulator.APIMessages, Action: simulator.Answer, Status: 400, Code: 230002})
	s.add(1, chats...)
	out := s.once("extractor", 3)
	if !strings.Contains(out, "230002") || !strings.Contains(out, chats[1].ID) {
		t.Errorf("the summary does not name the chat and its code:\n%s", out)
	}
	s.once("normalizer", 0)
	f := s.check()
	if len(f.versions) == 0 {
		t.Error("the other chats were not read")
	}
}
