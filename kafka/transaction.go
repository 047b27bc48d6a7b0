package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// transaction is the transactional producer of one partition: one transactional id, one producer epoch, one transaction
// at a time. The order of writes, and what a crash after each leaves behind:
//
//  1. AddPartitionsToTxn   nothing visible; the next InitProducerID, or the timeout, aborts
//  2. Produce              records that no read_committed reader sees; aborted as above
//  3. AddOffsetsToTxn, TxnOffsetCommit   the same, with a pending offset that OffsetFetch refuses to tell (RequireStable)
//  4. EndTxn(commit)       before the coordinator has logged it: as above; after: all of it stands, whoever asks
//
// A request of any of these that was sent and not answered may arrive at any time later. It would act inside whatever
// transaction of the same epoch is open then: end it, add to it, move its offset. So it spoils the epoch, whatever a
// later attempt answers, and the next epoch is asked for before anything else is written. After a lost answer to 1 to 3
// nothing is repeated, and the session begins again: InitProducerID, then the committed offset. After a lost answer to 4
// the same EndTxn is repeated to learn the outcome, which the coordinator answers alike, and the next transaction begins
// with the next epoch.
type transaction struct {
	client  *Client
	id      string
	group   string
	timeout time.Duration
	writer  writer
	open    bool        // something of a transaction may be pending at the coordinator
	spoiled atomic.Bool // a request of this epoch went unanswered and may still arrive
	notes   notes
	pending note        // what the next offset carries
	silent  bool        // the broker takes no note
	tell    func(*note) // adds the worker's own words; nil: there are none
	curt    bool        // the broker takes no note as long as with them
}

// rights are what its requests need, beside others.
func (t *transaction) rights(others ...right) []right {
	return append(others, onTransactions("Write", t.id))
}

func (t *transaction) office() office { return office{transactionKey, t.id} }

// begin gets a new producer epoch, which aborts whatever an earlier owner left open and fences that owner.
func (t *transaction) begin(ctx context.Context) error { return t.advance(ctx, nobody) }

// renew gets the epoch that follows this producer's own, and the coordinator refuses it where another owner has begun
// since (KIP-360): who was fenced must not come back by asking again.
func (t *transaction) renew(ctx context.Context) error { return t.advance(ctx, t.writer.by) }

// advance gets a producer epoch: the next one, whoever had the last (nobody), or the one that follows from's.
func (t *transaction) advance(ctx context.Context, from producer) error {
	request := kmsg.NewInitProducerIDRequest()
	request.Version, request.TransactionalID = 3, kmsg.StringPtr(t.id)
	request.TransactionTimeoutMillis = int32(t.timeout.Milliseconds())
	request.ProducerID, request.ProducerEpoch = from.id, from.epoch
	return t.client.persist(ctx, tries{what: "begin " + t.id, rights: t.rights(onCluster("IdempotentWrite"))}, func(ctx context.Context) error {
		return t.client.atCoordinator(ctx, t.office(), func(node int32) error {
			answer, err := call[*kmsg.InitProducerIDResponse](ctx, t.client, order{request: &request, node: node})
			if err != nil {
				return err
			}
			if err := refusal(answer.ErrorCode, "begin %s", t.id); err != nil {
				return err
			}
			// An embedded broker renews any epoch: more than one step means that somebody else stepped between.
			if answer.ProducerID == from.id && answer.ProducerEpoch != from.epoch+1 {
				return refusal(codeFenced, "epoch %d of %s, followed by %d", from.epoch, t.id, answer.ProducerEpoch)
			}
			t.writer = writer{
				client: t.client, txid: &t.id, drafts: t.writer.drafts, spoiled: &t.spoiled,
				by: producer{answer.ProducerID, answer.ProducerEpoch, true},
			}
			t.open = false
			t.spoiled.Store(false)
			return nil
		})
	})
}

// clear writes an ABORT marker into every partition. Apache Kafka needs none; an embedded broker that crashed forgets to
// write one for the transaction it aborts at start, and readers would then take this producer's next records for aborted.
func (t *transaction) clear(ctx context.Context, places []place) error {
	if len(places) == 0 {
		return nil
	}
	if err := t.add(ctx, places); err != nil {
		return err
	}
	return t.end(ctx, false)
}

func (t *transaction) add(ctx context.Context, places []place) error {
	request := kmsg.NewAddPartitionsToTxnRequest()
	request.Version, request.TransactionalID = 1, t.id
	request.ProducerID, request.ProducerEpoch = t.writer.by.id, t.writer.by.epoch
	for _, at := range places {
		topic := kmsg.NewAddPartitionsToTxnRequestTopic()
		topic.Topic, topic.Partitions = at.topic, []int32{at.partition}
		request.Topics = append(request.Topics, topic)
	}
	t.open = true
	return t.ask(ctx, "add partitions", &request, func(r kmsg.Response) error {
		answer, ok := r.(*kmsg.AddPartitionsToTxnResponse)
		if !ok {
			return fmt.Errorf("answer is a %T", r)
		}
		var others error
		for _, topic := range answer.Topics {
			for _, p := range topic.Partitions {
				err := explain(refusal(p.ErrorCode, "add %s/%d to %s", topic.Topic, p.Partition, t.id), onTopic("Write", topic.Topic))
				if p.ErrorCode != 0 && p.ErrorCode != codeNotAttempted {
					return err
				}
				if err != nil {
					others = err
				}
			}
		}
		return others
	})
}

