package feishu

import (
	"net/http"
	"slices"
	"strconv"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// tokenAPI names the endpoint that gives tenant access tokens, in errors and budgets.
const tokenAPI = "feishu.auth.v3.tenant_access_token"

// rule gives one api.Verdict to several codes.
type rule struct {
	class connectors.Class
	means string
	codes []int64
}

// Remedies that several codes share.
const (
	remedySecret = "FEISHU_APP_ID or FEISHU_APP_SECRET is refused; compare them with the app's page in the developer console, and FEISHU_BASE_URL with where the app lives (Feishu or Lark)"
	remedyScope  = "the app lacks a permission; grant im:message.group_msg, im:message:readonly and im:chat:readonly and publish a version of the app"
	remedyBot    = "the app's bot ability is off; switch it on and publish a version of the app"
	remedyIP     = "this machine's address is not on the app's allow-list of IP addresses"
	remedyApp    = "the app is disabled or not installed in the tenant"
)

// anywhere is the class of a code at any endpoint that has no rule of its own for it, after the vendor's list of codes
// (https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code) and the error tables of the endpoints.
// HTTP statuses do not tell these apart: nearly all come with 400.
var anywhere = verdicts(
	rule{connectors.ClassThrottled, "too many calls", []int64{99991400, 1000004, 1000005, 230020, 232019, 11232, 11233, 11247}},
	rule{connectors.ClassUnavailable, "the tenant's API quota of this month is used up; it starts anew on the first of the month, or with a larger plan", []int64{99991403, 99991406}},
	rule{connectors.ClassUnavailable, "internal error of the platform", internalErrors},
	rule{connectors.ClassSticky, "busy with this chat or message", []int64{232096, 232068, 232073, 231015, 230049}},
	rule{connectors.ClassToken, "the access token is refused", []int64{99991661, 99991663, 99991664, 99991665, 99991671, 20005, 20013, 4001}},
	rule{connectors.ClassFatal, "a tenant's token is not taken here", []int64{99991668, 99991677, 99991669, 231204}},
	rule{connectors.ClassFatal, remedySecret, []int64{10003, 10005, 10012, 10013, 10014, 10015, 20002, 50003, 99991543}},
	rule{connectors.ClassFatal, remedyIP, []int64{99991401}},
	rule{connectors.ClassFatal, remedyApp, []int64{99991662, 99991673, 20009, 11207, 11210, 232004, 232034, 232024}},
	rule{connectors.ClassFatal, remedyScope, []int64{99991672, 99991676, 99991679}},
	rule{connectors.ClassFatal, "a security policy of the tenant refuses the app", []int64{21000, 21001}},
	rule{connectors.ClassFatal, "the address is not one of the platform's API; check FEISHU_BASE_URL", noAddress},
	rule{connectors.ClassFatal, remedyBot, []int64{230006, 232025, 11205, 11240}},
	rule{connectors.ClassContainer, "the bot is not in the chat; add the app to it", []int64{230002}},
	rule{connectors.ClassContainer, "the user is outside of the app's availability or has left", []int64{230013}},
	rule{connectors.ClassContainer, "the app may not read this chat: im:message.group_msg is missing, or the group is external and the app is not shared", []int64{230027}},
	rule{connectors.ClassContainer, "the thread does not exist", []int64{230019, 18113}},
	rule{connectors.ClassContainer, "the thread is not visible to the bot: it began before the bot joined", []int64{230073}},
	rule{connectors.ClassContainer, "the chat forbids copying", []int64{231203}},
	rule{connectors.ClassContainer, "the chat is gone or dissolved", []int64{231004, 232009, 11237}},
	rule{connectors.ClassContainer, "no such chat", []int64{232006, 99992355, 99992356, 10029}},
	rule{connectors.ClassContainer, "the chat is out of the app's reach", []int64{232010, 232011, 232033, 231008, 231021}},
	rule{connectors.ClassContainer, "the chat is banned", []int64{232060}},
	rule{connectors.ClassContainer, "the tenant's encryption key is deleted", []int64{230036}},
	rule{connectors.ClassContainer, "the request is not valid", invalidRequests},
	rule{connectors.ClassItem, "the message is deleted", []int64{230110}},
	rule{connectors.ClassItem, "the message is not visible to the bot", []int64{230050, 231018}},
	rule{connectors.ClassItem, "the message is recalled", []int64{230011}},
	rule{connectors.ClassItem, "no such message", []int64{231003, 230030, 99992354, 10020, 10037, 11224}},
	rule{connectors.ClassItem, "the message is about to destroy itself", []int64{230111}},
)

// ofOne are the codes that a chat or thread is refused with for what it is itself. Any other may be about the app: where
// chat after chat is refused with it, it is.
var ofOne = []int64{230002, 230013, 230019, 230073, 230110, 231203, 231004, 232009}

// isWide reports whether a code is the platform's and may be about more than one conversation.
func isWide(code string) bool {
	n, err := strconv.ParseInt(code, 10, 64)
	return err == nil && !slices.Contains(ofOne, n)
}

var (
	internalErrors  = []int64{1500, 1503, 1642, 1663, 1668, 2200, 5000, 10101, 10105, 55001, 105001}
	noAddress       = []int64{99991201, 99991301, 30005}
	invalidRequests = []int64{230001, 232001, 231001, 231012, 231014, 99992402, 9499, 4000, 10001, 10100}
	// refusedCursors are what a page token that is not taken any more may be answered with. Which one the platform uses
	// is not documented.
	refusedCursors = verdicts(rule{connectors.ClassCursor, "the page token is refused", []int64{230001, 99992402, 231012}})
)

// at is the class of a code at one endpoint, where it differs from anywhere.
var at = map[string]map[int64]api.Verdict{
	schemas.FeishuMessagesList: verdicts(
		rule{connectors.ClassContainer, "the root of the thread is deleted", []int64{230110}},
	),
	schemas.FeishuMessagesGet: verdicts(
		rule{connectors.ClassSticky, "internal error of the platform about this message", internalErrors},
		rule{connectors.ClassItem, "the request for this message is not valid", invalidRequests},
		rule{connectors.ClassItem, "the message's id leads to no address of the platform's API", noAddress},
	),
	schemas.FeishuChatsGet: verdicts(
		rule{connectors.ClassContainer, "the chat's id leads to no address of the platform's API", noAddress},
		rule{connectors.ClassSticky, "internal error of the platform about this chat", internalErrors},
	),
	tokenAPI: verdicts(
		rule{connectors.ClassFatal, remedySecret, []int64{10001, 10020, 10029, 10037}},
	),
}

func verdicts(rules ...rule) map[int64]api.Verdict {
	m := make(map[int64]api.Verdict)
	for _, r := range rules {
		for _, code := range r.codes {
			m[code] = api.Verdict{Class: r.class, Means: r.means}
		}
	}
	return m
}

// classify gives the class of an answer by endpoint, code and, only where the code does not decide, HTTP status. The
// zero api.Verdict is a success.
func classify(r *connectors.Request, status int, code int64) api.Verdict {
	if code == 0 {
		return api.OfStatus(status, baseSetting)
	}
	if r.API == schemas.FeishuMessagesList && api.HasPageToken(r) {
		if v, ok := refusedCursors[code]; ok {
			return v
		}
	}
	if v, ok := at[r.API][code]; ok {
		return v
	}
	if v, ok := anywhere[code]; ok {
		return v
	}
	if v := api.OfStatus(status, baseSetting); v.Class == connectors.ClassThrottled || status >= http.StatusInternalServerError {
		return v
	}
	if r.API == tokenAPI {
		// No container is to blame for it, so it must not fail one.
		return api.Verdict{Class: connectors.ClassUnavailable, Means: "no token is given, for a reason that is not documented"}
	}
	return api.Verdict{Class: connectors.ClassUnknown, Means: "a code that is not documented"}
}
