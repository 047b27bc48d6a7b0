package simulator

// link turns reply links into quoted replies, threads or plain follow-ups, tree by tree, as
// https://open.feishu.cn/document/server-docs/im-v1/message/intro and its page on threads describe them.
func (b *builder) link() {
	roots := make([]int, len(b.lines)) // of the tree that a line is in
	for i, m := range b.made {
		roots[i] = i
		target := b.lines[i].target
		if m == nil || target < 0 || b.made[target] == nil || m.Type == "system" || b.made[target].Type == "system" {
			continue
		}
		if b.c.with("break", i).below(12) == 0 {
			continue
		}
		roots[i] = roots[target]
		b.answered[roots[i]] = true
		root := b.made[roots[i]]
		switch b.treatment(roots[i]) {
		case "thread":
			if root.ThreadID == "" {
				b.w.openThread(b.room, root)
			}
			joinThread(b.w.threads[root.ThreadID], m)
		case "quote":
			m.ParentID, m.RootID, m.ParentFate = b.made[target].ID, root.ID, FateShown
			m.RootTold = b.c.with("told", i).below(20) > 0
		}
	}
	b.lonelyThreads()
	if len(b.room.threads) > 0 && b.room.index%4 == 2 {
		b.room.threads[0].invisible = true
	}
}

// treatment is what becomes of the reply tree under a line.
func (b *builder) treatment(root int) string {
	mix := b.w.options.Mix
	threads := max(mix.Threads, 0)
	switch {
	case b.room.Mode == ModeTopic || b.room.GroupMessageType == FormThread:
		threads = 100
	case b.room.Mode == ModeP2P:
		threads = 0
	}
	n := b.c.with("tree", root).below(100)
	switch {
	case n < threads:
		return "thread"
	case n < threads+max(mix.Quotes, 0):
		return "quote"
	}
	return "plain"
}

// lonelyThreads gives some messages of topic chats a thread without a reply.
func (b *builder) lonelyThreads() {
	if b.room.Mode != ModeTopic && b.room.GroupMessageType != FormThread {
		return
	}
	for i, m := range b.made {
		if m != nil && m.Type != "system" && m.ThreadID == "" && b.c.with("lonely", i).below(20) == 0 {
			b.w.openThread(b.room, m)
		}
	}
}

func (w *World) openThread(room *chatRoom, root *Message) {
	root.ThreadID = "omt_" + w.seed.with("thread "+root.ID, 0).hex(16)
	root.ThreadRoot, root.ThreadPosition = true, 0
	t := &threadRoom{id: root.ThreadID, chat: room, root: root, order: []*Message{root}}
	room.threads = append(room.threads, t)
	w.threads[t.id] = t
}

// joinThread makes m the last reply of a thread: within a thread parent and root are both its root.
func joinThread(t *threadRoom, m *Message) {
	m.ParentID, m.RootID, m.RootTold, m.ParentFate = t.root.ID, t.root.ID, true, FateShown
	m.ThreadID, m.ThreadPosition = t.id, int64(len(t.order))
	t.order = append(t.order, m)
}

// loseParents makes some lines that answer nothing, and that nothing answers, quoted replies to what no list shows.
func (b *builder) loseParents() {
	if b.room.Mode == ModeTopic || b.room.GroupMessageType == FormThread {
		return
	}
	fates := []Fate{FateHidden, FateUnknown, FateDeleted, FateForeign, FateInvisible, FateElsewhere}
	for i, m := range b.made {
		if m == nil || m.Type == "system" || m.ParentID != "" || m.ThreadID != "" || b.answered[i] {
			continue
		}
		if b.c.with("lost", i).below(1000) >= b.w.options.Mix.Missing {
			continue
		}
		b.lose(m, fates[b.c.with("fate", i).below(len(fates))], b.c.with("lose", i))
	}
}

