package api

import (
	"chatlake/connectors/decode"
	"encoding/json"
)

// Unread is the cause of an error about a list page whose body is not read: too long or too complex.
type Unread struct {
	Token string // of the page after it, "" where it is not known
	Why   error
}

func (u *Unread) Error() string { return u.Why.Error() }

func (u *Unread) Unwrap() error { return u.Why }

// NewUnread reads where a body leads, which may have been cut, by its brackets alone: where its code is fine and it has more, the
// token at data.<token>.
func NewUnread(body []byte, why error, fine int, token string) *Unread {
	field := func(to any, path ...string) bool {
		raw, found := decode.Field(body, path...)
		return found && json.Unmarshal(raw, to) == nil
	}
	var code int
	var more bool
	u := &Unread{Why: why}
	if !field(&code, "code") || code != fine || !field(&more, "data", "has_more") || !more || !field(&u.Token, "data", token) {
		u.Token = ""
	}
	return u
}
