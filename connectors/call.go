package connectors

import "context"

// MaxBody is the most of one response body that is read, in bytes; beyond it the call is given up as too_large.
const MaxBody = 24 << 20

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
