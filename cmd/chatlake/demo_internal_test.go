package main

import (
	"strings"
	"testing"

	"chatlake/schemas"
	"chatlake/simulator"
)

// truths are small worlds with what is to be found of them.
func truths(t *testing.T) map[string]*expectation {
	t.Helper()
	f, err := simulator.NewWorld(simulator.Options{Seed: 2, Chats: 1, Messages: 600})
	if err != nil {
		t.Fatal(err)
	}
	y, err := simulator.NewYunxinWorld(simulator.YunxinOptions{Seed: 2, Conversations: 1})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*expectation{"feishu": expectFeishu(f), "yunxin": expectYunxin(y)}
}

// TestCompareFindsWhatIsLostAndWhatIsNotTheirs checks the demo's own referee.
func TestCompareFindsWhatIsLostAndWhatIsNotTheirs(t *testing.T) {
	for name, e := range truths(t) {
		if len(e.messages) < 400 || len(e.children) == 0 || e.pages < 5 {
			t.Fatalf("%s expects %d messages, %d children, %d pages", name, len(e.messages), len(e.children), e.pages)
		}
		f := &found{records: map[string]string{}, children: map[string]string{}}
		for id := range e.messages {
			f.records[id] = name + "/t/" + id
		}
		for key := range e.children {
			f.children[key] = name + "/t/" + key
		}
		if lost, unexpected := f.compare(e, nil); lost != 0 || unexpected != 0 {
			t.Errorf("%s: all is there, but %d are lost and %d unexpected", name, lost, unexpected)
		}
		for id := range e.messages {
			delete(f.records, id)
			break
		}
		for key := range e.children {
			delete(f.children, key)
			break
		}
		f.records["nobody's"], f.children[childKey("nobody's", "00001")] = "x", "x"
		if lost, unexpected := f.compare(e, []string{"shown, though not expected"}); lost != 3 || unexpected != 2 {
			t.Errorf("%s: %d lost and %d unexpected, want 3 and 2", name, lost, unexpected)
		}
	}
}

func TestOneMessageUnderTwoNamesIsDoubled(t *testing.T) {
	f := &found{records: map[string]string{}, children: map[string]string{}, last: map[string]end{}}
	container, path := "feishu/t/om_f", "00001"
	for _, record := range []string{"a", "a", "b"} {
		m := say("om_1", "Ann", "x", 1)
		m.RecordID = record
		f.count(m)
		c := say("om_2", "Ann", "x", 1)
		c.RecordID, c.Forward = record, schemas.Forward{Role: schemas.ForwardChild, ContainerRecordID: &container, Path: &path}
		f.count(c)
	}
	if f.doubled != 2 || len(f.records) != 1 || len(f.children) != 1 {
		t.Errorf("%+v", f)
	}
}

// say makes a message of a conversation.
func say(id, name, text string, version int64) *schemas.Message {
	return &schemas.Message{
		Platform: "feishu", RecordID: "feishu/t/" + id, MessageID: id, ConversationID: "oc_1", Version: version, State: schemas.MessageNormal,
		ContentKind: schemas.ContentText, Sender: schemas.Sender{Name: &name}, Text: &text, CreatedAt: schemas.Millis(version),
		Parent: schemas.Link{Status: schemas.LinkNone},
	}
}

func answer(m *schemas.Message, status, id string) *schemas.Message {
	m.Parent = schemas.Link{Status: status, MessageID: &id}
	if status == schemas.LinkResolved {
		record := "feishu/t/" + id
		m.Parent.RecordID = &record
	}
	return m
}

func TestExcerptShowsTheNewestVersionAndWhomItAnswers(t *testing.T) {
	talk := newTalk()
	talk.hear(answer(say("om_2", "Bob", "new\x1b[2J", 20), schemas.LinkResolved, "om_1"))
	talk.hear(answer(say("om_2", "Bob", "old", 10), schemas.LinkPending, "om_1"))
	talk.hear(say("om_1", "Ann", "question?", 5))
	gone := answer(say("om_3", "Cid", "", 30), schemas.LinkDeleted, "om_nowhere")
	gone.State, gone.Text = schemas.MessageRecalled, nil
	talk.hear(gone)
	system := say("om_4", "", "Eve joined", 40)
	system.ContentKind = schemas.ContentSystem
	talk.hear(system)
	talk.hear(answer(say("om_5", "Dan", strings.Repeat("long ", 50), 50), schemas.LinkMissing, "om_nobody"))
	talk.said["feishu/t/om_5"].mark = "[edited]"
	var b strings.Builder
	talk.print(&b, talk.excerpt("feishu", 10), flat)
	want := []string{
		"  00:00  Ann             question?",
		"  00:00  Bob             ↳ to Ann “question?”: new\ufffd[2J",
		"  00:00  Cid             ↳ to a message that was deleted: [recalled]",
		"  00:00                  * Eve joined",
		"  00:00  Dan             ↳ to a message that is not there: long long long long long long long long long long… [edited]",
	}
	if b.String() != strings.Join(want, "\n")+"\n" {
		t.Errorf("got\n%s", b.String())
	}
}

func TestThreadsAndForwardsAreIndented(t *testing.T) {
	talk, thread := newTalk(), "omt_1"
	for i, text := range []string{"root", "one", "two", "three"} {
		m := say("om_"+text, "Ann", text, int64(i+1))
		if m.ThreadID, m.IsThreadRoot = &thread, i == 0; i > 0 {
			m.Sender.Name = &text
			answer(m, schemas.LinkResolved, []string{"om_root", "om_root", "om_one"}[i-1])
		}
		talk.hear(m)
	}
	in := func(m *schemas.Message, role, path string, depth int64) *schemas.Message {
		container := "feishu/t/om_f"
		m.RecordID = container + "/" + m.MessageID
		m.Forward = schemas.Forward{Role: role, ContainerRecordID: &container, Path: &path, Depth: depth}
		return m
	}
	outer, two := say("om_f", "Bob", "", 9), int64(2)
	outer.Forward = schemas.Forward{Role: schemas.ForwardContainer, Expansion: schemas.ExpansionComplete, ChildCount: &two}
	talk.hear(in(say("c2", "Cid", "inner", 8), schemas.ForwardChild, "00001.00001", 2))
	inner := in(say("c1", "Dan", "", 8), schemas.ForwardChildContainer, "00001", 1)
	inner.Forward.ChildCount = new(int64)
	talk.hear(inner)
	talk.hear(answer(in(say("c3", "Eve", "last", 8), schemas.ForwardChild, "00002", 1), schemas.LinkOutOfScope, "om_1"))
	talk.hear(outer)
	var b strings.Builder
	talk.print(&b, talk.aThread("feishu"), threaded)
	talk.print(&b, talk.aForward("feishu"), nested)
	want := []string{
		"  00:00  Ann             root",
		"      00:00  one             one",
		"      00:00  two             two",
		"      00:00  three           ↳ to one “one”: three",
		"  00:00  Bob             (merged forward of 2 messages)",
		"      00:00  Dan             (merged forward of 0 messages)",
		"          00:00  Cid             inner",
		"      00:00  Eve             ↳ to a message that was not forwarded: last",
	}
	if b.String() != strings.Join(want, "\n")+"\n" {
		t.Errorf("got\n%s", b.String())
	}
}
