package yunxin

import (
	"context"
	"slices"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Bounds of the files that are fetched for one page. UIKit writes at most 100 messages into a file, some 100 KiB, and three
// levels; what is beyond these bounds is hostile or broken.
const (
	filesAtOnce  = 4
	maxFileDepth = 10     // levels of files: messages below depth 10 are left out
	maxFiles     = 512    // files that are asked for
	maxFilePages = 10_000 // pages of files, with those that are not asked for
)

// fileRef is a file that a message points to.
type fileRef struct {
	subject string // id of the outermost message
	address string
}

// fetched is what has been fetched for one page.
type fetched struct {
	seen  map[fileRef]bool // address as the page's request tells it
	asked int
	left  int  // bytes that the page may still take, see api.MaxPageBytes
	full  bool // a file did not fit: no more are asked for
}

// expand fetches the files of the merged forwards that a page shows, and the files that these name, level by level: once for
// each message and URL. What cannot be had stands as the host's answer or with the reason; only ctx's error, and one that
// says nothing of the file, is returned.
func (w *walk) expand(ctx context.Context, page *connectors.Page, refs []fileRef) error {
	f := fetched{seen: map[fileRef]bool{}, left: api.MaxPageBytes - page.Bytes()}
	level := f.fresh(refs)
	for depth := 1; len(level) > 0; depth++ {
		var nested []fileRef
		for part := range slices.Chunk(level, filesAtOnce) {
			responses, err := w.fetchAll(ctx, part, f.enough())
			if err != nil {
				return err
			}
			for i := range responses {
				r := &responses[i]
				f.take(ctx, r)
				page.Expansions = append(page.Expansions, *r)
				page.Calls += r.Calls
				if depth < maxFileDepth && r.Code == "0" && r.Error == "" {
					nested = append(nested, nestedIn(r)...)
				}
			}
		}
		level = f.fresh(nested)
	}
	return nil
}

// enough tells why no more files are asked for, "" where they are.
func (f *fetched) enough() string {
	switch {
	case f.asked >= maxFiles:
		return reasonTooMany
	case f.full:
		return connectors.CodeTooLarge
	}
	return ""
}

// take counts a response, and leaves its body out where the page has no room for it.
func (f *fetched) take(ctx context.Context, r *connectors.Response) {
	f.asked++
	switch {
	case len(r.Body) > f.left:
		api.Drop(ctx, r)
		r.Body, r.Error, f.full = nil, connectors.CodeTooLarge, true
	case r.Error == connectors.CodeTooLarge && f.left < api.MaxBody:
		f.full = true // the call was broken off because the page has no room for it
	}
	f.left -= len(r.Body)
}

// fresh gives the files that were not seen before, as far as pages may tell of them.
func (f *fetched) fresh(refs []fileRef) []fileRef {
	var fresh []fileRef
	for _, ref := range refs {
		told := fileRef{ref.subject, fileRequest(ref.address)}
		if !f.seen[told] && len(f.seen) < maxFilePages {
			f.seen[told] = true
			fresh = append(fresh, ref)
		}
	}
	return fresh
}

// fetchAll gets a few files at once and waits for all of them; none is asked for where enough says why.
func (w *walk) fetchAll(ctx context.Context, refs []fileRef, enough string) ([]connectors.Response, error) {
	responses, errs := make([]connectors.Response, len(refs)), make([]error, len(refs))
	var wait sync.WaitGroup
	for i, ref := range refs {
		r := connectors.Request{API: schemas.YunxinMergedFile, Method: "GET", Path: ref.address, Subject: ref.subject}
		if enough != "" {
			responses[i] = *notFetched(&r, enough)
			continue
		}
		wait.Go(func() {
			resp, err := w.file(ctx, r)
			if errs[i] = err; err == nil {
				responses[i] = *resp
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return responses, nil
}

// file fetches one file. Whatever came of it in the end is its page.
func (w *walk) file(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	resp, err := w.s.fetch(ctx, r)
	if err == nil {
		return resp, nil
	}
	e := connectors.ErrorOf(err)
	switch {
	case e == nil || e.Class != connectors.ClassItem:
		return nil, err
	case e.Response == nil:
		resp = notFetched(&r, e.Code)
	default:
		answer := *e.Response
		resp = &answer
	}
	resp.Calls = e.Calls
	return resp, nil
}

// notFetched is the response of a file that was not asked for.
func notFetched(r *connectors.Request, reason string) *connectors.Response {
	return &connectors.Response{
		Type: r.API, ContentType: "text/plain", Request: fileRequest(r.Path), Subject: r.Subject, Error: reason, Time: time.Now(),
	}
}
