package yunxin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Taken asks about a conversation that nobody has, and gives nil where the platform took the call for the app's, whatever it
// answered. A *connectors.Error is of ClassFatal where it refuses the app or its signature; or it is ctx's error. apiVersion
// is DefaultAPIVersion if "".
func Taken(ctx context.Context, call connectors.Call, apiVersion string) error {
	_, err := call(ctx, connectors.Request{
		API: schemas.YunxinMessagesList, Method: http.MethodGet, Path: pathOf(apiVersion, stranger) + "/messages", Query: "begin_time=0&end_time=1&limit=1",
	})
	return taken(err)
}

// BatchTaken is Taken for the API that gives messages by their ids.
func BatchTaken(ctx context.Context, call connectors.Call, apiVersion string) error {
	_, err := call(ctx, connectors.Request{
		API: schemas.YunxinMessagesBatch, Method: http.MethodPost, Path: pathOf(apiVersion, stranger) + "/batch_messages", Body: []byte(noMessage),
	})
	return taken(err)
}

func taken(err error) error {
	e := connectors.ErrorOf(err)
	switch {
	case e == nil:
		return err
	case e.Answers():
		return nil
	case doubted(e):
		refused := *e
		refused.Class, refused.Message = connectors.ClassFatal, remedySignature
		return &refused
	}
	return e
}

// Probe makes one call about a container, for at most one message, and gives what refuses it: a *connectors.Error, or ctx's.
// A message that is not available is no refusal.
func Probe(ctx context.Context, call connectors.Call, apiVersion string, c *schemas.Container) error {
	id, err := spelling(c)
	if err != nil {
		return &connectors.Error{Class: connectors.ClassContainer, API: schemas.PageType(schemas.Yunxin, c.Kind), Code: reasonID, Message: err.Error()}
	}
	r := connectors.Request{
		API: schemas.YunxinMessagesList, Method: http.MethodGet, Path: pathOf(apiVersion, id) + "/messages", Query: "begin_time=0&end_time=1&limit=1",
	}
	if c.Kind == schemas.KindMessages {
		r = connectors.Request{API: schemas.YunxinMessagesBatch, Method: http.MethodPost, Path: pathOf(apiVersion, id) + "/batch_messages", Body: []byte(oneOf(c.Refs))}
	}
	_, err = call(ctx, r)
	e := connectors.ErrorOf(err)
	switch {
	case e == nil:
		return err
	case c.Kind == schemas.KindMessages && e.Class == connectors.ClassItem:
		return nil
	}
	return e
}

// oneOf is the body that asks for the first of some messages.
func oneOf(refs []schemas.MessageRef) string {
	for _, r := range refs {
		if isID(r.MessageID) && r.CreatedAt != nil {
			return `{"messages":[{"message_server_id":` + r.MessageID + `,"create_time":` + strconv.FormatInt(int64(*r.CreatedAt), 10) + `}]}`
		}
	}
	return noMessage
}

func pathOf(apiVersion, id string) string {
	if apiVersion == "" {
		apiVersion = DefaultAPIVersion
	}
	return "/im/" + apiVersion + "/conversations/" + url.PathEscape(id)
}
