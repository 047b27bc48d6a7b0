package graph_test

import (
	"cmp"
	"slices"

	"chatlake/pipeline/links/graph"
)

const talk = graph.Conversation("\x00\x00\x00\x01")

// page is what one page says.
type page struct {
	readings []reading
	answers  map[graph.Key]graph.Answer
	lookup   bool
}

type reading struct {
	id string
	graph.Reading
}

// model says how the nodes of a conversation have to be, worked out at once from the set of all pages. It knows nothing of
// orders and stores, and is as slow as it likes to be.
type model struct {
	all     map[string][]graph.Reading // by message id, the one that wins first
	direct  map[string]bool            // shown by a page that no look-up asked for
	answers map[graph.Key]graph.Answer
	owners  map[string]string // of client ids
	depths  map[string]int
}

func newModel(pages []page) *model {
	m := &model{
		all: map[string][]graph.Reading{}, direct: map[string]bool{}, answers: map[graph.Key]graph.Answer{}, owners: map[string]string{},
		depths: map[string]int{},
	}
	for _, p := range pages {
		for _, r := range p.readings {
			m.all[r.id] = append(m.all[r.id], r.Reading)
			m.direct[r.id] = m.direct[r.id] || !p.lookup
		}
		for key, a := range p.answers {
			if old := m.answers[key]; a.Status > old.Status || a.Status == old.Status && a.Reason < old.Reason {
				m.answers[key] = a
			}
		}
	}
	for id, list := range m.all {
		slices.SortFunc(list, func(a, b graph.Reading) int {
			return cmp.Or(cmp.Compare(b.Rank.State, a.Rank.State), cmp.Compare(b.Rank.Highest, a.Rank.Highest), cmp.Compare(a.Rank.Place, b.Rank.Place))
		})
		m.all[id] = slices.CompactFunc(list, func(a, b graph.Reading) bool { return a.Rank == b.Rank })
	}
	m.own()
	m.measure()
	return m
}

// first is the first value that any reading of a message sets.
func first[T comparable](list []graph.Reading, get func(*graph.Reading) T) (none T) {
	for i := range list {
		if v := get(&list[i]); v != none {
			return v
		}
	}
	return none
}

// own: of two messages with one client id it leads to the one created earlier, then to the smaller id.
func (m *model) own() {
	for id, list := range m.all {
		client := first(list, func(r *graph.Reading) string { return r.ClientID })
		if client == "" {
			continue
		}
		old, taken := m.owners[client]
		if !taken || cmp.Or(cmp.Compare(list[0].CreatedAt, m.all[old][0].CreatedAt), cmp.Compare(id, old)) < 0 {
			m.owners[client] = id
		}
	}
}

func (m *model) target(id string, parent bool) (t graph.Target, byRoot bool) {
	for _, r := range m.all[id] {
		if parent {
			t = r.Parent
		} else {
			t, byRoot = r.Root, r.ThreadByRoot
		}
		if t.Present() {
			return t, byRoot
		}
	}
	return graph.Target{}, false
}

// measure finds how far each message is from one that an ordinary page shows.
func (m *model) measure() {
	var row []string
	for id := range m.all {
		if m.direct[id] {
			m.depths[id] = 0
			row = append(row, id)
		}
	}
	for ; len(row) > 0; row = row[1:] {
		for _, parent := range []bool{true, false} {
			t, _ := m.target(row[0], parent)
			if _, known := m.depths[t.ID]; t.ID != "" && !known {
				m.depths[t.ID] = m.depths[row[0]] + 1
				row = append(row, t.ID)
			}
		}
	}
}

func (m *model) resolved(id, client string) graph.Link {
	r := &m.all[id][0]
	return graph.Link{Status: graph.Resolved, ID: id, ClientID: client, SenderID: r.SenderID, CreatedAt: r.CreatedAt}
}

// named is the link that a message's readings name.
func (m *model) named(id string, parent bool) graph.Link {
	t, _ := m.target(id, parent)
	if !t.Present() {
		return graph.Link{}
	}
	l := graph.Link{Status: graph.Pending, ID: t.ID, ClientID: t.ClientID, SenderID: t.SenderID, CreatedAt: t.CreatedAt}
	to := cmp.Or(t.ID, m.owners[t.ClientID])
	a := m.answers[talk.Message(to)]
	if to == "" {
		a = m.answers[talk.Client(t.ClientID)]
	}
	switch {
	case to == id:
		return graph.Link{}
	case m.all[to] != nil:
		l = m.resolved(to, t.ClientID)
		l.Reason = t.Reason
	case a.Status != graph.None:
		l.Status, l.Reason = a.Status, a.Reason
	case m.depths[to] > 10:
		l.Status, l.Reason = graph.Missing, "depth"
	}
	return l
}

// root is the named one, or the end of the chain of parents; a ring ends at the last message before the repeat.
func (m *model) root(id string) graph.Link {
	if l := m.named(id, false); l.Status != graph.None {
		return l
	}
	way := []string{id}
	for at := id; ; {
		up := m.named(at, true)
		if at != id {
			if r := m.named(at, false); r.Status == graph.Resolved && !slices.Contains(way, r.ID) {
				r.ClientID, r.Reason = "", ""
				return r
			} else if r.Status != graph.None {
				up = r
			}
		}
		switch {
		case up.Status == graph.None && at == id:
			return up
		case up.Status == graph.None, up.Status == graph.Resolved && slices.Contains(way, up.ID):
			return m.resolved(at, "")
		case up.Status == graph.Pending:
			return graph.Link{Status: graph.Pending}
		case up.Status != graph.Resolved:
			return up
		}
		at = up.ID
		way = append(way, at)
	}
}

// looks is all that depends on more than the message itself.
type looks struct {
	parent, root graph.Link
	thread       string
	threadRoot   bool
}

// looks says how a shown message has to be.
func (m *model) looks(id string) looks {
	l := looks{parent: m.named(id, true), root: m.root(id)}
	if t, byRoot := m.target(id, false); byRoot {
		l.thread = cmp.Or(t.ID, m.owners[t.ClientID])
	}
	for from := range m.all {
		if t, byRoot := m.target(from, false); byRoot && from != id && cmp.Or(t.ID, m.owners[t.ClientID]) == id {
			l.threadRoot = true
		}
	}
	return l
}
