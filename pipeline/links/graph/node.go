package graph

import "slices"

// Conversation is four bytes that stand for a conversation in keys.
type Conversation string

// Message names the node of a message of the conversation.
func (c Conversation) Message(id string) Key { return Key(c) + Key(byMessage) + Key(id) }

// Client names the node of a client message id of the conversation.
func (c Conversation) Client(id string) Key { return Key(c) + Key(byClient) + Key(id) }

// Record names the node of a record inside a merged forward of the conversation.
func (c Conversation) Record(id string) Key { return Key(c) + Key(byRecord) + Key(id) }

// Key names a node: its conversation, one byte for what names it, and the name.
type Key string

// What names a node.
const (
	byMessage = 'm' // message id
	byClient  = 'c' // client message id: leads to the message that owns it
	byRecord  = 'r' // record id, inside a merged forward
)

// ID is the message id, client id or record id that names the node.
func (k Key) ID() string { return string(k[5:]) }

// Conversation is the conversation of the node.
func (k Key) Conversation() Conversation { return Conversation(k[:4]) }

func (k Key) message(id string) Key { return k.Conversation().Message(id) }

// Target is a message as a link names it.
type Target struct {
	ID, ClientID, SenderID string
	CreatedAt              int64 // milliseconds, 0: not set
	Reason                 string
}

// Present reports whether there is a link at all.
func (t *Target) Present() bool { return t.ID != "" || t.ClientID != "" }

// key names the target's node; from is any node of the conversation.
func (t *Target) key(from Key) Key {
	switch {
	case t.ID != "":
		return from.message(t.ID)
	case t.ClientID != "":
		return from.Conversation().Client(t.ClientID)
	}
	return ""
}

// Reading is what one page says of one record, as far as it is needed once another reading wins.
type Reading struct {
	Rank               Rank
	UpdatedAt          int64 // milliseconds, 0: not set
	RecalledAt         int64
	ConversationSeq    *int64
	ThreadSeq          *int64
	ThreadID, CopyOf   string
	Parent, Root       Target
	ThreadByRoot       bool // its thread is named by the message id of the root
	SenderID, ClientID string
	CreatedAt          int64
	Revision           int64 // highest time of the reading, 0: none is set
	Expansion          Expansion
}

// Expansion is how a merged forward was expanded.
type Expansion struct {
	Status                ExpansionStatus
	Rank                  Rank // of the reading that says so
	Reason                string
	Children, Descendants *int64
}

// ExpansionStatus is the outcome of expanding a merged forward, the higher the better; 0: not set.
type ExpansionStatus uint8

// Outcomes of expansions.
const (
	ExpansionFailed ExpansionStatus = iota + 1
	ExpansionPartial
	ExpansionComplete
)

// Node is what is known of one record, or of a message that links name and no page has shown.
type Node struct {
	Readings  []Reading // by rank, the first wins; each of the others sets something that none before it sets
	Revision  int64     // highest time of all readings
	Expansion Expansion // the best of all readings
	Thread    string    // message id of its thread's root, where the thread is named by it
	Fixed     bool      // its links are what its readings say: it is inside a merged forward
	Deleted   bool      // the platform says so

	Parent, Root Link // the links in force

	// as a target
	Linked     bool   // others link to it, or did
	Asked      bool   // by a look-up, once for good
	ThreadRoot bool   // a reply names it as the root of its thread
	Depth      uint8  // fewest links from a message that a page other than a look-up's has shown
	Answer     Answer // what the platform says of it, other than showing it
	Hint       int64  // earliest creation time that a link gives it, 0: not set
	Owner      string // of a client id: the message that it leads to
	OwnerTime  int64  // when that was created

	Changed bool // since the store read it; whoever changes a node sets it
}

// NewNode is a node of which nothing is known.
func NewNode() *Node { return &Node{Depth: unknownDepth} }

const (
	maxDepth     = 10 // look-ups go no deeper
	unknownDepth = 255
)

// Answer is a definitive statement of the platform about a message.
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
	Erased // left out of the output for good: above all others, since we decide it ourselves
)

// Link is the current state of a link: of a resolved one all is the target's, else what the reading gives.
type Link struct {
	Status                 Status
	Reason                 string
	ID, ClientID, SenderID string
	CreatedAt              int64
}

// Shown reports whether a page has shown the message.
func (n *Node) Shown() bool { return len(n.Readings) > 0 }

// Best is the merged reading: the one that wins, and what it does not set from the next that does.
func (n *Node) Best() Reading {
	best := n.Readings[0]
	for i := range n.Readings[1:] {
		best.fill(&n.Readings[i+1])
	}
	return best
}

// fill takes from o what r does not set and reports whether there was anything.
func (r *Reading) fill(o *Reading) (more bool) {
	take(&r.UpdatedAt, o.UpdatedAt, &more)
	take(&r.RecalledAt, o.RecalledAt, &more)
	take(&r.ConversationSeq, o.ConversationSeq, &more)
	take(&r.ThreadSeq, o.ThreadSeq, &more)
	take(&r.ThreadID, o.ThreadID, &more)
	take(&r.CopyOf, o.CopyOf, &more)
	take(&r.ClientID, o.ClientID, &more)
	if !r.Parent.Present() && o.Parent.Present() {
		r.Parent, more = o.Parent, true
	}
	if !r.Root.Present() && o.Root.Present() {
		r.Root, r.ThreadByRoot, more = o.Root, o.ThreadByRoot, true
	}
	return more
}

// take sets what is not set, and more where it did.
func take[T comparable](to *T, from T, more *bool) {
	var none T
	if *to == none && from != none {
		*to, *more = from, true
	}
}

// sameTarget reports whether a message looks alike to those who link to it.
func (r *Reading) sameTarget(o *Reading) bool {
	return r.SenderID == o.SenderID && r.CreatedAt == o.CreatedAt
}

// sameLinks reports whether two readings lead to the same links.
func (r *Reading) sameLinks(o *Reading) bool {
	return r.Parent == o.Parent && r.Root == o.Root && r.ThreadByRoot == o.ThreadByRoot && r.ClientID == o.ClientID
}

// add takes a reading in and reports whether it wins.
func (n *Node) add(r *Reading) (wins bool) {
	n.Changed = true
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

// prune drops readings that set nothing which none before them sets.
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
