package schemas

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Values of ce_type: the API whose response a page is.
const (
	FeishuMessagesList  = "feishu.im.v1.messages.list"
	FeishuMessagesGet   = "feishu.im.v1.messages.get"
	FeishuChatsGet      = "feishu.im.v1.chats.get"
	YunxinMessagesList  = "yunxin.im.v2.messages.list"
	YunxinMessagesBatch = "yunxin.im.v2.messages.batch"
	YunxinMergedFile    = "yunxin.merged.file"
)

// Page is a record of the topic of raw pages: one response body, verbatim, with what is known of it in CloudEvents 1.0
// binary-mode headers (https://github.com/cloudevents/spec, Kafka protocol binding 1.0).
type Page struct {
	ID               string // ce_id, see PageID
	Container        ContainerKey
	Conversation     ConversationKey
	Type             string // ce_type
	ContentType      string // application/json, or text/plain for a Yunxin merged file
	Time             time.Time
	Epoch            int64
	Number           int64  // ce_page
	Prev             string // ce_prev: id of the list or batch page before it, "" where it is the first
	Final            bool   // ce_final: the last page of its container's epoch
	Expands          string // ce_expansion: true or false; "" on pages of older versions, see Expansion
	Request          string // method, path and query as sent, without credentials
	HTTPStatus       int    // 0: no response came
	Code             string // the platform's code, "" where no response came
	Error            string // only on what was given up
	LogID            string // the platform's request id
	Subject          string // message id, for calls about one message
	AppID            string
	ConnectorVersion string
	Body             []byte
}

// Record gives the page as a record; ID is computed. What is not UTF-8 in a header, which only a platform's own words can
// bring, is replaced.
func (p *Page) Record(topic string, partitions int) Record {
	p.Request, p.Subject = utf8Of(p.Request), utf8Of(p.Subject)
	p.ID = PageID(p.Container, p.Epoch, p.Number, p.Request, p.Subject)
	h := make([]Header, 0, 20)
	add := func(k, v string) { h = append(h, Header{k, []byte(utf8Of(v))}) }
	opt := func(k, v string) {
		if v != "" {
			add(k, v)
		}
	}
	add("ce_specversion", "1.0")
	add("content-type", p.ContentType)
	add("ce_id", p.ID)
	add("ce_source", "/"+string(p.Container))
	add("ce_type", p.Type)
	add("ce_time", p.Time.UTC().Format(timeLayout))
	add("ce_partitionkey", string(p.Conversation))
	add("ce_epoch", strconv.FormatInt(p.Epoch, 10))
	add("ce_page", strconv.FormatInt(p.Number, 10))
	opt("ce_prev", p.Prev)
	if p.Final {
		add("ce_final", "true")
	}
	opt("ce_expansion", p.Expands)
	add("ce_request", p.Request)
	add("ce_httpstatus", strconv.Itoa(p.HTTPStatus))
	add("ce_code", p.Code)
	opt("ce_error", p.Error)
	opt("ce_logid", p.LogID)
	opt("ce_subject", p.Subject)
	add("ce_appid", p.AppID)
	add("ce_connectorversion", p.ConnectorVersion)
	value := p.Body
	if value == nil {
		value = []byte{} // nil would be a tombstone
	}
	return Record{
		Topic: topic, Partition: Partition(p.Conversation, partitions), Time: p.Time,
		Key: string(p.Conversation), Value: value, Headers: h,
	}
}

