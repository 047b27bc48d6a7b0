package yunxin

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// batchSize is the most messages that are asked for at once. The vendor names no limit; lists of other APIs end at 100.
const batchSize = 100

// maxRounds is how often messages are asked for again whose code may pass.
const maxRounds = 3

// Reasons of messages that are not to be had, and of a container without any that could be asked for.
const (
	missingUnaccounted = "unaccounted" // an answer that should name it names it nowhere
	missingBadRef      = "bad_ref"     // its id is not one of the platform's
	reasonNoRefs       = "no_refs"
)

// tally is the cursor of a list of messages: which of its refs, by index, are still to be asked for.
type tally struct {
	Next     int   `json:"n,omitempty"` // the first that no call has asked for yet
	Cuts     []int `json:"c,omitempty"` // where calls end because one that went further was refused, ascending
	Alone    []int `json:"a,omitempty"` // to be asked for alone
	Again    []int `json:"g,omitempty"` // to be asked for again in this round
	Later    []int `json:"l,omitempty"` // in the next
	Round    int   `json:"r,omitempty"`
	Finished bool  `json:"d,omitempty"` // nothing is left
}

// Done implements api.Mark.
func (t *tally) Done() bool { return t.Finished }

// Finish implements api.Mark.
func (t *tally) Finish() { *t = tally{Finished: true} }

// Cursor implements api.Mark.
func (t *tally) Cursor() connectors.Cursor { return cursor(t) }

// fits reports whether a cursor is one of n refs.
func (t *tally) fits(n int) bool {
	if t.Next < 0 || t.Next > n || t.Round < 0 {
		return false
	}
	for _, list := range [...][]int{t.Cuts, t.Alone, t.Again, t.Later} {
		for _, i := range list {
			if i < 0 || i > n {
				return false
			}
		}
	}
	return !slices.Contains(slices.Concat(t.Alone, t.Again, t.Later), n)
}

// left gives all that is still to be asked for.
func (t *tally) left(n int) []int {
	var all []int
	for i := t.Next; i < n; i++ {
		all = append(all, i)
	}
	return slices.Concat(all, t.Alone, t.Again, t.Later)
}

// take gives what the next call asks for, at most so many of n, and takes it off; nil where nothing is left. What an answer
// left open comes last, in rounds.
func (t *tally) take(n, most int) (refs []int) {
	if t.Next == n && len(t.Alone) == 0 && len(t.Again) == 0 {
		t.Again, t.Later = t.Later, nil
		t.Round++
	}
	switch {
	case t.Next < n:
		end := min(t.Next+most, n)
		if len(t.Cuts) > 0 {
			end = min(end, t.Cuts[0])
		}
		for ; t.Next < end; t.Next++ {
			refs = append(refs, t.Next)
		}
		if len(t.Cuts) > 0 && t.Cuts[0] <= t.Next {
			t.Cuts = t.Cuts[1:]
		}
	case len(t.Alone) > 0:
		refs, t.Alone = t.Alone[:1:1], t.Alone[1:]
	case len(t.Again) > 0:
		size := min(most, len(t.Again))
		refs, t.Again = t.Again[:size:size], t.Again[size:]
	}
	return refs
}

// halve puts back what a call asked for that was refused as a whole, so that smaller calls ask for it.
func (t *tally) halve(refs []int) {
	first, last := refs[0], refs[len(refs)-1]
	if last-first != len(refs)-1 || last+1 != t.Next || t.Round > 0 {
		t.Alone = append(t.Alone, refs...)
		return
	}
	t.Next, t.Cuts = first, append([]int{first + len(refs)/2, last + 1}, t.Cuts...)
}

// batches reads a list of messages
// (https://doc.yunxin.163.com/messaging2/server-apis/jczMzMzMjg, POST /im/v2/conversations/{id}/batch_messages).
type batches struct {
	*walk
	*tally
	refs []schemas.MessageRef // each id once, those that may be asked for
	bad  []string             // the other ids
}

func newBatches(w *walk) {
	b := &batches{walk: w, tally: &tally{}}
	seen := map[string]bool{}
	for _, r := range w.c.Refs {
		switch {
		case seen[r.MessageID]:
		case isID(r.MessageID):
			b.refs = append(b.refs, r)
		default:
			b.bad = append(b.bad, r.MessageID)
		}
		seen[r.MessageID] = true
	}
	var t tally
	if json.Unmarshal([]byte(w.At.Cursor), &t) == nil && t.fits(len(b.refs)) {
		*b.tally = t
	}
	w.Mark, w.Step = b.tally, b.next
}

