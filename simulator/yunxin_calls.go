package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const maxYunxinPage = 100

// yunxinID is a conversation id of a call: owner|type|other.
type yunxinID struct {
	owner, other string
	kind         int
}

// parseYunxinID reads a conversation id; the server lower-cases accounts.
func parseYunxinID(id string) (yunxinID, bool) {
	parts := strings.Split(strings.ToLower(id), "|")
	if len(parts) != 3 || parts[0] == "" || parts[2] == "" || !slices.Contains([]string{"1", "2", "3"}, parts[1]) {
		return yunxinID{}, false
	}
	return yunxinID{owner: parts[0], kind: int(parts[1][0] - '0'), other: parts[2]}, true
}

// canonical is the one spelling of a conversation.
func (id yunxinID) canonical() string {
	switch id.kind {
	case YunxinTeam:
		return "team:" + id.other
	case YunxinSuper:
		return "super:" + id.other
	}
	return "p2p:" + min(id.owner, id.other) + ":" + max(id.owner, id.other)
}

// open finds a conversation, or says why it cannot be read; of two people who never spoke it is empty. w.mu is held.
func (w *YunxinWorld) open(c *call, members bool) (*talk, *answer) {
	id, ok := parseYunxinID(c.container)
	if !ok {
		return nil, wrongParameter("conversation_id")
	}
	t := w.byID[id.canonical()]
	_, err := strconv.ParseInt(id.other, 10, 64)
	switch {
	case id.kind != YunxinP2P && err != nil:
		return nil, wrongParameter("conversation_id: team id is no number")
	case !w.accounts[id.owner] || id.kind == YunxinP2P && !w.accounts[id.other]:
		return nil, refuseYunxin(codeNoAccount, "")
	case w.blocked[id.owner]:
		return nil, refuseYunxin(codeBlockedAccount, "")
	case t == nil && id.kind == YunxinP2P:
		return &talk{}, nil
	case t == nil && id.kind == YunxinTeam && w.byID["super:"+id.other] != nil:
		return nil, refuseYunxin(codeNoAdvancedTeam, "")
	case t == nil || t.dissolved:
		return nil, refuseYunxin(codeNoTeam, "")
	case id.kind == YunxinTeam && members && !t.members[id.owner]:
		return nil, refuseYunxin(codeNoMember, "")
	}
	return t, nil
}

// historyQuery is a checked request for messages of a conversation.
type historyQuery struct {
	id          string
	begin, end  int64 // ms
	newestFirst bool
	types       []string // "": all
	checkTeam   bool
	noSense     bool
	limit       int
}

// binding is what a page token must not be carried away from.
func (h historyQuery) binding() string {
	return fmt.Sprint(h.id, "|", h.begin, "|", h.end, "|", h.newestFirst, "|", h.types, "|", h.noSense)
}

func (y *Yunxin) parseHistory(q url.Values) (historyQuery, *answer) {
	h := historyQuery{limit: maxYunxinPage, checkTeam: true}
	for name, at := range map[string]*int64{"begin_time": &h.begin, "end_time": &h.end} {
		var err error
		if *at, err = strconv.ParseInt(q.Get(name), 10, 64); err != nil || *at < 0 {
			return h, wrongParameter(name)
		}
	}
	if h.begin >= h.end {
		return h, wrongParameter("begin_time, bad time")
	}
	if given := q.Get("limit"); given != "" {
		var err error
		if h.limit, err = strconv.Atoi(given); err != nil || h.limit < 1 || h.limit > maxYunxinPage {
			return h, wrongParameter("limit")
		}
	}
	oldest := false
	for name, is := range map[string]*bool{"descending": &oldest, "check_team_valid": &h.checkTeam, "include_no_sense_msg": &h.noSense} {
		switch q.Get(name) {
		case "":
		case "true", "false":
			*is = q.Get(name) == "true"
		default:
			return h, wrongParameter(name)
		}
	}
	h.newestFirst = oldest == y.config.DescendingIsNewestFirst
	if given := q.Get("message_type"); given != "" {
		h.types = strings.Split(given, ",")
		for _, one := range h.types {
			if _, err := strconv.Atoi(one); err != nil {
				return h, wrongParameter("message_type")
			}
		}
	}
	return h, nil
}

