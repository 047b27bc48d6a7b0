// Package compare tells how the newest messages of two outputs differ, field by field, in memory that does not grow with
// them. It knows no broker: who calls it reads the topics.
package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"chatlake/schemas"
)

// MaxSamples is the most differences that a report shows.
const MaxSamples = 20

// Report is what was found, over all partitions that it was given to.
type Report struct {
	Records int64            `json:"records"` // distinct record ids of the new output
	Same    int64            `json:"same"`
	Changed int64            `json:"changed"`
	Missing int64            `json:"missing"` // in the old output only
	Added   int64            `json:"added"`   // in the new output only
	Fields  map[string]int64 `json:"fields"`  // records that differ in a field, by its dotted path
	Samples []Sample         `json:"samples"`

	Moving     int64    `json:"moving"`     // versions not compared: only one of the outputs knows all of their conversation's pages
	Unreadable int64    `json:"unreadable"` // records of both outputs
	Unread     []string `json:"-"`          // the first of them

	found map[string][]Sample // by field, or what else is the matter
}

// Sample is one difference. Field, and one of the values, are null where a whole record is missing or added; the other value
// is then its version.
type Sample struct {
	RecordID string  `json:"record_id"`
	Field    *string `json:"field"`
	Old      any     `json:"old"`
	New      any     `json:"new"`
}

// Differs reports whether the outputs are not the same, or cannot be said to be.
func (r *Report) Differs() bool {
	return r.Changed+r.Missing+r.Added+r.Unreadable > 0
}

// Finish puts the report into its final form. Each field has a sample before any has a second, those that differ least first:
// one that differs everywhere does not hide another.
func (r *Report) Finish() {
	if r.Fields == nil {
		r.Fields = map[string]int64{}
	}
	names := slices.SortedFunc(maps.Keys(r.found), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Fields[a], r.Fields[b]), cmp.Compare(a, b))
	})
	r.Samples = []Sample{}
	for turn := range MaxSamples {
		for _, name := range names {
			if turn < len(r.found[name]) && len(r.Samples) < MaxSamples {
				r.Samples = append(r.Samples, r.found[name][turn])
			}
		}
	}
	slices.SortStableFunc(r.Samples, func(a, b Sample) int { return cmp.Compare(a.RecordID, b.RecordID) })
}

func (r *Report) sample(s Sample) {
	name := "+"
	switch {
	case s.Field != nil:
		name = *s.Field
	case s.New == nil:
		name = "-"
	}
	if r.found == nil {
		r.found = map[string][]Sample{}
	}
	if len(r.found[name]) < MaxSamples {
		r.found[name] = append(r.found[name], s)
	}
}

// Messages calls fn with every record of one partition of an output, in order; it returns fn's error.
type Messages func(ctx context.Context, fn func(*schemas.Record) error) error

// Part is one partition of both outputs. A conversation's records lie in the same one in both.
type Part struct {
	Old Messages // nil: the new ones are only counted
	New Messages
	// Moving reports whether the outputs were made of different pages of a conversation, so that it cannot be compared.
	Moving func(schemas.ConversationKey) bool
}

// Comparer compares parts, one after the other.
type Comparer struct {
	Dir     string           // where records lie meanwhile: as much as the larger topic's partition takes, for both outputs
	Decoder *schemas.Decoder // of messages
	memory  int64            // bytes of records that are held at once; 0: the usual
	buckets int
}

// Compare adds what differs in a part to the report: of each record its newest version, in all fields but provenance, version
// and change. Versions that cannot be read are counted and passed over.
func (c *Comparer) Compare(ctx context.Context, p Part, report *Report) error {
	s, err := newSpill(c.Dir, cmp.Or(c.buckets, usualBuckets), cmp.Or(c.memory, usualMemory))
	if err != nil {
		return err
	}
	defer s.close()
	if p.Old != nil {
		if err := c.gather(ctx, p, p.Old, sideOld, s, report); err != nil {
			return err
		}
	}
	if err := c.gather(ctx, p, p.New, sideNew, s, report); err != nil {
		return err
	}
	return s.each(ctx, func(id string, old, fresh *version) error {
		if fresh != nil {
			report.Records++
		}
		if p.Old == nil {
			return nil
		}
		return c.pair(ctx, id, old, fresh, report)
	})
}

// maxUnread is how many records that cannot be read are named.
const maxUnread = 5

func (c *Comparer) gather(ctx context.Context, p Part, messages Messages, of side, s *spill, report *Report) error {
	return messages(ctx, func(r *schemas.Record) error {
		var m schemas.Message
		err := c.Decoder.Decode(ctx, r.Value, &m)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, schemas.ErrNoAnswer) { // that says nothing of the record
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		if err != nil {
			report.unread(fmt.Sprintf("%s/%d offset %d cannot be read as a message: %v", r.Topic, r.Partition, r.Offset, err))
			return nil
		}
		if p.Moving != nil && p.Moving(schemas.NewConversationKey(m.Platform, m.TenantID, m.ConversationID)) {
			report.Moving++
			return nil
		}
		return s.add(of, m.RecordID, &version{m.Version, r.Value})
	})
}

// Damaged counts what a topic did not give.
func (r *Report) Damaged(what string) { r.unread(what) }

func (r *Report) unread(what string) {
	if r.Unreadable++; len(r.Unread) < maxUnread {
		r.Unread = append(r.Unread, what)
	}
}

func (c *Comparer) pair(ctx context.Context, id string, old, fresh *version, report *Report) error {
	switch {
	case fresh == nil:
		report.Missing++
		report.sample(Sample{RecordID: id, Old: old.number})
		return nil
	case old == nil:
		report.Added++
		report.sample(Sample{RecordID: id, New: fresh.number})
		return nil
	}
	var a, b schemas.Message
	if err := errors.Join(c.Decoder.Decode(ctx, old.value, &a), c.Decoder.Decode(ctx, fresh.value, &b)); err != nil {
		return err
	}
	all := differences(&a, &b)
	if len(all) == 0 {
		report.Same++
		return nil
	}
	report.Changed++
	if report.Fields == nil {
		report.Fields = map[string]int64{}
	}
	for _, d := range all {
		report.Fields[d.field]++
		report.sample(Sample{RecordID: id, Field: &d.field, Old: d.old, New: d.fresh})
	}
	return nil
}
