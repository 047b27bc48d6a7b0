package simulator

import "time"

// Limits are the quota of one app in one tenant, for each API apart; see
// https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control and, for Yunxin, the table in its list of
// server APIs.
type Limits struct {
	PerMinute, PerSecond int // 0: none
	// Status of a throttled answer of Feishu: 429 (default), or 400 as some older APIs have it.
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

// admit takes a call out of the quota of its API, or tells the window that is full and how long until it is not.
func (f *front) admit(api API, l Limits) (ok bool, limit int, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.meters[api]
	if m == nil {
		m = &meter{}
		f.meters[api] = m
	}
	now := f.clock()
	if ok, limit, wait = m.admit(now, l); ok {
		if f.seconds[api] == nil {
			f.seconds[api] = map[int64]int{}
		}
		f.seconds[api][now.Unix()]++
	}
	return ok, limit, wait
}
