package yunxin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Codes of the platform that are named in code.
const (
	codeFine       = 200
	codeForbidden  = 403
	codeBadRequest = 414
	codeInternal   = 500
)

// trust is what an answer says of our signature.
type trust uint8

const (
	signatureUnknown trust = iota // nothing
	signatureTaken                // the platform took the request for ours
	signatureRefused              // it refuses the signature in so many words
	signatureDoubted              // it refuses the request or the signature
)

// verdict is what a code calls for and what it means.
type verdict struct {
	class connectors.Class
	means string
	trust trust
}

// rule gives one verdict to several codes.
type rule struct {
	class connectors.Class
	means string
	codes []int64
}

// Remedies that several codes share.
const (
	remedySignature = "the signature is refused: compare YUNXIN_APP_KEY and YUNXIN_APP_SECRET with the console, YUNXIN_BASE_URL with the app's data centre, and this machine's clock with the time"
	remedyAddress   = "the app key is not known at this address: compare YUNXIN_BASE_URL with the app's data centre and YUNXIN_APP_KEY with the console"
	remedyIP        = "this machine's address is not on the app's allow-list of IP addresses"
	remedyApp       = "the app is disabled, or the API is not switched on for it in the console"
	meansInvalid    = "the request is not valid"
	meansMissing    = "no such message: expired, recalled, or sent at another time than was asked for"
)

// anywhere is the class of a code at any endpoint that has no rule of its own for it, after the vendor's list of status
// codes and the error tables of its pages. Nearly all come with HTTP status 200.
var anywhere = verdicts(
	rule{connectors.ClassThrottled, "too many calls; the API is blocked for a while", []int64{416, 107304, 107323, 104449}},
	rule{connectors.ClassUnavailable, "a request that the platform takes for one it had before", []int64{431}},
	rule{connectors.ClassUnavailable, "the platform is busy with this", []int64{449, 102449, 108449, 109449, 110449}},
	rule{connectors.ClassUnavailable, "the platform is not to be had just now", []int64{398, 399, 408, 415, 503, 511, 514}},
	rule{connectors.ClassUnavailable, "internal error of the platform", []int64{codeInternal}},
	rule{connectors.ClassFatal, remedyIP, []int64{315}},
	rule{connectors.ClassFatal, remedySignature, []int64{302, 101305}},
	rule{connectors.ClassFatal, remedyAddress, []int64{101302, 101303}},
	rule{connectors.ClassFatal, remedyApp, []int64{301, 997, 101301, 101403, 107334, 107335, 107410}},
	rule{connectors.ClassContainer, "the account in whose name the conversation is read is blocked", []int64{422, 102422}},
	rule{connectors.ClassContainer, "no such account", []int64{102404}},
	rule{connectors.ClassContainer, "no such team, or it is dissolved", []int64{108404, 803}},
	rule{connectors.ClassContainer, "the account in whose name the conversation is read is not a member of the team; name the team's owner", []int64{109404, 802, 804}},
	rule{connectors.ClassContainer, "not a team of this type, or super teams are off", []int64{108302, 108311}},
	rule{connectors.ClassContainer, "no such conversation", []int64{110404}},
	rule{connectors.ClassContainer, "the time range is not valid", []int64{107439}},
	rule{connectors.ClassContainer, "a refusal that reading should not meet", []int64{
		405, 406, 413, 417, 418, 419, 508, 509, 801, 805, 806, 807, 808, 809, 810, 998, 999,
	}},
	rule{connectors.ClassItem, meansMissing, []int64{404, 107404}},
	rule{connectors.ClassItem, "withheld by the platform's anti-spam", []int64{107451}},
)

// at is the class of a code at one endpoint, where it differs from anywhere.
var at = map[string]map[int64]verdict{
	schemas.YunxinMessagesList: verdicts(
		rule{connectors.ClassContainer, "no such conversation", []int64{404, 107404}},
		rule{connectors.ClassContainer, "withheld by the platform's anti-spam", []int64{107451}},
	),
	schemas.YunxinMessagesBatch: verdicts(
		rule{connectors.ClassSticky, "internal error of the platform about these messages", []int64{codeInternal}},
		rule{connectors.ClassItem, "too much is asked for at once", []int64{405, 419}},
	),
}

// ofOne are the codes that a conversation is refused with for what it is itself. Any other may be about the app: where
// conversation after conversation is refused with it, it is.
var ofOne = []int64{102404, 108404, 109404}

