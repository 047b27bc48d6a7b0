package simulator_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"chatlake/simulator"
)

// burst asks until a call is throttled and returns how many went through, and the refusal.
func (k *caller) burst(chat string) (int, *reply) {
	k.t.Helper()
	for n := 0; ; n++ {
		if p := k.get(messages, "container_id_type", "chat", "container_id", chat, "page_size", "1"); p.Code != 0 {
			return n, p
		}
	}
}

func refusal(t *testing.T, p *reply, status, limit int, reset string) {
	t.Helper()
	p.want(t, status, 99991400)
	if got := p.header.Get("x-ogw-ratelimit-limit"); got != strconv.Itoa(limit) {
		t.Errorf("x-ogw-ratelimit-limit is %q, want %d", got, limit)
	}
	if got := p.header.Get("x-ogw-ratelimit-reset"); got != reset {
		t.Errorf("x-ogw-ratelimit-reset is %q, want %s", got, reset)
	}
}

func TestFixedWindows(t *testing.T) {
	w, at := world(t, simulator.Options{Chats: 1}), newClock()
	chat := w.Chats()[0].ID
	k := newCaller(t, w, simulator.FeishuConfig{Now: at.now, Limits: simulator.Limits{PerMinute: 12, PerSecond: 5}})
	at.add(1500 * time.Millisecond)
	n, p := k.burst(chat)
	if refusal(t, p, http.StatusTooManyRequests, 5, "1"); n != 5 {
		t.Errorf("%d calls in the first second, want 5", n)
	}
	at.add(500 * time.Millisecond)
	if n, _ := k.burst(chat); n != 5 {
		t.Errorf("%d calls in the next second of the clock, want 5", n)
	}
	at.add(10 * time.Second)
	n, p = k.burst(chat)
	if refusal(t, p, http.StatusTooManyRequests, 12, "48"); n != 2 {
		t.Errorf("%d calls left of the minute, want 2", n)
	}
	k.get(messages+"/"+textOf(w, chat)).want(t, 200, 0) // another API, another quota
	at.add(48 * time.Second)
	if n, _ := k.burst(chat); n != 5 {
		t.Errorf("%d calls in the next minute, want 5", n)
	}
	u := k.api.Report().APIs[simulator.APIMessages]
	if u.Calls != 21 || u.Throttled != 4 || u.PeakSecond != 5 || u.PeakMinute != 12 || u.PeakSliding != 17 || u.Failed != 0 {
		t.Errorf("usage is %+v", u)
	}
}

func TestSlidingWindowsAndStatus400(t *testing.T) {
	w, at := world(t, simulator.Options{Chats: 1}), newClock()
	chat := w.Chats()[0].ID
	k := newCaller(t, w, simulator.FeishuConfig{Now: at.now,
		Limits: simulator.Limits{PerMinute: 8, PerSecond: 5, Status: http.StatusBadRequest, Sliding: true}})
	at.add(700 * time.Millisecond)
	if n, p := k.burst(chat); n != 5 {
		t.Errorf("%d calls at once, want 5: %s", n, p.body)
	}
	at.add(500 * time.Millisecond) // another second of the clock, the same sliding one
	n, p := k.burst(chat)
	if refusal(t, p, http.StatusBadRequest, 5, "1"); n != 0 {
		t.Errorf("%d calls after half a second, want 0", n)
	}
	at.add(500 * time.Millisecond)
	if n, _ := k.burst(chat); n != 3 {
		t.Errorf("%d calls after a second, want the 3 left of the minute", n)
	}
	at.add(50 * time.Second)
	n, p = k.burst(chat)
	if refusal(t, p, http.StatusBadRequest, 8, "9"); n != 0 {
		t.Errorf("%d calls after 51 seconds, want 0", n)
	}
	at.add(9 * time.Second)
	if n, _ := k.burst(chat); n != 5 {
		t.Errorf("%d calls once the first are a minute old, want 5", n)
	}
}

func TestNoLimitsNoThrottling(t *testing.T) {
	w := world(t, simulator.Options{Chats: 1})
	k := newCaller(t, w, simulator.FeishuConfig{})
	for range 100 {
		k.page("chat", w.Chats()[0].ID, "", "page_size", "1").want(t, 200, 0)
	}
	if u := k.api.Report().APIs[simulator.APIMessages]; u.Throttled != 0 || u.Calls != 100 {
		t.Errorf("usage is %+v", u)
	}
}