// shows tells whether a page of history shows a message.
func (y *Yunxin) shows(h historyQuery, m *YunxinMessage) bool {
	after := m.CreatedAt > h.begin || m.CreatedAt == h.begin && !y.config.BeginExclusive
	before := m.CreatedAt < h.end || m.CreatedAt == h.end && !y.config.EndExclusive
	state := m.State == YunxinShown || m.State == YunxinNoSense && h.noSense
	return after && before && state && (h.types == nil || slices.Contains(h.types, strconv.Itoa(m.Type)))
}

// history serves GET /im/v2.1/conversations/{conversation_id}/messages and its twin of v2.
func (y *Yunxin) history(c *call, q url.Values, v yunxinView) *answer {
	h, refused := y.parseHistory(q)
	if refused != nil {
		return refused
	}
	w := y.world
	w.mu.RLock()
	defer w.mu.RUnlock()
	t, refused := w.open(c, h.checkTeam)
	if refused != nil {
		return refused
	}
	h.id = t.ID
	place, ok := y.openPlace(c, h.binding())
	if !ok {
		return wrongParameter("page_token")
	}
	c.place = place
	p := y.cut(h, t, place, c.pageToken != "", v)
	p.spoil(c)
	y.keepPlace(p.token)
	a := yunxinAnswer(http.StatusOK, codeOK, "", struct {
		HasMore   bool              `json:"has_more"`
		NextToken string            `json:"next_token"`
		Items     []json.RawMessage `json:"items"`
	}{p.hasMore, p.token, p.items})
	a.show(p.served, shownInHistory)
	c.broken = p.broken
	return a
}

// cut takes one page out of a conversation. Places count from its beginning in both directions, so that messages that
// arrive meanwhile shift nothing.
func (y *Yunxin) cut(h historyQuery, t *talk, from pageToken, given bool, v yunxinView) *page {
	p := &page{query: h.binding(), items: []json.RawMessage{}, breaks: brokenMessage}
	i, step := int(from.index), 1
	if h.newestFirst {
		step = -1
		if !given {
			i = len(t.order)
		}
		i--
	}
	for ; i >= 0 && i < len(t.order); i += step {
		m := t.order[i]
		if !y.shows(h, m) {
			continue
		}
		if len(p.items) == h.limit {
			p.hasMore = true
			break
		}
		p.items = append(p.items, y.world.item(t, m, v))
		p.served = append(p.served, m.ID)
	}
	if h.newestFirst {
		i++
	}
	p.place = pageToken{epoch: from.epoch, index: uint32(max(0, i))}
	if p.hasMore {
		p.token = p.place.seal(p.query)
	}
	if y.config.Jumbled {
		jumble(y.world.seed.with("jumble", i), p)
	}
	return p
}

// jumble puts the items of a page in no order.
func jumble(c chance, p *page) {
	for i := len(p.items) - 1; i > 0; i-- {
		j := c.with("swap", i).below(i + 1)
		p.items[i], p.items[j] = p.items[j], p.items[i]
		p.served[i], p.served[j] = p.served[j], p.served[i]
	}
}

// askedMessage is one element of a batch's body. Both numbers are required, and neither may be a string.
type askedMessage struct {
	ID json.RawMessage `json:"message_server_id"`
	At json.RawMessage `json:"create_time"`
}

var wholeNumber = regexp.MustCompile(`^[0-9]{1,19}$`)

// asked reads the body of a batch: what it asks for, or which field is at fault.
func asked(body []byte) ([]askedMessage, string) {
	var want struct {
		Messages []askedMessage `json:"messages"`
	}
	if len(body) == maxRequestBody || json.Unmarshal(body, &want) != nil || len(want.Messages) == 0 {
		return nil, "messages"
	}
	for _, m := range want.Messages {
		if _, err := strconv.ParseInt(string(m.ID), 10, 64); err != nil || !wholeNumber.Match(m.ID) {
			return want.Messages, "messages.message_server_id"
		}
		if !wholeNumber.Match(m.At) {
			return want.Messages, "messages.create_time"
		}
	}
	return want.Messages, ""
}

// askedIDs are the ids of a batch's body, for faults to choose by.
func askedIDs(body []byte) []string {
	var ids []string
	messages, _ := asked(body)
	for _, m := range messages {
		ids = append(ids, string(m.ID))
	}
	return ids
}