// isWide reports whether a code is the platform's and may be about more than one conversation.
func isWide(code string) bool {
	n, err := strconv.ParseInt(code, 10, 64)
	return err == nil && !slices.Contains(ofOne, n)
}

func verdicts(rules ...rule) map[int64]verdict {
	m := make(map[int64]verdict)
	for _, r := range rules {
		for _, code := range r.codes {
			v := verdict{class: r.class, means: r.means}
			if r.class == connectors.ClassItem || r.class == connectors.ClassContainer {
				v.trust = signatureTaken
			}
			m[code] = v
		}
	}
	return m
}

// classify gives the class of an answer by endpoint, code, the platform's words where the code has two meanings, and,
// only where the code does not decide, HTTP status.
func classify(r *connectors.Request, status int, code int64, msg string) verdict {
	switch code {
	case codeFine:
		v := classifyStatus(status)
		if v.class == 0 {
			v.trust = signatureTaken
		}
		return v
	case codeBadRequest:
		return badRequest(r, msg)
	case codeForbidden:
		if names(msg, signatureWords) {
			return verdict{connectors.ClassFatal, remedySignature, signatureRefused}
		}
		return verdict{connectors.ClassContainer, "the app may not read this conversation", signatureDoubted}
	}
	if v, ok := at[r.API][code]; ok {
		return v
	}
	if v, ok := anywhere[code]; ok {
		return v
	}
	if v := classifyStatus(status); v.class == connectors.ClassThrottled || status >= http.StatusInternalServerError {
		return v
	}
	if code > 100_000 && code < 120_000 { // a resource's two digits and a reason's three
		switch code % 1000 {
		case 404:
			return verdict{connectors.ClassContainer, "something that the request names is missing", signatureTaken}
		case 449:
			return verdict{connectors.ClassUnavailable, "the platform is busy with this", signatureUnknown}
		}
	}
	return verdict{connectors.ClassUnknown, "a code that is not documented", signatureUnknown}
}

// Words that tell what a refusal is about, without case, blanks and underscores.
var (
	signatureWords    = []string{"checksum", "curtime", "nonce", "appkey", "header", "signature"}
	conversationWords = []string{"conversationid", "conversationtype", "ownerid", "otherid", "teamid"}
	requestWords      = []string{
		"messageserverid", "createtime", "messages", "begintime", "endtime", "pagetoken", "limit", "descending", "messagetype",
		"checkteamvalid", "includenosensemsg",
	}
)

func names(msg string, words []string) bool {
	msg = strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(msg))
	for _, w := range words {
		if strings.Contains(msg, w) {
			return true
		}
	}
	return false
}

// badRequest is the class of a 414, which is a bad parameter or a bad signature. What names a field of the request is never
// about the signature.
func badRequest(r *connectors.Request, msg string) verdict {
	v := verdict{connectors.ClassContainer, meansInvalid, signatureDoubted}
	ours, conversation := names(msg, requestWords), names(msg, conversationWords)
	if r.API == schemas.YunxinMessagesBatch && (ours || !conversation) {
		v.class = connectors.ClassItem
	}
	switch {
	case ours || conversation:
		v.trust = signatureTaken
	case names(msg, signatureWords):
		return verdict{connectors.ClassFatal, remedySignature, signatureRefused}
	}
	if api.HasPageToken(r) {
		// Nothing is lost by asking without it, and that answer tells more.
		return verdict{connectors.ClassCursor, "the page token is refused", signatureUnknown}
	}
	return v
}

// classifyItem is the class of a code that an answer gives for one message of several.
func classifyItem(code int64) verdict {
	switch code {
	case codeBadRequest:
		return verdict{connectors.ClassItem, meansInvalid, signatureTaken}
	case codeForbidden:
		return verdict{connectors.ClassItem, "the app may not read this message", signatureTaken}
	}
	return classify(&connectors.Request{API: schemas.YunxinMessagesBatch}, http.StatusOK, code, "")
}

// passing reports whether the class of an item's code may be another one later.
func (v verdict) passing() bool {
	switch v.class {
	case connectors.ClassThrottled, connectors.ClassUnavailable, connectors.ClassSticky, connectors.ClassUnknown, 0:
		return true
	}
	return false
}

// classifyStatus is the class of an answer without a code that says what is wrong.
func classifyStatus(status int) verdict {
	v := api.OfStatus(status, baseSetting)
	return verdict{class: v.Class, means: v.Means}
}
