package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"chatlake/schemas"
)

// NewLogger makes the logger that the settings ask for. They have been checked.
func (c *Cluster) NewLogger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // Load has refused other words
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if c.LogFormat == "json" {
		h = slog.NewJSONHandler(w, opts)
	}
	if c.LogLibraries != "on" {
		h = ownLines{h}
	}
	return slog.New(h)
}

// library is the attribute of every line that repeats what a library says: Logger.With(library, its name).
const library = "library"

// ownLines drops what libraries say.
type ownLines struct{ slog.Handler }

func (o ownLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	if slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == library }) {
		return slog.DiscardHandler
	}
	return ownLines{o.Handler.WithAttrs(attrs)}
}

func (o ownLines) WithGroup(name string) slog.Handler { return ownLines{o.Handler.WithGroup(name)} }

// summaryEvery is how often a stage that has work logs how far it is.
const summaryEvery = time.Minute

// summarize logs a line at each interval in which look says that there is work, until ctx ends.
func summarize(ctx context.Context, every time.Duration, logger *slog.Logger, look func(context.Context) (attrs []any, work bool)) {
	for pause(ctx, every) {
		if attrs, work := look(ctx); work {
			logger.Info("progress", attrs...)
		}
	}
}

// rate is a count in a time, per second, to a tenth.
func rate(n int64, in time.Duration) float64 {
	return float64(int64(float64(n)/in.Seconds()*10+0.5)) / 10
}

// announced gives a look-up of schemas that logs one line when the registry gives no answer, and one when it does again,
// however many records wait for it.
func announced(lookup schemas.Lookup, logger *slog.Logger) schemas.Lookup {
	var mu sync.Mutex
	var since time.Time // zero: it answers
	return func(ctx context.Context, id int) (string, error) {
		text, err := lookup(ctx, id)
		if ctx.Err() != nil {
			return text, err
		}
		mu.Lock()
		defer mu.Unlock()
		switch out := errors.Is(err, schemas.ErrNoAnswer); {
		case out && since.IsZero():
			since = time.Now()
			logger.Warn("the schema registry does not answer: records with a schema that is not known yet wait for it", "error", err)
		case !out && !since.IsZero():
			logger.Info("the schema registry answers again", "after", time.Since(since).Round(time.Second))
			since = time.Time{}
		}
		return text, err
	}
}
