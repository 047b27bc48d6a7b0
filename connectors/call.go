package connectors

import "context"

// Request is one call of a platform's API.
type Request struct {
	API     string // ce_type: the call's class and its budget
	Method  string
	Path    string // starts with '/', each part escaped
	Query   string // encoded, without '?'
	Body    []byte // compact JSON, nil for a GET
	Subject string // message id, for calls about one message
}

// Line is the request as a raw page keeps it: method, path and query, and for a POST the body.
func (r *Request) Line() string {
	s := r.Method + " " + r.Path
	if r.Query != "" {
		s += "?" + r.Query
	}
	if len(r.Body) > 0 {
		s += " " + string(r.Body)
	}
	return s
}

// Call makes one request. It returns the response where the platform says that all is well, else an *Error that holds
// what came. Pace and Retry wrap it.
type Call func(ctx context.Context, r Request) (*Response, error)

// Quota is what a platform allows of one API. Zero is no limit.
type Quota struct{ PerMinute, PerSecond int }
