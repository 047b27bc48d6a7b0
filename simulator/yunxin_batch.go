package simulator

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
)

// lists is the answer of batch_messages while faults may still change it. Either list may be missing.
type lists struct {
	page // of what was found
	lost []failedItem
	null bool
}

type failedItem struct {
	MessageServerID json.RawMessage `json:"message_server_id"`
	CreateTime      int64           `json:"create_time"`
	ErrorCode       int             `json:"error_code"`
	ErrorMsg        string          `json:"error_msg"`
}

// batch serves POST /im/v2/conversations/{conversation_id}/batch_messages, and v2.1. What it finds it shows in the order of
// creation, which nobody promises.
func (y *Yunxin) batch(c *call, r *http.Request, v yunxinView) *answer {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return wrongParameter("Content-Type")
	}
	want, fault := asked(c.body)
	if fault != "" {
		return wrongParameter(fault)
	}
	if len(want) > y.config.MaxBatch {
		return wrongParameter(fmt.Sprintf("messages: size %d exceeds %d", len(want), y.config.MaxBatch))
	}
	w := y.world
	w.mu.RLock()
	defer w.mu.RUnlock()
	t, refused := w.open(c, y.config.MembersOnly)
	if refused != nil {
		return refused
	}
	l := y.look(t, want, v)
	l.fail(c, t)
	l.spoil(c)
	a := yunxinAnswer(http.StatusOK, codeOK, "", l.payload())
	a.show(l.served, shownInBatch)
	c.broken = l.broken
	return a
}

// look finds what is asked for, each message once.
func (y *Yunxin) look(t *talk, want []askedMessage, v yunxinView) *lists {
	l := &lists{page: page{breaks: brokenMessage}}
	var found []*YunxinMessage
	done := map[string]bool{}
	for _, one := range want {
		id := string(one.ID)
		at, err := strconv.ParseInt(string(one.At), 10, 64)
		if done[id] {
			continue
		}
		done[id] = true
		code := t.answer(id, at)
		if err == nil && code == codeOK {
			found = append(found, t.byServer[id])
			continue
		}
		l.refuse(t, id, at, code)
	}
	sortTalk(found)
	for _, m := range found {
		l.items = append(l.items, y.world.item(t, m, v))
		l.served = append(l.served, m.ID)
	}
	if y.config.Jumbled {
		jumble(y.world.seed.with("jumble", len(want)), &l.page)
	}
	return l
}

// refuse puts an id into failed_list; ids of some conversations are strings there as elsewhere.
func (l *lists) refuse(t *talk, id string, at int64, code int) {
	form := 0
	if t.index%5 == 4 {
		form = 1
	}
	l.lost = append(l.lost, failedItem{wireID(id, form), at, code, yunxinMessage(code)})
}

// fail lets the faults of batch_messages act.
func (l *lists) fail(c *call, t *talk) {
	for _, r := range c.faults {
		at := min(r.Item, len(l.items)-1)
		if r.Message != "" {
			at = slices.Index(l.served, r.Message)
		}
		switch {
		case r.Action == FailItems:
			l.failItems(r, t)
		case r.Action == DropItem && at >= 0:
			l.remove(at)
		case r.Action == RepeatItem && at >= 0:
			l.items, l.served = append(l.items, l.items[at]), append(l.served, l.served[at])
		case r.Action == StrangeItem && len(t.order) > 0:
			l.items = append(l.items, json.RawMessage(contentJSON(yunxinItem{MessageServerID: json.RawMessage("4711"), ConversationType: t.Type,
				SenderID: t.Owner, CreateTime: t.order[0].CreatedAt, Text: "nobody asked for this", TeamID: t.TeamID, ReceiverID: t.Other})))
			l.served = append(l.served, "")
		case r.Action == NoLists, r.Action == NullLists:
			l.items, l.served, l.lost, l.null = nil, nil, nil, r.Action == NullLists
		}
	}
}

func (l *lists) failItems(r *rule, t *talk) {
	code := r.Code
	if code == 0 {
		code = codeNoMessage
	}
	for i := len(l.served) - 1; i >= 0; i-- {
		if id := l.served[i]; r.Message == "" || id == r.Message {
			l.remove(i)
			l.refuse(t, id, t.byServer[id].CreatedAt, code)
		}
	}
}

func (l *lists) remove(i int) {
	l.items, l.served = slices.Delete(l.items, i, i+1), slices.Delete(l.served, i, i+1)
}

// payload leaves an empty list out.
func (l *lists) payload() any {
	if l.null {
		return map[string]any{"success_list": nil, "failed_list": nil}
	}
	out := map[string]any{}
	if len(l.items) > 0 {
		out["success_list"] = l.items
	}
	if len(l.lost) > 0 {
		out["failed_list"] = l.lost
	}
	return out
}
