package simulator

import (
	"encoding/json"
	"net/http"
)

// Codes of https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code and of the pages of the APIs.
const (
	codeAppIDInvalid     = 10003
	codeAppSecretInvalid = 10014
	codeInternal         = 2200
	codeThrottled        = 99991400
	codeMonthlyQuota     = 99991403
	codeNoToken          = 99991661
	codeTokenInvalid     = 99991663
	codeTokenMalformed   = 99991671
	codeNoSuchPath       = 99991201
	codeNoSuchMethod     = 99991301
	codeFieldInvalid     = 99992402
	codeNoSuchID         = 99992354
	codeParameter        = 230001
	codeNotInChat        = 230002
	codeNoThread         = 230019
	codeNoPermission     = 230027
	codeInvisible        = 230050
	codeThreadInvisible  = 230073
	codeDeleted          = 230110
	codeChatDissolved    = 231004
	codeChatsParameter   = 232001
	codeChatInvalid      = 232006
)

var messages = map[int]string{
	0:                    "success",
	codeAppIDInvalid:     "invalid param",
	codeAppSecretInvalid: "app secret invalid",
	codeInternal:         "Internal Error",
	codeThrottled:        "request trigger frequency limit",
	codeMonthlyQuota:     "This month's API call quota has been exceeded",
	codeNoToken:          "Missing access token for authorization. Please make a request with token attached.",
	codeTokenInvalid:     "Invalid access token for authorization. Please make a request with token attached.",
	codeTokenMalformed:   "Invalid access token: must start with \"t-\" or \"u-\"",
	codeNoSuchPath:       "path not found",
	codeNoSuchMethod:     "method not allowed",
	codeFieldInvalid:     "field validation failed",
	codeNoSuchID:         "The request you send is not a valid {message_id}, ids not existed",
	codeParameter:        "Your request contains an invalid request parameter.",
	codeNotInChat:        "The bot can not be outside the group.",
	codeNoThread:         "The topic does NOT exist.",
	codeNoPermission:     "Lack of necessary permissions.",
	codeInvisible:        "The message is invisible to the operator.",
	codeThreadInvisible:  "The thread is invisible to the operator.",
	codeDeleted:          "Action unavailable as the message has been deleted.",
	codeChatDissolved:    "The chat has been dissolved.",
	codeChatsParameter:   "Your request contains an invalid request parameter.",
	codeChatInvalid:      "Your request specifies a chat_id which is invalid.",
}

// messageOf is the text of a code; the platform calls these texts unstable.
func messageOf(code int) string {
	if msg, ok := messages[code]; ok {
		return msg
	}
	return "error"
}

type fieldViolation struct {
	Field       string `json:"field"`
	Value       string `json:"value,omitempty"`
	Description string `json:"description"`
}

type errorDetail struct {
	FieldViolations []fieldViolation `json:"field_violations"`
}

type envelope struct {
	Code  int          `json:"code"`
	Msg   string       `json:"msg"`
	Data  any          `json:"data,omitempty"`
	Error *errorDetail `json:"error,omitempty"`
}

// answerJSON is an answer with v as its body, which always encodes: it is made of structs of strings and numbers.
func answerJSON(status, code int, v any) *answer {
	body, err := json.Marshal(v)
	if err != nil {
		body = []byte(`{"code":2200,"msg":"Internal Error"}`)
	}
	return &answer{status: status, code: code, header: http.Header{}, body: body}
}

// refuse answers with a code; nearly all of them come under HTTP 400.
func refuse(code int, hint string) *answer {
	msg := messageOf(code)
	if hint != "" {
		msg += " ext=" + hint
	}
	return answerJSON(http.StatusBadRequest, code, envelope{Code: code, Msg: msg})
}

// refuseField is what the gateway says of a parameter of the wrong form.
func refuseField(field, value, description string) *answer {
	a := answerJSON(http.StatusBadRequest, codeFieldInvalid, envelope{Code: codeFieldInvalid, Msg: messageOf(codeFieldInvalid),
		Error: &errorDetail{FieldViolations: []fieldViolation{{field, value, description}}}})
	a.wrong = true
	return a
}

func refuseParameter(hint string) *answer {
	a := refuse(codeParameter, hint)
	a.wrong = true
	return a
}
