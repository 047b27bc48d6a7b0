package simulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatlake/simulator"
)

// yunxinDigest is a digest of all that a world holds.
func yunxinDigest(t *testing.T, w *simulator.YunxinWorld) string {
	t.Helper()
	sum := sha256.New()
	e := json.NewEncoder(sum)
	for _, c := range w.Conversations() {
		if err := e.Encode(c); err != nil {
			t.Fatal(err)
		}
		if err := e.Encode(w.Everything(c.ID)); err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func TestSameOptionsGiveTheSameYunxin(t *testing.T) {
	o := simulator.YunxinOptions{Seed: 7, Conversations: 8}
	first := yunxinDigest(t, yunxinWorld(t, o))
	if again := yunxinDigest(t, yunxinWorld(t, o)); again != first {
		t.Error("two worlds of the same options differ")
	}
	o.Seed = 8
	if other := yunxinDigest(t, yunxinWorld(t, o)); other == first {
		t.Error("worlds of two seeds are the same")
	}
	k, again := newYunxinCaller(t, yunxinWorld(t, o), simulator.YunxinConfig{FileOrigin: "http://files.test"}),
		newYunxinCaller(t, yunxinWorld(t, o), simulator.YunxinConfig{FileOrigin: "http://files.test"})
	for _, c := range k.w.Conversations() {
		if one, two := k.page(c.APIID), again.page(c.APIID); string(one.body) != string(two.body) {
			t.Errorf("%s: two servers of the same world answer otherwise", c.ID)
		}
	}
}

func TestYunxinCapsHold(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Messages: 120, Conversations: 3})
	if n := len(w.Conversations()); n != 1 {
		t.Fatalf("%d conversations, want 1", n)
	}
	made := 0
	for _, m := range w.Everything(w.Conversations()[0].ID) {
		if m.State != simulator.YunxinHidden && m.Text != "hit a filter" {
			made++
		}
	}
	if made != 120 {
		t.Errorf("%d messages of 120 lines", made)
	}
	if _, err := simulator.NewYunxinWorld(simulator.YunxinOptions{Skip: 1000}); err == nil || !strings.Contains(err.Error(), "1000") {
		t.Errorf("a corpus of which nothing is left gives %v", err)
	}
}

// Two platforms of one demonstration show different texts.
func TestSkipLeavesTheBeginningOfTheCorpusToAnother(t *testing.T) {
	feishu := world(t, simulator.Options{Chats: 24})
	w := yunxinWorld(t, simulator.YunxinOptions{Skip: feishu.Days(), Conversations: 40})
	if n := len(w.Conversations()); n != 40 {
		t.Errorf("%d conversations beside %d channel-days, want 40", n, feishu.Days())
	}
	said := map[string]bool{}
	for _, chat := range feishu.Chats() {
		for _, m := range feishu.Everything(chat.ID) {
			if m.Type == "text" && len(m.Mentions) == 0 && len(m.Text) > 60 {
				said[m.Text] = true
			}
		}
	}
	texts, same := 0, 0
	for _, c := range w.Conversations() {
		for _, m := range w.Everything(c.ID) {
			if m.Type == 0 && len(m.Mentions) == 0 && len(m.Text) > 60 {
				texts++
				if said[m.Text] {
					same++
				}
			}
		}
	}
	if texts < 4000 || same > texts/200 { // people say some things twice
		t.Errorf("%d of %d long texts are Feishu's too", same, texts)
	}
}

var (
	canonicalID = regexp.MustCompile(`^(p2p:[a-z0-9_@.-]{1,32}:[a-z0-9_@.-]{1,32}|(team|super):[1-9][0-9]*)$`)
	yunxinNum   = regexp.MustCompile(`^[1-9][0-9]*$`)
)

func TestYunxinHasEveryKindOfConversationAndID(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 45})
	kinds, numbers, seen := map[int]int{}, map[int64]map[int]bool{}, map[string]bool{}
	var upper, larger, beyond53, beyond62, below int
	for _, c := range w.Conversations() {
		kinds[c.Type]++
		if !canonicalID.MatchString(c.ID) || strings.Count(c.APIID, "|") != 2 || seen[c.ID] {
			t.Errorf("conversation %+v: an id is not as it should be, or comes twice", c)
		}
		seen[c.ID] = true
		if c.Type != simulator.YunxinP2P {
			if numbers[c.TeamID] == nil {
				numbers[c.TeamID] = map[int]bool{}
			}
			numbers[c.TeamID][c.Type] = true
		} else if c.Owner > c.Other {
			larger++
		}
		if strings.ToLower(c.APIID) != c.APIID {
			upper++
		}
		for _, m := range w.Everything(c.ID) {
			n, err := strconv.ParseInt(m.ID, 10, 64)
			if err != nil || !yunxinNum.MatchString(m.ID) || seen[m.ID] {
				t.Fatalf("id %q is no 64-bit number, or comes twice", m.ID)
			}
			seen[m.ID] = true
			switch {
			case n > 1<<62:
				beyond62++
			case n > 1<<53:
				beyond53++
			default:
				below++
			}
		}
	}
	shared := 0
	for _, types := range numbers {
		if len(types) == 2 {
			shared++
		}
	}
	if len(seen) < 40 || kinds[1] < 12 || kinds[2] < 12 || kinds[3] < 12 || upper == 0 || larger == 0 || shared == 0 || below == 0 || beyond53 == 0 || beyond62 == 0 {
		t.Errorf("conversations %v, %d with capitals, %d with the larger owner, %d numbers of two teams; ids %d, %d, %d", kinds, upper, larger, shared,
			below, beyond53, beyond62)
	}
}

