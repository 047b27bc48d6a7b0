package simulator_test

import (
	"testing"

	"chatlake/simulator"
)

// known are the messages of a conversation that a reader comes to know, by id.
func known(w *simulator.YunxinWorld, c simulator.YunxinConversation) map[string]simulator.YunxinMessage {
	all := map[string]simulator.YunxinMessage{}
	for _, messages := range [][]simulator.YunxinMessage{w.Messages(c.ID, true), w.LookedUp(c.ID)} {
		for _, m := range messages {
			all[m.ID] = m
		}
	}
	return all
}

func TestLinksOfYunxinHoldTogether(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 20, Mix: simulator.YunxinMix{Missing: 60}})
	derived, threads := 0, map[string]bool{}
	for _, c := range w.Conversations() {
		all := known(w, c)
		replied := map[string]bool{}
		for _, m := range all {
			for _, l := range []simulator.YunxinLink{m.Parent, m.Root} {
				target, found := all[l.MessageID]
				if found != (l.Status == "RESOLVED") || found && (target.Sender != l.SenderID || target.CreatedAt != l.CreatedAt) || l.MessageID == m.ID {
					t.Errorf("message %s: link %+v, target %+v", m.ID, l, target)
				}
			}
			native := m.Quote != "" && m.Quote != simulator.QuoteLegacy
			if native && m.Root.Status == "RESOLVED" {
				replied[m.ThreadID] = true
			}
			if (m.ThreadID != "") != (native && m.Root.MessageID != "" || m.ThreadRoot) || m.ThreadRoot && !native && m.ThreadID != m.ID {
				t.Errorf("message %s: thread %q, root of it: %t, %+v", m.ID, m.ThreadID, m.ThreadRoot, m.Root)
			}
			if m.Quote == simulator.QuoteLegacy {
				derived++
				checkDerived(t, all, m)
			}
		}
		for id, m := range all {
			if m.ThreadRoot != replied[id] {
				t.Errorf("message %s: root of a thread: %t, answered in one: %t", id, m.ThreadRoot, replied[id])
			}
			threads[m.ThreadID] = true
		}
	}
	if derived < 500 || len(threads) < 100 {
		t.Errorf("%d quotes, %d threads", derived, len(threads))
	}
}

// checkDerived climbs from answer to answer: the root is that of the first that tells one, else where the way ends.
func checkDerived(t *testing.T, all map[string]simulator.YunxinMessage, m simulator.YunxinMessage) {
	t.Helper()
	want, at := m.Parent, m
	for {
		up := at.Parent
		if up.Status == "NONE" {
			break
		}
		want = up
		if up.Status != "RESOLVED" {
			break
		}
		if at = all[up.MessageID]; at.Quote != "" && at.Quote != simulator.QuoteLegacy {
			want = at.Root
			break
		}
	}
	if want.Status == "PENDING" {
		want = simulator.YunxinLink{Status: "PENDING"}
	}
	if m.Root.Status != want.Status || m.Root.MessageID != want.MessageID || m.Root.ClientID != want.ClientID {
		t.Errorf("message %s: root %+v, want %+v", m.ID, m.Root, want)
	}
}

func TestChildrenHoldTogether(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 20, Mix: simulator.YunxinMix{Forwards: 40}})
	count := map[string]int{}
	for _, c := range w.Conversations() {
		for _, m := range w.Messages(c.ID, false) {
			if m.Forward == nil {
				continue
			}
			if (m.Forward.Expansion == "FAILED") && len(m.Forward.Children) > 0 || m.Forward.Expansion == "" {
				t.Errorf("forward %s of oddity %q is %q with %d children", m.ID, m.Forward.Oddity, m.Forward.Expansion, len(m.Forward.Children))
			}
			checkForward(t, m, count)
		}
	}
	for _, what := range []string{"RESOLVED", "OUT_OF_SCOPE", "NONE", "repeat", "no id", "no client id", "broken", "depth 2", "depth 3", "depth 4", "FAILED within"} {
		if count[what] == 0 {
			t.Errorf("no child is %s: %v", what, count)
		}
	}
}

func checkForward(t *testing.T, m simulator.YunxinMessage, count map[string]int) {
	t.Helper()
	siblings, paths, failed := map[string]bool{}, map[string]bool{"": true}, false
	for _, child := range m.Forward.Children {
		if !child.Broken {
			siblings[child.Under+"/"+child.ID] = true
		}
	}
	last := ""
	for _, child := range m.Forward.Children {
		if !paths[child.Under] || child.Path <= last || child.Depth > 4 || child.ConversationID != m.ConversationID {
			t.Errorf("forward %s: child %+v", m.ID, child)
		}
		last = child.Path
		paths[child.Path] = child.Forward != nil
		for _, l := range []simulator.YunxinLink{child.Parent, child.Root} {
			count[l.Status]++
			if inside := siblings[child.Under+"/"+l.MessageID]; l.Status == "RESOLVED" && !inside || l.Status == "OUT_OF_SCOPE" && inside && l.MessageID != "" {
				t.Errorf("forward %s: child %s has link %+v", m.ID, child.Path, l)
			}
		}
		for what, is := range map[string]bool{"repeat": child.Repeat > 1, "no id": child.ID == "", "no client id": child.ID == "" && child.ClientID == "",
			"broken": child.Broken, "depth 2": child.Depth == 2, "depth 3": child.Depth == 3, "depth 4": child.Depth == 4} {
			if is {
				count[what]++
			}
		}
		if child.Forward != nil && child.Forward.Expansion == "FAILED" {
			count["FAILED within"]++
			failed = true
		}
	}
	if failed && m.Forward.Expansion != "PARTIAL" {
		t.Errorf("forward %s is %s although one within it fails", m.ID, m.Forward.Expansion)
	}
}
