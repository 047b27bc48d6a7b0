package main

import (
	"context"
	"time"
)

// lagBudget is how many bytes of pages are read in one look to count those that are not normalized; what is beyond them is
// estimated.
const lagBudget = 256 << 20

// lag tells how far the normalizer is behind.
func (l *looker) lag(ctx context.Context, d *statusDocument) error {
	topic := l.n.Topics.RawPages
	// Offsets first: what comes to the topic meanwhile makes the lag larger, never negative.
	offsets, err := l.n.Client.GroupOffsets(ctx, l.settings.NormalizerGroup, topic, l.n.Partitions)
	if err != nil {
		return err
	}
	parts := make([]partitionStatus, l.n.Partitions)
	err = eachPartition(ctx, allPartitions(l.n.Partitions), func(ctx context.Context, p int32) error {
		parts[p].Partition = p
		return l.lagOf(ctx, &parts[p], offsets[p].Offset)
	})
	if err != nil {
		return err
	}
	d.Normalizer = normalizerStatus{Output: l.n.Topics.Messages, Partitions: parts}
	var oldest time.Time
	for p := range parts {
		d.Normalizer.LagPages += parts[p].Lag
		if at, ok := l.lags[p].Oldest(); ok && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		d.Normalizer.LagSeconds = max(0, int64(d.At.Time().Sub(oldest).Seconds()))
	}
	return nil
}

// lagOf counts the pages of one partition beyond a committed offset, -1: none.
func (l *looker) lagOf(ctx context.Context, s *partitionStatus, committed int64) error {
	topic := l.n.Topics.RawPages
	start, stable, err := l.n.Client.Offsets(ctx, topic, s.Partition)
	if err != nil {
		return err
	}
	end, err := l.n.Client.End(ctx, topic, s.Partition)
	if err != nil {
		return err
	}
	lag := &l.lags[s.Partition]
	from := lag.Move(start, stable, committed)
	r := l.n.Client.Reader(topic, s.Partition, from)
	for size := 0; !lag.Done() && size < lagBudget/l.n.Partitions; {
		b, err := r.Read(ctx, 500*time.Millisecond, 4<<20)
		if err != nil {
			return err
		}
		for i := range b.Records {
			lag.Page(b.Records[i].Offset, b.Records[i].Time)
			size += len(b.Records[i].Value)
		}
		if b.Next == from { // it was stable and is not there now: another leader; the next look will tell
			break
		}
		from = b.Next
		lag.Read(b.Next)
	}
	s.End, s.Lag, s.Hidden = stable, lag.Pages(), max(0, end-stable)
	if committed >= 0 {
		s.Committed = &committed
	}
	return nil
}
