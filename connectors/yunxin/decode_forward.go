package yunxin

import (
	"crypto/md5"
	"encoding/hex"
	"iter"
	"slices"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Limits of what the merged forwards of one page may become. A file is laid out wherever a message names it, so that a few
// small files could grow without bound.
const (
	maxRepeated = 32 << 20 // bytes of files, beside each file once
	maxRows     = 100_000  // messages, each some 1.2 KiB
)

// Reasons why an expansion is not complete, beside those of package connectors and what a page tells.
const (
	reasonNoURL      = "no_url"      // the message names no file
	reasonNotFetched = "not_fetched" // no page holds the file
	reasonEmpty      = "empty"       // the file is
	reasonUnreadable = "unreadable"  // its first line is no header
	reasonMD5        = "md5"         // it is not the file that the message means
	reasonBadLine    = "bad_line"    // a line of it is no message
	reasonNoHeader   = "no_header"   // its first line is a message
	reasonCount      = "count"       // it has another number of messages than its header says
	reasonEncrypted  = "encrypted"   // the sender's app encrypted or compressed it
)

// file is a page that holds the file of a merged forward.
type file struct {
	no    int // of the page in its group
	page  *schemas.Page
	clean bool
	md5   string // of its body, "" until it was asked for
}

// index notes the files among the pages of a group.
func (r *reader) index(pages []schemas.Page) {
	r.budget, r.rows = maxRepeated, maxRows
	r.expander.Begin()
	for i := range pages {
		p := &pages[i]
		if p.Type != schemas.YunxinMergedFile {
			continue
		}
		if r.files == nil {
			r.files = map[string]*file{}
		}
		r.budget += int64(len(p.Body))
		r.Inspect(p.Body)
		f := &file{no: i, page: p, clean: r.Clean}
		for _, url := range [...]string{p.Request, bare(p.Request)} {
			if key := fileKey(p.Subject, url); r.files[key] == nil {
				r.files[key] = f
			}
		}
	}
}

// fileKey names a file by the outermost message that leads to it and its URL.
func fileKey(subject, url string) string { return subject + " " + url }

// bare gives a URL without its query.
func bare(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// held finds the page that holds a file, nil where none does. Which parameters sign a URL is the platform's secret, so that
// a page of the same URL with others is taken, too.
func (r *reader) held(subject, url string) *file {
	if f := r.files[fileKey(subject, url)]; f != nil {
		return f
	}
	return r.files[fileKey(subject, bare(url))]
}

// expand lays out the merged forward that is reading n.
func (r *reader) expand(out *connectors.Decoded, n int) {
	fw, reading := r.fwd, &out.Readings[n]
	f := schemas.Forward{Role: schemas.ForwardContainer, Expansion: "UNKNOWN"}
	key := fileKey(reading.Message.MessageID, fw.url)
	switch earlier, again := r.expanded[key]; {
	case again:
		f = earlier // its messages stand there
	case !fw.inline && !fw.locked && fw.url != "" && r.held(reading.Message.MessageID, fw.url) == nil || reading.OtherConversation:
	default:
		root := reading.Message // out.Readings may move
		first := len(out.Readings)
		f = r.expander.Expand(out, &root, r.inside(fw, []string{root.MessageID}))
		threads(out.Readings[first:])
		if r.expanded == nil {
			r.expanded = map[string]schemas.Forward{}
		}
		r.expanded[key] = f
	}
	out.Readings[n].Message.Forward = f
}

// inside gives what stands in a merged forward. above has the id of the outermost one and the URLs down to this.
func (r *reader) inside(fw *forwarded, above []string) decode.Opened {
	if fw.inline {
		return r.told(fw, above)
	}
	if fw.url == "" {
		return failed(reasonNoURL)
	}
	if slices.Contains(above[1:], fw.url) {
		return decode.Opened{Expansion: schemas.ExpansionPartial, Reason: decode.ReasonCycle}
	}
	if fw.locked {
		return failed(reasonEncrypted)
	}
	f := r.held(above[0], fw.url)
	if f == nil {
		return failed(reasonNotFetched)
	}
	switch p := f.page; {
	case p.Error != "":
		return failed(p.Error)
	case !fine(p.Code):
		return failed(p.Code)
	case len(p.Body) == 0:
		return failed(reasonEmpty)
	case fw.md5 != "" && fw.md5 != f.sum():
		return failed(reasonMD5)
	case r.budget < int64(len(p.Body)):
		return decode.Opened{Expansion: schemas.ExpansionPartial, Reason: decode.ReasonTooMany}
	}
	r.budget -= int64(len(f.page.Body))
	return r.lines(f, append(slices.Clip(above), fw.url))
}

func failed(reason string) decode.Opened {
	return decode.Opened{Expansion: schemas.ExpansionFailed, Reason: reason}
}

// told gives the messages that stand within the message that forwards them.
func (r *reader) told(fw *forwarded, above []string) decode.Opened {
	for i, inner := range fw.nested {
		if inner != nil {
			fw.within[i].Open = func() decode.Opened { return r.inside(inner, above) }
		}
	}
	in := decode.Opened{Children: each(fw.within), Expansion: schemas.ExpansionComplete}
	if fw.why != "" {
		in.Expansion, in.Reason = schemas.ExpansionPartial, fw.why
	}
	return in
}

func each(children []decode.Child) iter.Seq[*decode.Child] {
	return func(yield func(*decode.Child) bool) {
		for i := range children {
			if !yield(&children[i]) {
				return
			}
		}
	}
}

// sum is the MD5 of a file in hex, which is all that the platform gives to tell one file from another.
func (f *file) sum() string {
	if f.md5 == "" {
		sum := md5.Sum(f.page.Body)
		f.md5 = hex.EncodeToString(sum[:])
	}
	return f.md5
}

// threads names the threads of messages of one snapshot by their roots, where these stand in it.
func threads(rows []connectors.Reading) {
	var roots map[string]string // thread_id by the root's record_id
	for i := range rows {
		r := &rows[i]
		if !r.ThreadByRoot {
			continue
		}
		r.ThreadByRoot = false // links of a snapshot are settled
		if root := &r.Message.Root; root.Status == schemas.LinkResolved {
			r.Message.ThreadID = root.MessageID
			if roots == nil {
				roots = map[string]string{}
			}
			roots[*root.RecordID] = *root.MessageID
		}
	}
	if roots == nil {
		return
	}
	for i := range rows {
		m := &rows[i].Message
		if id, ok := roots[m.RecordID]; ok {
			m.ThreadID, m.IsThreadRoot = &id, true
		}
	}
}

// child decodes a message within a merged forward, but for what depends on its place. One without a server id goes by its
// client's.
func (r *reader) child(c *decode.Child, f *fields) {
	c.Reading = connectors.Reading{Page: r.no, Source: connectors.FromOther}
	m := &c.Reading.Message
	r.Begin(m)
	m.MessageID = r.serverID(f.serverID, "message_id")
	r.message(f, &c.Reading)
	if m.MessageID == "" && m.ClientMessageID != nil {
		m.MessageID = *m.ClientMessageID
	}
	m.Provenance.ItemPointer = r.here
	conversation := sourceOf(f)
	if conversation == "" {
		r.attribute("receiver_id", f.receiver)
		return
	}
	const key = "attributes.source_conversation"
	m.Attributes.Set("source_conversation", r.Keep(r.Bounded(r.Valid(conversation, key), key)))
}

// broken makes a child one of which nothing can be read. It keeps its place.
func (r *reader) broken(c *decode.Child, why string) {
	c.Reading = connectors.Reading{Page: r.no, Source: connectors.FromOther, Message: schemas.Message{
		Platform: schemas.Yunxin, TenantID: r.at.Tenant, AppID: r.at.App, ConversationID: r.at.Conversation, ConversationKind: r.at.kind,
		ContentKind: schemas.ContentUnknown, State: schemas.MessageNormal,
		Parent: schemas.Link{Status: schemas.LinkNone}, Root: schemas.Link{Status: schemas.LinkNone},
	}}
	r.Begin(&c.Reading.Message)
	r.M.Provenance.ItemPointer = r.here
	r.Issue("content_json", schemas.IssueNulled, why)
}

// sourceOf names the conversation that a line of a file comes from, as keys do, "" where the line does not tell. Lines count
// scenes as clients do: 0, 1 and 5.
func sourceOf(f *fields) string {
	scene, ok := f.lineScene.Int()
	to, _ := f.receiver.Str()
	from, _ := f.sender.Str()
	switch {
	case !ok || to == "":
		return ""
	case scene == 0 && from != "":
		from, to = strings.ToLower(from), strings.ToLower(to)
		return "p2p:" + min(from, to) + ":" + max(from, to)
	case scene == 1:
		return "team:" + to
	case scene == 5:
		return "super:" + to
	}
	return ""
}

// linePointer names a line of a file, counted from 0: the header's is /lines/0.
func linePointer(n int) string { return "/lines/" + strconv.Itoa(n) }
