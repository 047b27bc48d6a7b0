package simulator

import (
	"net/http"
	"strconv"
	"time"
)

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
