// Package deadletters reads the dead letters of an archive together: each once, found by what it is about, the part of a raw
// page that it names, and what is to be asked of the platforms again. It knows no broker and prints nothing.
package deadletters

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chatlake/schemas"
)

// Stages are those that dead letters come from, in the order of the pipeline.
var Stages = []string{schemas.StageExtract, schemas.StageDecode, schemas.StageNormalize, schemas.StageEncode}

// Filter chooses dead letters; its zero value chooses all.
type Filter struct {
	Class, Stage, Platform string         // "": any
	Since                  schemas.Millis // found at or after this time
}

// Fits reports whether a dead letter is chosen.
func (f *Filter) Fits(d *schemas.DeadLetter) bool {
	return (f.Class == "" || f.Class == d.ErrorClass) && (f.Stage == "" || f.Stage == d.Stage) &&
		(f.Platform == "" || f.Platform == Platform(d)) && d.FailedAt >= f.Since
}

// Platform is the platform that a dead letter is about, "" where its keys name none.
func Platform(d *schemas.DeadLetter) string {
	for _, key := range []*string{&d.ConversationKey, d.ContainerKey} {
		if key == nil {
			continue
		}
		if p, _, ok := strings.Cut(*key, "/"); ok && (p == schemas.Feishu || p == schemas.Yunxin) {
			return p
		}
	}
	return ""
}

// Set holds dead letters by id. The same fault found again, as by a replay, has the same id and stands once.
type Set map[string]*schemas.DeadLetter

// Add takes a dead letter without its body; of two of one id the one that was found later stands.
func (s Set) Add(d *schemas.DeadLetter) {
	if old := s[d.ID]; old != nil && old.FailedAt > d.FailedAt {
		return
	}
	kept := *d
	kept.Body = nil
	detach(&kept)
	s[kept.ID] = &kept
}

// detach gives strings memory of their own: those of a decoder keep the whole block alive that they were cut from.
func detach(d *schemas.DeadLetter) {
	for _, p := range []*string{&d.ID, &d.Stage, &d.ErrorClass, &d.ErrorMessage, &d.ConversationKey} {
		*p = strings.Clone(*p)
	}
	for _, p := range []**string{&d.ContainerKey, &d.PageID, &d.ItemPointer, &d.RecordID, &d.SourceTopic} {
		if *p != nil {
			own := strings.Clone(**p)
			*p = &own
		}
	}
}

// List gives all by the time at which they were found, then by id.
func (s Set) List() []*schemas.DeadLetter {
	all := make([]*schemas.DeadLetter, 0, len(s))
	for _, d := range s {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *schemas.DeadLetter) int {
		return cmp.Or(cmp.Compare(a.FailedAt, b.FailedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// MinPrefix is how many characters of an id are enough to look it up.
const MinPrefix = 6

// Errors of Find.
var (
	ErrUnknown   = errors.New("no dead letter has this id")
	ErrAmbiguous = errors.New("several dead letters have ids that begin so")
)

// Find gives the dead letter that has an id, or whose id alone begins so.
func (s Set) Find(id string) (*schemas.DeadLetter, error) {
	if d := s[id]; d != nil {
		return d, nil
	}
	if len(id) < MinPrefix {
		return nil, fmt.Errorf("%w: %q (the first %d characters are enough)", ErrUnknown, id, MinPrefix)
	}
	var found *schemas.DeadLetter
	for other, d := range s {
		if !strings.HasPrefix(other, id) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %q", ErrAmbiguous, id)
		}
		found = d
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	return found, nil
}

// Count is how many dead letters there are of a stage and class.
type Count struct {
	Stage, Class string
	N            int
}

// Counts counts by stage and class, the most frequent first.
func Counts(letters []*schemas.DeadLetter) []Count {
	n := map[Count]int{}
	for _, d := range letters {
		n[Count{Stage: d.Stage, Class: d.ErrorClass}]++
	}
	var all []Count
	for c, times := range n {
		c.N = times
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Class, b.Class))
	})
	return all
}