// next makes calls until one gives a page: what is refused as a whole is asked for in smaller parts.
func (b *batches) next(ctx context.Context) (*connectors.Page, error) {
	page := &connectors.Page{}
	if b.At.Pages == 0 && b.At.Cursor == "" {
		for _, id := range b.bad {
			page.Missing = append(page.Missing, b.missing(id, missingBadRef, "the message's id is not a whole number above 0 of 64 bits"))
		}
	}
	for {
		waits := b.Round
		refs := b.take(len(b.refs), api.PageSize{}.Of(batchSize, b.At.Limit))
		if refs == nil {
			page.Response = b.nothing(reasonNoRefs)
			return b.End(page, nil), nil
		}
		if b.Round > waits {
			if err := api.Rest(ctx, b.s.unit<<min(b.Round, 10)); err != nil {
				return nil, err
			}
		}
		resp, why, err := b.ask(ctx, b.request(refs))
		if err != nil {
			parts, calls := false, 0
			if len(refs) > 1 {
				parts, calls = b.others(ctx, connectors.ErrorOf(err))
			}
			if !parts {
				return nil, err
			}
			page.Calls += calls
			b.halve(refs)
			continue
		}
		page.Calls += resp.Calls
		if why == nil {
			page.Response = *resp
			return b.follow(ctx, page, refs)
		}
		if len(refs) > 1 && (why.Class == connectors.ClassItem || why.Class == connectors.ClassSticky) {
			b.halve(refs)
			continue
		}
		page.Response = *resp
		return b.refused(page, refs, why), nil
	}
}

// request asks for messages by id and time. One whose time is not told is asked for as of the beginning.
func (b *batches) request(refs []int) connectors.Request {
	body := []byte(`{"messages":[`)
	for n, i := range refs {
		if n > 0 {
			body = append(body, ',')
		}
		var created int64
		if t := b.refs[i].CreatedAt; t != nil {
			created = int64(*t)
		}
		body = append(append(body, `{"message_server_id":`...), b.refs[i].MessageID...)
		body = append(strconv.AppendInt(append(body, `,"create_time":`...), created, 10), '}')
	}
	r := b.batch(append(body, ']', '}'))
	if len(refs) == 1 {
		r.Subject = b.refs[refs[0]].MessageID
	}
	return r
}

// follow accounts for each message that an answer was to tell of.
func (b *batches) follow(ctx context.Context, page *connectors.Page, refs []int) (*connectors.Page, error) {
	a := readBatch(page.Body)
	if err := b.expand(ctx, page, filesOf(a.items)); err != nil {
		return nil, err
	}
	page.Items = len(a.items)
	b.note(a.items)
	for _, i := range refs {
		id := b.refs[i].MessageID
		code, told := a.failed[id]
		switch {
		case a.shown[id]:
		case !told && len(refs) > 1:
			b.Alone = append(b.Alone, i)
		case !told:
			page.Missing = append(page.Missing, b.missing(id, missingUnaccounted, "the answer to a call for this message alone does not name it"))
		case classifyItem(code).passing() && b.Round < maxRounds:
			b.Later = append(b.Later, i)
		default:
			m := b.missing(id, strconv.FormatInt(code, 10), classifyItem(code).means)
			m.Pointer = a.places[id]
			page.Missing = append(page.Missing, m)
		}
	}
	return b.pass(page), nil
}

// pass makes page the last one where nothing is left, else steps ahead.
func (b *batches) pass(page *connectors.Page) *connectors.Page {
	if len(b.left(len(b.refs))) == 0 {
		return b.End(page, nil)
	}
	b.Advance(page)
	return page
}

// refused accounts for messages that a call was to bring and that are not to be had: one message, or with the conversation
// all that are left. A look-up goes on: what is definitive is an answer.
func (b *batches) refused(page *connectors.Page, refs []int, why *connectors.Error) *connectors.Page {
	whole := why.Class == connectors.ClassContainer || why.Class == connectors.ClassUnknown
	if whole && (b.c.Cause != schemas.CauseLookup || page.Error != "") {
		refs = append(refs, b.left(len(b.refs))...)
	}
	class := why.Code
	if page.Error != "" {
		class = page.Error
	}
	for _, i := range refs {
		page.Missing = append(page.Missing, b.missing(b.refs[i].MessageID, class, why.Message))
	}
	if whole && (b.c.Cause != schemas.CauseLookup || page.Error != "") {
		return b.End(page, failureOf(why))
	}
	return b.pass(page)
}
