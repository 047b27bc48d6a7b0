package connectors

import (
	"fmt"
	"time"
)

// Class is what an error calls for. Sources classify by endpoint and code; each class is acted on in one place.
type Class uint8

// Classes of errors.
const (
	// ClassThrottled: the platform asks for a pause. Retry waits and asks again, RetryAfter obeyed by the whole API.
	ClassThrottled Class = iota + 1
	// ClassUnavailable: the platform as a whole gives nothing useful (5xx, time-out, reset, a body that is not its
	// envelope, exhausted monthly quota). Retry tries a few times; then the pipeline waits and reads on later, for as
	// long as the worker runs.
	ClassUnavailable
	// ClassToken: the access token was refused. The source fetches a new one, once.
	ClassToken
	// ClassItem: the platform's definitive answer about one message.
	ClassItem
	// ClassContainer: the platform's definitive answer about a container.
	ClassContainer
	// ClassCursor: the page token was refused. The source resumes without it.
	ClassCursor
	// ClassSticky: an internal error of the platform that may stick to one item. Retry gives up after 5 tries.
	ClassSticky
	// ClassUnknown: a code that nobody has described. Retried 3 times; then the container fails.
	ClassUnknown
	// ClassFatal: the app may not work at all: secret refused, rights missing, wrong address. Ends the process.
	ClassFatal
)

var classNames = [...]string{
	ClassThrottled: "throttled", ClassUnavailable: "unavailable", ClassToken: "token refused", ClassItem: "item refused",
	ClassContainer: "container refused", ClassCursor: "page token refused", ClassSticky: "internal error",
	ClassUnknown: "unknown code", ClassFatal: "refused",
}

func (c Class) String() string {
	if int(c) < len(classNames) && classNames[c] != "" {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Error is a call that did not bring what was asked for.
type Error struct {
	Class   Class
	API     string // ce_type of the call
	Code    string // the platform's code, or chatlake's word where none came (timeout, reset, unreadable, …)
	Message string // what it means and what to do about it; never message text, never a secret
	// RetryAfter is how long the platform asks to wait, 0 where it does not say.
	RetryAfter time.Duration
	// Response is the last body that came, nil where none did.
	Response *Response
	Calls    int // API calls that this took, retries counted
	Err      error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s: %s", e.API, e.Class, e.Message)
	if e.Code != "" {
		s = fmt.Sprintf("%s: %s: code %s: %s", e.API, e.Class, e.Code, e.Message)
	}
	if e.Response != nil && e.Response.LogID != "" {
		s += " (log id " + e.Response.LogID + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// RefusedBody reports whether an answer came whose body is not read, for its length or its complexity: it may be asked for
// in smaller parts.
func RefusedBody(e *Error) bool { return e.Code == CodeTooLarge || e.Code == CodeTooComplex }