// offsets puts the group's offset into the transaction, as this member of this generation.
func (t *transaction) offsets(ctx context.Context, m member, at place, next int64) error {
	announce := kmsg.NewAddOffsetsToTxnRequest()
	announce.Version, announce.TransactionalID, announce.Group = 1, t.id, t.group
	announce.ProducerID, announce.ProducerEpoch = t.writer.by.id, t.writer.by.epoch
	t.open = true
	err := t.ask(ctx, "add offsets", &announce, func(r kmsg.Response) error {
		answer, ok := r.(*kmsg.AddOffsetsToTxnResponse)
		if !ok {
			return fmt.Errorf("answer is a %T", r)
		}
		return refusal(answer.ErrorCode, "add offsets to %s", t.id)
	})
	if err != nil {
		return err
	}
	request := kmsg.NewTxnOffsetCommitRequest()
	request.Version, request.TransactionalID, request.Group = 3, t.id, t.group
	request.ProducerID, request.ProducerEpoch = t.writer.by.id, t.writer.by.epoch
	request.Generation, request.MemberID = m.generation, m.id
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = at.topic
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset, partition.LeaderEpoch = at.partition, next, -1
	if t.tell != nil && !t.curt {
		t.tell(&t.pending)
	}
	text := t.pending.text()
	if text != "" && !t.silent {
		partition.Metadata = kmsg.StringPtr(text)
	}
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	err = t.offset(ctx, &request, at)
	if isCode(err, codeNoteTooLarge) && t.pending.Told != nil {
		t.curt, t.pending.Told = true, nil // statistics must not cost the note itself
		text = t.pending.text()
		request.Topics[0].Partitions[0].Metadata = kmsg.StringPtr(text)
		err = t.offset(ctx, &request, at)
	}
	if isCode(err, codeNoteTooLarge) && partition.Metadata != nil {
		t.silent = true
		t.client.log.Warn("the broker takes no metadata with offsets (offset.metadata.max.bytes): an out-of-date leader may go unnoticed",
			"group", t.group, "bytes", len(text), "error", err)
		request.Topics[0].Partitions[0].Metadata = nil
		err = t.offset(ctx, &request, at)
	}
	return err
}

// offset sends a TxnOffsetCommit to the group's coordinator.
func (t *transaction) offset(ctx context.Context, request *kmsg.TxnOffsetCommitRequest, at place) error {
	what := tries{what: "commit offset of " + at.String(), unsent: true, rights: t.rights(onGroup("Read", t.group), onTopic("Read", at.topic))}
	return t.client.persist(ctx, what, func(ctx context.Context) error {
		return t.client.atCoordinator(ctx, office{groupKey, t.group}, func(node int32) error {
			answer, err := call[*kmsg.TxnOffsetCommitResponse](ctx, t.client, order{request: request, node: node})
			if err != nil {
				return spoils(&t.spoiled, err)
			}
			if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
				return fmt.Errorf("offset of %s: answer is about %d topics", at, len(answer.Topics))
			}
			return refusal(answer.Topics[0].Partitions[0].ErrorCode, "commit offset %d of %s for group %s",
				request.Topics[0].Partitions[0].Offset, at, t.group)
		})
	})
}

// end asks for the same outcome until it is answered. What was asked before may still arrive: see spoiled.
func (t *transaction) end(ctx context.Context, commit bool) error {
	request := kmsg.NewEndTxnRequest()
	request.Version, request.TransactionalID, request.Commit = 1, t.id, commit
	request.ProducerID, request.ProducerEpoch = t.writer.by.id, t.writer.by.epoch
	err := t.client.persist(ctx, tries{what: "end transaction of " + t.id, rights: t.rights()}, func(ctx context.Context) error {
		return t.client.atCoordinator(ctx, t.office(), func(node int32) error {
			answer, err := call[*kmsg.EndTxnResponse](ctx, t.client, order{request: &request, node: node})
			if err != nil {
				return spoils(&t.spoiled, err)
			}
			return refusal(answer.ErrorCode, "end transaction of %s", t.id)
		})
	})
	if err == nil {
		t.open = false
	}
	return err
}

// ask sends a request to the transaction coordinator, repeating it only where it surely did nothing.
func (t *transaction) ask(ctx context.Context, what string, request kmsg.Request, check func(kmsg.Response) error) error {
	return t.client.persist(ctx, tries{what: what + " to " + t.id, unsent: true, rights: t.rights(onGroup("Read", t.group))}, func(ctx context.Context) error {
		return t.client.atCoordinator(ctx, t.office(), func(node int32) error {
			answer, err := call[kmsg.Response](ctx, t.client, order{request: request, node: node})
			if err != nil {
				return spoils(&t.spoiled, err)
			}
			return check(answer)
		})
	})
}

