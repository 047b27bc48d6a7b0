package simulator_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chatlake/simulator"
)

func TestShippedCorpusIsSmallAttributedAndLargeEnough(t *testing.T) {
	size := int64(0)
	err := filepath.WalkDir("corpus", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".jsonl.gz") {
			return err
		}
		info, err := entry.Info()
		size += info.Size()
		return err
	})
	if err != nil || size == 0 || size > 2_000_000 {
		t.Errorf("corpus has %d bytes (%v), want 1 to 2,000,000", size, err)
	}
	readme, err := os.ReadFile("corpus/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"CC BY 4.0", "creativecommons.org/licenses/by/4.0", "Kummerfeld", "ACL 2019", "Gouravajhala", "Changed"} {
		if !bytes.Contains(readme, []byte(word)) {
			t.Errorf("corpus/README.md does not say %q", word)
		}
	}
	w := world(t, simulator.Options{})
	chats, messages := w.Chats(), 0
	for _, chat := range chats {
		messages += len(w.Messages(chat.ID))
	}
	if len(chats) < 24 || messages < 26_000 {
		t.Errorf("%d chats with %d messages in their lists, want at least 24 and 26,000", len(chats), messages)
	}
	t.Logf("%d chats, %d messages in their lists", len(chats), messages)
}

