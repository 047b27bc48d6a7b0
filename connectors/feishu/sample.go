package feishu

import (
	"net/http"
	"net/url"
	"strconv"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Sampler gives requests for parts of chats and threads.
type Sampler struct{}

var _ connectors.Sampler = Sampler{}

// PageSize implements connectors.Sampler.
func (Sampler) PageSize() int { return pageSize }

// PageOf implements connectors.Sampler. Threads know no times.
func (Sampler) PageOf(c *schemas.Container, from, to schemas.Millis, newest bool) (connectors.Request, bool) {
	if c.Kind != schemas.KindChat && c.Kind != schemas.KindThread || !usableID(c.ID) {
		return connectors.Request{}, false
	}
	q := "container_id_type=" + c.Kind + "&container_id=" + url.QueryEscape(c.ID)
	if c.Kind == schemas.KindChat {
		if from > 0 {
			q += "&start_time=" + strconv.FormatInt(floorSeconds(from), 10)
		}
		if to > 0 {
			q += "&end_time=" + strconv.FormatInt(max(1, floorSeconds(from), -floorSeconds(-to)), 10)
		}
	}
	order := "ByCreateTimeAsc"
	if newest {
		order = "ByCreateTimeDesc"
	}
	q += "&sort_type=" + order + "&page_size=" + strconv.Itoa(pageSize) + "&" + contentQuery
	if c.Kind == schemas.KindChat {
		q += "&only_thread_root_messages=false"
	}
	return connectors.Request{API: schemas.FeishuMessagesList, Method: http.MethodGet, Path: messagesPath, Query: q}, true
}

// ExpansionOf implements connectors.Sampler.
func (Sampler) ExpansionOf(messageID string) (connectors.Request, bool) {
	return getMessage(messageID, contentQuery), usableID(messageID)
}
