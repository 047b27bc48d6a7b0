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

// contrast makes a call, for a batch as api.Contrast against one that asks for a message that does not exist.
func (w *walk) contrast(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	if r.API != schemas.YunxinMessagesBatch {
		return w.s.call(ctx, r)
	}
	return api.Contrast(ctx, w.s.call, r, func() (connectors.Request, bool) { return w.batch([]byte(noMessage)), true })
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
		api.Drop(ctx, answer)
		return true, e.Calls + answer.Calls
	}
	o := connectors.ErrorOf(err)
	if o == nil || !o.Answers() {
		return false, 0
	}
	api.Drop(ctx, o.Response)
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
	o := connectors.ErrorOf(failed)
	calls := e.Calls
	switch {
	case failed == nil:
		calls += answer.Calls
		api.Drop(ctx, answer)
	case o == nil:
		return nil, failed
	default:
		calls += o.Calls
		api.Drop(ctx, o.Response)
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
	api.Drop(ctx, e.Response)
	resp, err := w.s.call(ctx, r)
	again := connectors.ErrorOf(err)
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
