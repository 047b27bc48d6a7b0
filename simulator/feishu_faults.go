package simulator

import (
	"net/http"
)

// replace is the answer of a fault that keeps the call from the API, nil where there is none.
func (f *Feishu) replace(c *call) *answer {
	for _, r := range c.faults {
		switch r.Action {
		case RevokeToken:
			f.RevokeTokens()
		case Throttle:
			return throttled(f.config.Limits, max(1, f.config.Limits.PerMinute), r.Delay)
		case HTML:
			return gatewayPage()
		case Answer:
			return r.answer()
		}
	}
	return nil
}

// answer is what an Answer fault says in Feishu's words.
func (r *rule) answer() *answer {
	status := r.Status
	if status == 0 && r.Code == 0 {
		status = http.StatusOK
	} else if status == 0 {
		status = http.StatusBadRequest
	}
	if a := r.unwrapped(status); a != nil {
		return a
	}
	msg := r.Msg
	if msg == "" {
		msg = messageOf(r.Code)
	}
	return answerJSON(status, r.Code, envelope{Code: r.Code, Msg: msg})
}
