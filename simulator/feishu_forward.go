package simulator

import (
	"fmt"
)

// maxForwardDepth is how deep forwards are nested in a world, but for Options.BigForward.
const maxForwardDepth = 4

// branch is a node of a merged forward while it is made.
type branch struct {
	Message
	upper    string // as told
	withheld bool
	below    []*branch
}

// forwards turns some messages into merged forwards of earlier windows of the chat.
func (b *builder) forwards() {
	big := b.w.options.BigForward > 0 && b.room.index == 0
	for i, m := range b.made {
		if m == nil || i < 20 || m.Type == "system" || m.Type == "interactive" {
			continue
		}
		c := b.c.with("forward", i)
		if big {
			big = false
			b.fill(m, b.bigTree(m, c), c)
			continue
		}
		if c.below(1000) >= b.w.options.Mix.Forwards {
			continue
		}
		b.fill(m, b.tree(m.ID, i, 1, c), c)
	}
}

// fill makes m a merged forward of a tree, told in depth-first order or level by level: no order is promised.
func (b *builder) fill(m *Message, tree []*branch, c chance) {
	placeholder := "Merged and Forwarded Message"
	setContent(m, "merge_forward", nil)
	m.Content, m.Mentions, m.MentionsAll, m.Attachments = placeholder, nil, false, nil
	if c.with("placeholder", 0).below(3) == 0 {
		m.Content = contentJSON(map[string]string{"content": placeholder})
	}
	m.Text = placeholder
	if len(tree) > 0 && c.with("orphan", 0).below(16) == 0 {
		orphan := tree[len(tree)-1]
		orphan.upper = ""
		if c.with("orphan", 1).below(2) == 0 {
			orphan.upper = "om_" + c.with("orphan", 2).hex(32)
		}
	}
	if c.with("order", 0).below(2) == 0 {
		m.Children = depthFirst(nil, tree, place{under: m.ID})
		return
	}
	m.Children = byLevel(tree, m.ID)
}

// place is where a branch stands in its tree.
type place struct {
	under    string
	path     string
	depth    int
	withheld bool
}

func (p place) child(n int, t *branch) Child {
	path := fmt.Sprintf("%05d", n)
	if p.path != "" {
		path = p.path + "." + path
	}
	return Child{Message: t.Message, UpperID: t.upper, Under: p.under, Depth: p.depth + 1, Path: path, Withheld: p.withheld}
}

func (p place) inside(n int, t *branch) place {
	return place{under: t.ID, path: p.child(n, t).Path, depth: p.depth + 1, withheld: p.withheld || t.withheld}
}

func depthFirst(out []Child, tree []*branch, p place) []Child {
	for i, t := range tree {
		out = append(out, p.child(i+1, t))
		out = depthFirst(out, t.below, p.inside(i+1, t))
	}
	return out
}

func byLevel(tree []*branch, under string) []Child {
	type group struct {
		tree []*branch
		at   place
	}
	var out []Child
	for level := []group{{tree, place{under: under}}}; len(level) > 0; {
		var next []group
		for _, g := range level {
			for i, t := range g.tree {
				out = append(out, g.at.child(i+1, t))
				if len(t.below) > 0 {
					next = append(next, group{t.below, g.at.inside(i+1, t)})
				}
			}
		}
		level = next
	}
	return out
}

// tree copies a window of earlier messages as snapshots under one container; one of them may be a forward itself.
func (b *builder) tree(under string, before, depth int, c chance) []*branch {
	long := 3 + c.with("long", depth).below(8)
	from := c.with("from", depth).below(max(1, before-long))
	var tree []*branch
	snapshots := map[string]string{}
	for i := from; i < from+long && i < before; i++ {
		m := b.made[i]
		if m == nil || m.Type == "system" || m.Type == "merge_forward" {
			continue
		}
		t := b.snapshot(m, under, c.with("child", i*8+depth))
		snapshots[m.ID] = t.ID
		tree = append(tree, t)
	}
	for _, t := range tree {
		relink(&t.Message, snapshots)
	}
	if depth < maxForwardDepth && len(tree) > 1 && c.with("nest", depth).below(3) == 0 {
		t := tree[len(tree)/2]
		t.Type, t.Kind, t.Content, t.Card = "merge_forward", kindOf("merge_forward"), "Merged and Forwarded Message", ""
		t.Text, t.TextExact, t.TextNone, t.State = t.Content, false, false, Normal
		t.Mentions, t.Attachments, t.MentionsAll = nil, nil, false
		t.below = b.tree(t.ID, before, depth+1, c)
		t.withheld = c.with("withheld", depth).below(8) == 0
	}
	if c.with("shuffle", depth).below(3) == 0 {
		for i := len(tree) - 1; i > 0; i-- {
			j := c.with("swap", i).below(i + 1)
			tree[i], tree[j] = tree[j], tree[i]
		}
	}
	return tree
}

// snapshot is a message as a forward holds it: another id, no thread, no positions.
func (b *builder) snapshot(m *Message, under string, c chance) *branch {
	t := &branch{Message: m.clone(), upper: under}
	t.ID = b.w.messageID("child of "+under, int(c%(1<<40)))
	t.ThreadID, t.ThreadRoot, t.Position, t.ThreadPosition, t.InChat = "", false, -1, -1, false
	if c.with("recalled", 0).below(40) == 0 {
		t.State = Recalled
	}
	return t
}

// relink makes links among siblings point to snapshots; all others point out of the forward.
func relink(m *Message, snapshots map[string]string) {
	if m.ParentID == "" {
		return
	}
	m.ParentFate = FateElsewhere
	if id, ok := snapshots[m.ParentID]; ok {
		m.ParentID, m.ParentFate = id, FateShown
	}
	if id, ok := snapshots[m.RootID]; ok {
		m.RootID = id
	}
}

// bigTree makes as many descendants as Options.BigForward says, every fiftieth a container of those after it, to eight
// levels.
func (b *builder) bigTree(m *Message, c chance) []*branch {
	top := &branch{Message: Message{ID: m.ID}}
	stack := []*branch{top}
	for i := range b.w.options.BigForward {
		parent := stack[len(stack)-1]
		t := b.snapshot(m, parent.ID, c.with("big", i))
		t.State = Normal
		setText(&t.Message, fmt.Sprintf("descendant %d", i+1))
		t.Mentions, t.Attachments, t.MentionsAll = nil, nil, false
		parent.below = append(parent.below, t)
		if i%50 == 49 {
			t.Type, t.Kind, t.Content, t.TextExact = "merge_forward", kindOf("merge_forward"), "Merged and Forwarded Message", false
			t.Text = t.Content
			if stack = append(stack, t); len(stack) > 8 {
				stack = stack[:1]
			}
		}
	}
	return top.below
}
