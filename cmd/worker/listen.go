package worker

import "log/slog"

// Serve answers metrics and health of the stage on its HTTP_ADDR until stop is called; an empty address serves nothing.
func (e *Extractor) Serve(logger *slog.Logger) (stop func(), err error) {
	return serve(e.settings.HTTPAddr, e.collectors(), &e.ready, logger)
}

// Serve answers metrics and health of the stage on its HTTP_ADDR until stop is called; an empty address serves nothing.
func (r *Normalizer) Serve(logger *slog.Logger) (stop func(), err error) {
	return serve(r.settings.HTTPAddr, r.collectors(), &r.ready, logger)
}
