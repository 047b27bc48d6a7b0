package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// Limits are the quota of one app in one tenant, for each API apart; see
// https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control
type Limits struct {
	PerMinute, PerSecond int // 0: none
	// Status of a throttled answer: 429 (default), or 400 as some older APIs have it.
	Status int
	// Sliding windows end with each call; fixed ones are the minutes and seconds of the clock.
	Sliding bool
}

// meter counts the calls of one API that were let through.
type meter struct {
	recent []time.Time // within the last minute
}

// admit lets a call through, or tells the window that is full and how long until it is not.
func (m *meter) admit(now time.Time, l Limits) (ok bool, limit int, wait time.Duration) {
	for len(m.recent) > 0 && now.Sub(m.recent[0]) >= time.Minute {
		m.recent = m.recent[1:]
	}
	for _, window := range []struct {
		limit int
		long  time.Duration
	}{{l.PerMinute, time.Minute}, {l.PerSecond, time.Second}} {
		if window.limit <= 0 {
			continue
		}
		begin := now.Add(-window.long)
		if !l.Sliding {
			begin = now.Truncate(window.long).Add(-1)
		}
		used := 0
		for i := len(m.recent) - 1; i >= 0 && m.recent[i].After(begin); i-- {
			used++
		}
		if used < window.limit {
			continue
		}
		wait := now.Truncate(window.long).Add(window.long).Sub(now)
		if l.Sliding {
			wait = m.recent[len(m.recent)-window.limit].Add(window.long).Sub(now)
		}
		return false, window.limit, wait
	}
	if l.PerMinute > 0 || l.PerSecond > 0 {
		m.recent = append(m.recent, now)
	}
	return true, 0, 0
}

// throttled is the answer to a call over the quota: x-ogw-ratelimit-reset is the seconds to wait, rounded up.
func throttled(l Limits, limit int, wait time.Duration) *answer {
	status := l.Status
	if status == 0 {
		status = http.StatusTooManyRequests
	}
	a := answerJSON(status, codeThrottled, envelope{Code: codeThrottled, Msg: messageOf(codeThrottled)})
	a.limited = true
	a.header.Set("x-ogw-ratelimit-limit", strconv.Itoa(limit))
	a.header.Set("x-ogw-ratelimit-reset", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
	return a
}
