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
	t.Parallel()
	s := newSite(t, options{
		world:  size(t, simulator.Options{Seed: 1}, simulator.Options{Seed: 1, Chats: 4}),
		feishu: simulator.FeishuConfig{Record: true}, partitions: 6,
	})
	s.add(1, s.chats()...)
	s.rounds()
	f := s.check()
	truth := s.model()
	truth.hold(&f)
	report := s.feishu.Report()
	t.Logf("%d chats, %d pages, %d message versions of %d records; served %d in lists; %d calls", len(s.chats()), f.pages, f.messages, len(f.versions), report.InLists, report.Calls)
	if len(f.versions) != len(truth.rows) || f.dead != 0 {
		t.Errorf("%d records for %d that there are, %d dead letters", len(f.versions), len(truth.rows), f.dead)
	}
	if !testing.Short() && (len(s.chats()) < 20 || report.InLists < 25000) {
		t.Errorf("the corpus gives %d chats and %d messages, fewer than this test is about", len(s.chats()), report.InLists)
	}
	if report.Wrong != 0 {
		t.Errorf("%d calls were at fault", report.Wrong)
	}

	s.once("extractor", 0)
	s.once("normalizer", 0)
	g := s.check()
	if g.pages != f.pages || g.messages != f.messages || g.checkpoints != f.checkpoints || g.dead != f.dead {
		t.Errorf("a second run of both added something: %+v pages, %+v messages, %+v checkpoints", g.pages-f.pages, g.messages-f.messages, g.checkpoints-f.checkpoints)
	}
}

func TestAgainPublishesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{world: simulator.Options{Seed: 2, Chats: 2}, feishu: simulator.FeishuConfig{Record: true}, partitions: 2})
	chats := s.chats()
	s.add(1, chats...)
	s.rounds()
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
	s.rounds()
	after := s.check()
	s.model().hold(&after)
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
	t.Parallel()
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
