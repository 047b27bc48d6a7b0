package api

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
)

// Host is a platform's API at one address, whose answers are JSON objects with a code.
type Host struct {
	Client   *http.Client
	Base     string // address, to which the path of a request is added
	Agent    string // User-Agent, "" for none
	Setting  string // what the address is set by, for errors
	Fine     int64  // the code of success
	ListAPI  string // ce_type of the call that lists messages
	NextPage string // field of a list's data that holds the token of the next page
}

// ClientOr is given, or, where that is nil, a client that honours HTTPS_PROXY and trusts roots; either follows no redirect and
// keeps no cookie.
func ClientOr(given *http.Client, roots *x509.CertPool) *http.Client {
	if given == nil {
		given = &http.Client{Transport: TrustingTransport(roots)}
	}
	return NewClient(given)
}

// IsBase reports whether s can be the address of an API: http or https, without credentials or a query.
func IsBase(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// NewRequest makes the HTTP request of a call with a body, r.Body or one that holds credentials.
func (h *Host) NewRequest(ctx context.Context, r *connectors.Request, body []byte) (*http.Request, *connectors.Error) {
	address := strings.TrimRight(h.Base, "/") + r.Path
	if r.Query != "" {
		address += "?" + r.Query
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(body))
	if err != nil {
		return nil, &connectors.Error{Class: connectors.ClassFatal, API: r.API, Message: h.Setting + " or the request's path is not an address"}
	}
	req.Header.Set("Accept", "application/json")
	if h.Agent != "" {
		req.Header.Set("User-Agent", h.Agent)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return req, nil
}

// Envelope is an answer's outermost object. It is valid until Close.
type Envelope struct {
	decode.JSON
	Code   int64
	parser *decode.Parser
}

// Close ends the use of the envelope.
func (e *Envelope) Close() {
	if e.parser != nil {
		e.parser.Return()
		e.parser = nil
	}
}

// Open reads the envelope of an answer that came whole, and fills in resp.Code. An error is one of a body that is refused for its
// length or its complexity, which resp then tells; strange says that the body is none of the platform's.
func (h *Host) Open(r *connectors.Request, a *Reply, resp *connectors.Response) (e Envelope, refused *connectors.Error, strange bool) {
	if a.TooLarge {
		resp.Body = nil // a part of a body is no body
		if !a.Object() {
			return e, nil, true
		}
		return e, h.refuse(r, a.Body, resp, connectors.CodeTooLarge, ErrTooLarge), false
	}
	e.parser = decode.Borrow()
	var err error
	if e.JSON, err = e.parser.Parse(a.Body); err != nil {
		if json.Valid(a.Body) {
			// It came whole, beyond what the parser takes, and would come so again: asking for ever would hold up the container.
			return e, h.refuse(r, a.Body, resp, connectors.CodeTooComplex, err), false
		}
		strange = true
		return e, nil, strange
	}
	var ok bool
	if e.Code, ok = e.Get("code").Int(); !ok {
		return e, nil, true
	}
	resp.Code = strconv.FormatInt(e.Code, 10)
	return e, nil, false
}

func (h *Host) refuse(r *connectors.Request, body []byte, resp *connectors.Response, code string, why error) *connectors.Error {
	resp.Error = code
	if r.API == h.ListAPI {
		why = newUnread(body, why, h.Fine, h.NextPage)
	}
	return &connectors.Error{Class: connectors.ClassItem, Code: code, Message: "the body is refused", Err: why}
}

// Verdict is what an answer's code calls for and what it means. The zero verdict is a success.
type Verdict struct {
	Class connectors.Class
	Means string
}

// OfStatus is the verdict on an answer without a code that says what is wrong. setting is what the address is set by.
func OfStatus(status int, setting string) Verdict {
	switch {
	case status >= 200 && status < 300:
		return Verdict{}
	case status == http.StatusTooManyRequests:
		return Verdict{connectors.ClassThrottled, "too many calls"}
	case status >= 300 && status < 400:
		return Verdict{connectors.ClassUnavailable, "the answer is a redirect, which is not followed; check " + setting}
	default:
		return Verdict{connectors.ClassUnavailable, "HTTP status " + strconv.Itoa(status)}
	}
}

// StatusCode is chatlake's code for an answer that has only an HTTP status.
func StatusCode(status int) string {
	if status >= 300 && status < 400 {
		return connectors.CodeRedirect
	}
	return "http_" + strconv.Itoa(status)
}

// HasPageToken reports whether a request goes on by a page token.
func HasPageToken(r *connectors.Request) bool { return strings.Contains("&"+r.Query, "&page_token=") }
