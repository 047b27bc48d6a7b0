package schemas_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/schemas"
)

func fullPage() *schemas.Page {
	return &schemas.Page{
		Container: "feishu/t/chat/oc_1", Conversation: "feishu/t/oc_1", Type: schemas.FeishuMessagesList, ContentType: "application/json",
		Time: time.Date(2024, 2, 29, 23, 59, 58, 7_000_000, time.UTC), Epoch: 2, Number: 13, Prev: "previous", Final: true, Expands: "false",
		Request: "GET /open-apis/im/v1/messages?container_id=oc_1", HTTPStatus: 200, Code: "0", Error: "timeout", LogID: "log-1",
		Subject: "om_1", AppID: "cli_1", ConnectorVersion: "chatlake/1.0.0", Body: []byte(`{"code":0}`),
	}
}

func headers(t *testing.T, r *schemas.Record) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, h := range r.Headers {
		if _, twice := m[h.Key]; twice {
			t.Errorf("header %s stands twice", h.Key)
		}
		m[h.Key] = string(h.Value)
	}
	return m
}

func TestPageHeaders(t *testing.T) {
	p := fullPage()
	p.Time = p.Time.In(time.FixedZone("", 8*3600)).Add(999 * time.Microsecond)
	r := p.Record("im.raw.pages", 12)
	want := map[string]string{
		"ce_specversion": "1.0", "content-type": "application/json", "ce_source": "/feishu/t/chat/oc_1", "ce_type": "feishu.im.v1.messages.list",
		"ce_id":   sha("feishu/t/chat/oc_1", "2", "13", "GET /open-apis/im/v1/messages?container_id=oc_1", "om_1"),
		"ce_time": "2024-02-29T23:59:58.007Z", "ce_partitionkey": "feishu/t/oc_1", "ce_epoch": "2", "ce_page": "13", "ce_prev": "previous",
		"ce_final": "true", "ce_expansion": "false", "ce_request": "GET /open-apis/im/v1/messages?container_id=oc_1", "ce_httpstatus": "200", "ce_code": "0",
		"ce_error": "timeout", "ce_logid": "log-1", "ce_subject": "om_1", "ce_appid": "cli_1", "ce_connectorversion": "chatlake/1.0.0",
	}
	if got := headers(t, &r); !maps.Equal(got, want) {
		t.Errorf("headers are\n%v, not\n%v", got, want)
	}
	if r.Topic != "im.raw.pages" || r.Key != "feishu/t/oc_1" || r.Partition != schemas.Partition("feishu/t/oc_1", 12) ||
		!r.Time.Equal(p.Time) || string(r.Value) != `{"code":0}` {
		t.Errorf("record is %+v", r)
	}
	if p.ID != want["ce_id"] {
		t.Errorf("the page's id is %s", p.ID)
	}
}

func TestPageHeadersOfNothing(t *testing.T) {
	r := (&schemas.Page{Container: "c", Conversation: "v", Type: schemas.FeishuMessagesList}).Record("raw", 1)
	got := headers(t, &r)
	for _, absent := range []string{"ce_prev", "ce_final", "ce_error", "ce_logid", "ce_subject"} {
		if v, ok := got[absent]; ok {
			t.Errorf("%s is %q, should be absent", absent, v)
		}
	}
	for name, want := range map[string]string{"ce_request": "", "ce_code": "", "ce_httpstatus": "0", "ce_epoch": "0", "ce_page": "0"} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %q (there: %v), not %q", name, v, ok, want)
		}
	}
	if r.Value == nil || len(r.Value) != 0 {
		t.Errorf("no body is %v, which is no empty value", r.Value)
	}
}

func TestPageRoundTrip(t *testing.T) {
	bare := &schemas.Page{
		Container: "yunxin/a/messages/x!00", Conversation: "yunxin/a/x", Type: schemas.YunxinMergedFile, ContentType: "text/plain",
		Time: time.UnixMilli(1).UTC(), Epoch: 1, Body: []byte{},
	}
	for _, p := range []*schemas.Page{fullPage(), bare} {
		r := p.Record("raw", 12)
		slices.Reverse(r.Headers)
		r.Headers = append(r.Headers, schemas.Header{Key: "traceparent", Value: []byte{0xff}}, schemas.Header{Key: "ce_unheard"})
		got, err := schemas.ParsePage(&r)
		if err != nil || !reflect.DeepEqual(&got, p) {
			t.Errorf("read\n%+v, %v, written\n%+v", got, err, p)
		}
	}
}

func TestPageHeadersAreUTF8(t *testing.T) {
	p := fullPage()
	p.LogID, p.Request, p.Subject = "log\xff", "GET /\xfe", "\xc3om"
	r := p.Record("raw", 12)
	got, err := schemas.ParsePage(&r)
	if err != nil || got.LogID != "log\uFFFD" || got.Request != "GET /\uFFFD" || got.Subject != "\uFFFDom" {
		t.Errorf("%+v, %v", got, err)
	}
	if want := schemas.PageID(got.Container, got.Epoch, got.Number, got.Request, got.Subject); got.ID != want {
		t.Errorf("ce_id is %s, the other headers give %s", got.ID, want)
	}
}