// commit runs the transaction from 1 to 4.
func (t *transaction) commit(ctx context.Context, m member, driver place, w work) error {
	if t.spoiled.Load() {
		if err := t.renew(ctx); err != nil {
			return err
		}
	}
	t.pending = t.notes.get()
	if places := w.places(); len(places) > 0 {
		if err := t.add(ctx, places); err != nil {
			return err
		}
		if err := t.writer.write(ctx, w.records); err != nil {
			return err
		}
		t.pending = t.pending.with(t.writer.ends)
	}
	if w.next >= 0 {
		if err := t.offsets(ctx, m, driver, w.next); err != nil {
			return err
		}
	}
	if err := t.end(ctx, true); err != nil {
		return err
	}
	t.notes.set(t.pending)
	return nil
}

// spoils notes that a request may still arrive, unless err says that it was never sent.
func spoils(spoiled *atomic.Bool, err error) error {
	if judge(err) != again {
		spoiled.Store(true)
	}
	return err
}

// abandon ends a transaction whose every request was answered, so that readers need not wait for the timeout. It must not
// in a spoiled epoch: what is late would find the partition open to it after the transaction's end.
func (t *transaction) abandon(ctx context.Context) {
	if !t.open || t.spoiled.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := t.end(ctx, false); err != nil {
		t.client.log.Debug("transaction not aborted", "transactional_id", t.id, "error", err)
	}
}

// undo ends a transaction of which nothing may remain, so that another can follow in this epoch.
func (t *transaction) undo(ctx context.Context) error {
	if t.spoiled.Load() {
		return fmt.Errorf("abort transaction of %s: a request went unanswered and may still arrive", t.id)
	}
	return t.end(ctx, false)
}

// work is what one commit makes durable.
type work struct {
	records []schemas.Record
	next    int64 // the group's offset; negative: unchanged
}

func (w work) places() []place {
	var found []place
	for i := range w.records {
		at := place{w.records[i].Topic, w.records[i].Partition}
		if len(found) > 0 && found[len(found)-1] == at || slices.Contains(found, at) {
			continue
		}
		found = append(found, at)
	}
	return found
}

// member is who we are in the group's present generation.
type member struct {
	group      string
	generation int32
	id         string
}

// alive asks the group's coordinator whether the generation still stands.
func (c *Client) alive(ctx context.Context, m member) error {
	request := kmsg.NewHeartbeatRequest()
	request.Version, request.Group, request.Generation, request.MemberID = 3, m.group, m.generation, m.id
	return c.persist(ctx, tries{what: "heartbeat of " + m.group, rights: []right{onGroup("Read", m.group)}}, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{groupKey, m.group}, func(node int32) error {
			answer, err := call[*kmsg.HeartbeatResponse](ctx, c, order{request: &request, node: node})
			if err != nil {
				return err
			}
			return refusal(answer.ErrorCode, "generation %d of group %s", m.generation, m.group)
		})
	})
}

// Committed gives the offset up to which a group has read a partition, once no transaction on it is pending; -1 where it
// has none.
func (c *Client) Committed(ctx context.Context, group, topic string, partition int32) (int64, error) {
	return c.committed(ctx, group, place{topic, partition})
}

// committed is the group's offset once no transaction on it is pending; -1 where there is none.
func (c *Client) committed(ctx context.Context, group string, at place) (int64, error) {
	offset, _, err := c.committedNote(ctx, group, at)
	return offset, err
}

// committedNote is committed with the metadata of that offset.
func (c *Client) committedNote(ctx context.Context, group string, at place) (offset int64, metadata string, err error) {
	request := kmsg.NewOffsetFetchRequest()
	request.Version, request.Group, request.RequireStable = 7, group, true
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = at.topic, []int32{at.partition}
	request.Topics = append(request.Topics, topic)
	err = c.persist(ctx, tries{what: "offset of group " + group, rights: []right{onGroup("Describe", group), onTopic("Describe", at.topic)}}, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{groupKey, group}, func(node int32) error {
			answer, err := call[*kmsg.OffsetFetchResponse](ctx, c, order{request: &request, node: node})
			switch {
			case err != nil:
				return err
			case answer.ErrorCode == codeGroupNotFound:
				offset, metadata = -1, ""
				return nil
			case answer.ErrorCode != 0:
				return refusal(answer.ErrorCode, "offset of group %s on %s", group, at)
			case len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1:
				return fmt.Errorf("offset of group %s on %s: answer is about %d topics", group, at, len(answer.Topics))
			}
			p := answer.Topics[0].Partitions[0]
			offset, metadata = p.Offset, ""
			if p.Metadata != nil {
				metadata = *p.Metadata
			}
			return refusal(p.ErrorCode, "offset of group %s on %s", group, at)
		})
	})
	return offset, metadata, err
}
