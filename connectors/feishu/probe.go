package feishu

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Probe makes one call about a container, for at most one message, and gives what refuses it: a *connectors.Error, or ctx's.
// An answer that ends the container well is none: a thread whose root is gone, a single message that is not available.
func Probe(ctx context.Context, call connectors.Call, c *schemas.Container) error {
	r := getMessage(c.ID, plainQuery)
	if c.Kind != schemas.KindMessage {
		r = connectors.Request{
			API: schemas.FeishuMessagesList, Method: http.MethodGet, Path: messagesPath,
			Query: "container_id_type=" + c.Kind + "&container_id=" + url.QueryEscape(c.ID) + "&sort_type=ByCreateTimeAsc&page_size=1",
		}
	}
	_, err := call(ctx, r)
	e := connectors.ErrorOf(err)
	switch {
	case e == nil:
		return err
	case c.Kind == schemas.KindThread && slices.Contains(goneThreads, e.Code):
		return nil
	case c.Kind == schemas.KindMessage && e.Class == connectors.ClassItem:
		return nil
	}
	return e
}

// NoGroupMessages reports whether a chat is refused as all chats are where the app lacks im:message.group_msg, and as one is
// that belongs to another tenant (230027).
func NoGroupMessages(e *connectors.Error) bool { return e.Code == "230027" }
