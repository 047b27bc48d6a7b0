package main

import (
	"strings"
	"testing"

	"chatlake/schemas"
	"chatlake/simulator"
)

// TestCompareFindsWhatIsLostAndWhatIsNotTheirs checks the demo's own referee.
func TestCompareFindsWhatIsLostAndWhatIsNotTheirs(t *testing.T) {
	w, err := simulator.NewWorld(simulator.Options{Seed: 2, Chats: 1, Messages: 60})
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{expected: expect(w), platform: &platform{world: w, api: simulator.NewFeishu(w, simulator.FeishuConfig{})}}
	all := map[string]string{}
	for _, c := range w.Chats() {
		for _, m := range w.Messages(c.ID) {
			all[m.ID] = "feishu/t/" + m.ID
		}
		for _, th := range w.Threads(c.ID) {
			for _, m := range w.Thread(th.ID) {
				all[m.ID] = "feishu/t/" + m.ID
			}
		}
	}
	if len(all) != len(d.expected.messages) || d.expected.pages < 2 {
		t.Fatalf("expected %d messages on %d pages, the world has %d", len(d.expected.messages), d.expected.pages, len(all))
	}
	var b readBack
	d.compare(all, &b)
	if b.lost != 0 || b.unexpected != 0 {
		t.Errorf("all is there: %+v", b)
	}
	for id := range all {
		delete(all, id)
		break
	}
	all["om_nobody"] = "feishu/t/om_nobody"
	b = readBack{}
	d.compare(all, &b)
	if b.lost != 1 || b.unexpected != 1 {
		t.Errorf("one is lost and one is not theirs: %+v", b)
	}
}

func TestExcerptShowsTheNewestVersionAndWhomItAnswers(t *testing.T) {
	talk := newTalk()
	say := func(id, name, text, answers string, version int64) *schemas.Message {
		m := &schemas.Message{
			MessageID: id, ConversationID: "oc_1", Version: version, State: schemas.MessageNormal, ContentKind: schemas.ContentText,
			Sender: schemas.Sender{Name: &name}, Text: &text, OccurredAt: schemas.Millis(version),
		}
		if answers != "" {
			m.Parent.MessageID = &answers
		}
		return m
	}
	talk.hear(say("om_2", "Bob", "new\x1b[2J", "om_1", 20))
	talk.hear(say("om_2", "Bob", "old", "om_1", 10))
	talk.hear(say("om_1", "Ann", "question?", "", 5))
	gone := say("om_3", "Cid", "", "om_nowhere", 30)
	gone.State, gone.Text = schemas.MessageRecalled, nil
	talk.hear(gone)
	system := say("om_4", "", "Eve joined", "", 40)
	system.ContentKind = schemas.ContentSystem
	talk.hear(system)
	var b strings.Builder
	talk.print(&b, talk.excerpt())
	want := []string{
		"  00:00  Ann             question?",
		"  00:00  Bob             ↳ to Ann “question?”: new\ufffd[2J",
		"  00:00  Cid             ↳ to om_nowhere: [recalled]",
		"  00:00                  * Eve joined",
	}
	if b.String() != strings.Join(want, "\n")+"\n" {
		t.Errorf("got\n%s", b.String())
	}
}
