package yunxin

import (
	"strconv"

	"chatlake/connectors/decode"
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

// Kinds of notification that are about calls, and those of chat rooms, which no conversation has.
const (
	noticeMissed   = 101
	noticeBill     = 102
	noticeRejected = 103
)

// noticeNames are the kinds of notification as older web clients spell them.
var noticeNames = map[string]int64{
	"addTeamMembers": noticeInvite, "removeTeamMembers": noticeRemove, "leaveTeam": noticeLeave, "updateTeam": noticeUpdate,
	"dismissTeam": noticeDismiss, "passTeamApply": noticeApproved, "transferTeam": noticeOwner, "addTeamManagers": noticeAdmin,
	"removeTeamManagers": noticeNoAdmin, "acceptTeamInvite": noticeAccepted, "updateTeamMute": noticeMute,
	"netcallMiss": noticeMissed, "netcallBill": noticeBill, "netcallRejected": noticeRejected,
}

// notice says in words what happened to a team. The server API names its kind ope, older clients id, newer ones type; the
// accounts concerned are accids, ids or targetIds, or one account alone. Team properties are named, or numbered as the
// vendor's TeamFieldEnum does.
func (r *reader) notice(a decode.JSON) {
	if a.Kind() != decode.Object {
		r.Issue("text", schemas.IssueNulled, "attachment is not told")
		return
	}
	code := r.pick(a, "ope", "id", "type")
	r.attribute("notification", code)
	nested := false
	if inner := r.openObject(a.Get("data")); inner.Told() {
		a, nested = inner, true
	}
	kind, ok := r.Number(code, "attributes.notification")
	if !ok {
		kind, ok = noticeNames[code.Word()]
	}
	if n := kind - superNotice; n >= 0 && n < int64(len(superNotices)) {
		kind = superNotices[n]
	}
	r.attribute("notification_extension", r.pick(a, "serverExtension", "attach", "custom"))
	switch {
	case ok && kind >= noticeMissed && kind <= noticeRejected:
		r.callNotice(kind, a)
	case !ok || kind < noticeInvite || kind > noticeMute:
		r.team(a)
		r.Issue("text", schemas.IssueUnknownType, "kind of notification is not known")
	default:
		r.teamNotice(kind, a, nested)
	}
}

func (r *reader) teamNotice(kind int64, a decode.JSON, nested bool) {
	team := r.team(a)
	whom := r.pick(a, "targetIds", "accids", "ids", "accounts")
	if one := r.pick(a, "accid", "account"); one.Told() && r.openOr(whom).Len() == 0 && whom.Kind() != decode.String {
		whom = one
	}
	if nested && !whom.Told() {
		whom = a.Get("id")
	}
	by := r.M.Sender.ID
	if by == "" {
		by = "somebody"
	}
	r.Text.Add(by)
	r.happened(kind, a, whom)
	if team != "" {
		r.Text.Add(" " + team)
	}
	if kind == noticeUpdate {
		r.changed(a)
	}
}

// callNotice says whether a call came about, as older clients noted it.
func (r *reader) callNotice(kind int64, a decode.JSON) {
	r.call(a)
	call := "call"
	if t := r.M.Attributes.Get("call_type"); t == "audio" || t == "video" {
		call = t + " call"
	}
	switch kind {
	case noticeMissed:
		r.Text.Add("missed " + call)
	case noticeRejected:
		r.Text.Add("rejected " + call)
	default:
		r.Text.Add(call)
		if seconds, ok := r.Number(r.pick(a, "duration"), "attributes.call_durations"); ok {
			r.Text.Add(", " + strconv.FormatInt(seconds, 10) + " s")
		}
	}
}

// happened adds what somebody did.
func (r *reader) happened(kind int64, a, whom decode.JSON) {
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
		if left, _ := r.pick(a, "leave").Flag(); left {
			r.Text.Add(" and left it")
		}
	case noticeAdmin:
		say("made", " an administrator of the group")
	case noticeNoAdmin:
		say("took the administrator's rights from", "")
	case noticeAccepted:
		r.Text.Add(" accepted the invitation to the group")
	case noticeMute:
		if r.muted(r.pick(a, "chatBanned", "mute")) {
			say("muted", "")
		} else {
			say("unmuted", "")
		}
	}
}

// muted reports whether members were muted, as is most likely where nothing says so.
func (r *reader) muted(v decode.JSON) bool {
	if on, ok := v.Flag(); ok && v.Told() {
		return on
	}
	n, ok := r.Number(v, "text")
	return !ok || n != 0
}

// teamKeys are the keys under which a notification describes the team.
var teamKeys = [...]string{"updatedTeamInfo", "team_info", "tinfo", "team"}

// teamOf gives what a notification says of the team.
func (r *reader) teamOf(a decode.JSON) decode.JSON {
	for _, key := range teamKeys {
		if v := r.openObject(r.pick(a, key)); v.Told() {
			return v
		}
	}
	return decode.JSON{}
}

// changed adds a line for each text that was changed of a team.
func (r *reader) changed(a decode.JSON) {
	team := r.teamOf(a)
	of := func(label, name, number string) {
		v := pick(a, name)
		if !v.Told() {
			v = pick(team, name, number)
		}
		if s, ok := r.word(v); ok && s != "" {
			r.Text.Line()
			r.Text.Add(label + ": " + s)
		}
	}
	of("introduction", "intro", "14")
	of("announcement", "announcement", "15")
}

// team reads the team's name.
func (r *reader) team(a decode.JSON) string {
	name := a.Get("tname")
	if !name.Told() {
		name = pick(r.teamOf(a), "name", "tname", "3")
	}
	s := r.Str(name, "attributes.team_name")
	if s != "" {
		r.M.Attributes.Set("team_name", s)
	}
	return s
}

// accounts adds a list of accounts, or one, somebody where there is none.
func (r *reader) accounts(v decode.JSON) {
	if list := r.openOr(v); list.Kind() == decode.Array {
		v = list
	} else if s, ok := r.word(v); ok && s != "" {
		r.Text.Add(" " + s)
		return
	}
	found := false
	for i := range v.Len() {
		s, ok := r.word(v.At(i))
		if !ok || s == "" {
			continue
		}
		if found {
			r.Text.Add(",")
		}
		r.Text.Add(" " + s)
		if found = true; r.Text.Full() {
			return
		}
	}
	if !found {
		r.Text.Add(" somebody")
	}
}
