package yunxin

import (
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// reasonUnaccounted is said of a message that was asked for alone and is in neither list of the answer.
const reasonUnaccounted = "unaccounted"

// answers reads what a batch page says of messages that it does not show. A code that may be another one later is an answer
// only on the last page: before that the message is asked for again.
func (r *reader) answers(out *connectors.Decoded, failed decode.JSON, shown []connectors.Reading) {
	seen := make(map[string]bool, len(shown)+failed.Len())
	for i := range shown {
		seen[shown[i].Message.MessageID] = true
	}
	for i := range min(failed.Len(), maxPageItems) {
		e := failed.At(i)
		id := string(r.digits(e.Get("message_server_id")))
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		code, _ := e.Get("error_code").Int()
		if r.page.Final || !classifyItem(code).passing() {
			r.answer(out, id, linkStatus(code), strconv.FormatInt(code, 10))
		}
	}
	if ids := r.asked(); len(ids) == 1 && !seen[ids[0]] {
		r.answer(out, ids[0], schemas.LinkMissing, reasonUnaccounted)
	}
}

// refused says of all messages that a page asked for why it shows none: it was given up, or refused with a code. A 414 on
// several is about one of them, and they are asked for again apart.
func (r *reader) refused(out *connectors.Decoded, code string) {
	status, reason := schemas.LinkMissing, r.page.Error
	ids := r.asked()
	if reason == "" {
		n, err := strconv.ParseInt(code, 10, 64)
		if err != nil || fine(code) || classifyItem(n).passing() && !r.page.Final || n == codeBadRequest && len(ids) > 1 {
			return
		}
		status, reason = linkStatus(n), code
	}
	for _, id := range ids {
		r.answer(out, id, status, reason)
	}
}

func (r *reader) answer(out *connectors.Decoded, id, status, reason string) {
	out.Answers = append(out.Answers, connectors.Answer{Page: r.no, MessageID: id, Status: status, Reason: reason})
}

// linkStatus says what a link to a message becomes for which the platform gives a code. Recalled and expired messages, and
// those that never were, all give the same one.
func linkStatus(code int64) string {
	switch code {
	case 107451, // anti-spam
		403, 997, // no permission
		422, 102422, // the asking account is blocked
		802, 804, 109404: // it is no member
		return schemas.LinkForbidden
	}
	return schemas.LinkMissing
}

// asked gives the ids that the page asked for, once each: its request ends in the body that was sent.
func (r *reader) asked() []string {
	at := strings.Index(r.page.Request, " {")
	if at < 0 {
		return nil
	}
	body, err := r.small.ParseString(r.page.Request[at+1:])
	if err != nil {
		return nil
	}
	messages := body.Get("messages")
	seen := make(map[string]bool, messages.Len())
	var ids []string
	for i := range messages.Len() {
		if id := string(r.digits(messages.At(i).Get("message_server_id"))); id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
