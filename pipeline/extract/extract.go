// Package extract is the first stage: it reads containers from their sources and commits every page together with the
// checkpoint that follows from it. It knows no vendor and no broker.
//
//	im.containers ──fold──▶ lanes ──a place──▶ one task per page ──▶ commits ──one transaction──▶ im.raw.pages
//	im.checkpoints ─fold─────▲                        │                                           im.checkpoints
//	        ▲                └──── goes on, waits ◀───┘                                           im.containers
//	        └─────────────────────────────────────────────────────────────────────────────────────────┘
package extract

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// Platform is a platform that is on.
type Platform struct {
	Source   connectors.Source
	TenantID string
	AppID    string // ce_appid
	// Health is what the source's calls report to (api.Watch); nil: a new one, which hears of containers alone.
	Health *api.Health
}

// Config is what an extractor is made of.
type Config struct {
	Topics    schemas.Topics
	IDs       map[string]int // schema ids by topic
	Container *schemas.Decoder
	Check     *schemas.Decoder    // of checkpoints
	Platforms map[string]Platform // by name; a platform that is not here is off
	Workers   int                 // pages read at once
	Bodies    int                 // bytes of response bodies held at once, 256 MiB where 0
	Patience  time.Duration       // how long Once waits for a platform that answers nothing useful
	Once      bool
	Version   string // ce_connectorversion
	Logger    *slog.Logger
	Now       func() time.Time
}

// defaultBodies is the room for response bodies of a process: four pages at their bound, some thousand of the usual size.
const defaultBodies = 256 << 20

// Extractor reads the containers of the partitions that are given to it.
type Extractor struct {
	Config
	names     []string // of the platforms that are on, sorted
	platforms map[string]*platform
	lanes     []lane
	busy      []int   // by lane, containers that are queued or running; guarded by mu
	places    *places // over all partitions
	room      *api.Room
	stats     Stats

	mu       sync.Mutex
	ended    map[int32]Summary // by partition: how its last session ended
	loading  int               // sessions that are being loaded
	sessions []*session        // that are loaded
	refusal  *refusal          // with Once: why it ends, nil: it does not
}

// platform is one that is on, and what all sessions know of it together.
type platform struct {
	Platform
	name     string
	health   *api.Health
	patience patience // guarded by Extractor.mu
	row      row      // guarded by Extractor.mu
	items    atomic.Int64
}

// New makes an extractor.
func New(c Config) *Extractor {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Bodies <= 0 {
		c.Bodies = defaultBodies
	}
	e := &Extractor{Config: c, platforms: map[string]*platform{}, ended: map[int32]Summary{}, room: api.NewRoom(c.Bodies)}
	e.names = slices.Sorted(maps.Keys(c.Platforms))
	for _, name := range e.names {
		p := &platform{Platform: c.Platforms[name], name: name, health: c.Platforms[name].Health}
		if p.health == nil {
			p.health = api.NewHealth(name, c.Logger)
		}
		e.platforms[name] = p
		e.lanes = append(e.lanes, lanesOf(p)...)
	}
	e.busy = make([]int, len(e.lanes))
	e.places = newPlaces(c.Workers, len(e.lanes))
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
// return is an error: of the log, after which ownership must begin again, or, with Once, that a platform is not waited for
// any longer.
func (e *Extractor) Partition(ctx context.Context, log pipeline.Log) error {
	e.loads(1)
	s, err := e.load(ctx, log)
	e.loads(-1)
	if err != nil {
		return err
	}
	leave := e.enter(s)
	defer leave()
	err = s.run(ctx)
	if errors.Is(err, errAllEnded) {
		sum := s.summary()
		e.mu.Lock()
		e.ended[log.ID()] = sum
		e.mu.Unlock()
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (e *Extractor) loads(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loading += n
}

// errAllEnded ends a session of Once.
var errAllEnded = errors.New("all containers have ended")
