package simulator

import (
	"encoding/json"
	"strings"
)

// brokenItem breaks an item of a list of Feishu.
func brokenItem(item json.RawMessage, how Broken) json.RawMessage {
	var fields map[string]json.RawMessage
	if how == NullItem || json.Unmarshal(item, &fields) != nil || fields == nil {
		return json.RawMessage("null")
	}
	set := func(field, value string) { fields[field] = json.RawMessage(value) }
	switch how {
	case WrongTypes:
		set("body", `"a string"`)
		set("sender", `["a","list"]`)
		set("deleted", `"no"`)
		set("mentions", `{"key":7}`)
	case NoMessageID:
		delete(fields, "message_id")
	case BrokenContent:
		set("body", `{"content":"{\"text\":\"cut sho"}`)
	case InvalidUTF8:
		set("body", "{\"content\":\"{\\\"text\\\":\\\"bytes \xff\xfe\xc3\x28 end\\\"}\"}")
	case UnknownType:
		set("msg_type", `"type_of_tomorrow"`)
		set("body", `{"content":"{\"text\":\"from tomorrow\",\"field\":1}"}`)
	case AbsurdTimes:
		set("create_time", `"9223372036854775807"`)
		set("update_time", `"soon"`)
	case NumbersForStrings:
		set("create_time", strings.Trim(string(fields["create_time"]), `"`))
		set("update_time", strings.Trim(string(fields["update_time"]), `"`))
		set("message_id", `90071992547409931234`)
	}
	broken, err := json.Marshal(fields)
	if err != nil {
		return json.RawMessage("null")
	}
	return broken
}
