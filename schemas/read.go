package schemas

// Containers and checkpoints are read by the hundred thousand when a partition is taken over. The library looks each field
// up by reflection, and keeps a kilobyte alive for every short string; so bodies that were written with the schema of this
// version, or of an earlier one that it only added fields to, are read by hand, straight along the schema. A test holds the
// two against each other.

// containerFields is how many fields a container had in the first release.
const containerFields = 14

// readOwn reads a body that was written with so many leading fields of our own schema into v; the others keep their zero
// value, which is their default. It reports false where v is of a type that it does not know.
func readOwn(body []byte, fields int, v any) (known bool, err error) {
	w := walk{body: body}
	switch v := v.(type) {
	case *Container:
		w.container(v, fields)
	case *Checkpoint:
		w.checkpoint(v)
	default:
		return false, nil
	}
	if w.err == nil && w.at < len(w.body) {
		w.err = ErrTrailing
	}
	return true, w.err
}

func (w *walk) container(v *Container, fields int) {
	v.Key, v.Platform, v.TenantID = w.str(), w.word(Feishu, Yunxin), w.str()
	v.Kind = w.word(KindThread, KindChat, KindMessage, KindConversation, KindMessages)
	v.ID, v.ConversationID = w.str(), w.str()
	v.WindowStart, v.WindowEnd = w.optionalMillis(), w.optionalMillis()
	v.Mode, v.Epoch = w.word("backfill", "follow"), w.long()
	v.Refs = w.refs()
	v.Cancelled = w.boolean()
	v.Cause, v.RequestedAt = w.word(CauseThread, CauseUser, CauseDiscovered, CauseLookup), Millis(w.long())
	if fields > containerFields {
		v.Resume = w.boolean()
	}
}

func (w *walk) checkpoint(v *Checkpoint) {
	v.ContainerKey, v.Epoch = w.str(), w.long()
	v.State = w.word(StateComplete, StateRunning, StateWaiting, StateFailed, StateCancelled, StatePending)
	v.Cursor, v.Watermark = w.optionalStr(), w.optionalMillis()
	v.Pages, v.Items, v.Calls = w.long(), w.long(), w.long()
	v.LastPageID, v.ErrorCode, v.ErrorMessage = w.optionalStr(), w.optionalStr(), w.optionalStr()
	v.UpdatedAt = Millis(w.long())
}

// bytes gives the bytes of a string, which are the body's.
func (w *walk) bytes() []byte {
	n := w.long()
	if n < 0 || n > maxString {
		w.malformed("length %d", n)
	}
	from := w.at
	if w.skip(n); w.err != nil {
		return nil
	}
	return w.body[from:w.at]
}

// str gives a string in memory of its own.
func (w *walk) str() string { return string(w.bytes()) }

// word is str, without memory where it is one of some that are usual.
func (w *walk) word(usual ...string) string {
	b := w.bytes()
	for _, s := range usual {
		if string(b) == s {
			return s
		}
	}
	return string(b)
}

// present reads the branch of a union of null and another type.
func (w *walk) present() bool {
	branch := w.long()
	if branch < 0 || branch > 1 {
		w.malformed("union branch %d", branch)
	}
	return w.err == nil && branch == 1
}

func (w *walk) optionalStr() *string {
	if !w.present() {
		return nil
	}
	s := w.str()
	return &s
}

func (w *walk) optionalMillis() *Millis {
	if !w.present() {
		return nil
	}
	m := Millis(w.long())
	return &m
}

func (w *walk) boolean() bool {
	at := w.at
	if w.skip(1); w.err != nil {
		return false
	}
	if b := w.body[at]; b > 1 {
		w.malformed("boolean %d", b)
	}
	return w.body[at] == 1
}

// refs reads an array, as blocks walks it.
func (w *walk) refs() []MessageRef {
	refs := []MessageRef{}
	for w.err == nil {
		n, end := w.long(), -1
		if n < 0 { // its size in bytes follows
			n = -n
			if size := w.long(); size < 0 || size > int64(len(w.body)-w.at) {
				w.fail(ErrTruncated)
			} else {
				end = w.at + int(size)
			}
		}
		switch {
		case n == 0 || w.err != nil:
			return refs
		case n < 0 || n > maxItems-int64(len(refs)):
			w.malformed("%d items in a block", n)
		}
		for ; n > 0 && w.err == nil; n-- {
			refs = append(refs, MessageRef{w.str(), w.optionalMillis()})
		}
		if w.err == nil && end >= 0 && end != w.at {
			w.malformed("a block does not end where it says")
		}
	}
	return refs
}
