package worker

import (
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/metrics"
)

// allScopes stands for a platform as a whole where an API is named.
const allScopes = "all"

// sample tells where the extractor's containers, platforms and quotas are.
func (e *Extractor) sample(emit metrics.Emit) {
	for platform, s := range e.Stage.Standing() {
		for state, n := range s.States {
			emit("chatlake_containers", float64(n), platform, state)
		}
		emit("chatlake_extracted_messages_total", float64(s.Items), platform)
		for name, at := range map[string]time.Time{
			"chatlake_oldest_due_timestamp_seconds": s.Oldest, "chatlake_newest_message_timestamp_seconds": s.Newest,
		} {
			if !at.IsZero() {
				emit(name, unix(at), platform)
			}
		}
		e.pages(emit, platform)
	}
	s := e.Stage.Stats()
	emit("chatlake_active_containers", float64(s.Running.Load()), "running")
	emit("chatlake_active_containers", float64(s.Queued.Load()), "queued")
	emit("chatlake_active_containers", float64(s.Waiting.Load()), "waiting")
	e.gates(emit)
	for _, b := range e.Pacer.Snapshot() {
		platform, quota := platformOf(b.API), perMinute(b.Quota)
		if quota > 0 {
			emit("chatlake_quota_calls_per_minute", quota, platform, b.API)
			emit("chatlake_quota_allowed_calls_per_minute", quota*b.Part, platform, b.API)
		}
		emit("chatlake_quota_used_calls_per_minute", float64(b.Recent), platform, b.API)
		emit("chatlake_quota_waiting_calls", float64(b.Waiting), platform, b.API)
	}
}

// pages tells when a platform's last page was committed.
func (e *Extractor) pages(emit metrics.Emit, platform string) {
	e.seen.mu.Lock()
	defer e.seen.mu.Unlock()
	at, found := e.seen.read[platform]
	if !found {
		at = e.began
	}
	emit("chatlake_last_page_timestamp_seconds", unix(at), platform)
}

// gates tells which APIs are out or refuse the app.
func (e *Extractor) gates(emit metrics.Emit) {
	told := func(platform, scope, api string) {
		gate, closed := e.platforms[platform].Health.Closed(scope)
		emit("chatlake_platform_out", one(closed && !gate.Refusal), platform, api)
		emit("chatlake_platform_refused", one(closed && gate.Refusal), platform, api)
	}
	for platform := range e.platforms {
		told(platform, api.WholePlatform, allScopes)
	}
	for api := range e.quotas {
		told(platformOf(api), api, api)
	}
}

// perMinute is what a quota lets through in a minute, 0: without a bound.
func perMinute(q connectors.Quota) float64 {
	second, minute := float64(q.PerSecond)*60, float64(q.PerMinute)
	if second == 0 || minute > 0 && minute < second {
		return minute
	}
	return second
}
