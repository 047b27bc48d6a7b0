package yunxin

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// maxNested is how many strings that hold JSON are read at the same time: in each other, or beside each other in one message.
const maxNested = 32

// maxWraps is how many values within each other may be strings that hold JSON, or objects that wrap another.
const maxWraps = 4

// keptNested is how many of the parsers of such strings keep their memory from one page to the next.
const keptNested = 8

// open gives a value, or what a string holds that is JSON, encoded up to maxWraps times: some clients and gateways encode the
// encoded again. It is absent for a string that holds neither an object nor an array. What it gives is valid until used is
// set back to what it was before.
func (r *reader) open(v decode.JSON) decode.JSON {
	switch v.Kind() {
	case decode.Object, decode.Array:
		return v
	case decode.String:
		return r.openText(v)
	}
	return decode.JSON{}
}

func (r *reader) openText(v decode.JSON) decode.JSON {
	before := r.used
	for range maxWraps {
		s, _ := v.Str()
		if r.used == maxNested || !likeJSON(s) {
			break
		}
		inner, err := r.Parse(&r.nested[r.used], s)
		if err != nil {
			break
		}
		r.used++
		r.most = max(r.most, r.used)
		if k := inner.Kind(); k == decode.Object || k == decode.Array {
			return inner
		}
		v = inner
	}
	r.used = before
	return decode.JSON{}
}

// openOr is open, but gives what cannot be opened as it is.
func (r *reader) openOr(v decode.JSON) decode.JSON {
	if v.Kind() != decode.String {
		return v
	}
	if inner := r.open(v); inner.Told() {
		return inner
	}
	return v
}

// likeJSON reports whether a string may hold an object, an array or another string.
func likeJSON(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) > 1 && (s[0] == '{' || s[0] == '[' || s[0] == '"')
}

// pick gives the first of some fields of an attachment that is present, else of what it keeps under raw.
func (r *reader) pick(v decode.JSON, keys ...string) decode.JSON {
	e := pick(v, keys...)
	if !e.Told() && r.raw.Told() {
		e = pick(r.raw, keys...)
	}
	return e
}

// pick gives the first of some fields that tells anything.
func pick(v decode.JSON, keys ...string) decode.JSON {
	for _, key := range keys {
		if e := v.Get(key); !decode.Blank(e) {
			return e
		}
	}
	return decode.JSON{}
}

// single gives the value of an object's only key, absent where that is another one or has neighbours.
func single(v decode.JSON, key string) decode.JSON {
	var only decode.JSON
	n := 0
	for k, e := range v.Fields() {
		if n++; k == key {
			only = e
		}
	}
	if n != 1 {
		return decode.JSON{}
	}
	return only
}

// Keys under which attachments say something, after title, and those that wrap an attachment.
var (
	spokenKeys = [...]string{"text", "msg", "tip", "tips", "content", "message", "body", "desc", "description"}
	wrapKeys   = [...]string{"data", "attach", "attachment", "payload", "raw"}
)

// spoken adds what an attachment says whose keys its sender chose: its title, then the first text, from within what it is
// wrapped in. It reports whether there was any.
func (r *reader) spoken(v decode.JSON, depth int) bool {
	if depth > maxWraps {
		return false
	}
	before := r.used
	defer func() { r.used = before }()
	switch inner := r.open(v); inner.Kind() {
	case decode.Object:
		return r.spokenIn(inner, depth)
	case decode.Array:
		found := false
		for i := range min(inner.Len(), decode.MaxParts) {
			found = r.spoken(inner.At(i), depth+1) || found
		}
		return found
	}
	s, isText := v.Str()
	if !isText {
		return false
	}
	if s = strings.TrimSpace(s); strings.HasPrefix(s, `{"`) || strings.HasPrefix(s, `[{"`) {
		r.Issue("text", schemas.IssueNulled, "is in JSON that cannot be read")
		return false
	}
	n := r.Text.Len()
	r.row(v)
	return r.Text.Len() > n
}

func (r *reader) spokenIn(v decode.JSON, depth int) bool {
	titled := r.spoken(v.Get("title"), depth+1)
	for _, key := range spokenKeys {
		if r.spoken(v.Get(key), depth+1) {
			return true
		}
	}
	if titled {
		return true
	}
	for _, key := range wrapKeys {
		if r.spoken(v.Get(key), depth+1) {
			return true
		}
	}
	return false
}
