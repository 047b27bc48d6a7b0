package deadletters

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"chatlake/schemas"
)

// Known is what is known beside the dead letters to be redriven.
type Known struct {
	Letters    Set // all dead letters
	Containers schemas.Fold
	// InForce gives the epoch in force of a container, 0 where it is not known: the higher of container and checkpoint.
	InForce func(schemas.ContainerKey) int64
}

// Ask says how dead letters are redriven.
type Ask struct {
	Now    time.Time
	Again  bool   // ask also for what was asked for since it failed
	Output string // topic of messages that the dead letters belong to
}

// Remedy is what helps with dead letters that a redrive asked nothing for.
type Remedy struct {
	Stage      string `json:"stage"`
	ErrorClass string `json:"error_class"`
	N          int    `json:"n"`
	Remedy     string `json:"remedy"`
}

// Plan is what a redrive comes to: containers to be written, with keys and epochs, and how many dead letters they stand for.
type Plan struct {
	Containers []*schemas.Container
	Redriven   int
	Remedies   []Remedy
}

// Redrive plans what is to be asked of the platforms again. For a dead letter of stage extract that is its message, where
// record_id names one, else the whole of its container in a new epoch. Everything else lies in the raw pages: a replay
// reads it again.
//
// What was asked for since it failed is not asked for again, whoever asked; nor is what was asked for again and failed in the
// same class. So a redrive that is run twice in a row, by one or by two people, asks once, however fast the platform answers.
func Redrive(letters []*schemas.DeadLetter, known Known, ask Ask) *Plan {
	r := redrive{
		Ask: ask, known: known, messages: map[conversation]map[string]wanted{}, whole: map[schemas.ContainerKey]schemas.Millis{},
		remedies: map[Remedy]int{}, plan: &Plan{}, first: map[subject]schemas.Millis{},
	}
	r.index()
	for _, d := range letters {
		if why := r.take(d); why != "" {
			r.remedies[Remedy{Stage: d.Stage, ErrorClass: d.ErrorClass, Remedy: why}]++
			continue
		}
		r.plan.Redriven++
	}
	r.write()
	return r.plan
}

// subject is what fails in a class.
type subject struct{ class, conversation, container, record string }

func subjectOf(d *schemas.DeadLetter) subject {
	s := subject{class: d.ErrorClass, conversation: d.ConversationKey, record: deref(d.RecordID)}
	if s.record == "" {
		s.container = deref(d.ContainerKey)
	}
	return s
}

// conversation names one, with its tenant.
type conversation struct{ platform, tenant, id string }

// wanted is a message that is to be asked for.
type wanted struct {
	created   *schemas.Millis
	container string         // the API's spelling of the conversation that brought it, where that is known
	failed    schemas.Millis // the latest that it failed
}

type redrive struct {
	Ask
	known    Known
	asked    map[conversation]map[string]schemas.Millis // when each message was asked for by id last
	first    map[subject]schemas.Millis                 // when each failed first
	messages map[conversation]map[string]wanted
	whole    map[schemas.ContainerKey]schemas.Millis // containers to be read again, and when they failed last
	remedies map[Remedy]int
	plan     *Plan
}

// index finds when each message was asked for by its id, and when each subject failed first.
func (r *redrive) index() {
	for _, d := range r.known.Letters {
		s := subjectOf(d)
		if at, ok := r.first[s]; d.Stage == schemas.StageExtract && (!ok || d.FailedAt < at) {
			r.first[s] = d.FailedAt
		}
	}
	r.asked = map[conversation]map[string]schemas.Millis{}
	for _, c := range r.known.Containers {
		at := conversation{c.Platform, c.TenantID, c.ConversationID}
		switch c.Kind {
		case schemas.KindMessage:
			r.noteAsked(at, c.ID, c.RequestedAt)
		case schemas.KindMessages:
			for i := range c.Refs {
				r.noteAsked(at, c.Refs[i].MessageID, c.RequestedAt)
			}
		}
	}
}

func (r *redrive) noteAsked(at conversation, id string, when schemas.Millis) {
	if r.asked[at] == nil {
		r.asked[at] = map[string]schemas.Millis{}
	}
	r.asked[at][id] = max(r.asked[at][id], when)
}

// Remedies of what is not redriven.
const (
	remedyAsked   = "was asked for since it failed: 'chatlake containers list' says how far that is; --again asks once more"
	remedyAlike   = "was asked for again and failed the same way: when its cause is gone, --again asks once more"
	remedyBadRef  = "the id is none of the platform's: add the message with its right id, 'chatlake containers add --kind messages --refs FILE'"
	remedyUnknown = "nothing that is known of names a container to be read again: add it, 'chatlake containers add'"
)

// classBadRef is the class of a message whose id no call can name.
const classBadRef = "bad_ref"

// replay names the command that reads raw pages again.
func (r *redrive) replay() string {
	return "the raw page is kept: after the cause is mended, in the normalizer or at the platform, 'chatlake replay --to " + r.Output + ".replay' reads it again"
}

