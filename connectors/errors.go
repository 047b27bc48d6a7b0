package connectors

import (
	"errors"
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
	// ClassSticky: an internal error of the platform that may stick to one item. Retry gives up after 5 tries, where
	// something else of the API was answered since the first; else it becomes ClassUnavailable.
	ClassSticky
	// ClassUnknown: a code that nobody has described. Retried 3 times; then the container fails.
	ClassUnknown
	// ClassFatal: the app may not work at all: secret refused, rights missing, wrong address. The platform's containers wait,
	// it is asked again once a minute, and other platforms go on.
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

// Answers reports whether an error of the class is an answer to what was asked.
func (c Class) Answers() bool {
	return c == ClassItem || c == ClassContainer || c == ClassCursor || c == ClassUnknown
}

// Codes of chatlake for answers that carry none of a platform's.
const (
	CodeUnreadable  = "unreadable"  // the body is not the platform's envelope
	CodeTimeout     = "timeout"     // no answer, or not all of it, in time
	CodeReset       = "reset"       // the connection broke
	CodeUnreachable = "unreachable" // no connection
	CodeRedirect    = "redirect"    // the answer sends us elsewhere
	CodeCertificate = "certificate" // the server's certificate is not trusted
	CodeProxy       = "proxy"       // the proxy does not let us through
	CodeTooLarge    = "too_large"   // the body is longer than is read
	CodeTooComplex  = "too_complex" // the body is nested deeper, or has more values, than a parser reads
	// CodeNoRoom: the bodies of other pages filled the process's room for as long as the call may take. It says nothing of
	// the platform.
	CodeNoRoom = "no_room"
)

// Error is a call that did not bring what was asked for.
type Error struct {
	Class Class
	API   string // ce_type of the call
	// Scope is what failed together with the call, see Health; "" where nobody watched it.
	Scope string
	// Sticky says that a ClassSticky became ClassUnavailable because nothing else of the scope was answered meanwhile: an
	// answer about anything else would tell whose fault it is.
	Sticky bool
	// Out says that the scope is out: the call was not sent, or was broken off. It says nothing of what it asked for.
	Out     bool
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

// Answers reports whether the error is the platform's answer to what was asked, which it gives while it works.
func (e *Error) Answers() bool { return e.Class.Answers() }

// RefusedBody reports whether an answer came whose body is not read, for its length or its complexity: it may be asked for
// in smaller parts.
func RefusedBody(e *Error) bool { return e.Code == CodeTooLarge || e.Code == CodeTooComplex }

// ErrorOf is the *Error in err's chain, nil where there is none.
func ErrorOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
