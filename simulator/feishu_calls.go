package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// listQuery is a checked request for messages of a container.
type listQuery struct {
	kind, id   string // chat or thread
	start, end int64  // seconds, end 0: open
	descending bool
	rootsOnly  bool
	size       int
	view       view
}

// binding is what a page token must not be carried away from.
func (l listQuery) binding() string {
	return fmt.Sprint(l.kind, "|", l.id, "|", l.start, "|", l.end, "|", l.descending, "|", l.rootsOnly)
}

// pageSize reads page_size, 20 where absent; nil, or what the gateway says.
func pageSize(q url.Values, most int) (int, *answer) {
	given := q.Get("page_size")
	if given == "" {
		return 20, nil
	}
	size, err := strconv.Atoi(given)
	switch {
	case err != nil:
		return 0, refuseField("page_size", given, "page_size is not an integer")
	case size < 1 || size > most:
		return 0, refuseField("page_size", given, fmt.Sprintf("the value must be between 1 and %d", most))
	}
	return size, nil
}

func parseListQuery(q url.Values) (listQuery, *answer) {
	l := listQuery{kind: q.Get("container_id_type"), id: q.Get("container_id"), rootsOnly: q.Get("only_thread_root_messages") == "true",
		view: view{names: q.Get("with_sender_name") == "true", cards: q.Get("card_msg_content_type") == "user_card_content"}}
	for _, field := range []string{"container_id_type", "container_id"} {
		if q.Get(field) == "" {
			return l, refuseField(field, "", field+" is required")
		}
	}
	if l.kind != "chat" && l.kind != "thread" {
		return l, refuseParameter("invalid container_id_type")
	}
	switch q.Get("sort_type") {
	case "", "ByCreateTimeAsc":
	case "ByCreateTimeDesc":
		l.descending = true
	default:
		return l, refuseField("sort_type", q.Get("sort_type"), "sort_type is optional, optional values: [ByCreateTimeAsc,ByCreateTimeDesc]")
	}
	var refused *answer
	if l.size, refused = pageSize(q, 50); refused != nil {
		return l, refused
	}
	for field, at := range map[string]*int64{"start_time": &l.start, "end_time": &l.end} {
		given := q.Get(field)
		if given == "" {
			continue
		}
		var err error
		if *at, err = strconv.ParseInt(given, 10, 64); err != nil || *at < 0 {
			return l, refuseParameter("invalid " + field)
		}
	}
	switch {
	case l.kind == "thread" && (l.start != 0 || l.end != 0):
		return l, refuseParameter("thread container does not support start_time and end_time")
	case l.end != 0 && l.start > l.end:
		return l, refuseParameter("start_time is after end_time")
	}
	return l, nil
}

// order finds the messages of a container, or why they are not to be had. w.mu is held.
func (w *World) order(l listQuery) ([]*Message, *answer) {
	if l.kind == "thread" {
		t := w.threads[l.id]
		switch {
		case !strings.HasPrefix(l.id, "omt_"):
			return nil, refuseParameter("invalid container_id")
		case t == nil:
			return nil, refuse(codeNoThread, "")
		case t.code() != 0:
			return nil, refuse(t.code(), "")
		}
		return t.order, nil
	}
	room := w.rooms[l.id]
	switch {
	case room == nil:
		return nil, refuseParameter("invalid container_id")
	case room.foreign:
		return nil, refuse(codeNotInChat, "")
	}
	return room.order, nil
}

// shows tells whether a list shows a message. Both ends of a time window are within it.
func (l listQuery) shows(m *Message) bool {
	second := m.CreatedAt / 1000
	return m.State != Deleted && second >= l.start && (l.end == 0 || second <= l.end) &&
		!(l.rootsOnly && m.ThreadID != "" && !m.ThreadRoot)
}

