package deadletters

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Item gives the bytes that a dead letter's item_pointer names in the body of a raw page, as they stand there: a JSON
// Pointer (RFC 6901), or /lines/N of a merged file, which is no JSON. It reports false where the body has no such part.
func Item(body []byte, pointer string) ([]byte, bool) {
	if pointer == "" {
		return body, true
	}
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, false
	}
	item := json.RawMessage(body)
	for step := range strings.SplitSeq(rest, "/") {
		if item = child(item, unescape(step)); item == nil {
			return line(body, pointer)
		}
	}
	return item, true
}

// unescape undoes the escapes of a JSON Pointer's step.
func unescape(step string) string {
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
}

// child gives a member or an element, nil where there is none.
func child(v json.RawMessage, step string) json.RawMessage {
	switch v = bytes.TrimLeft(v, " \t\r\n"); {
	case bytes.HasPrefix(v, []byte("{")):
		var members map[string]json.RawMessage
		if json.Unmarshal(v, &members) != nil {
			return nil
		}
		return members[step]
	case bytes.HasPrefix(v, []byte("[")):
		var elements []json.RawMessage
		i, err := strconv.Atoi(step)
		if err != nil || json.Unmarshal(v, &elements) != nil || i < 0 || i >= len(elements) {
			return nil
		}
		return elements[i]
	}
	return nil
}

// line gives a line of a merged file, counted from 0, without its end.
func line(body []byte, pointer string) ([]byte, bool) {
	word, ok := strings.CutPrefix(pointer, "/lines/")
	no, err := strconv.Atoi(word)
	if !ok || err != nil || no < 0 {
		return nil, false
	}
	for i := 0; ; i++ {
		one, rest, more := bytes.Cut(body, []byte("\n"))
		if i == no {
			return bytes.TrimSuffix(one, []byte("\r")), more || len(one) > 0
		}
		if !more {
			return nil, false
		}
		body = rest
	}
}
