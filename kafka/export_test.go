package kafka

import (
	"context"
	"net"
	"time"

	"chatlake/schemas"

	kafkago "github.com/segmentio/kafka-go"
)

// Waits are the time-outs that a test may shorten; zero keeps the usual one.
type Waits struct {
	Session, Heartbeat, Rebalance, JoinBackoff    time.Duration
	Request, Missing, Grace, Stop, Leave, Closing time.Duration
	Sessions, Room, Reach, Limits, Outage         time.Duration
}

// Shorten changes a client's time-outs. Call it before the client is used.
func (c *Client) Shorten(w Waits) {
	set := func(to *time.Duration, d time.Duration) {
		if d > 0 {
			*to = d
		}
	}
	t := &c.timing
	set(&t.session, w.Session)
	set(&t.heartbeat, w.Heartbeat)
	set(&t.rebalance, w.Rebalance)
	set(&t.joinBackoff, w.JoinBackoff)
	set(&t.request, w.Request)
	set(&t.missing, w.Missing)
	set(&t.grace, w.Grace)
	set(&t.stop, w.Stop)
	set(&t.leave, w.Leave)
	set(&t.closing, w.Closing)
	set(&t.sessions, w.Sessions)
	set(&t.reach, w.Reach)
	set(&t.limits, w.Limits)
	set(&c.outage.after, w.Outage)
	set(&c.budget.patience, w.Room)
}

// LimitBatch bounds what a batch of this reader may decompress to.
func (r *Reader) LimitBatch(bytes int) error {
	d, err := newDecompressor(bytes)
	r.decoder.unpack = d
	return err
}

// Balancer is the group balancer of a topic with what a member owned before.
func Balancer(topic string, generation int32, owned []int32) kafkago.GroupBalancer {
	b := &balancer{topic: topic}
	b.remember(generation, owned)
	return b
}

// Decode reads record batches as a fetch brings them.
func Decode(set []byte, from int64) ([]schemas.Record, int64, error) {
	unpack, err := newDecompressor(1 << 20)
	if err != nil {
		return nil, 0, err
	}
	d := decoder{unpack: unpack}
	var out []schemas.Record
	next, err := d.batches(set, from, nil, &out)
	return out, next, err
}

// Through lets every connection of the client, but those of group membership, be looked into.
func (c *Client) Through(wrap func(net.Conn) net.Conn) {
	c.transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}
}

// LimitAnswer bounds what an answer may be longer than was asked for.
func (c *Client) LimitAnswer(bytes int) { c.largest = bytes }

// Held is what all readers of the client hold.
func (c *Client) Held() int64 {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.budget.held
}

// ReachWaits are the usual waits for an advertised address: one connection, and all.
func ReachWaits() (dial, reach time.Duration) { return usualTiming().dial, usualTiming().reach }
