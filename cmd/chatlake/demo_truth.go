package main

import (
	"chatlake/simulator"
)

// expectation is what a simulated platform has to show: what lists show, and what look-ups of link targets find from there.
type expectation struct {
	messages map[string]struct{} // by id
	children map[string]struct{} // of merged forwards, see childKey
	pages    int                 // calls that listing and looking up takes
}

func newExpectation() *expectation {
	return &expectation{messages: map[string]struct{}{}, children: map[string]struct{}{}}
}

// childKey names a place in a merged forward.
func childKey(container, path string) string { return container + " " + path }

// Most messages that one list call gives
// (https://open.feishu.cn/document/server-docs/im-v1/message/list, https://doc.yunxin.163.com/messaging2/server-apis/jcwNDA0Nzg),
// and how many links away look-ups go.
const (
	feishuPage  = 50
	yunxinPage  = 100
	lookUpDepth = 10
)

// calls is how many list calls n messages take.
func calls(n, page int) int { return max(1, (n+page-1)/page) }

func expectFeishu(w *simulator.World) *expectation {
	e := newExpectation()
	for _, chat := range w.Chats() {
		e.pages += calls(len(w.Messages(chat.ID)), feishuPage)
		for _, thread := range w.Threads(chat.ID) {
			e.pages += calls(len(w.Thread(thread.ID)), feishuPage)
		}
		e.feishuChat(w, chat.ID)
	}
	return e
}

// feishuChat adds what lists show of a chat, and follows what they link to.
func (e *expectation) feishuChat(w *simulator.World, chat string) {
	fates := map[string]simulator.Fate{} // of link targets
	var level []simulator.Message
	for _, m := range w.Everything(chat) {
		if m.ParentID != "" {
			fates[m.ParentID] = m.ParentFate
		}
		if m.InChat || m.InThread {
			e.feishuMessage(&m)
			level = append(level, m)
		}
	}
	asked := map[string]bool{}
	for depth := 1; depth <= lookUpDepth && len(level) > 0; depth++ {
		var next []simulator.Message
		for _, m := range level {
			told := [...]string{m.ParentID, ""}
			if m.RootTold {
				told[1] = m.RootID
			}
			for _, id := range told {
				if _, shown := e.messages[id]; id == "" || shown || asked[id] {
					continue
				}
				asked[id] = true
				e.pages++
				if to, ok := w.Message(id); ok && to.ChatID == chat && to.State != simulator.Deleted && fates[id] != simulator.FateInvisible {
					e.feishuMessage(&to)
					next = append(next, to)
				}
			}
		}
		level = next
	}
}

func (e *expectation) feishuMessage(m *simulator.Message) {
	e.messages[m.ID] = struct{}{}
	if m.State != simulator.Normal {
		return // what was recalled is not unfolded
	}
	for i := range m.Children {
		e.children[childKey(m.ID, m.Children[i].Path)] = struct{}{}
	}
}

func expectYunxin(w *simulator.YunxinWorld) *expectation {
	e := newExpectation()
	for _, c := range w.Conversations() {
		listed := w.Messages(c.ID, true)
		e.pages += calls(len(listed), yunxinPage)
		for _, m := range append(listed, w.LookedUp(c.ID)...) {
			e.messages[m.ID] = struct{}{}
			if m.Forward == nil {
				continue
			}
			for i := range m.Forward.Children {
				e.children[childKey(m.ID, m.Forward.Children[i].Path)] = struct{}{}
			}
		}
	}
	return e
}
