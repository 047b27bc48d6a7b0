package api

import (
	"context"
	"time"

	"chatlake/connectors"
)

// GivenUpSticky is why a call was given up that the platform answers with its internal error each time.
const GivenUpSticky = "internal_error"

// givenUpUnknown is why one was given up that is answered with a code that nobody has described.
const givenUpUnknown = "unknown_code"

// AnswerIn is the response in e, or one without a body where none came.
func AnswerIn(r *connectors.Request, e *connectors.Error) *connectors.Response {
	resp := connectors.Response{Type: r.API, Request: r.Line(), Subject: r.Subject, Error: e.Code, Time: time.Now()}
	if e.Response != nil {
		resp = *e.Response
	}
	resp.Calls = e.Calls
	return &resp
}

// Settled is the response of a call whose error is definitive or was given up, nil where the call may be made again later.
func Settled(r *connectors.Request, e *connectors.Error) *connectors.Response {
	resp := AnswerIn(r, e)
	switch e.Class {
	case connectors.ClassItem, connectors.ClassContainer:
	case connectors.ClassSticky:
		resp.Error = GivenUpSticky
	case connectors.ClassUnknown:
		resp.Error = givenUpUnknown
	default:
		return nil
	}
	return resp
}

// WithCalls counts calls that were made before err's.
func WithCalls(err error, calls int) error {
	e := connectors.ErrorOf(err)
	if e == nil {
		return err
	}
	counted := *e
	counted.Calls += calls
	return &counted
}

// Drop returns what the body of a response that no page keeps took of the context's allowance. resp may be nil.
func Drop(ctx context.Context, resp *connectors.Response) {
	if resp != nil {
		AllowanceOf(ctx).Give(len(resp.Body))
	}
}

// Contrast makes a call. Where an internal error does not say whether it is about what r asks for or about the platform, it
// makes the call that other gives, about something else, and then once more r: if only r fails, Retry makes the error
// ClassSticky. It does so too while the API is out: a few messages that always fail look like an outage, and only one that
// does not fail ends it. other reports false where nothing else is known to ask for.
func Contrast(ctx context.Context, call connectors.Call, r connectors.Request, other func() (connectors.Request, bool)) (*connectors.Response, error) {
	resp, err := call(ctx, r)
	e := connectors.ErrorOf(err)
	if e == nil || !e.Sticky && !e.Out {
		return resp, err
	}
	control, known := other()
	if !known {
		return nil, err
	}
	calls := e.Calls
	answer, failed := call(WithProbe(ctx, ScopeOf(&control)), control)
	switch o := connectors.ErrorOf(failed); {
	case failed == nil:
		calls += answer.Calls
	case o == nil:
		return nil, failed // ctx's
	case !o.Answers():
		both := *e
		both.Sticky, both.Calls = false, calls+o.Calls
		both.Message += ", and about others too"
		if o.Class == connectors.ClassFatal { // it is about the app
			both = *o
			both.Calls += calls
		}
		return nil, &both
	default:
		calls += o.Calls
		answer = o.Response
	}
	Drop(ctx, answer)
	Drop(ctx, e.Response)
	if resp, err = call(ctx, r); err != nil {
		return nil, WithCalls(err, calls)
	}
	resp.Calls += calls
	return resp, nil
}
