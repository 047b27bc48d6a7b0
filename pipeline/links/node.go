package links

import "slices"

// Key names a node: four bytes that stand for the conversation, one for what names it, and the name.
type Key string

// What names a node.
const (
	byMessage = 'm' // message id
	byClient  = 'c' // client message id: stands for the message that has it
	byRecord  = 'r' // record id, for what stands in a merged forward
)

// ID is the message id, client id or record id that names the node.
func (k Key) ID() string { return string(k[5:]) }

func (k Key) with(what byte, id string) Key { return k[:4] + Key(what) + Key(id) }

// Target is a message as a link tells it.
type Target struct {
	ID, ClientID, SenderID string
	CreatedAt              int64 // milliseconds, 0: not told
	Reason                 string
}

// Told reports whether there is a link at all.
func (t *Target) Told() bool { return t.ID != "" || t.ClientID != "" }

func (t *Target) key(from Key) Key {
	switch {
	case t.ID != "":
		return from.with(byMessage, t.ID)
	case t.ClientID != "":
		return from.with(byClient, t.ClientID)
	}
	return ""
}

// Reading is what one page says of one record, as far as it outlives the reading that stands.
type Reading struct {
	Rank               Rank
	UpdatedAt          int64 // milliseconds, 0: not told
	RecalledAt         int64
	ConversationSeq    *int64
	ThreadSeq          *int64
	ThreadID, CopyOf   string
	Parent, Root       Target
	ThreadByRoot       bool
	SenderID, ClientID string
	CreatedAt          int64
	Revision           int64 // highest time of the reading, 0: none is told
	Expansion          Expansion
}

// Expansion is how a merged forward was expanded.
type Expansion struct {
	Status                uint8 // the higher the better, 0: nothing is told
	Rank                  Rank
	Reason                string
	Children, Descendants *int64
}

// Ranks of expansions.
const (
	ExpansionFailed = iota + 1
	ExpansionPartial
	ExpansionComplete
)

// Published is what stands of a record in the topic of messages.
type Published struct {
	Version int64 // 0: nothing
	Edited  int64 // its edit time, 0: none
	State   uint8 // as in Rank
	Digest  uint64
	Cut     bool  // something was taken out of it, as it was too large
	Body    Place // where its value is kept
}

// Place is where a value is kept: in the order in which values came.
type Place struct {
	Offset int64 // of the raw record
	No     uint32
}

// Node is what is known of one record, or of a message that links name and no page has shown.
type Node struct {
	Published Published
	Readings  []Reading // those that tell something which none before them tells, by rank; the first stands
	Revision  int64     // highest time of all readings
	Expansion Expansion // the best of all readings
	Thread    string    // message id of its thread's root, where the thread is named by it
	Fixed     bool      // its links are what its readings say: it stands in a merged forward
	Deleted   bool      // the platform says so

	Parent, Root Link // as they stand now

	// as a target
	Linked     bool   // others link to it
	Asked      bool   // by a look-up, once for good
	ThreadRoot bool   // a reply names it as the root of its thread
	Depth      uint8  // fewest links from a message that a page other than a look-up's has shown
	Answer     Answer // what the platform says of it, other than showing it
	Hint       int64  // when it was created, as links tell it
	Alias      string // of a client id: the message that has it
	AliasTime  int64

	changed bool // since it was read from disk
}

// Depths beyond those that look-ups are asked for.
const (
	maxDepth     = 10
	unknownDepth = 255
)

// Answer is a definitive word of the platform about a message.
type Answer struct {
	Status Status
	Reason string
}

// Status is a link's, the higher the better.
type Status uint8

// Statuses, from none over the worst to the best. For one target a link never gets worse.
const (
	None Status = iota
	Pending
	Missing
	Forbidden
	Deleted
	OutOfScope
	Resolved
	Erased // left out of the output for good: above all, as it is decided by us
)

// Link is a link as it stands: of a resolved one all is the target's, else what was told.
type Link struct {
	Status                 Status
	Reason                 string
	ID, ClientID, SenderID string
	CreatedAt              int64
}

// Shown reports whether a page has shown the message.
func (n *Node) Shown() bool { return len(n.Readings) > 0 }

// Best is the merged reading: the one that stands, with what it does not tell from the next that does.
func (n *Node) Best() Reading {
	best := n.Readings[0]
	for i := range n.Readings[1:] {
		best.fill(&n.Readings[i+1])
	}
	return best
}

// fill takes from o what r does not tell and reports whether there was anything.
func (r *Reading) fill(o *Reading) (more bool) {
	take := func(missing, told bool) bool {
		more = more || missing && told
		return missing && told
	}
	if take(r.UpdatedAt == 0, o.UpdatedAt != 0) {
		r.UpdatedAt = o.UpdatedAt
	}
	if take(r.RecalledAt == 0, o.RecalledAt != 0) {
		r.RecalledAt = o.RecalledAt
	}
	if take(r.ConversationSeq == nil, o.ConversationSeq != nil) {
		r.ConversationSeq = o.ConversationSeq
	}
	if take(r.ThreadSeq == nil, o.ThreadSeq != nil) {
		r.ThreadSeq = o.ThreadSeq
	}
	if take(r.ThreadID == "", o.ThreadID != "") {
		r.ThreadID = o.ThreadID
	}
	if take(r.CopyOf == "", o.CopyOf != "") {
		r.CopyOf = o.CopyOf
	}
	if take(r.ClientID == "", o.ClientID != "") {
		r.ClientID = o.ClientID
	}
	if take(!r.Parent.Told(), o.Parent.Told()) {
		r.Parent = o.Parent
	}
	if take(!r.Root.Told(), o.Root.Told()) {
		r.Root, r.ThreadByRoot = o.Root, o.ThreadByRoot
	}
	return more
}

// add takes a reading in and reports whether it stands now.
func (n *Node) add(r *Reading) (stands bool) {
	n.changed = true
	n.Revision = max(n.Revision, r.Revision)
	if e := r.Expansion; e.Status > n.Expansion.Status || e.Status != 0 && e.Status == n.Expansion.Status && r.Rank.Before(n.Expansion.Rank) {
		n.Expansion = e
		n.Expansion.Rank = r.Rank
	}
	at := 0
	for at < len(n.Readings) && !r.Rank.Before(n.Readings[at].Rank) {
		if n.Readings[at].Rank == r.Rank {
			return at == 0 // the very same page again
		}
		at++
	}
	n.Readings = slices.Insert(n.Readings, at, *r)
	n.prune()
	return at == 0
}

// prune drops readings that tell nothing which none before them tells.
func (n *Node) prune() {
	best := n.Readings[0]
	kept := n.Readings[:1]
	for i := range n.Readings[1:] {
		if best.fill(&n.Readings[i+1]) {
			kept = append(kept, n.Readings[i+1])
		}
	}
	clear(n.Readings[len(kept):])
	n.Readings = kept
}
