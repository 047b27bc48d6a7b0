package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"chatlake/cmd/worker"
	"chatlake/schemas"
	"chatlake/simulator"
)

// expectation is what the simulated platform has to show.
type expectation struct {
	messages map[string]struct{} // ids of what lists of chats and threads show
	pages    int                 // list calls that this takes
}

// pageSize is how many messages Feishu gives at most in one list call
// (https://open.feishu.cn/document/server-docs/im-v1/message/list).
const pageSize = 50

func expect(w *simulator.World) *expectation {
	e := &expectation{messages: map[string]struct{}{}}
	list := func(messages []simulator.Message) {
		for i := range messages {
			e.messages[messages[i].ID] = struct{}{}
		}
		e.pages += max(1, (len(messages)+pageSize-1)/pageSize)
	}
	for _, chat := range w.Chats() {
		list(w.Messages(chat.ID))
		for _, thread := range w.Threads(chat.ID) {
			list(w.Thread(thread.ID))
		}
	}
	return e
}

// readBack is what the topics hold, counted.
type readBack struct {
	rawPages, rawBytes        int
	pagesDoubled              int // of one ce_id
	pagesAltered              int // bodies that the platform did not send
	records, versions         int // of messages that stand in no merged forward
	children                  int // records within merged forwards
	lost, doubled, unexpected int
	deadLetters               int
	talk                      *talk
}

// readBack reads the topics as any reader would, and compares them with what the platform served.
func (d *demo) readBack(ctx context.Context) (*readBack, error) {
	n, err := d.in.cluster.Connect(ctx, "", d.logger)
	if err != nil {
		return nil, err
	}
	defer n.Client.Close()
	b := &readBack{talk: newTalk()}
	if err := d.countPages(ctx, n, b); err != nil {
		return nil, err
	}
	if err := d.countMessages(ctx, n, b); err != nil {
		return nil, err
	}
	return b, eachRecord(ctx, n, n.Topics.DeadLetters, func(*schemas.Record) error { b.deadLetters++; return nil })
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
	for _, e := range d.platform.api.Exchanges() {
		if e.Whole {
			sent[e.SHA256] = true
		}
	}
	seen := map[string]bool{}
	return eachRecord(ctx, n, n.Topics.RawPages, func(r *schemas.Record) error {
		p, err := schemas.ParsePage(r)
		if err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		b.rawPages++
		b.rawBytes += len(p.Body)
		if seen[p.ID] {
			b.pagesDoubled++
		}
		seen[p.ID] = true
		if sum := sha256.Sum256(p.Body); !sent[hex.EncodeToString(sum[:])] {
			b.pagesAltered++
		}
		return nil
	})
}

func (d *demo) countMessages(ctx context.Context, n *worker.Connection, b *readBack) error {
	decoder := schemas.NewDecoder(schemas.MessageSchema, n.Registry.Text)
	type version struct {
		record string
		number int64
	}
	versions := map[version]bool{}
	children := map[string]bool{}
	records := map[string]string{} // record_id by message id
	err := eachRecord(ctx, n, n.Topics.Messages, func(r *schemas.Record) error {
		m := new(schemas.Message)
		if err := decoder.Decode(ctx, r.Value, m); err != nil {
			return fmt.Errorf("%s/%d offset %d (%s): %w", r.Topic, r.Partition, r.Offset, r.Key, err)
		}
		v := version{m.RecordID, m.Version}
		if versions[v] {
			b.doubled++
		}
		versions[v] = true
		if m.Forward.Role == schemas.ForwardChild || m.Forward.Role == schemas.ForwardChildContainer {
			children[m.RecordID] = true
			return nil
		}
		b.versions++
		if other, ok := records[m.MessageID]; ok && other != m.RecordID {
			b.doubled++ // one message under two names
		}
		records[m.MessageID] = m.RecordID
		b.talk.hear(m)
		return nil
	})
	b.records, b.children = len(records), len(children)
	d.compare(records, b)
	return err
}

// compare counts what is missing of what was to be shown or was shown, and what the platform does not know.
func (d *demo) compare(records map[string]string, b *readBack) {
	for _, id := range d.platform.api.Shown() {
		d.expected.messages[id] = struct{}{}
	}
	for id := range d.expected.messages {
		if _, ok := records[id]; !ok {
			b.lost++
		}
	}
	for id := range records {
		if _, known := d.platform.world.Message(id); !known {
			b.unexpected++
		}
	}
}
