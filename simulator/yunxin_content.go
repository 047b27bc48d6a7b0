package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// Message types, and types within a custom attachment: conventions of the vendor's UIKit.
const (
	typeText     = 0
	typeImage    = 1
	typeAudio    = 2
	typeVideo    = 3
	typeLocation = 4
	typeNotice   = 5
	typeFile     = 6
	typeTip      = 10
	typeRobot    = 11
	typeCall     = 12
	typeCustom   = 100

	innerForward  = 101
	innerRichText = 102
	innerSticker  = 1001
)

// content is what the API tells of a message's content, beside its truth.
type content struct {
	text      string // as the API tells it
	wire      string // attachment in the form of clients and merged files: w, h, dur
	object    string // in the form of the newer client SDK: width, height, duration; "": the same
	newer     bool   // the API tells the latter
	quoted    bool   // the API tells it as a JSON string
	mentions  any    // yxAitMsg
	extension string // a free one of the sender's
}

// attachment is the attachment as JSON, decoded.
func (c *content) attachment() string {
	if c.newer && c.object != "" {
		return c.object
	}
	return c.wire
}

// yunxinDraft is what a message is made from.
type yunxinDraft struct {
	b    *talkBuilder
	c    chance
	text string
	at   int64
}

func (m *YunxinMessage) setText(text string) {
	m.Type, m.Kind, m.Text, m.TextExact, m.TextNone = typeText, "TEXT", text, true, text == ""
	m.body.text = text
}

// set gives a message an attachment; both forms are the same where object is nil.
func (m *YunxinMessage) set(messageType int, kind string, wire, object any) {
	m.Type, m.Kind = messageType, kind
	m.body.wire = contentJSON(wire)
	if object != nil {
		m.body.object = contentJSON(object)
	}
	m.Content = m.body.attachment()
}

// asText makes a text: with those mentioned who are addressed; some as servers sent them by the older API; some that look
// like that and are what a person typed.
func (d *yunxinDraft) asText(m *YunxinMessage) {
	if d.b.t.Type != YunxinP2P {
		d.address(m)
	}
	m.setText(d.text)
	switch d.c.with("as", 0).below(40) {
	case 0, 1, 2:
		m.ClientType = 32
		m.body.text = contentJSON(map[string]string{"msg": d.text})
	case 3:
		if m.body.mentions != nil {
			break // who types JSON mentions nobody
		}
		m.setText(contentJSON(map[string]string{"msg": d.text, "to": "all"}))
	}
	if d.c.with("attachment", 0).below(4) == 0 {
		m.body.wire, m.Content = "{}", "{}"
	}
	if d.c.with("sub", 0).below(60) == 0 {
		m.SubType = 9
	}
	if d.c.with("extension", 0).below(12) == 0 && m.body.mentions == nil {
		m.body.extension = []string{"not json {", `{"color":"red","n":9007199254740993}`, `"quoted"`, "[1,2"}[d.c.with("extension", 1).below(4)]
	}
}

// address turns "nick: words" into a mention.
func (d *yunxinDraft) address(m *YunxinMessage) {
	p := addressed.FindStringSubmatch(d.text)
	if p == nil || strings.Contains(p[1], ",") {
		return
	}
	id, mark := d.b.w.account(p[1]), "@"+p[1]
	if !d.b.t.members[id] {
		return
	}
	d.text = mark + " " + p[2]
	m.Mentions = []Mention{{ID: id, Name: p[1]}}
	m.body.mentions = map[string]any{id: map[string]any{"text": mark, "segments": []any{
		map[string]any{"start": 0, "end": len([]rune(mark)), "broken": false}}}}
}

// asMedia makes a message that is a file, in both vocabularies.
func (d *yunxinDraft) asMedia(m *YunxinMessage) {
	c := d.c.with("media", 0)
	f := YunxinFile{MD5: c.hex(32), URL: "https://nos.example.com/" + c.with("url", 0).hex(24), Size: int64(1000 + c.below(900_000))}
	wire, object := map[string]any{"md5": f.MD5, "url": f.URL, "size": f.Size}, map[string]any{"md5": f.MD5, "url": f.URL, "size": f.Size}
	if c.with("quoted", 0).below(4) == 0 {
		wire["size"], object["size"] = strconv.FormatInt(f.Size, 10), strconv.FormatInt(f.Size, 10)
	}
	both := func(older, newer string, value any) { wire[older], object[newer] = value, value }
	messageType, kind := typeImage, "IMAGE"
	switch c.with("kind", 0).below(5) {
	case 0:
		messageType, kind, f.Kind, f.Extension, f.DurationMS = typeAudio, "AUDIO", "audio", "aac", int64(1000+c.below(60_000))
		both("dur", "duration", f.DurationMS)
	case 1:
		messageType, kind, f.Kind, f.Extension = typeVideo, "VIDEO", "video", "mp4"
		f.DurationMS, f.Width, f.Height, f.Name = int64(1000+c.below(90_000)), 360, 480, "clip.mp4"
		both("dur", "duration", f.DurationMS)
	case 2:
		messageType, kind, f.Kind, f.Extension, f.Name = typeFile, "FILE", "file", "pdf", "notes.pdf"
	default:
		f.Kind, f.Extension, f.Width, f.Height, f.Name = "image", "jpg", 640, 480, "a.jpg"
	}
	if f.Width > 0 {
		both("w", "width", f.Width)
		both("h", "height", f.Height)
	}
	if f.Name != "" {
		both("name", "name", f.Name)
	}
	wire["ext"], object["ext"] = f.Extension, "."+f.Extension
	m.body.newer, m.body.quoted = c.with("newer", 0).below(2) == 0, c.with("string", 0).below(9) == 0
	m.set(messageType, kind, wire, object)
	m.Files, m.TextExact = []YunxinFile{f}, true
}

