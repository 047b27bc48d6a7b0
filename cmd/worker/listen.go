package worker

import (
	"log/slog"

	"chatlake/metrics"
)

// Serve answers metrics and health of both stages, which run in one process, at the extractor's HTTP_ADDR until stop is
// called; an empty address serves nothing. It is ready when both stages are.
func Serve(e *Extractor, r *Normalizer, logger *slog.Logger) (stop func(), err error) {
	e.ready.others = []*readiness{&r.ready}
	return serve(e.settings.HTTPAddr, metrics.Handler(Version, e.seen.set, r.seen.set), &e.ready, logger)
}