// digest is a digest of all that a world holds.
func digest(w *simulator.World) string {
	sum := sha256.New()
	for _, chat := range w.Chats() {
		fmt.Fprintf(sum, "%+v", chat)
		for _, m := range w.Everything(chat.ID) {
			fmt.Fprintf(sum, "%+v", m)
		}
		fmt.Fprintf(sum, "%+v", w.Threads(chat.ID))
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func TestSameOptionsGiveTheSameWorld(t *testing.T) {
	o := simulator.Options{Seed: 7, Chats: 8}
	first := digest(world(t, o))
	if again := digest(world(t, o)); again != first {
		t.Error("two worlds of the same options differ")
	}
	o.Seed = 8
	if other := digest(world(t, o)); other == first {
		t.Error("worlds of two seeds are the same")
	}
}

func TestCapsHold(t *testing.T) {
	w := world(t, simulator.Options{Messages: 120, Chats: 3})
	if n := len(w.Chats()); n != 1 {
		t.Fatalf("%d chats, want 1", n)
	}
	made := 0
	for _, m := range w.Everything(w.Chats()[0].ID) {
		if m.ParentFate != simulator.FateHidden && m.CopyOf == "" && (m.InChat || m.ThreadID != "") {
			made++
		}
	}
	if made > 120 || made < 100 {
		t.Errorf("%d messages of 120 lines", made)
	}
	if _, err := simulator.NewWorld(simulator.Options{CorpusFile: filepath.Join(t.TempDir(), "none.gz")}); err == nil {
		t.Error("a corpus that is not there gives a world")
	}
	broken := filepath.Join(t.TempDir(), "broken.gz")
	if err := os.WriteFile(broken, []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulator.NewWorld(simulator.Options{CorpusFile: broken}); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("a broken corpus gives %v, want an error that names it", err)
	}
}

func TestCorpusFileIsReadInsteadOfTheShippedPart(t *testing.T) {
	shipped := world(t, simulator.Options{Chats: 4})
	file := world(t, simulator.Options{Chats: 4, CorpusFile: "corpus/irc-part.jsonl.gz"})
	if digest(shipped) != digest(file) {
		t.Error("the shipped part read from disk gives another world")
	}
}

var idForms = map[string]*regexp.Regexp{
	"message": regexp.MustCompile(`^om_(x100)?[0-9a-f]{28,32}$`),
	"chat":    regexp.MustCompile(`^oc_[0-9a-f]{32}$`),
	"thread":  regexp.MustCompile(`^omt_[0-9a-f]{16}$`),
	"person":  regexp.MustCompile(`^(ou_[0-9a-f]{32}|cli_\w+)?$`),
}

func TestTruthHoldsTogether(t *testing.T) {
	w := world(t, simulator.Options{})
	all := map[string]simulator.Message{}
	var order []simulator.Message
	for _, chat := range w.Chats() {
		if !idForms["chat"].MatchString(chat.ID) {
			t.Errorf("chat id %q", chat.ID)
		}
		last := int64(0)
		for _, m := range w.Messages(chat.ID) {
			if m.CreatedAt < last {
				t.Errorf("message %s is listed after a later one", m.ID)
			}
			if last = m.CreatedAt; !m.InChat || m.State == simulator.Deleted {
				t.Errorf("message %s is listed, and should not be", m.ID)
			}
		}
		for _, m := range w.Everything(chat.ID) {
			if _, twice := all[m.ID]; twice {
				t.Fatalf("id %s twice", m.ID)
			}
			all[m.ID] = m
			order = append(order, m)
		}
	}
	for _, m := range order {
		checkMessage(t, m)
		checkLinks(t, w, all, m)
		for _, child := range m.Children {
			if _, twice := all[child.ID]; twice {
				t.Fatalf("child id %s twice", child.ID)
			}
			all[child.ID] = child.Message
		}
		checkChildren(t, m)
	}
}

func checkMessage(t *testing.T, m simulator.Message) {
	t.Helper()
	if !idForms["message"].MatchString(m.ID) || !idForms["person"].MatchString(m.Sender.ID) || m.Kind == "" ||
		m.ThreadID != "" && !idForms["thread"].MatchString(m.ThreadID) {
		t.Errorf("message %+v: an id or its kind is not as it should be", m)
	}
	if m.UpdatedAt < m.CreatedAt || m.Edited && m.UpdatedAt == m.CreatedAt || m.CreatedAt < 1_000_000_000_000 {
		t.Errorf("message %s: created %d, updated %d, edited %v", m.ID, m.CreatedAt, m.UpdatedAt, m.Edited)
	}
	if m.Type != "merge_forward" && !json.Valid([]byte(m.Content)) || m.Card != "" && !json.Valid([]byte(m.Card)) {
		t.Errorf("message %s: content %q is no JSON", m.ID, m.Content)
	}
	for _, mention := range m.Mentions {
		if !strings.Contains(m.Content, mention.Key) || !strings.Contains(m.Text, "@"+mention.Name) {
			t.Errorf("message %s: mention %v is not in its content %q and text %q", m.ID, mention, m.Content, m.Text)
		}
	}
}

func checkLinks(t *testing.T, w *simulator.World, all map[string]simulator.Message, m simulator.Message) {
	t.Helper()
	parent, known := all[m.ParentID]
	switch {
	case m.ParentID == "" && (m.RootID != "" || m.ParentFate != simulator.FateNone):
		t.Errorf("message %s has no parent, and root %q, fate %q", m.ID, m.RootID, m.ParentFate)
	case m.ParentFate == simulator.FateShown:
		if !known || parent.ChatID != m.ChatID || parent.CreatedAt > m.CreatedAt || parent.ID == m.ID {
			t.Errorf("message %s: parent %q is unknown, elsewhere or later", m.ID, m.ParentID)
		}
		if root := all[m.RootID]; root.ID == "" || root.CreatedAt > parent.CreatedAt ||
			m.ThreadID == "" && parent.RootID != "" && parent.RootID != m.RootID {
			t.Errorf("message %s: root %q is not that of its parent", m.ID, m.RootID)
		}
	}
	if m.ThreadID != "" && !m.ThreadRoot && (m.ParentID != m.RootID || parent.ThreadID != m.ThreadID || !parent.ThreadRoot) {
		t.Errorf("message %s: within a thread parent %q and root %q must both be its root", m.ID, m.ParentID, m.RootID)
	}
	if m.CopyOf != "" && (all[m.CopyOf].CopiedTo != m.ID || all[m.CopyOf].ThreadID == "" || !m.InChat) {
		t.Errorf("message %s: copy of %q", m.ID, m.CopyOf)
	}
	if m.InThread {
		found := false
		for _, other := range w.Thread(m.ThreadID) {
			found = found || other.ID == m.ID
		}
		if !found {
			t.Errorf("message %s is not in its thread", m.ID)
		}
	}
}

func checkChildren(t *testing.T, m simulator.Message) {
	t.Helper()
	paths := map[string]string{m.ID: ""}
	for _, child := range m.Children {
		under, known := paths[child.Under]
		wantDepth := strings.Count(child.Path, ".") + 1
		if !known || child.Depth != wantDepth || !strings.HasPrefix(child.Path, under) {
			t.Errorf("forward %s: child %s at %s, depth %d, under %s", m.ID, child.ID, child.Path, child.Depth, child.Under)
		}
		if child.Type == "merge_forward" {
			paths[child.ID] = child.Path
		}
	}
}

func TestMixIsRich(t *testing.T) {
	w := world(t, simulator.Options{})
	types, states, modes := map[string]int{}, map[simulator.State]int{}, map[string]int{}
	equal, copies, long, threads := 0, 0, 0, 0
	for _, chat := range w.Chats() {
		modes[chat.Mode+" "+chat.GroupMessageType]++
		threads += len(w.Threads(chat.ID))
		last := int64(0)
		for _, m := range w.Everything(chat.ID) {
			types[m.Type]++
			states[m.State]++
			if m.CreatedAt == last {
				equal++
			}
			last = m.CreatedAt
			if m.CopyOf != "" {
				copies++
			}
			if len(m.Mentions) > 9 {
				long++
			}
		}
	}
	for _, msgType := range []string{"text", "post", "image", "file", "folder", "audio", "media", "sticker", "interactive", "share_chat",
		"share_user", "system", "location", "video_chat", "todo", "vote", "hongbao", "share_calendar_event", "calendar",
		"general_calendar", "merge_forward", "hologram"} {
		if types[msgType] < 20 {
			t.Errorf("only %d messages of type %s", types[msgType], msgType)
		}
	}
	for _, mode := range []string{"group chat", "group thread", "topic ", "p2p "} {
		if modes[mode] == 0 {
			t.Errorf("no chat is %q", mode)
		}
	}
	if equal < 500 || copies < 100 || long < 10 || threads < 1000 || states[simulator.Recalled] < 200 {
		t.Errorf("%d equal times, %d copies, %d with ten mentions, %d threads, %d recalled", equal, copies, long, threads,
			states[simulator.Recalled])
	}
}

func TestMixCanBeTurnedOff(t *testing.T) {
	off := simulator.Mix{Threads: -1, Quotes: -1, Posts: -1, Cards: -1, Media: -1, Others: -1, Forwards: -1, Recalled: -1, Edited: -1, Missing: -1}
	w := world(t, simulator.Options{Chats: 3, Mix: off})
	for _, chat := range w.Chats() {
		for _, m := range w.Everything(chat.ID) {
			empty := m.Type == "text" || m.Type == "system" || m.TextNone // an empty line of the corpus is a picture
			if !empty || m.ParentID != "" || m.ThreadID != "" || m.Edited || m.State != simulator.Normal {
				t.Fatalf("message %+v, although all of that is off", m)
			}
		}
	}
}

func TestBurstAndBigForward(t *testing.T) {
	w := world(t, simulator.Options{Chats: 1, Burst: 130, BigForward: 10_000})
	chat := w.Chats()[0].ID
	times, most, big := map[int64]int{}, 0, 0
	for _, m := range w.Everything(chat) {
		times[m.CreatedAt]++
		most = max(most, times[m.CreatedAt])
		big = max(big, len(m.Children))
		checkChildren(t, m)
	}
	if most < 130 || big != 10_000 {
		t.Errorf("%d messages in one millisecond, want 130; %d descendants, want 10,000", most, big)
	}
}

func TestChanges(t *testing.T) {
	w := world(t, simulator.Options{Chats: 1, Mix: simulator.Mix{Recalled: -1}})
	chat := w.Chats()[0].ID
	var texts []simulator.Message
	for _, m := range w.Messages(chat) {
		if m.Type == "text" && m.ThreadID == "" && m.ParentID == "" {
			texts = append(texts, m)
		}
	}
	before := len(w.Messages(chat))
	edited, recalled, deleted, root := texts[0].ID, texts[1].ID, texts[2].ID, texts[3].ID
	for what, err := range map[string]error{"edit": w.Edit(edited, "so it was meant"), "recall": w.Recall(recalled), "delete": w.Delete(deleted)} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if m, _ := w.Message(edited); m.Text != "so it was meant" || !m.Edited || m.UpdatedAt <= m.CreatedAt {
		t.Errorf("edited message is %+v", m)
	}
	if m, _ := w.Message(recalled); m.State != simulator.Recalled || !m.InChat {
		t.Errorf("recalled message is %+v", m)
	}
	if m, _ := w.Message(deleted); m.State != simulator.Deleted || m.InChat || len(w.Messages(chat)) != before-1 {
		t.Errorf("deleted message is %+v, %d are listed", m, len(w.Messages(chat)))
	}
	for what, err := range map[string]error{"edit recalled": w.Edit(recalled, "x"), "recall twice": w.Recall(recalled),
		"delete twice": w.Delete(deleted), "edit unknown": w.Edit("om_none", "x")} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	sent, err := w.Send(chat, "one more")
	if err != nil {
		t.Fatal(err)
	}
	if listed := w.Messages(chat); listed[len(listed)-1].ID != sent || listed[len(listed)-1].Text != "one more" {
		t.Error("what was sent last is not listed last")
	}
	reply, err := w.Reply(root, "an answer")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := w.Message(root)
	if thread := w.Thread(m.ThreadID); len(thread) != 2 || thread[0].ID != root || thread[1].ID != reply || thread[1].ParentID != root {
		t.Errorf("thread is %+v", thread)
	}
	if _, err := w.Reply(reply, "an answer to the answer"); err == nil {
		t.Error("a reply became the root of a thread")
	}
}