func utf8Of(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// ErrNotPage says that a record of the topic of raw pages is not one.
var ErrNotPage = errors.New("not a raw page")

// ParsePage reads a record of the topic of raw pages. Headers that it does not know are passed over. On error, which is
// an ErrNotPage, the page holds what could be read, with what is not UTF-8 replaced.
func ParsePage(r *Record) (Page, error) {
	p := Page{Conversation: ConversationKey(utf8Of(r.Key)), Body: r.Value}
	var firstErr error
	fail := func(what string, err error) {
		if firstErr == nil {
			firstErr = fmt.Errorf("%w: %s: %w", ErrNotPage, what, err)
		}
	}
	if string(p.Conversation) != r.Key {
		fail("key", errNotUTF8)
	}
	seen := 0
	for i := range r.Headers {
		known, err := p.header(r.Headers[i].Key, string(r.Headers[i].Value))
		if err != nil {
			fail("header "+r.Headers[i].Key, err)
		}
		seen |= known
	}
	for i, name := range needed {
		if seen&(1<<i) == 0 {
			fail("header "+name, errors.New("is missing"))
		}
	}
	return p, firstErr
}

// needed are the headers without which a page cannot be normalized, each with one bit in what header returns.
var needed = [...]string{"ce_id", "ce_source", "ce_type", "ce_time", "ce_epoch", "ce_page"}

var errNotUTF8 = errors.New("is not UTF-8")

// header takes one header; known has the bit of a needed one that is not empty.
func (p *Page) header(key, value string) (known int, err error) {
	i := slices.Index(needed[:], key)
	if !utf8.ValidString(value) {
		value = utf8Of(value)
		if i >= 0 {
			err = errNotUTF8
		}
	}
	if i >= 0 && value != "" {
		known = 1 << i
	}
	return known, cmp.Or(err, p.set(key, value))
}

func (p *Page) set(key, value string) (err error) {
	switch key {
	case "ce_id":
		p.ID = value
	case "ce_specversion":
		if value != "1.0" {
			err = fmt.Errorf("is %q, not 1.0", value)
		}
	case "ce_source":
		key, ok := strings.CutPrefix(value, "/")
		if p.Container = ContainerKey(key); !ok || key == "" {
			err = errors.New("is not a slash and a container key")
		}
	case "ce_type":
		p.Type = value
	case "content-type":
		p.ContentType = value
	case "ce_time":
		p.Time, err = time.Parse(time.RFC3339Nano, value)
	case "ce_partitionkey":
		if value != string(p.Conversation) {
			err = errors.New("is not the record's key")
		}
	case "ce_epoch":
		p.Epoch, err = strconv.ParseInt(value, 10, 64)
	case "ce_page":
		p.Number, err = strconv.ParseInt(value, 10, 64)
	case "ce_prev":
		p.Prev = value
	case "ce_final":
		p.Final = value == "true"
	case "ce_expansion":
		p.Expands = value
	case "ce_request":
		p.Request = value
	case "ce_httpstatus":
		p.HTTPStatus, err = strconv.Atoi(value)
	case "ce_code":
		p.Code = value
	case "ce_error":
		p.Error = value
	case "ce_logid":
		p.LogID = value
	case "ce_subject":
		p.Subject = value
	case "ce_appid":
		p.AppID = value
	case "ce_connectorversion":
		p.ConnectorVersion = value
	}
	return err
}

// PageType is the ce_type of the list, batch or look-up pages of a kind of container.
func PageType(platform, kind string) string {
	switch {
	case platform == Yunxin && kind == KindConversation:
		return YunxinMessagesList
	case platform == Yunxin:
		return YunxinMessagesBatch
	case kind == KindMessage:
		return FeishuMessagesGet
	default:
		return FeishuMessagesList
	}
}

// Expansion reports whether the page completes a message of the list, batch or look-up page of the same number, before
// which it stands: by its header, and for a page without one by its type and its container's kind.
func (p *Page) Expansion() bool {
	switch p.Expands {
	case "true":
		return true
	case "false":
		return false
	}
	platform, rest, _ := strings.Cut(string(p.Container), "/")
	_, rest, _ = strings.Cut(rest, "/")
	kind, _, _ := strings.Cut(rest, "/")
	return p.Number > 0 && (p.Type != PageType(platform, kind) || kind == KindMessage && !p.Final)
}
