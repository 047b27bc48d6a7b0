package yunxin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Reasons of files that are given up, beside those of package connectors.
const (
	reasonHost    = "host_not_allowed" // not an address that may be asked, or a redirect to one
	reasonTooMany = "too_many"         // the page's files are more than are fetched
)

// maxRedirects is how many redirects in a row are followed.
const maxRedirects = 5

// maxAddress is the longest URL that is asked for, in bytes. It goes into a header.
const maxAddress = 4 << 10

// fetcher gets the files of merged forwards.
type fetcher struct {
	hosts *hosts
	roads roads
	agent string
}

// NewFetch gives calls that fetch the file of a merged forward: Path is its URL and Subject the message's id. Only https is
// asked, only hosts that cfg.FileHosts lists, only public addresses, whatever a name leads to, and redirects only within these
// bounds; an entry that is a whole origin lifts the first and the third for that origin. Requests carry no credentials of the
// app. The response's Request is the URL without its signature. Errors are *connectors.Error: ClassItem where the answer is
// definitive or the address may not be asked, ClassUnavailable or ClassThrottled for all that may pass; or ctx's.
func NewFetch(cfg Config) connectors.Call {
	h, err := newHosts(cfg.FileHosts)
	if err != nil {
		h = &hosts{} // Validate says so; until then nothing is allowed
	}
	f := &fetcher{hosts: h, roads: newRoads(cfg.Transport, cfg.RootCAs), agent: cfg.ConnectorVersion}
	return f.call
}

func (f *fetcher) call(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	resp := &connectors.Response{
		Type: schemas.YunxinMergedFile, ContentType: "text/plain", Request: fileRequest(r.Path), Subject: r.Subject, Time: time.Now(),
	}
	e := f.fetch(ctx, r.Path, resp)
	switch {
	case e == nil:
		return resp, nil
	case ctx.Err() != nil && e.Err != nil:
		return nil, ctx.Err()
	}
	e.API, e.Calls, e.Response = resp.Type, resp.Calls, resp
	return nil, e
}

// fetch asks for an address and follows where it leads.
func (f *fetcher) fetch(ctx context.Context, address string, resp *connectors.Response) *connectors.Error {
	limited, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil || len(address) > maxAddress {
		return refuse(resp, errHost)
	}
	for range maxRedirects + 1 {
		a, err := f.ask(limited, u)
		if err != nil {
			return refuse(resp, err)
		}
		if errors.Is(a.Err, errPrivate) {
			return refuse(resp, errPrivate)
		}
		resp.Calls++
		next := a.Header.Get("Location")
		if a.Status < 300 || a.Status >= 400 || next == "" {
			return settleFile(a, resp)
		}
		if u, err = u.Parse(next); err != nil {
			return refuse(resp, errHost)
		}
	}
	resp.Error = connectors.CodeRedirect
	return &connectors.Error{Class: connectors.ClassItem, Code: connectors.CodeRedirect, Message: "too many redirects"}
}

func (f *fetcher) ask(ctx context.Context, u *url.URL) (*api.Reply, error) {
	origin, ok := f.hosts.allow(u)
	if !ok {
		return nil, errHost
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errHost
	}
	if f.agent != "" {
		req.Header.Set("User-Agent", f.agent)
	}
	client, err := f.roads.to(req, origin)
	if err != nil {
		return nil, err
	}
	return api.Exchange(client, req), nil
}

// refuse is the error of an address that is not asked.
func refuse(resp *connectors.Response, why error) *connectors.Error {
	resp.Error, resp.Time = reasonHost, time.Now()
	return &connectors.Error{Class: connectors.ClassItem, Code: reasonHost, Message: why.Error()}
}

// settleFile fills in what came, and gives the error that it means, nil where all is well.
func settleFile(a *api.Reply, resp *connectors.Response) *connectors.Error {
	resp.HTTPStatus, resp.Time, resp.Body = a.Status, a.At, a.Body
	switch a.Status {
	case 0:
	case http.StatusOK:
		resp.Code = "0"
	default:
		resp.Code = strconv.Itoa(a.Status)
	}
	switch {
	case a.TooLarge && a.Status == http.StatusOK:
		resp.Error, resp.Body = connectors.CodeTooLarge, nil
		return &connectors.Error{
			Class: connectors.ClassItem, Code: connectors.CodeTooLarge, Message: "the file is not read whole", Err: api.ErrTooLarge,
		}
	case a.TooLarge:
		resp.Body = nil // a part of a body is no body
	case a.Err != nil:
		code, means := a.Fault()
		resp.Error = code
		if code == connectors.CodeUnreachable {
			means += "; check HTTPS_PROXY and the network, and where the host is gone for good leave it out of YUNXIN_FILE_HOSTS"
		}
		return &connectors.Error{Class: connectors.ClassUnavailable, Code: code, Message: unsigned(means), Err: errors.New(unsigned(a.Err.Error()))}
	case a.Status == http.StatusOK:
		return nil
	}
	switch {
	case a.Status == http.StatusTooManyRequests:
		return &connectors.Error{
			Class: connectors.ClassThrottled, Code: resp.Code, Message: "the host gives no more files now", RetryAfter: a.RetryAfter(),
		}
	case a.Status >= http.StatusInternalServerError || a.Status == http.StatusRequestTimeout || a.Status == http.StatusTooEarly:
		return &connectors.Error{
			Class: connectors.ClassUnavailable, Code: api.StatusCode(a.Status), Message: "the host does not give the file now", RetryAfter: a.RetryAfter(),
		}
	}
	return &connectors.Error{Class: connectors.ClassItem, Code: resp.Code, Message: "the host does not give the file"}
}

// unsigned cuts queries out of the words of an error, which may quote an address.
func unsigned(s string) string {
	s, _, _ = strings.Cut(s, "?")
	return s
}

// signed are the names of URL parameters that a file's address is signed with, lower case; signedPrefixes how others begin.
var (
	signed = map[string]bool{
		"signature": true, "sign": true, "sig": true, "token": true, "expires": true, "expire": true, "policy": true, "credential": true,
		"nosaccesskeyid": true, "accesskeyid": true, "awsaccesskeyid": true, "ossaccesskeyid": true, "googleaccessid": true,
		"auth_key": true, "authkey": true, "key-pair-id": true, "security-token": true, "securitytoken": true, "access_token": true,
		"wssecret": true, "wstime": true, "txsecret": true, "txtime": true,
	}
	signedPrefixes = []string{"x-amz-", "x-oss-", "x-nos-", "x-goog-", "x-cos-", "q-"}
)

// fileRequest is the request of a page that holds a merged file: its URL without user, fragment and the parameters that
// sign it, so that it tells no credentials and stays the same when the file is signed anew. What is no URL ends before its
// first question mark.
func fileRequest(address string) string {
	head, _, _ := strings.Cut(address, "#")
	head, query, asks := strings.Cut(head, "?")
	if scheme, rest, ok := strings.Cut(head, "://"); ok {
		host, path, slash := strings.Cut(rest, "/")
		host = host[strings.LastIndexByte(host, '@')+1:]
		head = scheme + "://" + host
		if slash {
			head += "/" + path
		}
		for part := range strings.SplitSeq(query, "&") {
			if asks && part != "" && !isSigned(part) {
				head += map[bool]string{true: "&", false: "?"}[strings.Contains(head, "?")] + part
			}
		}
	}
	return strings.ToValidUTF8(head[:min(len(head), maxAddress)], "\uFFFD")
}

func isSigned(part string) bool {
	name, _, _ := strings.Cut(part, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	for _, p := range signedPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return signed[name]
}
