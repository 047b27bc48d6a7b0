package yunxin

import (
	"chatlake/connectors"
	"chatlake/schemas"
)

// Kinds of notification, those of super teams being the same from superNotice on, but in another order at the end.
const (
	noticeInvite = iota
	noticeRemove
	noticeLeave
	noticeUpdate
	noticeDismiss
	noticeApproved
	noticeOwner
	noticeAdmin
	noticeNoAdmin
	noticeAccepted
	noticeMute

	superNotice = 401
)

// superNotices are the kinds of a super team's notifications, from superNotice on.
var superNotices = [...]int64{
	noticeInvite, noticeRemove, noticeLeave, noticeUpdate, noticeDismiss, noticeOwner, noticeAdmin, noticeNoAdmin, noticeMute, noticeApproved, noticeAccepted,
}

// notice says in words what happened to a team. The server API names its kind ope, older clients id, newer ones type; the
// accounts concerned are accids, ids or targetIds.
func (r *reader) notice(a connectors.JSON) {
	if a.Kind() != connectors.Object {
		r.Issue("text", schemas.IssueNulled, "attachment is not told")
		return
	}
	code := pick(a, "ope", "id", "type")
	r.attribute("notification", code)
	if inner := a.Get("data"); inner.Kind() == connectors.Object {
		a = inner
	}
	kind, ok := code.Int()
	if n := kind - superNotice; n >= 0 && n < int64(len(superNotices)) {
		kind = superNotices[n]
	}
	team := r.team(a)
	if !ok || kind < noticeInvite || kind > noticeMute {
		r.Issue("text", schemas.IssueUnknownType, "kind of notification is not known")
		return
	}
	by := r.M.Sender.ID
	if by == "" {
		by = "somebody"
	}
	r.Text.Add(by)
	r.happened(kind, a, team)
}

// happened adds what somebody did.
func (r *reader) happened(kind int64, a connectors.JSON, team string) {
	whom := pick(a, "targetIds", "accids", "ids")
	say := func(before, after string) {
		r.Text.Add(" " + before)
		r.accounts(whom)
		r.Text.Add(after)
	}
	switch kind {
	case noticeInvite:
		say("invited", " to the group")
	case noticeRemove:
		say("removed", " from the group")
	case noticeLeave:
		r.Text.Add(" left the group")
	case noticeUpdate:
		r.Text.Add(" changed the group")
	case noticeDismiss:
		r.Text.Add(" dismissed the group")
	case noticeApproved:
		say("let", " join the group")
	case noticeOwner:
		say("made", " the owner of the group")
	case noticeAdmin:
		say("made", " an administrator of the group")
	case noticeNoAdmin:
		say("took the administrator's rights from", "")
	case noticeAccepted:
		r.Text.Add(" accepted the invitation to the group")
	case noticeMute:
		if muted(pick(a, "chatBanned", "mute")) {
			say("muted", "")
		} else {
			say("unmuted", "")
		}
	}
	if team != "" {
		r.Text.Add(" " + team)
	}
}

// muted reports whether members were muted, as is most likely where it is not told.
func muted(v connectors.JSON) bool {
	if on, ok := v.Bool(); ok {
		return on
	}
	n, ok := v.Int()
	return !ok || n != 0
}

// team reads the team's name.
func (r *reader) team(a connectors.JSON) string {
	name := a.Get("tname")
	for _, key := range [...]string{"updatedTeamInfo", "team_info", "tinfo"} {
		if !name.Told() {
			name = pick(a.Get(key), "name", "tname", "3")
		}
	}
	s := r.Str(name, "attributes.team_name")
	if s != "" {
		r.M.Attributes.Set("team_name", s)
	}
	return s
}

// accounts adds a list of accounts, somebody where there is none.
func (r *reader) accounts(v connectors.JSON) {
	told := false
	for i := range v.Len() {
		s, ok := r.word(v.At(i))
		if !ok || s == "" {
			continue
		}
		if told {
			r.Text.Add(",")
		}
		r.Text.Add(" " + s)
		if told = true; r.Text.Full() {
			return
		}
	}
	if !told {
		r.Text.Add(" somebody")
	}
}