func TestNotAPage(t *testing.T) {
	change := func(name, value string) func(*schemas.Record) {
		return func(r *schemas.Record) {
			for i := range r.Headers {
				if r.Headers[i].Key == name {
					r.Headers[i].Value = []byte(value)
				}
			}
		}
	}
	remove := func(name string) func(*schemas.Record) {
		return func(r *schemas.Record) {
			r.Headers = slices.DeleteFunc(r.Headers, func(h schemas.Header) bool { return h.Key == name })
		}
	}
	faults := map[string]func(*schemas.Record){
		"ce_specversion": change("ce_specversion", "0.3"), "ce_time": change("ce_time", "yesterday"), "ce_epoch": change("ce_epoch", "two"),
		"ce_page": change("ce_page", "9223372036854775808"), "ce_httpstatus": change("ce_httpstatus", "OK"),
		"ce_partitionkey": change("ce_partitionkey", "feishu/t/oc_2"), "ce_source": change("ce_source", "feishu/t/chat/oc_1"),
		"ce_id": change("ce_id", "\xff"), "key": func(r *schemas.Record) { r.Key = "\xff" },
	}
	for _, name := range []string{"ce_id", "ce_source", "ce_type", "ce_time", "ce_epoch", "ce_page"} {
		faults["no "+name] = remove(name)
		faults["empty "+name] = change(name, "")
	}
	for what, fault := range faults {
		r := fullPage().Record("raw", 12)
		fault(&r)
		p, err := schemas.ParsePage(&r)
		name := what[strings.LastIndexByte(what, ' ')+1:]
		if !errors.Is(err, schemas.ErrNotPage) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", what, err)
		}
		if p.LogID != "log-1" || p.AppID != "cli_1" || string(p.Body) != `{"code":0}` {
			t.Errorf("%s: what could be read is lost: %+v", what, p)
		}
	}
	p, err := schemas.ParsePage(&schemas.Record{Key: "k", Value: []byte("x")})
	if !errors.Is(err, schemas.ErrNotPage) || p.Conversation != "k" || string(p.Body) != "x" {
		t.Errorf("a record without headers: %+v, %v", p, err)
	}
}

// The header is what counts; only a page without one is judged by its type and its container's kind.
func TestExpansion(t *testing.T) {
	for _, c := range []struct {
		container schemas.ContainerKey
		kind      string
		number    int64
		final     bool
		expands   string
		want      bool
	}{
		{"feishu/t/chat/c", schemas.FeishuMessagesGet, 3, false, "", true},
		{"feishu/t/chat/c", schemas.FeishuMessagesList, 3, false, "", false},
		{"feishu/t/chat/c", schemas.FeishuChatsGet, 0, false, "", false},
		{"feishu/t/message/c!m", schemas.FeishuMessagesGet, 1, true, "", false},
		{"feishu/t/message/c!m", schemas.FeishuMessagesGet, 1, false, "", true},
		{"yunxin/t/messages/c!m", schemas.YunxinMergedFile, 1, false, "", true},
		{"yunxin/t/messages/c!m", schemas.YunxinMessagesBatch, 1, false, "", false},
		{"yunxin/t/conversation/c", schemas.YunxinMessagesList, 1, true, "", false},
		{"feishu/t/chat/c", schemas.FeishuChatsGet, 3, false, "false", false}, // its record, read again later
		{"toy/t/room/c", "toy.list", 3, false, "false", false},
		{"toy/t/room/c", "toy.list", 3, false, "true", true},
		{"feishu/t/chat/c", schemas.FeishuMessagesGet, 3, false, "perhaps", true},
	} {
		p := schemas.Page{Container: c.container, Type: c.kind, Number: c.number, Final: c.final, Expands: c.expands}
		if p.Expansion() != c.want {
			t.Errorf("%+v: %t", c, !c.want)
		}
	}
}

func TestPageType(t *testing.T) {
	for _, c := range []struct{ platform, kind, want string }{
		{schemas.Feishu, schemas.KindChat, "feishu.im.v1.messages.list"},
		{schemas.Feishu, schemas.KindThread, "feishu.im.v1.messages.list"},
		{schemas.Feishu, schemas.KindMessage, "feishu.im.v1.messages.get"},
		{schemas.Yunxin, schemas.KindConversation, "yunxin.im.v2.messages.list"},
		{schemas.Yunxin, schemas.KindMessages, "yunxin.im.v2.messages.batch"},
	} {
		if got := schemas.PageType(c.platform, c.kind); got != c.want {
			t.Errorf("%s %s is %s, not %s", c.platform, c.kind, got, c.want)
		}
	}
	if schemas.FeishuChatsGet != "feishu.im.v1.chats.get" || schemas.YunxinMergedFile != "yunxin.merged.file" {
		t.Error("a ce_type changed")
	}
}
