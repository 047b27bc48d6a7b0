package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Damaged is a range of offsets that a reader could not read and stepped over.
type Damaged struct {
	First, Last int64
	Why         string
}

// arrivals is how often a batch must come in the same way before it, and not the way here, counts as damaged.
const arrivals = 3

// unreadable is a batch that does not decode.
type unreadable struct {
	error
	base, last int64
	sealed     bool   // its CRC is right, so its header's offsets are too
	head       []byte // its first bytes, by which it is known again
	sum        uint32 // over all of it that came
	whole      int    // bytes that it says to have
}

func (u *unreadable) Unwrap() error { return u.error }

// doubtful is an error that a repetition may mend: persist tries again.
type doubtful struct{ error }

func (d doubtful) Unwrap() error { return d.error }

// cannotRead describes the batch at the beginning of set.
func cannotRead(set []byte, h header, sealed bool, err error) *unreadable {
	return &unreadable{
		error: err, base: h.base, last: h.last, sealed: sealed,
		head: bytes.Clone(set[:min(len(set), batchHeader)]), sum: crc32.Checksum(set, castagnoli),
	}
}

// suspect is the batch that did not decode when it came last.
type suspect struct {
	from  int64
	sum   uint32
	times int
}

// doubt decides on a batch at from that does not decode. Until it has come several times the same, it is asked for again;
// then it is stepped over, and the batch given says so.
//
// Stepping over does not disturb the telling of aborted transactions: a skipped batch is the last that is looked at in
// its answer, and the next answer lists again the transactions that are aborted from there on.
func (r *Reader) doubt(ctx context.Context, from int64, u *unreadable, stable int64) (Batch, error) {
	if r.suspect.from != from || r.suspect.sum != u.sum {
		r.suspect = suspect{from: from, sum: u.sum}
	}
	if r.suspect.times++; r.suspect.times < arrivals {
		r.atLeast = max(r.atLeast, u.whole)
		return Batch{}, doubtful{u}
	}
	first, last := max(from, u.base), u.last
	if !u.sealed {
		var err error
		if last, err = r.lastOf(ctx, from, stable, u.head); err != nil {
			return Batch{}, err
		}
		first = from
	}
	r.suspect, r.atLeast = suspect{}, 0
	r.client.log.Warn("a batch cannot be read and is stepped over", append(r.place.attrs(), "from", first, "to", last, "error", u.error)...)
	return Batch{Next: last + 1, Stable: stable, Skipped: []Damaged{{first, last, u.Error()}}}, nil
}

// lastOf finds the last offset of a batch whose header may be wrong: the broker brings that same batch for each of its
// offsets, and another one, or none, behind it.
func (r *Reader) lastOf(ctx context.Context, from, stable int64, head []byte) (int64, error) {
	within, beyond := from, max(stable, from+1)
	for beyond-within > 1 {
		at := within + (beyond-within)/2
		found, err := r.ask(ctx, fetchRequest(r.place, at, 0, 1))
		var long *tooLong
		switch {
		case errors.As(err, &long):
			found.RecordBatches = nil
			if head == nil {
				within = at
				continue
			}
		case err != nil:
			return 0, err
		}
		if head != nil && bytes.HasPrefix(found.RecordBatches, head) {
			within = at
		} else {
			beyond = at
		}
	}
	return within, nil
}

// tooLong is an answer that is larger than what was asked for can be.
type tooLong struct{ bytes, most int64 }

func (t *tooLong) Error() string {
	return fmt.Sprintf("answer of %d bytes, at most %d wanted", t.bytes, t.most)
}

// overlong is for a batch whose answer is not read, as it is too long.
func (r *Reader) overlong(ctx context.Context, from int64, long *tooLong) (Batch, error) {
	stable, err := r.client.offset(ctx, r.place, timeStable)
	if err != nil {
		return Batch{}, err
	}
	return r.doubt(ctx, from, &unreadable{
		error: fmt.Errorf("%s: batch at offset %d: %w", r.place, from, long), base: from, last: from, sum: uint32(long.bytes),
	}, stable)
}

// cut is for an answer that ends within its first batch: a length that is not true, or one that asks for more.
func (r *Reader) cut(set []byte, from int64) *unreadable {
	head := set[:min(len(set), batchHeader)]
	u := cannotRead(head, header{base: from, last: from}, false,
		fmt.Errorf("%s: batch at offset %d does not fit in %d bytes", r.place, from, len(set)))
	if len(set) >= atEpoch {
		if n := int64(int32(binary.BigEndian.Uint32(set[atLength:]))) + atEpoch; n > 0 && n <= int64(r.client.largest) {
			u.whole = int(n)
		}
	}
	return u
}

// waitOf is how long the broker may wait before it answers.
func waitOf(request *kmsg.FetchRequest) time.Duration {
	return time.Duration(request.MaxWaitMillis) * time.Millisecond
}

// ask sends one fetch to the leader.
func (r *Reader) ask(ctx context.Context, request *kmsg.FetchRequest) (found kmsg.FetchResponseTopicPartition, err error) {
	part := &request.Topics[0].Partitions[0]
	err = r.client.atLeader(ctx, r.place, func(at leader) error {
		// A leader that was deposed, or one that is yet to learn that it leads, refuses (KIP-320).
		part.CurrentLeaderEpoch = at.epoch
		answer, err := call[*kmsg.FetchResponse](ctx, r.client, order{
			request: request, node: at.node, within: waitOf(request) + r.client.timing.request, limit: int(request.MaxBytes) + r.client.largest})
		if err != nil {
			return err
		}
		if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
			if answer.ErrorCode != 0 {
				return refusal(answer.ErrorCode, "fetch %s", r.place)
			}
			return fmt.Errorf("fetch %s: answer is about %d topics", r.place, len(answer.Topics))
		}
		found = answer.Topics[0].Partitions[0]
		return refusal(found.ErrorCode, "fetch %s at %d", r.place, part.FetchOffset)
	})
	return found, err
}
