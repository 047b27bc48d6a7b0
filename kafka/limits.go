package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"chatlake/schemas"
)

// usualMessage is what a topic is taken to take where nobody says: what 'topics create' sets.
const usualMessage = 32 << 20

// TooLarge says that a topic does not take a record of a commit, and that nothing of the commit was written.
type TooLarge struct {
	Topic string
	Index int // of the record in the commit
	Size  int // bytes, as it would be written: one record in one batch
	Limit int // bytes, the topic's max.message.bytes
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("a record of %d bytes does not fit into %s, which takes %d (max.message.bytes)", e.Size, e.Topic, e.Limit)
}

// limit is what a topic takes in one batch, which is what max.message.bytes counts.
type limit struct {
	bytes  int
	target int  // a batch of several records is not begun beyond this, before compression
	plain  bool // the broker counts what it has decompressed, as with a compression.type of its own
	read   time.Time
}

// limits are those of the topics that are written, as far as they are known.
type limits struct {
	mu     sync.Mutex
	known  map[string]limit
	warned map[string]bool
}

// limit gives what is known of a topic, or what is usual.
func (c *Client) limit(topic string) limit {
	c.limits.mu.Lock()
	defer c.limits.mu.Unlock()
	if l, ok := c.limits.known[topic]; ok {
		return l
	}
	return limit{bytes: c.usualMessage(), target: min(batchTarget, c.usualMessage())}
}

func (c *Client) usualMessage() int {
	if c.config.MaxMessageBytes > 0 {
		return c.config.MaxMessageBytes
	}
	return usualMessage
}

func (c *Client) setLimit(topic string, l limit) {
	c.limits.mu.Lock()
	defer c.limits.mu.Unlock()
	if c.limits.known == nil {
		c.limits.known = make(map[string]limit)
	}
	c.limits.known[topic] = l
}

// readLimit asks what a topic takes. Without the right to know, which is said once, the usual is assumed.
func (c *Client) readLimit(ctx context.Context, topic string) error {
	config, warning, err := c.topicConfig(ctx, topic)
	if err != nil {
		return err
	}
	bytes, err := strconv.Atoi(config[keyMessage])
	if err != nil || bytes <= 0 {
		bytes = c.usualMessage()
		c.assume(topic, warning, bytes)
	}
	l := c.limit(topic)
	l.bytes, l.target, l.read = bytes, min(l.target, bytes), time.Now()
	c.setLimit(topic, l)
	return nil
}

// mayHaveGrown says whether a topic's limit was read so long ago that somebody may have raised it since.
func (c *Client) mayHaveGrown(topic string) bool {
	return time.Since(c.limit(topic).read) > c.timing.limits
}

func (c *Client) assume(topic, why string, bytes int) {
	c.limits.mu.Lock()
	said := c.limits.warned[topic]
	if c.limits.warned == nil {
		c.limits.warned = make(map[string]bool)
	}
	c.limits.warned[topic] = true
	c.limits.mu.Unlock()
	if !said {
		c.log.Warn("how large a record may be is not known and assumed (grant DESCRIBE_CONFIGS on the topic to let it be read)",
			"topic", topic, "limit_bytes", bytes, "error", why)
	}
}

// tooLarge finds the first record that its topic does not take.
func (c *Client) tooLarge(records []schemas.Record) *TooLarge {
	var alone draft
	var l limit
	topic := ""
	for i := range records {
		r := &records[i]
		if r.Topic != topic {
			topic, l = r.Topic, c.limit(r.Topic)
		}
		if batchHeader+mostSize(r) <= l.bytes {
			continue
		}
		size := batchHeader + framedSize(r, 0, 0)
		if size > l.bytes && !l.plain {
			alone.reset()
			alone.add(r)
			if b, err := alone.seal(nobody, -1); err == nil {
				size = len(b)
			}
		}
		if size > l.bytes {
			return &TooLarge{Topic: r.Topic, Index: i, Size: size, Limit: l.bytes}
		}
	}
	return nil
}

// oversized is a batch that a broker refused for its size.
type oversized struct {
	error
	place   place
	records []*schemas.Record
	size    int // as it was sent
	plain   int // before compression
}

func (o *oversized) Unwrap() error { return o.error }

// tooMuch makes an error about a batch an oversized, where it was refused for its size.
func tooMuch(err error, o oversized) error {
	if err == nil || !isCode(err, codeMessageTooLarge) && !isCode(err, codeListTooLarge) {
		return err
	}
	o.error = err
	return &o
}

// learn is for a batch that was refused though it should have fitted: the limit is read again, and where it is not that,
// the broker counts in another way, and smaller batches find out which record it is. It gives that record's refusal once
// it is alone.
func (c *Client) learn(ctx context.Context, o *oversized, records []schemas.Record) (*TooLarge, error) {
	topic := o.place.topic
	if err := c.readLimit(ctx, topic); err != nil {
		return nil, err
	}
	l := c.limit(topic)
	c.log.Warn("a batch is larger than its topic takes", append(o.place.attrs(), "records", len(o.records),
		"bytes", o.size, "uncompressed_bytes", o.plain, "limit_bytes", l.bytes, "error", o.error)...)
	if o.size > l.bytes {
		return nil, nil
	}
	l.plain = l.plain || o.plain > l.bytes
	size, most := o.size, o.size-1
	if l.plain {
		size, most = o.plain, l.bytes
	}
	if len(o.records) > 1 {
		l.target = min(l.target, o.plain) / 2
	}
	c.setLimit(topic, l)
	if len(o.records) > 1 {
		return nil, nil
	}
	for i := range records {
		if &records[i] == o.records[0] {
			return &TooLarge{Topic: topic, Index: i, Size: size, Limit: most}, nil
		}
	}
	return nil, nil
}

// commitFitting commits what the topics take. A record that they do not take is found before anything is written, or,
// where a topic takes less than was known, after the transaction was aborted.
func (p *Partition) commitFitting(ctx context.Context, w work) error {
	c := p.owner.client
	for again := false; ; {
		if large := c.tooLarge(w.records); large != nil {
			if again || !c.mayHaveGrown(large.Topic) {
				return large
			}
			again = true
			if err := c.readLimit(ctx, large.Topic); err != nil {
				return err
			}
			continue
		}
		err := p.transaction.commit(ctx, p.member, p.driver, w)
		var over *oversized
		if !errors.As(err, &over) {
			return err
		}
		large, lerr := c.learn(ctx, over, w.records)
		if uerr := p.transaction.undo(ctx); uerr != nil {
			return interrupted{uerr} // the next session writes what fits
		}
		switch {
		case lerr != nil:
			return lerr
		case large != nil:
			return large
		}
	}
}
