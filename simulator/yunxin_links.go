package simulator

import "strconv"

// maxLookUpDepth is how far a reader follows links out of what it was shown.
const maxLookUpDepth = 10

// quote is what a message tells of what it answers: natively parent and root, or in its extension one message.
type quote struct {
	parent, root *ref
	legacy       *ref
}

// ref is a message as another one names it.
type ref struct {
	target *YunxinMessage // nil: nobody knows it
	id     string         // where target is nil; "": told by client id alone
	client string
	sender string
	at     int64
	vague  bool // the server id is not told
	form   int  // how ids are written, see wireID
}

// told is the link as its message tells it.
func (r *ref) told(status, reason string) YunxinLink {
	l := YunxinLink{Status: status, Reason: reason, MessageID: r.id, ClientID: r.client, SenderID: r.sender, CreatedAt: r.at}
	if r.target != nil {
		l.MessageID, l.ClientID, l.SenderID, l.CreatedAt = r.target.ID, r.target.ClientID, r.target.Sender, r.target.CreatedAt
	}
	if r.vague {
		l.MessageID = ""
	}
	return l
}

// link turns reply links into native threads, quotes or plain follow-ups, tree by tree.
func (b *talkBuilder) link() {
	roots := make([]int, len(b.lines)) // of the tree that a line is in
	for i, m := range b.made {
		roots[i] = i
		target := b.lines[i].target
		if target < 0 || m == nil || m.Type == typeNotice || b.made[target] == nil || b.made[target].Type == typeNotice ||
			b.c.with("break", i).below(12) == 0 {
			continue
		}
		roots[i] = roots[target]
		b.answered[roots[i]], b.answered[target] = true, true
		b.quote(i, target, roots[i])
	}
}

// quote makes line i answer another one in the way of its tree.
func (b *talkBuilder) quote(i, target, root int) {
	mix, c := b.w.options.Mix, b.c.with("quote", i)
	threads, quotes := max(mix.Threads, 0), max(mix.Quotes, 0)
	n := b.c.with("tree", root).below(100)
	parent := b.refer(b.made[target], c.with("parent", 0))
	switch {
	case n < threads && c.with("old client", 0).below(20) > 0:
		q := &quote{parent: parent, root: b.refer(b.made[root], c.with("root", 0))}
		if !parent.vague && c.with("both", 0).below(100) < mix.Both {
			q.legacy = b.refer(b.made[target], c.with("legacy", 0))
			if other := i - 1; other >= 0 && other != target && b.made[other].Type != typeNotice && c.with("conflict", 0).below(2) == 0 {
				q.legacy = b.refer(b.made[other], c.with("legacy", 0))
			}
			q.legacy.vague = false
		}
		b.made[i].told = q
	case n < threads+quotes:
		b.made[i].told = &quote{legacy: parent}
	}
}

// refer names a message, some by their client id alone.
func (b *talkBuilder) refer(m *YunxinMessage, c chance) *ref {
	return &ref{target: m, form: c.below(12), vague: m.ClientID != "" && c.with("vague", 0).below(100) < b.w.options.Mix.Vague}
}

// loseParents makes some lines that answer nothing, and that nothing answers, replies to what history does not show.
func (b *talkBuilder) loseParents(before int64) {
	for i, m := range b.made {
		if m == nil || m.Type == typeNotice || m.told != nil || b.answered[i] || b.c.with("lost", i).below(1000) >= b.w.options.Mix.Missing {
			continue
		}
		c := b.c.with("lose", i)
		r := b.lost(before, c)
		m.told = &quote{legacy: r}
		if c.with("native", 0).below(2) == 0 {
			m.told = &quote{parent: r, root: r}
			if r.target != nil && r.target.inThread() {
				m.told.root = r.target.told.root
			}
		}
	}
}

// lost names something that history does not show.
func (b *talkBuilder) lost(before int64, c chance) *ref {
	r := &ref{sender: b.t.Owner, at: before + int64(c.below(3_600_000)), client: c.hex(32), form: c.below(12)}
	switch c.with("fate", 0).below(6) {
	case 0, 1:
		long := 1 + c.below(3)
		if c.with("long", 0).below(4) == 0 {
			long = maxLookUpDepth + 2
		}
		return &ref{target: b.chain(before, long, c), form: c.below(12)}
	case 2:
		m := b.hidden(before, "hit a filter")
		m.State = YunxinBlocked
		return &ref{target: m, form: c.below(12)}
	case 3:
		r.vague = true // a client id that nobody has
		return r
	case 4:
		if b.t.index > 0 { // a message of another conversation: this one does not have it
			others := b.w.talks[b.t.index-1].order
			m := others[c.below(len(others))]
			r.id, r.client, r.sender, r.at = m.ID, m.ClientID, m.Sender, m.CreatedAt
			return r
		}
	}
	r.id = strconv.FormatInt(7_000_000_000_000_000_001+int64(c%1_000_000_000)*2, 10)
	return r
}

