package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/pipeline/overview"
	"chatlake/schemas"
)

// statusSettings are the tool's, and the groups whose offsets tell how far the stages have come.
type statusSettings struct {
	worker.ToolSettings
	ExtractorGroup  string `envconfig:"EXTRACTOR_GROUP" desc:"consumer group of the extractors (default: <prefix>-extractor)"`
	NormalizerGroup string `envconfig:"NORMALIZER_GROUP" desc:"consumer group of the normalizers (default: <output>-normalizer)"`
}

// statusOptions are the flags of status.
type statusOptions struct {
	watch    bool
	interval time.Duration
	zone     timezone
}

func (t *tool) statusCommand() *cobra.Command {
	var o statusOptions
	c := t.command(&cobra.Command{
		Use:   "status",
		Short: "Show where everything is: containers, pages, lag, dead letters, time left",
		Long: "Show where everything is: containers by state and what was read of them, how far the normalizer is behind, and dead\n" +
			"letters. It reads topics and offsets, calls no platform and writes nothing. With --watch it goes on until a signal: a\n" +
			"table that is drawn again on a terminal, else a line for each look, with --output json one document a line.",
		Example: "  chatlake status\n  chatlake status --watch --tz Asia/Shanghai\n  chatlake status --watch --output json | jq .normalizer.lag_pages",
	}, &statusSettings{}, func(ctx context.Context) error { return t.status(ctx, o) })
	f := c.Flags()
	f.BoolVar(&o.watch, "watch", false, "go on, and look again and again")
	f.DurationVar(&o.interval, "interval", 2*time.Second, "with --watch: how long between two looks, at least 100ms")
	o.zone.flag(c)
	return c
}

// statusDocument is what status tells.
type statusDocument struct {
	At          schemas.Millis      `json:"at"`
	Platforms   []overview.Platform `json:"platforms"`
	Normalizer  normalizerStatus    `json:"normalizer"`
	DeadLetters int                 `json:"dead_letters"`
}

type normalizerStatus struct {
	Output     string            `json:"output"`
	LagPages   int64             `json:"lag_pages"`
	LagSeconds int64             `json:"lag_seconds"`
	Partitions []partitionStatus `json:"partitions"`
}

type partitionStatus struct {
	Partition int32  `json:"partition"`
	End       int64  `json:"end"`       // last stable offset
	Committed *int64 `json:"committed"` // nil: none
	Lag       int64  `json:"lag"`
	Hidden    int64  `json:"hidden"` // offsets beyond the stable one, in transactions that are open now
}

func (t *tool) status(ctx context.Context, o statusOptions) error {
	if err := o.zone.load(); err != nil {
		return err
	}
	if o.interval < 100*time.Millisecond {
		return usagef("--interval %v is less than 100ms", o.interval)
	}
	s := new(statusSettings)
	if err := worker.Load(s); err != nil {
		return err
	}
	if s.ExtractorGroup == "" {
		s.ExtractorGroup = s.Prefix + "-extractor"
	}
	n, err := s.Connect(ctx, s.Output, t.logger(&s.ToolSettings))
	if err != nil {
		return err
	}
	defer n.Client.Close()
	if s.NormalizerGroup == "" {
		s.NormalizerGroup = n.Topics.Messages + "-normalizer"
	}
	l := newLooker(n, s)
	if o.watch {
		return t.watchStatus(ctx, l, o)
	}
	d, err := l.look(ctx)
	if err != nil {
		return err
	}
	if l.ledger.ledger.unreadable+l.unreadable > 0 {
		t.note("%d records of %s and %d of %s cannot be read: 'chatlake audit' names them", l.ledger.ledger.unreadable, n.Topics.Containers, l.unreadable, n.Topics.DeadLetters)
	}
	if t.json() {
		return printJSON(t.out, d, true)
	}
	_, err = t.out.Write([]byte(statusText(d, o.zone)))
	return err
}