func (b *builder) lose(m *Message, fate Fate, c chance) {
	m.ParentFate, m.RootTold = fate, c.with("told", 0).below(4) > 0
	switch fate {
	case FateHidden:
		long := 1 + c.below(3)
		if c.with("long", 0).below(6) == 0 {
			long = 12 // more than anybody follows up
		}
		b.hideChain(m, long)
		return
	case FateDeleted, FateInvisible:
		target := b.hidden("gone before the bot came")
		if fate == FateDeleted {
			target.State = Deleted
		} else {
			target.invisible = true
		}
		m.ParentID = target.ID
	case FateForeign:
		foreign := b.w.rooms["oc_"+b.w.seed.with("foreign", 0).hex(32)]
		m.ParentID = foreign.all[c.below(len(foreign.all))].ID
	case FateElsewhere:
		if b.room.index > 0 {
			order := b.w.chats[b.room.index-1].order
			m.ParentID = order[c.below(len(order))].ID
			break
		}
		m.ParentFate = FateUnknown
		fallthrough
	default:
		m.ParentID = "om_" + c.with("unknown", 0).hex(32)
	}
	m.RootID = m.ParentID
}

// hideChain makes m the answer to the last of a chain of replies from before the bot came.
func (b *builder) hideChain(m *Message, long int) {
	var chain []*Message
	for range long {
		h := b.hidden("said before the bot came")
		if n := len(chain); n > 0 {
			h.ParentID, h.RootID, h.ParentFate, h.RootTold = chain[n-1].ID, chain[0].ID, FateHidden, true
		}
		chain = append(chain, h)
	}
	m.ParentID, m.RootID = chain[long-1].ID, chain[0].ID
}

// hidden makes a message of the chat that no list shows, older than all that lists show.
func (b *builder) hidden(text string) *Message {
	m := &Message{ID: b.w.nextID(b.room), ChatID: b.room.ID, State: Normal, Position: -1, ThreadPosition: -1,
		CreatedAt: b.room.CreatedAt + int64(len(b.room.all))*1000, Sender: b.w.person("predecessor")}
	m.UpdatedAt = m.CreatedAt
	setText(m, text)
	b.room.all = append(b.room.all, m)
	return m
}

// change recalls and edits some messages.
func (b *builder) change() {
	mix := b.w.options.Mix
	for i, m := range b.made {
		if m == nil || m.Type == "system" {
			continue
		}
		if (m.Type == "text" || m.Type == "post") && b.c.with("edit", i).below(1000) < mix.Edited {
			m.Edited = true
			m.UpdatedAt = m.CreatedAt + 1000 + int64(b.c.with("later", i).below(600_000))
		}
		if b.c.with("recall", i).below(1000) < mix.Recalled {
			m.State = Recalled
			if i%2 == 0 {
				m.UpdatedAt += changeLag
			}
		}
	}
}

// copyToChat gives a thread reply a second message in the chat with the same content ("also send to chat").
func (b *builder) copyToChat(m *Message) *Message {
	c := *m
	c.ID = b.w.nextID(b.room)
	c.ParentID, c.RootID, c.RootTold, c.ParentFate = "", "", false, FateNone
	c.ThreadID, c.ThreadPosition, c.Children = "", -1, nil
	c.CopyOf, m.CopiedTo = m.ID, c.ID
	return &c
}

// finish puts all messages in order, numbers them and makes them known.
func (b *builder) finish() {
	room := b.room
	var shown []*Message
	for i, m := range b.made {
		if m == nil {
			continue
		}
		shown = append(shown, m)
		reply := m.ThreadID != "" && !m.ThreadRoot
		m.InChat = !reply || room.Flat()
		if reply && !room.Flat() && (m.Type == "text" || m.Type == "post") && b.c.with("copy", i).below(25) == 0 {
			copied := b.copyToChat(m)
			copied.InChat = true
			shown = append(shown, copied)
		}
	}
	sortByCreation(shown)
	room.all = append(room.all, shown...)
	for _, m := range room.all {
		if m.InChat {
			room.order = append(room.order, m)
			m.Position = int64(len(room.order))
		}
		b.w.register(m)
	}
	for _, t := range room.threads {
		sortByCreation(t.order)
	}
}
