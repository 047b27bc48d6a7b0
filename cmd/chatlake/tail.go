package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/pipeline/tree"
	"chatlake/schemas"
)

// tailOptions are the flags of tail.
type tailOptions struct {
	topic, format     string
	beginning, follow bool
	count             int
	tree              bool
	filter            messageFilter
	tz                timezone
}

var tailTopics = []string{"messages", "raw", "deadletters", "checkpoints", "containers"}

func (t *tool) tailCommand() *cobra.Command {
	var o tailOptions
	c := t.command(&cobra.Command{
		Use:   "tail",
		Short: "Print decoded records as they come",
		Long: "Print decoded records of a topic as they come, of all partitions, until a signal. Within a conversation they come in\n" +
			"order. With NORMALIZER_OUTPUT set, messages and dead letters are those of that output.\n\n" +
			"Of messages every version is shown that fits all of --conversation, --thread, --sender, --kind, --since and --grep. Marks\n" +
			"tell what was edited, recalled or deleted, what a version only links otherwise (relinked), answers and merged forwards.\n\n" +
			"--tree prints what is there now as people read it: answers indented under what they answer, threads under their first\n" +
			"message, merged forwards unfolded, each message in its newest version and what it said before below it (~). Then\n" +
			"what comes is printed line by line, unless --follow=false. At most 50,000 versions or 64 MiB of text are held at a time:\n" +
			"what is more is printed as several trees, one after the other, and an answer to a message of an earlier one says so.",
		Example: "  chatlake tail --from-beginning --count 20\n" +
			"  chatlake tail --conversation oc_a0553eda9014c201e6969b478895c230 --tree --follow=false\n" +
			"  chatlake tail --sender ou_7d8a6e6df7621556ce0d21922b676706 --since 2024-01-01 --grep '(?i)invoice' --tz Asia/Shanghai\n" +
			"  chatlake tail --topic deadletters --follow=false --output json",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.tail(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.topic, "topic", "messages", strings.Join(tailTopics, ", "))
	f.BoolVar(&o.beginning, "from-beginning", false, "begin with the first record (default: with the next)")
	f.BoolVar(&o.follow, "follow", true, "false: print what is there now, from the beginning, and end")
	f.IntVar(&o.count, "count", 0, "end after so many records (0: no end)")
	f.BoolVar(&o.tree, "tree", false, "print conversations as people read them, from the beginning")
	f.StringVar(&o.format, "format", "", "text, or json: one document a line (default: text; json with --output json)")
	o.filter.flags(c)
	o.tz.flag(c)
	return c
}

func (t *tool) tail(ctx context.Context, o tailOptions) error {
	if err := o.check(t.json()); err != nil {
		return err
	}
	return t.connected(ctx, true, func(_ *worker.ToolSettings, n *worker.Connection) error {
		return newTailer(t, n, o).run(ctx)
	})
}

// check refuses what cannot be meant, and completes what follows from what is.
func (o *tailOptions) check(asJSON bool) error {
	if o.format == "" {
		o.format = map[bool]string{true: "json", false: "text"}[asJSON]
	}
	switch {
	case !slices.Contains(tailTopics, o.topic):
		return usagef("--topic %q is none of %s", o.topic, strings.Join(tailTopics, ", "))
	case o.format != "text" && o.format != "json":
		return usagef("--format %q is neither text nor json", o.format)
	case o.count < 0:
		return usagef("--count %d is less than 0", o.count)
	case o.topic != tailTopics[0] && (o.tree || o.filter.any()):
		return usagef("--tree, --conversation, --thread, --sender, --kind, --since and --grep choose messages: leave out --topic %s", o.topic)
	}
	if err := o.tz.load(); err != nil {
		return err
	}
	if err := o.filter.check(); err != nil {
		return err
	}
	o.beginning = o.beginning || o.filter.since != "" || o.tree
	return nil
}

// tailer prints the records of one topic.
type tailer struct {
	tailOptions
	tool       *tool
	client     *kafka.Client
	name       string // of the topic
	partitions []int32
	show       shower
	messages   *messageView // nil: of another topic

	mu      sync.Mutex
	printed int
	failed  int
	tree    tree.Tree
	ends    map[int32]int64 // where the tree ends
}

// topicName gives the topic that a word of --topic stands for.
func topicName(t schemas.Topics, word string) string {
	return map[string]string{
		"messages": t.Messages, "raw": t.RawPages, "deadletters": t.DeadLetters,
		"checkpoints": t.Checkpoints, "containers": t.Containers,
	}[word]
}

func newTailer(t *tool, n *worker.Connection, o tailOptions) *tailer {
	l := &tailer{
		tailOptions: o, tool: t, client: n.Client, name: topicName(n.Topics, o.topic), partitions: allPartitions(n.Partitions),
		ends: map[int32]int64{},
	}
	if o.topic == tailTopics[0] {
		l.messages = newMessageView(&l.tailOptions, n.Registry.Patient)
		l.show = l.messages.show
		l.tree.Whole = o.format == "json"
		if p, ok := o.filter.partition(n.Partitions); ok {
			l.partitions = []int32{p}
		}
		return l
	}
	l.show = newShower(&l.tailOptions, n.Registry.Patient)
	return l
}

// errEnough ends a tail whose work is done.
var errEnough = errors.New("enough was printed")

// run prints until ctx ends, the count is reached, or, without follow, the end is.
func (l *tailer) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	each := func(work func(context.Context, place) error) error {
		var all sync.WaitGroup
		for _, p := range l.partitions {
			all.Go(func() {
				if err := work(ctx, place{l.name, p}); err != nil {
					cancel(err)
				}
			})
		}
		all.Wait()
		return context.Cause(ctx)
	}
	var err error
	if l.tailOptions.tree {
		if err = each(l.gather); err == nil {
			err = l.flush()
		}
	}
	if err == nil && (l.follow || !l.tailOptions.tree) {
		err = each(l.partition)
	}
	switch {
	case errors.Is(err, errEnough), parent.Err() != nil, err == nil:
		if l.failed > 0 {
			return errUndecoded
		}
		return nil
	}
	return err
}

// errUndecoded ends a tail that could not show everything.
var errUndecoded = errors.New("some records could not be decoded: they are named above")

// Sizes and waits of reading.
const (
	tailBytes = 1 << 20
	tailWait  = time.Second
)

func (l *tailer) partition(ctx context.Context, at place) error {
	from, err := l.begin(ctx, at)
	if err != nil {
		return err
	}
	batch := func(b *kafka.Batch) error {
		l.skipped(at, b)
		for i := range b.Records {
			if err := l.print(ctx, &b.Records[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if !l.follow {
		return readUntil(ctx, l.client, from, batch)
	}
	reader := l.client.Reader(at.topic, at.partition, from.from)
	for {
		b, err := reader.Read(ctx, tailWait, tailBytes)
		if err != nil {
			return err
		}
		if err := batch(&b); err != nil {
			return err
		}
	}
}

// begin says where to begin, and where the partition ends at present.
func (l *tailer) begin(ctx context.Context, at place) (span, error) {
	l.mu.Lock()
	end, read := l.ends[at.partition]
	l.mu.Unlock()
	if read {
		return span{at, end, end}, nil
	}
	start, stable, err := l.client.Offsets(ctx, at.topic, at.partition)
	if !l.beginning && l.follow {
		start = stable
	}
	return span{at, start, stable}, err
}

// skipped says what of a batch could not be read.
func (l *tailer) skipped(at place, b *kafka.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tool.noteSkipped(at, b) {
		l.failed++
	}
}

// print shows one record. One that cannot be decoded is named, and the others go on.
func (l *tailer) print(ctx context.Context, r *schemas.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	line, err := l.show(ctx, r)
	if err != nil {
		return l.undecoded(ctx, r, err)
	}
	if line == nil {
		return nil // it does not fit
	}
	return l.write(line)
}

// undecoded names a record that cannot be decoded.
func (l *tailer) undecoded(ctx context.Context, r *schemas.Record, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.failed++
	l.tool.note("%s/%d offset %d (%s): %s", r.Topic, r.Partition, r.Offset, r.Key, worker.OneLine(err))
	return nil
}

func (l *tailer) write(line []byte) error {
	if _, err := l.tool.out.Write(line); err != nil {
		return err
	}
	if l.printed++; l.count > 0 && l.printed >= l.count {
		return errEnough
	}
	return nil
}
