package main

import (
	"context"
	"errors"
	"slices"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// idle reports whether the stages have nothing in hand, as far as their counters tell.
func (s *stages) idle() bool {
	e := s.extractor.Stage.Stats()
	return e.Running.Load() == 0 && e.Queued.Load() == 0 && e.Waiting.Load() == 0
}

// quiet reports whether everything that was asked for, of the platforms that are on, has been read, normalized and looked
// up. It believes the topics
// alone. The order matters: containers that have all ended bring no more raw pages; raw pages that have all been normalized
// bring no more look-ups; so when no container has come meanwhile, none will.
func (s *stages) quiet(ctx context.Context) (bool, error) {
	n := s.extractor.Connection
	before, hidden, err := endsOf(ctx, n, n.Topics.Containers)
	if err != nil || hidden {
		return false, err
	}
	known, err := readLedger(ctx, n, allPartitions(n.Partitions))
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(known.list(), func(c listed) bool { return s.on[c.Platform] == c.TenantID && !c.Ended() }) {
		return false, nil
	}
	for _, p := range allPartitions(n.Partitions) {
		if done, err := normalized(ctx, n, s.group, p); err != nil || !done {
			return false, err
		}
	}
	after, _, err := endsOf(ctx, n, n.Topics.Containers)
	return slices.Equal(before, after), err
}

// endsOf gives the end of each partition of a topic, and whether an open transaction hides something before one of them.
func endsOf(ctx context.Context, n *worker.Connection, topic string) (ends []int64, hidden bool, err error) {
	ends = make([]int64, n.Partitions)
	for p := range ends {
		if ends[p], err = n.Client.End(ctx, topic, int32(p)); err != nil {
			return nil, false, err
		}
		_, stable, err := n.Client.Offsets(ctx, topic, int32(p))
		if err != nil {
			return nil, false, err
		}
		hidden = hidden || stable < ends[p]
	}
	return ends, hidden, nil
}

// errMore ends a reading at the first record.
var errMore = errors.New("there is more")

// normalized reports whether no raw page of a partition lies beyond what the normalizer's group has committed.
func normalized(ctx context.Context, n *worker.Connection, group string, p int32) (bool, error) {
	end, err := n.Client.End(ctx, n.Topics.RawPages, p)
	if err != nil {
		return false, err
	}
	start, stable, err := n.Client.Offsets(ctx, n.Topics.RawPages, p)
	if err != nil || stable < end {
		return false, err
	}
	committed, err := n.Client.Committed(ctx, group, n.Topics.RawPages, p)
	if err != nil || max(start, committed) >= stable {
		return err == nil, err
	}
	// The last offsets may be no records but marks of the ends of transactions.
	err = n.Client.ReadAll(ctx, n.Topics.RawPages, p, max(start, committed), stable, func(schemas.Record) error { return errMore })
	if errors.Is(err, errMore) {
		return false, nil
	}
	return err == nil, err
}
