package simulator

import (
	"encoding/json"
	"net/http"
)

// Codes of Yunxin's server API; they stand in the body, under HTTP 200.
const (
	codeOK             = 200
	codeForbidden      = 403
	codeBadRequest     = 414
	codeTooMany        = 416
	codeDuplicate      = 431
	codeServerError    = 500
	codeNoApp          = 101303
	codeNoAccount      = 102404
	codeBlockedAccount = 102422
	codeNoMessage      = 107404
	codeAntiSpam       = 107451
	codeNoAdvancedTeam = 108302
	codeNoTeam         = 108404
	codeNoMember       = 109404
)

var yunxinMessages = map[int]string{
	codeOK:             "success",
	codeForbidden:      "illegal operation",
	codeBadRequest:     "parameter error",
	codeTooMany:        "request too frequently",
	codeDuplicate:      "duplicate http request",
	codeServerError:    "server error",
	codeNoApp:          "app key not exist",
	codeNoAccount:      "account not exist",
	codeBlockedAccount: "account blocked",
	codeNoMessage:      "message not exist",
	codeAntiSpam:       "message hit antispam",
	codeNoAdvancedTeam: "not an advanced team",
	codeNoTeam:         "team not exist",
	codeNoMember:       "team member not exist",
}

func yunxinMessage(code int) string {
	if msg, ok := yunxinMessages[code]; ok {
		return msg
	}
	return "error"
}

type yunxinEnvelope struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

// yunxinAnswer is an answer in the platform's envelope; without data that is an empty object.
func yunxinAnswer(status, code int, msg string, data any) *answer {
	if msg == "" {
		msg = yunxinMessage(code)
	}
	if data == nil {
		data = struct{}{}
	}
	body := contentJSON(yunxinEnvelope{Code: code, Msg: msg, Data: data})
	return &answer{status: status, code: code, header: http.Header{}, body: []byte(body)}
}

// refuseYunxin answers with a code, under HTTP 200 as the platform does.
func refuseYunxin(code int, msg string) *answer { return yunxinAnswer(http.StatusOK, code, msg, nil) }

// wrongParameter names the field or parameter that is at fault.
func wrongParameter(field string) *answer {
	return wrong(refuseYunxin(codeBadRequest, "parameter error: "+field))
}

// brokenMessage breaks a message of a list.
func brokenMessage(item json.RawMessage, how Broken) json.RawMessage {
	var fields map[string]json.RawMessage
	if how == NullItem || json.Unmarshal(item, &fields) != nil || fields == nil {
		return json.RawMessage("null")
	}
	set := func(field, value string) { fields[field] = json.RawMessage(value) }
	switch how {
	case WrongTypes:
		set("sender_id", `["a","list"]`)
		set("text", `{"a":"map"}`)
		set("attachment", "7")
		set("thread_config", `"a string"`)
		set("message_type", `"text"`)
	case NoMessageID:
		delete(fields, "message_server_id")
	case BrokenContent:
		set("attachment", `"{\"url\":\"cut sho"`)
	case InvalidUTF8:
		set("text", "\"bytes \xff\xfe\xc3\x28 end\"")
	case UnknownType:
		set("message_type", "4242")
		set("attachment", `{"from":"tomorrow"}`)
	case AbsurdTimes:
		set("create_time", "9223372036854775807")
		set("modify_time", `"soon"`)
	case NumbersForStrings:
		set("create_time", `"`+string(fields["create_time"])+`"`)
		set("message_client_id", "9007199254740993")
		set("sender_client_type", `"32"`)
	}
	broken, err := json.Marshal(fields)
	if err != nil {
		return json.RawMessage("null")
	}
	return broken
}
