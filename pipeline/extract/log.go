package extract

import "chatlake/schemas"

// loneTries is after how many failures in a row a container's own pauses are logged, once: where its platform is out, that was
// noticed before, and the outage has a line for all.
const loneTries = 2

// logEnd writes the one line that tells how a chat or conversation ended, or that any container failed. An archive has many
// times as many threads and look-ups, which are counted only.
func (s *session) logEnd(r *reading, cp *schemas.Checkpoint) {
	attrs := []any{"container", r.key, "epoch", cp.Epoch, "pages", cp.Pages, "items", cp.Items, "calls", cp.Calls}
	switch kind := r.container.Kind; {
	case cp.State == schemas.StateFailed:
		s.Logger.Error("container failed", append(attrs, "code", deref(cp.ErrorCode), "error", deref(cp.ErrorMessage))...)
	case kind == schemas.KindChat || kind == schemas.KindConversation:
		s.Logger.Info("container ended", append(attrs, "state", cp.State)...)
	}
}