// take takes in what one dead letter asks for; where it asks for nothing, it gives the remedy.
func (r *redrive) take(d *schemas.DeadLetter) (why string) {
	if d.Stage != schemas.StageExtract {
		return r.replay()
	}
	if at, id, ok := messageOf(d); ok {
		return r.message(d, at, id)
	}
	key := schemas.ContainerKey(deref(d.ContainerKey))
	c := r.known.Containers[key]
	if c == nil {
		return remedyUnknown
	}
	if why := r.since(d, c.RequestedAt); why != "" {
		return why
	}
	r.whole[key] = max(r.whole[key], d.FailedAt)
	return ""
}

// since says why a dead letter need not be asked for, whose subject was asked for last at a time.
func (r *redrive) since(d *schemas.DeadLetter, asked schemas.Millis) (why string) {
	first, ok := r.first[subjectOf(d)]
	switch {
	case r.Again:
		return ""
	case asked > d.FailedAt:
		return remedyAsked
	case ok && first < asked:
		return remedyAlike
	}
	return ""
}

func (r *redrive) message(d *schemas.DeadLetter, at conversation, id string) (why string) {
	if d.ErrorClass == classBadRef {
		return remedyBadRef
	}
	from := r.known.Containers[schemas.ContainerKey(deref(d.ContainerKey))]
	asked := r.asked[at][id]
	if from != nil {
		asked = max(asked, from.RequestedAt)
	}
	if why := r.since(d, asked); why != "" {
		return why
	}
	if r.messages[at] == nil {
		r.messages[at] = map[string]wanted{}
	}
	w := r.messages[at][id]
	w.failed = max(w.failed, d.FailedAt)
	if from != nil && from.Platform == schemas.Yunxin {
		w.container = from.ID
		if i := slices.IndexFunc(from.Refs, func(m schemas.MessageRef) bool { return m.MessageID == id }); i >= 0 {
			w.created = from.Refs[i].CreatedAt
		}
	}
	r.messages[at][id] = w
	return ""
}

// messageOf gives the message that a dead letter names: of one within a merged forward, the outermost, which can be asked for.
func messageOf(d *schemas.DeadLetter) (at conversation, id string, ok bool) {
	record, key := strings.Split(deref(d.RecordID), "/"), strings.Split(d.ConversationKey, "/")
	if len(record) < 3 || len(key) != 3 || record[0] != key[0] || record[1] != key[1] || Platform(d) == "" || record[2] == "" {
		return conversation{}, "", false
	}
	return conversation{schemas.Unpart(key[0]), schemas.Unpart(key[1]), schemas.Unpart(key[2])}, schemas.Unpart(record[2]), true
}

// write makes the containers, and lists the remedies.
func (r *redrive) write() {
	for key, failed := range r.whole {
		c := *r.known.Containers[key]
		r.add(&c, failed)
	}
	for at, wanted := range r.messages {
		r.writeMessages(at, wanted)
	}
	slices.SortFunc(r.plan.Containers, func(a, b *schemas.Container) int { return cmp.Compare(a.Key, b.Key) })
	r.plan.Remedies = []Remedy{}
	for m, n := range r.remedies {
		m.N = n
		r.plan.Remedies = append(r.plan.Remedies, m)
	}
	slices.SortFunc(r.plan.Remedies, func(a, b Remedy) int {
		return cmp.Or(cmp.Compare(slices.Index(Stages, a.Stage), slices.Index(Stages, b.Stage)), cmp.Compare(a.ErrorClass, b.ErrorClass), cmp.Compare(a.Remedy, b.Remedy))
	})
}

// writeMessages asks for messages of a conversation by id, in the name that each was asked for before.
func (r *redrive) writeMessages(at conversation, all map[string]wanted) {
	bySpelling := map[string][]schemas.MessageRef{}
	for id, w := range all {
		bySpelling[w.container] = append(bySpelling[w.container], schemas.MessageRef{MessageID: id, CreatedAt: w.created})
	}
	for spelling, refs := range bySpelling {
		containers := schemas.Lookups(at.platform, at.tenant, at.id, refs)
		for i := range containers {
			c := &containers[i]
			if _, whole := r.whole[schemas.ContainerKey(c.Key)]; whole {
				continue // it is the very container that is read again
			}
			if spelling != "" {
				c.ID = spelling
			}
			c.Cause = schemas.CauseUser
			var failed schemas.Millis
			for _, ref := range refs {
				failed = max(failed, all[ref.MessageID].failed)
			}
			r.add(c, failed)
		}
	}
}

// add puts a container into a new epoch. It is asked for later than what it stands for failed, whatever the clocks say.
func (r *redrive) add(c *schemas.Container, failed schemas.Millis) {
	c.Epoch, c.Cancelled = r.known.InForce(schemas.ContainerKey(c.Key))+1, false
	c.RequestedAt = max(schemas.MillisOf(r.Now), failed+1)
	r.plan.Containers = append(r.plan.Containers, c)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
