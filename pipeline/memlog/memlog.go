// Package memlog is a partitioned log in memory with transactions, ownership and the faults of a real one, for running
// the stages without a broker. It does not know what the records mean.
package memlog

import (
	"fmt"
	"slices"
	"sync"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// Log is all topics of one installation. Topics come into being when they are first named. Its methods may be called
// from several goroutines.
type Log struct {
	total  int
	faults Faults

	mu         sync.Mutex
	topics     map[place]*partition
	offsets    map[place]int64 // of driving topics, as committed
	owners     map[place]*Partition
	history    []Transaction
	attempts   int
	grown      chan struct{} // closed when anything is appended
	violations []string
}

type place struct {
	topic string
	id    int32
}

// partition is one partition of one topic. Offsets that no record has are those of markers and of aborted records.
type partition struct {
	start, end int64
	records    []schemas.Record
	open       []int64 // where open transactions of other writers begin: what lies behind the first of them is hidden
}

// stable is the offset after all that can be read.
func (p *partition) stable() int64 {
	if len(p.open) > 0 {
		return max(p.start, slices.Min(p.open))
	}
	return p.end
}

// Transaction is one that was committed by an owner, its records with their offsets.
type Transaction struct {
	Partition int32
	Records   []schemas.Record
	Next      int64 // offset of the driving topic that was committed along, below 0: none
}

// New makes a log whose topics all have this many partitions.
func New(partitions int, f Faults) *Log {
	return &Log{
		total: partitions, faults: f, topics: map[place]*partition{}, offsets: map[place]int64{},
		owners: map[place]*Partition{}, grown: make(chan struct{}),
	}
}

func (l *Log) at(topic string, id int32) *partition {
	p := l.topics[place{topic, id}]
	if p == nil {
		p = &partition{}
		l.topics[place{topic, id}] = p
	}
	return p
}

// Append writes records as another writer would: without a transaction, so without a marker behind them.
func (l *Log) Append(records ...schemas.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(records, false)
}

// Begin writes records in a transaction of another writer, which stays open until end is called: until then it hides what
// is written after it in its partitions too.
func (l *Log) Begin(records ...schemas.Record) (end func(commit bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := map[*partition]int64{}
	for i := range records {
		p := l.at(records[i].Topic, records[i].Partition)
		if _, again := begun[p]; !again {
			begun[p] = p.end
			p.open = append(p.open, p.end)
		}
	}
	written := l.append(records, false)
	return func(commit bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for p, first := range begun {
			p.open = slices.DeleteFunc(p.open, func(at int64) bool { return at == first })
			p.end++ // its marker
		}
		for i := range written {
			if p := l.at(written[i].Topic, written[i].Partition); !commit {
				p.records = slices.DeleteFunc(p.records, func(r schemas.Record) bool { return r.Offset == written[i].Offset })
			}
		}
		l.signal()
	}
}

// append writes records and gives them with their offsets; marked puts a marker behind them in each topic.
func (l *Log) append(records []schemas.Record, marked bool) []schemas.Record {
	out := make([]schemas.Record, len(records))
	touched := map[*partition]bool{}
	for i, r := range records {
		p := l.at(r.Topic, r.Partition)
		// A log holds bytes, not the writer's memory.
		r.Offset, r.Value, r.Headers = p.end, slices.Clone(r.Value), slices.Clone(r.Headers)
		p.records = append(p.records, r)
		p.end++
		touched[p] = true
		out[i] = r
	}
	if marked {
		for p := range touched {
			p.end++
		}
	}
	l.signal()
	return out
}

// abort uses up the offsets that the records of an aborted transaction and its markers take.
func (l *Log) abort(records []schemas.Record) {
	touched := map[*partition]bool{}
	for _, r := range records {
		p := l.at(r.Topic, r.Partition)
		p.end++
		touched[p] = true
	}
	for p := range touched {
		p.end++
	}
	l.signal()
}

func (l *Log) signal() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// Records gives what is committed in a partition of a topic.
func (l *Log) Records(topic string, id int32) []schemas.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.at(topic, id).records)
}

// All gives what is committed in a topic, partition after partition.
func (l *Log) All(topic string) []schemas.Record {
	var all []schemas.Record
	for id := range l.total {
		all = append(all, l.Records(topic, int32(id))...)
	}
	return all
}

// History gives the transactions that owners have committed, in order.
func (l *Log) History() []Transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.history)
}

// Attempts is how many commits have been tried.
func (l *Log) Attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attempts
}

// Violations lists what owners did against the rules of pipeline.Log: records for other partitions, commits at the same
// time, commits after an error.
func (l *Log) Violations() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.violations)
}

// Trim removes what stands before an offset of a partition, as retention does.
func (l *Log) Trim(topic string, id int32, start int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.at(topic, id)
	p.records = slices.DeleteFunc(p.records, func(r schemas.Record) bool { return r.Offset < start })
	p.start, p.end = start, max(start, p.end)
}

// Drop removes a topic; the next record begins it anew at offset 0. Committed offsets stay, as a group's do.
func (l *Log) Drop(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.topics {
		if at.topic == topic {
			delete(l.topics, at)
		}
	}
}

// SetCommitted sets the offset from which the next owner of a driving topic's partition goes on, as an operator's tool
// does; below 0 it is forgotten.
func (l *Log) SetCommitted(driver string, id int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset < 0 {
		delete(l.offsets, place{driver, id})
		return
	}
	l.offsets[place{driver, id}] = offset
}

// Committed gives the offset of a driving topic that was committed last, -1 where there is none.
func (l *Log) Committed(driver string, id int32) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset, ok := l.offsets[place{driver, id}]; ok {
		return offset
	}
	return -1
}

// Own begins ownership of a partition. An earlier owner is fenced: its commits fail from now on.
func (l *Log) Own(driver string, id int32) *Partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := place{driver, id}
	p := &Partition{log: l, driver: driver, id: id, committed: -1, turn: make(chan struct{}, 1)}
	if offset, ok := l.offsets[at]; ok {
		p.committed = offset
	}
	l.owners[at] = p
	return p
}

// OutOfRange says that a partition does not have the offset asked for.
type OutOfRange struct {
	Topic              string
	Partition          int32
	Offset, Start, End int64
}

func (e *OutOfRange) Error() string {
	return fmt.Sprintf("%s/%d has offsets %d to %d, not %d", e.Topic, e.Partition, e.Start, e.End, e.Offset)
}

var (
	_ pipeline.Log    = (*Partition)(nil)
	_ pipeline.Reader = (*Reader)(nil)
)
