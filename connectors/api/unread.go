package api

import (
	"encoding/json"
	"errors"

	"chatlake/connectors"
	"chatlake/connectors/decode"
)

// unread is the cause of an error about a list page whose body is not read: too long or too complex.
type unread struct {
	token string // of the page after it, "" where it is not known
	why   error
}

func (u *unread) Error() string { return u.why.Error() }

func (u *unread) Unwrap() error { return u.why }

// newUnread reads where a body leads, which may have been cut, by its brackets alone: where its code is fine and it has more, the
// token at data.<token>.
func newUnread(body []byte, why error, fine int64, token string) *unread {
	field := func(to any, path ...string) bool {
		raw, found := decode.Field(body, path...)
		return found && json.Unmarshal(raw, to) == nil
	}
	var code int64
	var more bool
	u := &unread{why: why}
	if !field(&code, "code") || code != fine || !field(&more, "data", "has_more") || !more || !field(&u.token, "data", token) {
		u.token = ""
	}
	return u
}

// TokenPast gives the page token that leads past a message which cannot be read even alone, or, where it is not known, why the
// container ends there. Nothing but the token leads past it, least of all time: nothing else may be left out with it.
func TokenPast(e *connectors.Error) (token string, failed *connectors.Failure) {
	var u *unread
	if errors.As(e, &u) && u.token != "" {
		return u.token, nil
	}
	return "", PastUnknown(e)
}

// PastUnknown is why a container ends at such a message.
func PastUnknown(e *connectors.Error) *connectors.Failure {
	return &connectors.Failure{Code: e.Code, Message: e.Message + ", for one message alone, and the page token that leads past it is not known"}
}