// asCustom makes a custom message: conventions of the UIKit, others' inventions, and what the client SDK wraps in raw.
func (d *yunxinDraft) asCustom(m *YunxinMessage) {
	m.body.newer, m.body.quoted = true, d.c.with("string", 0).below(6) == 0
	wire := func(v map[string]any) any {
		if d.c.with("raw", 0).below(4) == 0 {
			return map[string]string{"raw": contentJSON(v)}
		}
		return v
	}
	switch n := d.c.with("custom", 0).below(6); n {
	case 0, 1:
		m.set(typeCustom, "RICH_TEXT", wire(map[string]any{"type": innerRichText, "data": map[string]string{"title": "Note", "body": d.text}}), nil)
		m.Inner, m.Text, m.TextExact = innerRichText, "Note\n"+d.text, true
	case 2:
		m.set(typeCustom, "STICKER", wire(map[string]any{"type": innerSticker, "data": map[string]string{"catalog": "ajmd", "chartlet": "ajmd007"}}), nil)
		m.Inner, m.Files = innerSticker, []YunxinFile{{Kind: "sticker", Key: "ajmd007"}}
	case 3:
		m.set(typeCustom, "CUSTOM", map[string]any{"k": d.text, "order": 9_007_199_254_740_993}, nil)
	default:
		m.set(typeCustom, "CUSTOM", wire(map[string]any{"type": 1000 + n, "data": map[string]string{"k": d.text}}), nil)
		m.Inner = 1000 + n
	}
	if d.c.with("sub", 0).below(3) == 0 {
		m.SubType = 7
	}
}

// asOther makes one of the rarer types, those included that no vendor page explains.
func (d *yunxinDraft) asOther(m *YunxinMessage) {
	c := d.c.with("other", 0)
	m.body.newer = c.with("newer", 0).below(2) == 0
	switch n := c.below(9); n {
	case 0, 1:
		street := "Pier " + strconv.Itoa(c.below(9))
		m.set(typeLocation, "LOCATION", map[string]any{"title": street, "lng": 120.19, "lat": 30.19},
			map[string]any{"address": street, "longitude": 120.19, "latitude": 30.19})
		m.Text = street
	case 2, 3:
		m.set(typeCall, "CALL", map[string]any{"type": 1 + n%2, "channelId": strconv.Itoa(c.below(99)), "status": 1 + c.below(5), "text": "",
			"durations": []any{map[string]any{"accid": m.Sender, "duration": c.below(900)}}}, nil)
	case 4:
		d.asTip(m)
	case 5:
		m.set(typeRobot, "", map[string]any{"msgOut": map[string]any{"message": "hello"}, "robotAccid": "robot1"}, nil)
	case 6:
		m.set(7, "", map[string]any{"id": 101, "data": map[string]any{"calltype": 1, "duration": 30}}, nil)
	default:
		m.set([]int{8, 9, 99}[c.with("unknown", 0).below(3)], "UNKNOWN", map[string]any{"what": "nobody knows", "n": n}, nil)
	}
	if d.c.with("sub", 0).below(3) == 0 {
		m.SubType = 3
	}
}

func (d *yunxinDraft) asTip(m *YunxinMessage) {
	m.Type, m.Kind, m.Text, m.TextExact = typeTip, "TIP", d.text, true
	m.body.text = d.text
}

// asNotice makes of a system line a notification of a team, or a tip.
func (d *yunxinDraft) asNotice(m *YunxinMessage) {
	t := d.b.t
	p := joined.FindStringSubmatch(d.text)
	if p == nil || t.Type == YunxinP2P {
		d.asTip(m)
		return
	}
	who := d.b.w.account(p[1])
	t.members[who] = true
	n := d.c.with("ope", 0).below(3)
	ope := []int{0, 5, 9}[n]
	if p[2] == "left" {
		ope = []int{2, 2, 1}[n]
	}
	if rare := d.c.with("rare", 0).below(12); rare < 6 {
		ope = []int{3, 4, 6, 7, 8, 10}[rare]
	} else if t.Type == YunxinSuper {
		ope += 401
	}
	notice := map[string]any{"tid": t.TeamID, "tname": t.Name, "ope": ope, "accids": []string{who}, "updatetime": d.at}
	if n == 1 {
		notice["tid"] = fmt.Sprint(t.TeamID)
	}
	m.set(typeNotice, "NOTIFICATION", notice, nil)
}
