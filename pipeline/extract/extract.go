// Package extract is the first stage: it reads containers from their sources and commits every page together with the
// checkpoint that follows from it. It knows no vendor and no broker.
//
//	im.containers ──fold──▶ queue ──▶ one task per container ──pages──▶ commits ──one transaction──▶ im.raw.pages
//	im.checkpoints ─fold──────────────────▲                                                          im.checkpoints
//	        ▲                             └────── found containers ◀────────────────────────────────  im.containers
//	        └────────────────────────────────────────────────────────────────────────────────────────────┘
package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// Platform is a platform that is on.
type Platform struct {
	Source   connectors.Source
	TenantID string
	AppID    string // ce_appid
}

// Config is what an extractor is made of.
type Config struct {
	Topics    schemas.Topics
	IDs       map[string]int // schema ids by topic
	Container *schemas.Decoder
	Check     *schemas.Decoder    // of checkpoints
	Platforms map[string]Platform // by name; a platform that is not here is off
	Workers   int                 // containers read at once
	Patience  time.Duration       // how long Once waits for a platform that answers nothing useful
	Once      bool
	Version   string // ce_connectorversion
	Logger    *slog.Logger
	Now       func() time.Time
}

// Extractor reads the containers of the partitions that are given to it.
type Extractor struct {
	Config
	slots chan struct{} // one for each container that is being read, over all partitions
	stats Stats

	mu     sync.Mutex
	useful map[string]time.Time // by platform: when it last answered something useful
	ended  map[int32]Summary    // by partition: how its last session ended
}

// New makes an extractor.
func New(c Config) *Extractor {
	if c.Now == nil {
		c.Now = time.Now
	}
	e := &Extractor{
		Config: c, slots: make(chan struct{}, c.Workers),
		useful: map[string]time.Time{}, ended: map[int32]Summary{},
	}
	for name := range c.Platforms {
		e.useful[name] = c.Now()
	}
	return e
}

// Stats gives the live counters.
func (e *Extractor) Stats() *Stats { return &e.stats }

// Summary adds up the partitions whose containers have all ended.
func (e *Extractor) Summary() Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	var sum Summary
	for _, s := range e.ended {
		sum.add(s)
	}
	return sum
}

// Assigned forgets how the sessions of an earlier assignment of partitions ended.
func (e *Extractor) Assigned() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.ended)
}

// Partition reads the containers of one owned partition until ctx ends, or, with Once, until all have ended. Any other
// return is an error: of the log, after which ownership must begin anew, or one that ends the process.
func (e *Extractor) Partition(ctx context.Context, log pipeline.Log) error {
	s, err := e.load(ctx, log)
	if err != nil {
		return err
	}
	err = s.run(ctx)
	if errors.Is(err, errAllEnded) {
		e.mu.Lock()
		e.ended[log.ID()] = s.summary()
		e.mu.Unlock()
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// errAllEnded ends a session of Once.
var errAllEnded = errors.New("all containers have ended")

// waited says that a platform answered something useful, or, with ok false, reports an error once Once has waited for
// it longer than its patience.
func (e *Extractor) waited(platform string, ok bool, why error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.Now()
	if ok {
		e.useful[platform] = now
		return nil
	}
	if d := now.Sub(e.useful[platform]); e.Once && d > e.Patience {
		return fmt.Errorf("%s has answered nothing useful for %s (EXTRACTOR_PATIENCE): %w", platform, d.Round(time.Second), why)
	}
	return nil
}