// watchStatus looks until ctx ends. A look that fails after the first is said, and made again.
func (t *tool) watchStatus(ctx context.Context, l *looker, o statusOptions) error {
	said := ""
	for first := true; ; first = false {
		d, err := l.look(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // a signal ends a watch, and is no fault
		}
		switch {
		case err != nil && first:
			return err
		case err != nil:
			if said != err.Error() {
				said = err.Error()
				t.note("%s: looking again", worker.OneLine(err))
			}
		default:
			said = ""
			if err := t.showStatus(d, o.zone); err != nil {
				return err
			}
		}
		if !restFor(ctx, o.interval) {
			return nil
		}
	}
}

func (t *tool) showStatus(d *statusDocument, z timezone) error {
	switch {
	case t.json():
		return printJSON(t.out, d, false)
	case t.out.terminal():
		_, err := t.out.Write([]byte("\x1b[H\x1b[2J" + statusText(d, z)))
		return err
	}
	_, err := t.out.Write([]byte(statusLine(d, z)))
	return err
}

// restFor waits, and reports false where ctx ended before.
func restFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// looker looks at an installation again and again; each time it reads only what has come since.
type looker struct {
	n           *worker.Connection
	settings    *statusSettings
	ledger      *ledgerReader
	deadDecoder *schemas.Decoder
	deadRead    positions
	mu          sync.Mutex // guards what follows
	dead        map[string]struct{}
	unreadable  int
	lags        []overview.Lag // by partition
}

func newLooker(n *worker.Connection, s *statusSettings) *looker {
	l := &looker{n: n, settings: s, deadDecoder: schemas.NewDecoder(schemas.DeadLetterSchema, n.Registry.Patient)}
	l.reset()
	return l
}

// reset forgets everything.
func (l *looker) reset() {
	l.ledger, l.deadRead = newLedgerReader(l.n), positions{}
	l.dead, l.unreadable, l.lags = map[string]struct{}{}, 0, make([]overview.Lag, l.n.Partitions)
}

// look gives what holds now. After a topic was created again, all is read from the start.
func (l *looker) look(ctx context.Context) (*statusDocument, error) {
	d, err := l.lookOnce(ctx)
	var back *rewound
	var gone *kafka.OffsetOutOfRange
	if errors.As(err, &back) || errors.As(err, &gone) {
		l.reset()
		return l.lookOnce(ctx)
	}
	return d, err
}

func (l *looker) lookOnce(ctx context.Context) (*statusDocument, error) {
	all := allPartitions(l.n.Partitions)
	offsets, err := l.n.Client.GroupOffsets(ctx, l.settings.ExtractorGroup, l.n.Topics.Containers, l.n.Partitions)
	if err != nil {
		return nil, err
	}
	if err := l.ledger.readOn(ctx, all); err != nil {
		return nil, err
	}
	if err := eachPartition(ctx, all, l.readDead); err != nil {
		return nil, err
	}
	now := time.Now()
	d := &statusDocument{At: schemas.MillisOf(now), DeadLetters: len(l.dead)}
	var told []json.RawMessage
	for i := range offsets {
		told = append(told, offsets[i].Told)
	}
	d.Platforms = overview.Platforms(l.ledger.ledger.rows(), worker.Activity(told, now), now)
	return d, l.lag(ctx, d)
}

// readDead takes the ids of dead letters that have come to a partition.
func (l *looker) readDead(ctx context.Context, p int32) error {
	return l.deadRead.on(ctx, l.n.Client, place{l.n.Topics.DeadLetters, p}, func(r schemas.Record) error {
		var d schemas.DeadLetter
		err := l.deadDecoder.Decode(ctx, r.Value, &d)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, schemas.ErrNoAnswer): // that says nothing of the record
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.unreadable++
			return nil
		}
		l.dead[strings.Clone(d.ID)] = struct{}{}
		return nil
	})
}
