package yunxin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// noMessage is a batch that asks for a message that does not exist: a message that is shown must be in a page, and no page is
// made of this.
const noMessage = `{"messages":[{"message_server_id":1,"create_time":1}]}`

// batch is a request for messages of the conversation.
func (w *walk) batch(body []byte) connectors.Request {
	return connectors.Request{API: schemas.YunxinMessagesBatch, Method: http.MethodPost, Path: w.path + "/batch_messages", Body: body}
}

// contrast makes a call. Where an internal error of a batch does not say whether it is about the messages that were asked
// for or about the platform, it asks for a message that does not exist, and then once more for those: if only they fail,
// api.Retry makes the error ClassSticky. It does so too while the API is out: a few batches that always fail look like
// an outage, and only one that does not fail ends it.
func (w *walk) contrast(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	resp, err := w.s.call(ctx, r)
	e := errorOf(err)
	if e == nil || !e.Sticky && !e.Out || r.API != schemas.YunxinMessagesBatch {
		return resp, err
	}
	calls := e.Calls
	other := w.batch([]byte(noMessage))
	answer, failed := w.s.call(api.WithProbe(ctx, api.ScopeOf(&other)), other)
	switch o := errorOf(failed); {
	case failed == nil:
		calls += answer.Calls
	case o == nil || o.Class == connectors.ClassFatal:
		return nil, failed
	case !o.Answers():
		both := *e
		both.Sticky, both.Calls = false, calls+o.Calls
		both.Message += ", and about others too"
		return nil, &both
	default:
		calls += o.Calls
		answer = o.Response
	}
	drop(ctx, answer)
	drop(ctx, e.Response)
	if resp, err = w.s.call(ctx, r); err == nil {
		resp.Calls += calls
		return resp, nil
	}
	if e = errorOf(err); e != nil {
		counted := *e
		counted.Calls += calls
		err = &counted
	}
	return nil, err
}

// others reports whether batches are answered though one was not, for a reason that may lie in one of its messages: then the
// others may come in smaller batches, and only the one has to wait. It gives the calls of both.
func (w *walk) others(ctx context.Context, e *connectors.Error) (answered bool, calls int) {
	if e == nil || e.Class != connectors.ClassUnavailable || e.Out || e.Sticky {
		return false, 0
	}
	switch e.Code {
	case connectors.CodeTimeout, connectors.CodeReset, connectors.CodeUnreadable:
	default:
		if !strings.HasPrefix(e.Code, "http_5") {
			return false, 0
		}
	}
	answer, err := w.s.call(ctx, w.batch([]byte(noMessage)))
	if err == nil {
		drop(ctx, answer)
		return true, e.Calls + answer.Calls
	}
	o := errorOf(err)
	if o == nil || !o.Answers() {
		return false, 0
	}
	drop(ctx, o.Response)
	return true, e.Calls + o.Calls
}

// stranger is a conversation that nobody has. What it is answered with is never about a conversation of the app's.
const stranger = "chatlake-asks-for-nobody|1|chatlake-asks-for-nobody"

// doubted reports whether an error is one of the two codes that are about the request or about the signature, and the call
// could not tell which: see acceptance.
func doubted(e *connectors.Error) bool {
	if e.Class != connectors.ClassUnavailable && e.Class != connectors.ClassFatal {
		return false
	}
	return e.Code == strconv.Itoa(codeForbidden) || e.Code == strconv.Itoa(codeBadRequest)
}

// accepted settles such a doubt: it asks about a stranger. Where that is refused alike, the platform refuses the app; where it
// is not, the signature is good, and the refusal is about the request.
func (w *walk) accepted(ctx context.Context, r connectors.Request, e *connectors.Error) (*connectors.Response, error) {
	answer, failed := w.s.call(ctx, connectors.Request{
		API: schemas.YunxinMessagesList, Method: http.MethodGet, Path: w.s.path + url.PathEscape(stranger) + "/messages", Query: "begin_time=0&end_time=1&limit=1",
	})
	o := errorOf(failed)
	calls := e.Calls
	switch {
	case failed == nil:
		calls += answer.Calls
		drop(ctx, answer)
	case o == nil:
		return nil, failed
	default:
		calls += o.Calls
		drop(ctx, o.Response)
	}
	refused := *e
	switch {
	case o != nil && doubted(o):
		refused.Class, refused.Calls = connectors.ClassFatal, calls
		return nil, &refused
	case o != nil && !o.Answers(): // nothing was learnt
		refused.Class, refused.Calls = connectors.ClassUnavailable, calls
		return nil, &refused
	}
	drop(ctx, e.Response)
	resp, err := w.s.call(ctx, r)
	again := errorOf(err)
	switch {
	case err == nil:
		resp.Calls += calls
		return resp, nil
	case again == nil:
		return nil, err
	}
	refused = *again
	refused.Calls += calls
	if doubted(again) {
		v := verdict{class: connectors.ClassContainer, means: "the app may not read this conversation"}
		if refused.Code == strconv.Itoa(codeBadRequest) {
			v = badRequest(&r, "")
		}
		refused.Class, refused.Message = v.class, v.means
	}
	return nil, &refused
}

// drop gives back the room of a body that no page keeps.
func drop(ctx context.Context, resp *connectors.Response) {
	if resp != nil {
		api.AllowanceOf(ctx).Give(len(resp.Body))
	}
}
