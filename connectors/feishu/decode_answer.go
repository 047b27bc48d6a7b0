package feishu

import (
	"slices"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Reasons of look-ups that bring no message though the platform says that all is well.
const reasonAbsent = "absent" // the answer shows other messages, or none

// codeDeleted says that a message was deleted.
const codeDeleted = "230110"

// forbidden are codes of an answer about one message that is not shown to the bot: the message itself is hidden, or its
// chat is out of reach. All other codes say, or leave no better word than, that it is not to be found, a recalled one
// without its shell (230011) among them; the code then stands as the reason.
var forbidden = []string{
	"230002", "230013", "230027", "230050", "230073", "230111", "231018", "231203", "234040",
	"232010", "232011", "232033", "231008", "231021", "232060", "230036",
}

// settle notes what follows from an answer about one message beside what it shows. refused is why it shows nothing, as
// decode gives it.
func (d *reader) settle(page *schemas.Page, refused string, out *connectors.Decoded) {
	if page.Expansion() {
		if refused != "" && page.Type == schemas.FeishuMessagesGet {
			d.hold(page, refused)
		}
		return
	}
	id, ok := lookedUp(page)
	if !ok || slices.ContainsFunc(out.Readings, func(r connectors.Reading) bool { return r.Page == d.no && r.Message.MessageID == id }) {
		return
	}
	a := connectors.Answer{Page: d.no, MessageID: id, Status: schemas.LinkMissing, Reason: refused}
	switch {
	case refused == codeDeleted:
		a.Status, a.Reason = schemas.LinkDeleted, ""
	case slices.Contains(forbidden, refused):
		a.Status = schemas.LinkForbidden
	case refused == "" && slices.ContainsFunc(out.Failed, func(f connectors.Failed) bool { return f.Page == d.no }):
		a.Reason = classUnreadable
	case refused == "":
		a.Reason = reasonAbsent
	}
	out.Answers = append(out.Answers, a)
}

// lookedUp gives the message that a `message` container is about, by the page's subject or by the key, which ends in
// <conversation id>!<message id>.
func lookedUp(page *schemas.Page) (id string, ok bool) {
	container, ok := strings.CutPrefix(string(page.Container), schemas.Feishu+"/")
	_, container, _ = strings.Cut(container, "/")
	kind, about, hasID := strings.Cut(container, "/")
	if !ok || !hasID || kind != schemas.KindMessage {
		return "", false
	}
	id = page.Subject
	if id == "" {
		_, part, _ := strings.Cut(about, "!")
		id = schemas.Unpart(part)
	}
	id, _ = decode.Valid(id)
	return id, id != ""
}
