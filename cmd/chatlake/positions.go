package main

import (
	"context"
	"fmt"
	"sync"

	"chatlake/kafka"
	"chatlake/schemas"
)

// positions are the offsets up to which partitions have been read; its zero value is the beginning of each.
type positions struct {
	mu   sync.Mutex
	next map[place]int64
}

// rewound says that a partition ends before what was read of it: what is known of it is not true any more.
type rewound struct {
	at         place
	read, ends int64
}

func (e *rewound) Error() string {
	return fmt.Sprintf("%s/%d ends at offset %d, and was read up to %d: the topic was created again, or records were lost", e.at.topic, e.at.partition, e.ends, e.read)
}

// on calls fn with everything committed in a partition up to now that was not read before.
func (p *positions) on(ctx context.Context, c *kafka.Client, at place, fn func(schemas.Record) error) error {
	start, stable, err := c.Offsets(ctx, at.topic, at.partition)
	if err != nil {
		return err
	}
	p.mu.Lock()
	from, known := p.next[at]
	p.mu.Unlock()
	if known && from > stable {
		return &rewound{at, from, stable}
	}
	if err := c.ReadAll(ctx, at.topic, at.partition, max(from, start), stable, fn); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = map[place]int64{}
	}
	p.next[at] = stable
	return nil
}
