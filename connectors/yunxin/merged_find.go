package yunxin

import (
	"bytes"

	"chatlake/connectors"
	"chatlake/connectors/decode"
)

const wordCustom = "100" // typeCustom as a word

// finder looks for the files of merged forwards, as the decoder understands attachments: what it would lay out is
// fetched.
type finder struct {
	found []string         // URLs
	used  []*decode.Parser // their memory is read until all is found
}

// mergedFiles gives the URLs of the files that a message forwards, from its type and attachment: one, or those of the messages
// that stand within it.
func mergedFiles(kind, attachment decode.JSON) []string {
	if n, whole := kind.Int(); n != typeCustom && (whole || typeOf(kind) != wordCustom) {
		return nil
	}
	var f finder
	defer f.release()
	f.look(f.opened(attachment), 1)
	return f.found
}

// nestedIn gives the files that the lines of a file point to. Tag 8 of a line is the message's type and tag 10 its
// attachment, as a string.
func nestedIn(r *connectors.Response) []fileRef {
	p := decode.Borrow()
	defer p.Return()
	var refs []fileRef
	for line := range bytes.Lines(r.Body) {
		if len(refs) >= maxFilePages {
			break
		}
		if v, err := p.Parse(bytes.TrimSpace(line)); err == nil {
			for _, address := range mergedFiles(v.Get("8"), v.Get("10")) {
				refs = append(refs, fileRef{r.Subject, address})
			}
		}
	}
	return refs
}

// look follows an attachment to what it forwards: {"type":101,"data":{"url":…}}, or the same without data, or within other
// objects or strings; or {"messages":[…]}, of which each may forward again.
func (f *finder) look(v decode.JSON, depth int) {
	payload, ok := f.payload(v)
	if !ok || len(f.found) >= maxFilePages {
		return
	}
	messages := payload.Get("messages")
	if messages.Kind() != decode.Array || payload.Get("url").Told() {
		if address := payload.Get("url").Word(); address != "" {
			f.found = append(f.found, address)
		}
		return
	}
	for i := range messages.Len() {
		if item := messages.At(i); depth < maxFileDepth && typeOf(item.Get("messageType")) == wordCustom {
			f.look(item, depth+1)
		}
	}
}

// payload takes a merged forward's out of what it is wrapped in; ok is false where it is none.
func (f *finder) payload(v decode.JSON) (payload decode.JSON, ok bool) {
	kind, payload := payloadOf(v, func(v decode.JSON, _ int) decode.JSON { return f.opened(v) })
	return payload, isForward(typeOf(kind), payload)
}

// opened gives a value, or where it is a string what that holds, encoded up to maxWraps times; absent where that is not JSON.
func (f *finder) opened(v decode.JSON) decode.JSON {
	for range maxWraps + 1 {
		s, ok := v.Str()
		if !ok {
			return v
		}
		p := decode.Borrow()
		f.used = append(f.used, p)
		inner, err := p.ParseString(s)
		if err != nil {
			break
		}
		v = inner
	}
	return decode.JSON{}
}

func (f *finder) release() {
	for _, p := range f.used {
		p.Return()
	}
}
