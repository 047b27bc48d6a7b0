package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	anyBroker    = int32(-1)
	usualAnswer  = 16 << 20 // cap on an answer that carries no records
	largestBatch = 64 << 20 // cap on one record batch: twice what the topics allow
)

// order is one request: what, to whom, how long it may take beyond the usual, and how large its answer may be.
type order struct {
	request kmsg.Request
	node    int32         // broker id, or anyBroker
	within  time.Duration // 0: timing.request
	limit   int           // 0: usualAnswer
}

// exchange carries one encoded request over a connection of kafka-go's Transport, and reads the answer's frame itself.
// kafka-go routes it (BrokerMessage) and hands it the connection (RawExchanger); see protocol/conn.go of v0.4.51.
type exchange struct {
	key      int16
	node     int32
	id       int32
	flexible bool // the answer's header ends in tags (KIP-482)
	limit    int
	frame    []byte
}

// reply is the body of an answer, behind its header.
type reply struct {
	key  int16
	body []byte
}

func (r reply) ApiKey() protocol.ApiKey { return protocol.ApiKey(r.key) }

func (e *exchange) ApiKey() protocol.ApiKey { return protocol.ApiKey(e.key) }

// Broker routes by the id that our own look-ups found; a negative one lets the transport choose.
func (e *exchange) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: e.node}, nil
}

func (e *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes the frame and reads the answer. Any error makes the transport close the connection, so a later
// request can never read this one's answer.
func (e *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(e.frame); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, fmt.Errorf("read answer: %w", noEOF(err))
	}
	n := int64(int32(binary.BigEndian.Uint32(size[:])))
	if n < 4 || n > int64(e.limit) {
		return nil, &tooLong{n, int64(e.limit)}
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, fmt.Errorf("read answer: %w", noEOF(err))
	}
	if id := int32(binary.BigEndian.Uint32(body)); id != e.id {
		return nil, fmt.Errorf("answer to request %d in place of %d", id, e.id)
	}
	body = body[4:]
	if e.flexible {
		var err error
		if body, err = skipTags(body); err != nil {
			return nil, err
		}
	}
	return reply{e.key, body}, nil
}

// skipTags steps over the tagged fields that end a flexible header: a count, then tag, length and bytes of each.
func skipTags(b []byte) ([]byte, error) {
	read := func() (n uint64, ok bool) {
		n, k := binary.Uvarint(b)
		if k <= 0 {
			return 0, false
		}
		b = b[k:]
		return n, true
	}
	count, ok := read()
	for i := uint64(0); ok && i < count; i++ {
		var n uint64
		if _, ok = read(); !ok {
			break
		}
		if n, ok = read(); !ok || n > uint64(len(b)) {
			ok = false
			break
		}
		b = b[n:]
	}
	if !ok {
		return nil, errors.New("answer's header is cut short")
	}
	return b, nil
}

// noEOF keeps a cut connection from looking like an orderly end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// call sends one request and decodes its answer; the version must have been set. It never tries again. After an error
// the broker may or may not have acted on the request.
func call[R kmsg.Response](ctx context.Context, c *Client, o order) (R, error) {
	var none R
	name := kmsg.NameForKey(o.request.Key())
	answer, err := c.roundTrip(ctx, o)
	if err != nil {
		return none, fmt.Errorf("%s: %w", name, err)
	}
	response := o.request.ResponseKind()
	response.SetVersion(o.request.GetVersion())
	if err := response.ReadFrom(answer.body); err != nil {
		return none, fmt.Errorf("%s: answer does not parse: %w", name, err)
	}
	typed, ok := response.(R)
	if !ok {
		return none, fmt.Errorf("%s: answer is a %T", name, response)
	}
	return typed, nil
}

func (c *Client) roundTrip(ctx context.Context, o order) (reply, error) {
	within, limit := o.within, o.limit
	if within == 0 {
		within = c.timing.request
	}
	if limit == 0 {
		limit = usualAnswer
	}
	if ctx.Err() != nil {
		return reply{}, context.Cause(ctx)
	}
	// The socket's deadline comes from the ctx only.
	timed, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	frame, _ := c.frames.Get().(*[]byte)
	if frame == nil {
		frame = new([]byte)
	}
	e := &exchange{key: o.request.Key(), node: o.node, id: c.sequence.Add(1), flexible: o.request.IsFlexible(), limit: limit}
	e.frame = c.formatter.AppendRequest((*frame)[:0], o.request, e.id)
	answer, err := c.transport.RoundTrip(timed, c.addr, e)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return reply{}, context.Cause(ctx)
	case timed.Err() != nil:
		err = fmt.Errorf("no answer within %v: %w", within, err)
		fallthrough
	default:
		if unanswered(err) {
			c.outage.failed(err)
		}
		return reply{}, err
	}
	c.outage.answered()
	// Only now is the frame surely no longer read by the connection's goroutine.
	if cap(e.frame) <= 4<<20 {
		*frame = e.frame
		c.frames.Put(frame)
	}
	r, ok := answer.(reply)
	if !ok {
		return reply{}, fmt.Errorf("answer is a %T", answer)
	}
	return r, nil
}
