package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"chatlake/cmd/worker"
	"chatlake/schemas"
	"chatlake/simulator"
)

// found is what the topics hold of one platform.
type found struct {
	rawPages, rawBytes int
	pagesDoubled       int               // of one ce_id
	pagesAltered       int               // bodies that the platform did not send
	records            map[string]string // record_id by message id, of messages that stand in no merged forward
	children           map[string]string // record_id by childKey
	versions           int               // of both
	doubled            int               // versions that stand twice, and messages under two names
	last               map[string]end    // by record_id, of messages that stand in no merged forward
	deadLetters        int
}

// end is how the newest version of a record says that its link to the message answered ended.
type end struct {
	version int64
	parent  string // a word of Link.Status
}

// readBack is what the topics hold, by platform.
type readBack struct {
	*ledger
	of   map[string]*found
	talk *talk
}

// readBack reads the topics as any reader would.
func (d *demo) readBack(ctx context.Context) (*readBack, error) {
	n, err := d.in.cluster.Connect(ctx, "", d.logger)
	if err != nil {
		return nil, err
	}
	defer n.Client.Close()
	b := &readBack{of: map[string]*found{}, talk: newTalk()}
	for _, p := range d.platforms {
		b.of[p.name] = &found{records: map[string]string{}, children: map[string]string{}, last: map[string]end{}}
	}
	if b.ledger, err = readLedger(ctx, n, allPartitions(n.Partitions)); err != nil {
		return nil, err
	}
	if err := d.countPages(ctx, n, b); err != nil {
		return nil, err
	}
	if err := d.countMessages(ctx, n, b); err != nil {
		return nil, err
	}
	return b, eachRecord(ctx, n, n.Topics.DeadLetters, func(r *schemas.Record) error {
		f, err := b.platform(r, platformOf(r.Key))
		if err == nil {
			f.deadLetters++
		}
		return err
	})
}

// platform gives the counts that a record belongs to.
func (b *readBack) platform(r *schemas.Record, name string) (*found, error) {
	if f := b.of[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("%s/%d offset %d (%s) is of a platform that is not here", r.Topic, r.Partition, r.Offset, r.Key)
}

// eachRecord calls fn with everything committed in a topic.
func eachRecord(ctx context.Context, n *worker.Connection, topic string, fn func(*schemas.Record) error) error {
	for p := range n.Partitions {
		err := readWhole(ctx, n.Client, place{topic, int32(p)}, func(r schemas.Record) error { return fn(&r) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) countPages(ctx context.Context, n *worker.Connection, b *readBack) error {
	sent := map[string]bool{}
	for _, p := range d.platforms {
		for _, e := range p.api.Exchanges() {
			if e.Whole {
				sent[e.SHA256] = true
			}
		}
	}
	seen := map[string]bool{}
	return eachRecord(ctx, n, n.Topics.RawPages, func(r *schemas.Record) error {
		p, err := schemas.ParsePage(r)
		if err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		f, err := b.platform(r, platformOf(r.Key))
		if err != nil {
			return err
		}
		f.rawPages++
		f.rawBytes += len(p.Body)
		if seen[p.ID] {
			f.pagesDoubled++
		}
		seen[p.ID] = true
		none := p.Error != "" && len(p.Body) == 0 // a call that was never made, as to a host that is not allowed
		if sum := sha256.Sum256(p.Body); !none && !sent[hex.EncodeToString(sum[:])] {
			f.pagesAltered++
		}
		return nil
	})
}

func (d *demo) countMessages(ctx context.Context, n *worker.Connection, b *readBack) error {
	decoder := schemas.NewDecoder(schemas.MessageSchema, n.Registry.Patient)
	type version struct {
		record string
		number int64
	}
	seen := map[version]bool{}
	return eachRecord(ctx, n, n.Topics.Messages, func(r *schemas.Record) error {
		m := new(schemas.Message)
		if err := decoder.Decode(ctx, r.Value, m); err != nil {
			return fmt.Errorf("%s/%d offset %d (%s): %w", r.Topic, r.Partition, r.Offset, r.Key, err)
		}
		f, err := b.platform(r, m.Platform)
		if err != nil {
			return err
		}
		v := version{m.RecordID, m.Version}
		if seen[v] {
			f.doubled++
		}
		seen[v] = true
		f.versions++
		b.talk.hear(m)
		f.count(m)
		return nil
	})
}

// count takes one version of a message.
func (f *found) count(m *schemas.Message) {
	if inForward(m) {
		key := childKey(lastPart(value(m.Forward.ContainerRecordID)), value(m.Forward.Path))
		f.named(f.children, key, m.RecordID)
		return
	}
	f.named(f.records, m.MessageID, m.RecordID)
	if old, ok := f.last[m.RecordID]; !ok || old.version < m.Version {
		f.last[m.RecordID] = end{m.Version, m.Parent.Status}
	}
}

// named notes a message's record. One message under two names is doubled.
func (f *found) named(records map[string]string, key, record string) {
	if other, ok := records[key]; ok && other != record {
		f.doubled++
	}
	records[key] = record
}

// platformOf and lastPart give the first and the last part of a key.
func platformOf(key string) string {
	first, _, _ := strings.Cut(key, "/")
	return schemas.Unpart(first)
}

func lastPart(key string) string { return schemas.Unpart(key[strings.LastIndexByte(key, '/')+1:]) }

func inForward(m *schemas.Message) bool {
	return m.Forward.Role == schemas.ForwardChild || m.Forward.Role == schemas.ForwardChildContainer
}

// compare counts what is missing of what was to be shown or was shown, and what nobody has to show.
func (f *found) compare(e *expectation, shown []string) (lost, unexpected int) {
	for _, id := range shown {
		e.messages[id] = struct{}{}
	}
	lost = absent(e.messages, f.records) + absent(e.children, f.children)
	return lost, absent(f.records, e.messages) + absent(f.children, e.children)
}

// absent counts the keys of one map that another one lacks.
func absent[A, B any](of map[string]A, in map[string]B) int {
	n := 0
	for key := range of {
		if _, ok := in[key]; !ok {
			n++
		}
	}
	return n
}

// links counts how links to messages answered ended, by status; those of messages that answer nothing are left out.
func (f *found) links() map[string]int {
	n := map[string]int{}
	for _, e := range f.last {
		if e.parent != schemas.LinkNone {
			n[e.parent]++
		}
	}
	return n
}

// used gives what a platform was asked, and of its quota of message lists, in per cent, what was used of it.
func (p *platform) used(perMinute int) (t simulator.Traffic, throttled int, quota float64) {
	t = p.traffic()
	for _, u := range t.APIs {
		throttled += u.Throttled
	}
	lists := t.APIs[p.lists]
	return t, throttled, share(lists.Calls-lists.Throttled, perMinute, lists.Last.Sub(lists.First))
}
