package normalize

import (
	"maps"
	"slices"

	"chatlake/schemas"
)

// Words that are counted, in the order of a Tally's arrays. What is not among them counts as the first.
var (
	Changes    = [...]string{"other", schemas.ChangeCreated, schemas.ChangeEdited, schemas.ChangeRecalled, schemas.ChangeDeleted, schemas.ChangeRelinked}
	Statuses   = [...]string{"other", schemas.LinkResolved, schemas.LinkPending, schemas.LinkMissing, schemas.LinkDeleted, schemas.LinkForbidden, schemas.LinkOutOfScope}
	Expansions = [...]string{"other", schemas.ExpansionComplete, schemas.ExpansionPartial, schemas.ExpansionFailed}
)

// Tally counts what published versions say.
type Tally struct {
	Changes    [len(Changes)]int64
	Parents    [len(Statuses)]int64 // links to the message answered; none is not counted
	Roots      [len(Statuses)]int64
	Expansions [len(Expansions)]int64 // of merged forwards, the outermost ones
}

// Tallies gives what was published since the start of the process, by platform.
func (n *Normalizer) Tallies() map[string]Tally {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.tallies)
}

// index gives the place of a word.
func index(words []string, word string) int { return max(0, slices.Index(words, word)) }

// counts notes a version of the transaction.
func (s *session) counts(m *schemas.Message) {
	t := s.tally[m.Platform]
	if t == nil {
		t = &Tally{}
		s.tally[m.Platform] = t
	}
	t.Changes[index(Changes[:], m.Change)]++
	if m.Parent.Status != schemas.LinkNone {
		t.Parents[index(Statuses[:], m.Parent.Status)]++
	}
	if m.Root.Status != schemas.LinkNone {
		t.Roots[index(Statuses[:], m.Root.Status)]++
	}
	if m.Forward.Role == schemas.ForwardContainer {
		t.Expansions[index(Expansions[:], m.Forward.Expansion)]++
	}
}

// committed adds the transaction, which is durable, to what is told.
func (s *session) committed() {
	s.Normalizer.mu.Lock()
	defer s.Normalizer.mu.Unlock()
	for platform, t := range s.tally {
		sum := s.tallies[platform]
		sum.add(t)
		s.tallies[platform] = sum
	}
}

func (t *Tally) add(o *Tally) {
	for _, p := range [...]struct{ to, from []int64 }{
		{t.Changes[:], o.Changes[:]}, {t.Parents[:], o.Parents[:]}, {t.Roots[:], o.Roots[:]}, {t.Expansions[:], o.Expansions[:]},
	} {
		for i, n := range p.from {
			p.to[i] += n
		}
	}
}