// chain makes answers to answers from before what history shows, and gives the last. A thread tells its root, so that
// only quotes have to be followed one by one.
func (b *talkBuilder) chain(before int64, long int, c chance) *YunxinMessage {
	var chain []*YunxinMessage
	native := long <= 3 && c.with("chain", 0).below(2) == 0
	for n := range long {
		m := b.hidden(before, "said before history begins")
		if n > 0 {
			parent := &ref{target: chain[n-1], form: n}
			m.told = &quote{legacy: parent}
			if native {
				m.told = &quote{parent: parent, root: &ref{target: chain[0], form: n + 1}}
			}
		}
		chain = append(chain, m)
	}
	return chain[long-1]
}

// hidden makes a message that only batch_messages shows, older than all that history shows.
func (b *talkBuilder) hidden(before int64, text string) *YunxinMessage {
	n := len(b.t.all)
	m := b.blank(len(b.lines)+n, before+int64(n)*1000, b.t.Owner)
	m.State, m.ClientID = YunxinHidden, b.c.with("hidden", n).hex(32)
	m.setText(text)
	b.t.all = append(b.t.all, m)
	return m
}

// links lists what a message names by server id, so that it can be looked up.
func (m *YunxinMessage) links() []*ref {
	if m.told == nil {
		return nil
	}
	refs := []*ref{m.told.parent, m.told.root}
	if m.told.parent == nil {
		refs = []*ref{m.told.legacy}
	}
	var told []*ref
	for _, r := range refs {
		if r != nil && !r.vague {
			told = append(told, r)
		}
	}
	return told
}

// depths tells the fewest links from a message that history shows to each that is to be had: 0 for those themselves.
func (t *talk) depths() map[string]int {
	depths := map[string]int{}
	var level []*YunxinMessage
	for _, m := range t.all {
		if m.State == YunxinShown {
			depths[m.ID] = 0
			level = append(level, m)
		}
	}
	for depth := 1; len(level) > 0; depth++ {
		var next []*YunxinMessage
		for _, m := range level {
			for _, r := range m.links() {
				if r.target == nil {
					continue
				}
				_, seen := depths[r.target.ID]
				if !seen && t.answer(r.target.ID, r.target.CreatedAt) == codeOK {
					depths[r.target.ID] = depth
					next = append(next, r.target)
				}
			}
		}
		level = next
	}
	return depths
}

// resolve works out what becomes of all links.
func (t *talk) resolve() {
	depths := t.depths()
	for _, m := range t.all {
		m.Parent, m.Root = YunxinLink{Status: linkNone}, YunxinLink{}
		m.Quote, m.ThreadID, m.ThreadRoot = "", "", false
		switch q := m.told; {
		case q == nil:
		case q.parent == nil:
			m.Quote, m.Parent = QuoteLegacy, t.outcome(q.legacy, depths)
		default:
			m.Quote = QuoteNative
			if q.legacy != nil && q.legacy.target == q.parent.target {
				m.Quote = QuoteBoth
			} else if q.legacy != nil {
				m.Quote = QuoteConflict
			}
			m.Parent, m.Root = t.outcome(q.parent, depths), t.outcome(q.root, depths)
			m.ThreadID = m.Root.MessageID
		}
	}
	for _, m := range t.all {
		t.deriveRoot(m)
	}
	for _, m := range t.all {
		if depth, seen := depths[m.ID]; seen && depth <= maxLookUpDepth && m.inThread() && m.Root.Status == linkResolved {
			root := t.byServer[m.Root.MessageID]
			if root.ThreadRoot = true; root.ThreadID == "" { // what it tells itself stands
				root.ThreadID = root.ID
			}
		}
	}
}

// outcome tells what becomes of one link.
func (t *talk) outcome(r *ref, depths map[string]int) YunxinLink {
	target := r.target
	if r.vague {
		target = t.byClient[r.told("", "").ClientID]
		if target == nil {
			return r.told(linkPending, "")
		}
	}
	if target == nil {
		return r.told(linkMissing, strconv.Itoa(codeNoMessage))
	}
	depth, reached := depths[target.ID]
	switch {
	case target.State == YunxinRecalled:
		return r.told(linkMissing, strconv.Itoa(codeNoMessage))
	case target.State == YunxinBlocked:
		return r.told(linkForbidden, strconv.Itoa(codeAntiSpam))
	case !reached || depth > maxLookUpDepth:
		return r.told(linkMissing, "depth")
	}
	return YunxinLink{Status: linkResolved, MessageID: target.ID, SenderID: target.Sender, CreatedAt: target.CreatedAt}
}

// deriveRoot gives a message whose root is not told the root of its parent.
func (t *talk) deriveRoot(m *YunxinMessage) YunxinLink {
	if m.Root.Status != "" {
		return m.Root
	}
	m.Root = m.Parent
	switch m.Parent.Status {
	case linkPending:
		m.Root = YunxinLink{Status: linkPending}
	case linkResolved:
		if above := t.deriveRoot(t.byServer[m.Parent.MessageID]); above.Status != linkNone {
			m.Root = above
			m.Root.Reason = ""
			if above.Status == linkPending {
				m.Root = YunxinLink{Status: linkPending}
			}
		}
	}
	return m.Root
}
