package kafka_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// late holds a request back on its way to the broker and cuts its connection, so that it goes unanswered, and delivers it
// in the middle of a later transaction: as a broker does that reads a dead connection's buffer late.
type late struct {
	t     *testing.T
	key   kmsg.Key // the request
	nth   int      // which of them
	point kmsg.Key // delivered before the next one of these is sent, once a later transaction has written
	crash bool     // and that request's own connection is cut

	mu      sync.Mutex
	seen    int
	held    []byte
	to      string
	wrote   bool
	arrived bool
	code    int16 // the broker's answer to what came late
}

// through is the connection of our client that late looks into.
type through struct {
	net.Conn
	late   *late
	buffer []byte
}

func (l *late) wrap(c net.Conn) net.Conn { return &through{Conn: c, late: l} }

// Write passes whole requests on.
func (c *through) Write(b []byte) (int, error) {
	c.buffer = append(c.buffer, b...)
	for len(c.buffer) >= 8 {
		n := 4 + int(binary.BigEndian.Uint32(c.buffer))
		if len(c.buffer) < n {
			break
		}
		frame := c.buffer[:n:n]
		c.buffer = c.buffer[n:]
		if !c.late.pass(frame, c.RemoteAddr().String()) {
			c.Conn.Close()
			return 0, errors.New("cut")
		}
		if _, err := c.Conn.Write(frame); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// pass looks at one request before it is sent; false cuts its connection instead.
func (l *late) pass(frame []byte, to string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := kmsg.Key(binary.BigEndian.Uint16(frame[4:]))
	if key == l.key && l.held == nil {
		if l.seen++; l.seen == l.nth {
			l.held, l.to = append([]byte(nil), frame...), to
			return false
		}
	}
	if l.held == nil || l.arrived {
		return true
	}
	l.wrote = l.wrote || key == kmsg.Produce
	if key == l.point && l.wrote {
		l.arrived, l.code = true, l.deliver()
		return !l.crash
	}
	return true
}

// deliver sends the held request over a connection of its own and gives the first error code of the answer.
func (l *late) deliver() int16 {
	conn, err := net.DialTimeout("tcp", l.to, 10*time.Second)
	if err != nil {
		l.t.Errorf("late %s: %v", l.key.Name(), err)
		return 0
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	size := make([]byte, 4)
	if _, err = conn.Write(l.held); err == nil {
		_, err = io.ReadFull(conn, size)
	}
	answer := make([]byte, binary.BigEndian.Uint32(size))
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	response := kmsg.ResponseForKey(int16(l.key))
	response.SetVersion(int16(binary.BigEndian.Uint16(l.held[6:])))
	body := 4 // behind the correlation id
	if response.IsFlexible() {
		body = 5 // and no tags
	}
	if err == nil {
		err = response.ReadFrom(answer[body:])
	}
	if err != nil {
		l.t.Errorf("late %s: %v", l.key.Name(), err)
	}
	return firstCode(response)
}

func firstCode(response kmsg.Response) int16 {
	switch r := response.(type) {
	case *kmsg.EndTxnResponse:
		return r.ErrorCode
	case *kmsg.AddOffsetsToTxnResponse:
		return r.ErrorCode
	case *kmsg.AddPartitionsToTxnResponse:
		return r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.TxnOffsetCommitResponse:
		return r.Topics[0].Partitions[0].ErrorCode
	case *kmsg.ProduceResponse:
		return r.Topics[0].Partitions[0].ErrorCode
	}
	return 0
}

// A late copy of any request that changes something is refused, and what it was held back from comes out right: the
// empty abort at a session's begin (EndTxn 1), a commit (EndTxn 2), and each step before it.
func TestLateCopyNeverActsInALaterTransaction(t *testing.T) {
	for _, what := range []struct {
		key kmsg.Key
		nth int
	}{
		{kmsg.EndTxn, 1}, {kmsg.EndTxn, 2}, {kmsg.EndTxn, 4}, {kmsg.AddPartitionsToTxn, 1}, {kmsg.AddPartitionsToTxn, 3},
		{kmsg.Produce, 1}, {kmsg.Produce, 3}, {kmsg.AddOffsetsToTxn, 2}, {kmsg.TxnOffsetCommit, 2},
	} {
		for _, point := range []kmsg.Key{kmsg.AddOffsetsToTxn, kmsg.EndTxn} {
			for _, crash := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/before=%s/crash=%v", what.key.Name(), what.nth, point.Name(), crash), func(t *testing.T) {
					t.Parallel()
					var p place
					if p = anywhere(t); p.fake != nil {
						p = embedded(t, kfake.NumBrokers(1))
					}
					l := &late{t: t, key: what.key, nth: what.nth, point: point, crash: crash}
					setup, c := p.client(t), p.quick(p.client(t))
					c.Through(l.wrap)
					s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 60}
					p.topics(t, setup, 1, s.from, s.to)
					ctx := within(t, 2*time.Minute)
					must(t, setup.Produce(ctx, numbered(s.from, 0, 60)))
					must(t, c.Own(ctx, s.ownership(p.name("g")), s.run))
					if !l.arrived {
						t.Fatal("nothing came late: the test shows nothing")
					}
					if l.code == 0 {
						t.Errorf("the late %s was taken", what.key.Name())
					}
					t.Logf("late %s: code %d", what.key.Name(), l.code)
					exactly(t, "reader", values(t, setup, s.to, 0), 0, 60)
					exactly(t, "referee", referee(t, p, s.to, 0), 0, 60)
				})
			}
		}
	}
}