// list serves GET /open-apis/im/v1/messages, see https://open.feishu.cn/document/server-docs/im-v1/message/list
func (f *Feishu) list(c *call, r *http.Request) *answer {
	l, refused := parseListQuery(r.URL.Query())
	if refused != nil {
		return refused
	}
	w := f.world
	w.mu.RLock()
	defer w.mu.RUnlock()
	order, refused := w.order(l)
	if refused != nil {
		return refused
	}
	place, ok := f.openPlace(c, l.binding())
	if !ok {
		return refuseParameter("invalid page_token")
	}
	c.place = place
	p := w.cut(l, order, place, c.pageToken != "")
	p.spoil(c)
	f.keepPlace(p.token)
	a := answerJSON(http.StatusOK, 0, envelope{Msg: "success", Data: struct {
		HasMore   bool              `json:"has_more"`
		PageToken string            `json:"page_token,omitempty"`
		Items     []json.RawMessage `json:"items"`
	}{p.hasMore, p.token, p.items}})
	how := uint8(shownInChat)
	if l.kind == "thread" {
		how = shownInThread
	}
	a.show(p.served, how)
	c.broken = p.broken
	return a
}

// cut takes one page out of an order. Places count from its beginning in both directions, so that messages that arrive
// meanwhile shift nothing.
func (w *World) cut(l listQuery, order []*Message, from pageToken, given bool) *page {
	p := &page{query: l.binding(), items: []json.RawMessage{}, breaks: brokenItem}
	i, step := int(from.index), 1
	if l.descending {
		step = -1
		if !given {
			i = len(order)
		}
		i--
	}
	for ; i >= 0 && i < len(order); i += step {
		m := order[i]
		if !l.shows(m) {
			continue
		}
		if len(p.items) == l.size {
			p.hasMore = true
			break
		}
		p.items = append(p.items, w.item(m, "", l.view))
		p.served = append(p.served, m.ID)
	}
	next := i
	if l.descending {
		next = i + 1
	}
	p.place = pageToken{epoch: from.epoch, index: uint32(max(0, next))}
	if p.hasMore {
		p.token = p.place.seal(p.query)
	}
	return p
}

// get serves GET /open-apis/im/v1/messages/:message_id, see
// https://open.feishu.cn/document/server-docs/im-v1/message/get. A merged forward comes with all that is in it, flat.
func (f *Feishu) get(c *call, r *http.Request) *answer {
	q := r.URL.Query()
	v := view{single: true, names: q.Get("with_sender_name") == "true", cards: q.Get("card_msg_content_type") == "user_card_content",
		idType: q.Get("user_id_type")}
	switch v.idType {
	case "", "open_id", "union_id", "user_id":
	default:
		return refuseField("user_id_type", v.idType, "user_id_type is optional, optional values: [open_id,union_id,user_id]")
	}
	w := f.world
	w.mu.RLock()
	defer w.mu.RUnlock()
	outer, inner := w.nested[c.container], ""
	m := w.byID[c.container]
	if outer != "" {
		m, inner = w.byID[outer], c.container
	}
	switch {
	case m == nil:
		return refuse(codeNoSuchID, "")
	case w.rooms[m.ChatID].foreign:
		return refuse(codeNotInChat, "")
	case m.invisible:
		return refuse(codeInvisible, "")
	case m.State == Deleted:
		return refuse(codeDeleted, "")
	}
	p := w.expand(m, inner, v)
	p.spoil(c)
	a := answerJSON(http.StatusOK, 0, envelope{Msg: "success", Data: struct {
		Items []json.RawMessage `json:"items"`
	}{p.items}})
	if len(p.served) > 0 {
		a.show(p.served[:1], shownByID)
		a.show(p.served[1:], shownAsChild)
	}
	c.broken = p.broken
	return a
}

// expand renders a message and what it forwards; with inner only that nested container and what is in it.
func (w *World) expand(m *Message, inner string, v view) *page {
	p := &page{breaks: brokenItem}
	add := func(m *Message, upper string) {
		p.items = append(p.items, w.item(m, upper, v))
		p.served = append(p.served, m.ID)
	}
	within := map[string]bool{inner: true}
	if inner == "" {
		add(m, "")
	}
	if m.State != Normal {
		return p
	}
	for i := range m.Children {
		child := &m.Children[i]
		switch {
		case inner == "" && !child.Withheld, child.ID == inner:
			add(&child.Message, child.UpperID)
		case inner != "" && within[child.Under]:
			within[child.ID] = true
			add(&child.Message, child.UpperID)
		}
	}
	return p
}