func TestMixOfYunxinIsRich(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{})
	count := map[string]int{}
	children := 0
	for _, c := range w.Conversations() {
		for _, m := range w.Everything(c.ID) {
			count["type "+strconv.Itoa(m.Type)]++
			count["inner "+strconv.Itoa(m.Inner)]++
			count["state "+string(m.State)]++
			count["quote "+m.Quote]++
			count["parent "+m.Parent.Status]++
			count["root "+m.Root.Status]++
			if m.Parent.Reason == "depth" {
				count["depth"]++
			}
			if m.EditedAt > 0 {
				count["edited"]++
			}
			if m.ThreadRoot {
				count["thread root"]++
			}
			if m.Forward != nil {
				children += len(m.Forward.Children)
			}
		}
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99, 100} {
		if what := "type " + strconv.Itoa(n); count[what] < 50 {
			t.Errorf("%s: %d messages", what, count[what])
		}
	}
	for _, what := range []string{"inner 101", "inner 102", "inner 1001", "state hidden", "state recalled", "state blocked", "quote native", "quote legacy",
		"quote both", "quote conflict", "parent RESOLVED", "parent MISSING", "parent FORBIDDEN", "root RESOLVED", "root MISSING", "edited", "thread root"} {
		if count[what] < 100 {
			t.Errorf("%s: %d messages", what, count[what])
		}
	}
	if count["parent PENDING"] < 20 || count["depth"] < 5 || count["state no sense"] < 20 || children < 2000 {
		t.Errorf("%d pending, %d too deep, %d of no sense, %d children", count["parent PENDING"], count["depth"], count["state no sense"], children)
	}
}

func TestYunxinMixCanBeTurnedOff(t *testing.T) {
	off := simulator.YunxinMix{Threads: -1, Quotes: -1, Vague: -1, Both: -1, Media: -1, Customs: -1, Others: -1, Forwards: -1, Edited: -1, Recalled: -1,
		Blocked: -1, NoSense: -1, Missing: -1, OddFiles: -1}
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 3, Mix: off, Burst: -1})
	for _, c := range w.Conversations() {
		times := map[int64]int{}
		for _, m := range w.Everything(c.ID) {
			plain := m.Type == 0 || m.Type == 5 || m.Type == 10 || m.TextNone // an empty line of the corpus is a picture
			if times[m.CreatedAt]++; !plain || m.Parent.Status != "NONE" || m.Root.Status != "NONE" || m.EditedAt != 0 || m.State != simulator.YunxinShown ||
				times[m.CreatedAt] > 20 {
				t.Fatalf("message %+v, although all of that is off", m)
			}
		}
	}
}

func TestYunxinChanges(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1, Mix: simulator.YunxinMix{Recalled: -1, Blocked: -1, Vague: -1}})
	c := w.Conversations()[0].ID
	var texts []string
	var reply simulator.YunxinMessage
	for _, m := range w.Messages(c, false) {
		if m.Type == 0 && m.Parent.Status == "NONE" && !m.ThreadRoot {
			texts = append(texts, m.ID)
		}
		if m.Quote == simulator.QuoteLegacy && m.Parent.Status == "RESOLVED" {
			reply = m
		}
	}
	before := len(w.Messages(c, false))
	edited, root := texts[0], texts[1]
	for what, err := range map[string]error{"edit": w.Edit(c, edited, "so it was meant"), "recall": w.Recall(c, reply.Parent.MessageID)} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if m, _ := w.Message(c, edited); m.Text != "so it was meant" || m.EditedAt <= m.CreatedAt || m.EditedBy != m.Sender {
		t.Errorf("edited message is %+v", m)
	}
	if m, _ := w.Message(c, reply.ID); m.Parent.Status != "MISSING" || m.Parent.Reason != "107404" || m.Parent.MessageID != reply.Parent.MessageID {
		t.Errorf("parent of an answer to a recalled message is %+v", m.Parent)
	}
	if n := len(w.Messages(c, false)); n != before-1 || w.Answer(c, reply.Parent.MessageID, reply.Parent.CreatedAt) != 107404 {
		t.Errorf("%d messages after a recall, want %d", n, before-1)
	}
	sent, err := w.Send(c, "one more")
	if err != nil {
		t.Fatal(err)
	}
	first, err := w.Reply(c, root, "an answer")
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.Reply(c, first, "an answer to the answer")
	if err != nil {
		t.Fatal(err)
	}
	if ids := truthIDs(w.Messages(c, false)); !slices.Equal(ids[len(ids)-3:], []string{sent, first, second}) {
		t.Errorf("the last messages are %v", ids[len(ids)-3:])
	}
	m, _ := w.Message(c, second)
	top, _ := w.Message(c, root)
	if m.Parent.MessageID != first || m.Root.MessageID != root || m.ThreadID != root || !top.ThreadRoot || top.ThreadID != root {
		t.Errorf("answer %+v, its root %+v", m, top)
	}
	for what, err := range map[string]error{"edit recalled": w.Edit(c, reply.Parent.MessageID, "x"), "recall twice": w.Recall(c, reply.Parent.MessageID),
		"edit unknown": w.Edit(c, "1", "x"), "elsewhere": w.Recall("team:1", edited)} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
