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
	"chatlake/schemas"
)

// tailOptions are the flags of tail.
type tailOptions struct {
	topic, format     string
	beginning, follow bool
	count             int
}

var tailTopics = []string{"messages", "raw", "deadletters", "checkpoints", "containers"}

func (t *tool) tailCommand() *cobra.Command {
	var o tailOptions
	c := t.command(&cobra.Command{
		Use:   "tail",
		Short: "Print decoded records as they come",
		Long: "Print decoded records of a topic as they come, of all partitions, until a signal. Within a conversation they come in\n" +
			"order. With NORMALIZER_OUTPUT set, messages and dead letters are those of that output.",
		Example: "  chatlake tail --from-beginning --count 20\n  chatlake tail --topic deadletters --follow=false --format json",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.tail(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.topic, "topic", "messages", strings.Join(tailTopics, ", "))
	f.BoolVar(&o.beginning, "from-beginning", false, "begin with the first record (default: with the next)")
	f.BoolVar(&o.follow, "follow", true, "false: print what is there now, from the beginning, and end")
	f.IntVar(&o.count, "count", 0, "end after so many records (0: no end)")
	f.StringVar(&o.format, "format", "", "text, or json: one document a line (default: text; json with --output json)")
	return c
}

func (t *tool) tail(ctx context.Context, o tailOptions) error {
	if o.format == "" {
		o.format = map[bool]string{true: "json", false: "text"}[t.json()]
	}
	switch {
	case !slices.Contains(tailTopics, o.topic):
		return usagef("--topic %q is none of %s", o.topic, strings.Join(tailTopics, ", "))
	case o.format != "text" && o.format != "json":
		return usagef("--format %q is neither text nor json", o.format)
	case o.count < 0:
		return usagef("--count %d is less than 0", o.count)
	}
	return t.connected(ctx, true, func(_ *worker.ToolSettings, n *worker.Connection) error {
		return newTailer(t, n, o).run(ctx)
	})
}

// tailer prints the records of one topic.
type tailer struct {
	tailOptions
	tool   *tool
	client *kafka.Client
	name   string // of the topic
	total  int
	show   shower

	mu      sync.Mutex
	printed int
	failed  int
}

// topicName gives the topic that a word of --topic stands for.
func topicName(t schemas.Topics, word string) string {
	return map[string]string{
		"messages": t.Messages, "raw": t.RawPages, "deadletters": t.DeadLetters,
		"checkpoints": t.Checkpoints, "containers": t.Containers,
	}[word]
}

func newTailer(t *tool, n *worker.Connection, o tailOptions) *tailer {
	return &tailer{
		tailOptions: o, tool: t, client: n.Client, name: topicName(n.Topics, o.topic), total: n.Partitions,
		show: newShower(o.topic, o.format == "json", n.Registry.Patient),
	}
}

// errEnough ends a tail whose work is done.
var errEnough = errors.New("enough was printed")

// run prints until ctx ends, the count is reached, or, without follow, the end is.
func (l *tailer) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var all sync.WaitGroup
	for p := range l.total {
		all.Go(func() {
			if err := l.partition(ctx, place{l.name, int32(p)}); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	err := context.Cause(ctx)
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
	start, stable, err := l.client.Offsets(ctx, at.topic, at.partition)
	if err != nil {
		return err
	}
	if !l.follow {
		return l.client.ReadAll(ctx, at.topic, at.partition, start, stable, func(r schemas.Record) error { return l.print(ctx, &r) })
	}
	from := stable
	if l.beginning {
		from = start
	}
	reader := l.client.Reader(at.topic, at.partition, from)
	for {
		b, err := reader.Read(ctx, tailWait, tailBytes)
		if err != nil {
			return err
		}
		for i := range b.Records {
			if err := l.print(ctx, &b.Records[i]); err != nil {
				return err
			}
		}
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
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.failed++
		l.tool.note("%s/%d offset %d (%s): %s", r.Topic, r.Partition, r.Offset, r.Key, worker.OneLine(err))
		return nil
	}
	if _, err := l.tool.out.Write(line); err != nil {
		return err
	}
	if l.printed++; l.count > 0 && l.printed >= l.count {
		return errEnough
	}
	return nil
}
