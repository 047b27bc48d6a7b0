// Package connectors is the contract between the pipeline and the platforms: what a Source and a Decoder of one platform
// must do, what passes between them, and the classes of their errors. It knows no platform and no broker. What platforms
// build on is below it, in connectors/api and connectors/decode.
package connectors

import (
	"context"
	"iter"
	"time"

	"chatlake/schemas"
)

// Cursor is where a source goes on within a container. Only the source that made it reads it.
type Cursor string

// Position is how far a container has been read in its epoch. Its zero value is the beginning. A Cursor and Watermark with
// Pages 0 are those that an earlier epoch came to: the source goes on from there without the page token, which may be months
// old, and opens the container again.
type Position struct {
	Cursor    Cursor
	Watermark schemas.Millis // creation time of the newest message read, 0: none
	Pages     int64          // list and batch pages read
	// Limit is the most messages that each of the next pages may show, 0: as many as the API gives. The pipeline sets it
	// where a page was larger than its topic takes.
	Limit int
	// Memory is what the source remembers beside the cursor for as long as the process runs, such as what its guards
	// against endless paging have seen. It goes from Page.Next into the next call of Pages; nil after a start or a
	// resumption, which are the same to a source.
	Memory any
}

// Response is one body that a platform sent, kept verbatim, or a call that was given up.
type Response struct {
	Type        string    // the API: a ce_type of package schemas
	ContentType string    // of the record, application/json if ""
	Request     string    // method, path and query as sent, without credentials; for a POST a blank and the compact body
	HTTPStatus  int       // 0: no response came
	Code        string    // the platform's code, "" where no response came
	LogID       string    // the platform's request id
	Subject     string    // message id, for calls about one message
	Error       string    // why it was given up, "" where it was not
	Time        time.Time // when it was complete
	Body        []byte
	Calls       int // API calls that it took, retries counted
}

// Page is one step of reading a container: a list or batch response, what else it took, and where to go on.
type Page struct {
	Response
	// Opening holds responses about the container itself, before its first page; their ce_page is 0.
	Opening []Response
	// Expansions holds responses that complete messages of the page, such as merged forwards; they stand directly
	// before it and carry its ce_page.
	Expansions []Response
	// Found holds containers that the page shows, such as its threads. Kind, ID and Cause are set; the pipeline
	// fills in the rest from the container that was read.
	Found []schemas.Container
	// Missing holds messages that the container asks for by id and that are not to be had: RecordID, Class and Message, and
	// Pointer where the page's body tells of it. Each stands in one page of an epoch.
	Missing []Failed
	Items   int // messages shown
	Calls   int // API calls made for this step, retries counted
	// Next is the position after this page.
	Next Position
	// Final says that nothing is left to read. Failed, where not nil, says that the container cannot be read any
	// further: the page is then the platform's definitive answer, or the last body that came.
	Final  bool
	Failed *Failure
}

// Bytes is how long the bodies of the page are together, with those of its openings and expansions.
func (p *Page) Bytes() int {
	n := len(p.Body)
	for _, responses := range [...][]Response{p.Opening, p.Expansions} {
		for i := range responses {
			n += len(responses[i].Body)
		}
	}
	return n
}

// Failure is why a container ended before its end.
type Failure struct {
	Code    string // the platform's code, or a word of chatlake
	Message string // never message text
	// Wide says that the code is not about a single conversation: where container after container is refused with it, the
	// platform refuses the app.
	Wide bool
}

// Source reads the containers of one platform.
type Source interface {
	// Pages yields the pages of a container from a position on, each once, in order, until a page that is Final. The
	// next page is asked for only when the body of the loop has returned. An error ends the sequence and says nothing
	// of the container: the pages yielded so far stand, and reading may be tried again from the last Next. Errors are
	// *Error, or ctx's.
	Pages(ctx context.Context, c *schemas.Container, from Position) iter.Seq2[*Page, error]
}

// Failed is one item of a page that could not be decoded or was not to be had.
type Failed struct {
	Page     int    // which of the pages that were decoded together holds it
	Pointer  string // JSON Pointer of the item in the page's body, "" for the whole page
	RecordID string // where known
	Class    string // one word
	Message  string // never message text
}

// Reading is what one page says of one message. A message whose Forward.Role is CHILD or CHILD_CONTAINER is a snapshot: its
// links are what they are, within the merged forward that it stands in; all others are linked by the pipeline.
type Reading struct {
	Message schemas.Message
	Page    int // which of the pages that were decoded together shows it
	// Source ranks where the message was seen: chat or conversation list before thread list before any other call.
	Source SourceRank
	// OtherConversation says that the message belongs to another conversation than the page: it makes no row.
	OtherConversation bool
	// Elsewhere is the id of that other conversation, "" where the page does not tell it.
	Elsewhere string
	// ThreadByRoot says that the message's thread is named by its root: thread_id is the root's message id, and the root is
	// a thread's root once this message is seen.
	ThreadByRoot bool
}

// Answer is what a page says of a message that it does not show.
type Answer struct {
	Page      int // which of the pages that were decoded together says it
	MessageID string
	Status    string // LinkDeleted, LinkForbidden, LinkOutOfScope or LinkMissing of package schemas
	Reason    string // one word or the platform's code
}

// SourceRank orders the calls that show a message; the lower, the better.
type SourceRank uint8

// Ranks of sources.
const (
	FromList SourceRank = iota
	FromThread
	FromOther
)

// Decoded is what some pages say together.
type Decoded struct {
	Readings []Reading // in the order of the pages; a merged forward stands before its children
	Answers  []Answer
	Failed   []Failed
	// ConversationKind is what the page tells of its conversation, "" where it tells nothing.
	ConversationKind string
}

// Item is a message object, or a line of a file, that a page shows, found without decoding it: what an audit counts by.
type Item struct {
	Pointer string // JSON Pointer in the page's body, as messages and dead letters name it
	ID      string // message id, where it is needed to place the item, else ""
	Within  string // id of the message that the item is part of, "" where the item does not name one
	// Own says that the page was fetched for what this item contains: the item itself is shown by another page, and no
	// message follows from it here.
	Own bool
}

// Decoder turns the pages of one platform into messages. Decoding is a function of the pages alone: it calls nobody and
// reads no setting.
type Decoder interface {
	// Decode replaces what out holds by what pages say together: one page, last, and before it the expansions that belong
	// to it; expansions may also come without their page, and a page without them. It never fails: a page that cannot be
	// read is one Failed. Messages carry everything that the pages tell: record_id, times, content, links that are told
	// as PENDING with their ids, and all of Forward; version, change and provenance other than item_pointer are the
	// pipeline's. Strings may share memory with the pages' bodies.
	Decode(pages []schemas.Page, out *Decoded)
}
