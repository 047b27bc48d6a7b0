package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The shapes of body.content follow
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content

type postContent struct {
	Title   string  `json:"title"`
	Content [][]any `json:"content"`
}

type postText struct {
	Tag   string   `json:"tag"`
	Text  string   `json:"text"`
	Style []string `json:"style,omitempty"`
}

type postLink struct {
	Tag  string `json:"tag"`
	Href string `json:"href"`
	Text string `json:"text"`
}

type postAt struct {
	Tag      string `json:"tag"`
	UserID   string `json:"user_id"`
	UserName string `json:"user_name"`
}

type postImage struct {
	Tag      string `json:"tag"`
	ImageKey string `json:"image_key"`
	Width    int64  `json:"width,omitempty"`
	Height   int64  `json:"height,omitempty"`
}

type postCode struct {
	Tag      string `json:"tag"`
	Language string `json:"language"`
	Text     string `json:"text"`
}

type postEmotion struct {
	Tag       string `json:"tag"`
	EmojiType string `json:"emoji_type"`
}

type postRule struct {
	Tag string `json:"tag"`
}

// contentJSON is v as the platform writes contents: compact, <, > and & as they are.
func contentJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A content is made of strings, numbers and slices of them, which always encode.
	_ = e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// setText makes m a text of no mentions.
func setText(m *Message, text string) {
	setContent(m, "text", map[string]string{"text": text})
	m.Text, m.TextExact = text, true
}

func setContent(m *Message, msgType string, content any) {
	m.Type, m.Kind, m.Card = msgType, kindOf(msgType), ""
	m.Content = contentJSON(content)
	m.Text, m.TextExact, m.TextNone = "", false, false
}

func setPost(m *Message, content postContent, text string) {
	setContent(m, "post", content)
	m.Text, m.TextExact = text, true
}

var webAddress = regexp.MustCompile(`https?://[^\s<>"()]+`)

// draft is what a message is made from.
type draft struct {
	c        chance
	text     string // without the people addressed
	mentions []Mention
	who      string
	at       int64
	chat     *Chat
}

// keys are the placeholders of the mentions, blank after each.
func (d *draft) keys() string {
	var b strings.Builder
	for _, m := range d.mentions {
		b.WriteString(m.Key + " ")
	}
	return b.String()
}

func (d *draft) names() string {
	var b strings.Builder
	for _, m := range d.mentions {
		b.WriteString("@" + m.Name + " ")
	}
	return b.String()
}

func (d *draft) asText(m *Message) {
	setText(m, d.keys()+d.text)
	m.Text, m.Mentions = d.names()+d.text, d.mentions
	if len(d.mentions) == 0 && d.c.with("all", 0).below(300) == 0 {
		setText(m, "@_all "+d.text)
		m.MentionsAll, m.Text, m.TextExact = true, "@all "+d.text, false
	}
}

// asPost makes rich text: a title now and then, the people addressed, the words with links apart, and on further lines
// what rich text has beside words.
func (d *draft) asPost(m *Message) {
	var p postContent
	var first []any
	var text strings.Builder
	if d.c.with("title", 0).below(3) == 0 {
		p.Title = "Note from " + d.who
		text.WriteString(p.Title + "\n")
	}
	for _, mention := range d.mentions {
		first = append(first, postAt{"at", mention.Key, mention.Name}, postText{Tag: "text", Text: " "})
		text.WriteString("@" + mention.Name + " ")
	}
	rest := d.text
	for {
		at := webAddress.FindStringIndex(rest)
		if at == nil {
			break
		}
		link := rest[at[0]:at[1]]
		if at[0] > 0 {
			first = append(first, postText{Tag: "text", Text: rest[:at[0]]})
		}
		first = append(first, postLink{"a", link, link})
		text.WriteString(rest[:at[1]])
		rest = rest[at[1]:]
	}
	if rest != "" {
		first = append(first, postText{Tag: "text", Text: rest, Style: d.style()})
	}
	text.WriteString(rest)
	p.Content = append(p.Content, first)
	exact := d.postExtras(m, &p)
	setPost(m, p, text.String())
	m.TextExact, m.Mentions = exact, d.mentions
}

func (d *draft) style() []string {
	if d.c.with("style", 0).below(4) == 0 {
		return []string{"bold", "underline"}
	}
	return nil
}

// postExtras adds a line that is not words and tells whether the text stays exact.
func (d *draft) postExtras(m *Message, p *postContent) bool {
	switch d.c.with("extra", 0).below(8) {
	case 0, 1:
		image := Attachment{Kind: "image", FileKey: "img_v3_" + d.c.with("img", 0).hex(24), Width: 640, Height: 480}
		m.Attachments = append(m.Attachments, image)
		p.Content = append(p.Content, []any{postImage{"img", image.FileKey, image.Width, image.Height}})
	case 2:
		p.Content = append(p.Content, []any{postCode{"code_block", "SHELL", "sudo apt-get update\n"}})
	case 3:
		p.Content = append(p.Content, []any{postRule{"hr"}}, []any{postEmotion{"emotion", "SMILE"}})
	case 4:
		p.Content = append(p.Content, []any{postAt{"at", "@_all", ""}})
		m.MentionsAll = true
	default:
		return true
	}
	return false
}

// fileName makes a name of the first word of a text.
func (d *draft) fileName(extension string) string {
	word := "notes"
	for _, w := range strings.Fields(d.text) {
		w = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.ToLower(w))
		if len(w) > 3 {
			word = w
			break
		}
	}
	return word + extension
}

// asMedia makes a message that is a file; it has no text.
func (d *draft) asMedia(m *Message) {
	file := "file_v3_" + d.c.with("file", 0).hex(24)
	image := "img_v3_" + d.c.with("image", 0).hex(24)
	long := int64(1000 + d.c.with("long", 0).below(90_000))
	switch d.c.with("media", 0).below(8) {
	case 0, 1, 2:
		setContent(m, "image", map[string]string{"image_key": image})
		m.Attachments = []Attachment{{Kind: "image", FileKey: image}}
	case 3:
		name := d.fileName(".pdf")
		setContent(m, "file", map[string]string{"file_key": file, "file_name": name})
		m.Attachments = []Attachment{{Kind: "file", FileKey: file, Name: name}}
	case 4:
		name := d.fileName("")
		setContent(m, "folder", map[string]string{"file_key": file, "file_name": name})
		m.Attachments = []Attachment{{Kind: "folder", FileKey: file, Name: name}}
	case 5:
		setContent(m, "audio", map[string]any{"file_key": file, "duration": long})
		m.Attachments = []Attachment{{Kind: "audio", FileKey: file, DurationMS: long}}
	case 6:
		name := d.fileName(".mp4")
		setContent(m, "media", map[string]any{"file_key": file, "image_key": image, "file_name": name, "duration": long})
		m.Attachments = []Attachment{{Kind: "video", FileKey: file, Name: name, DurationMS: long}}
	default:
		setContent(m, "sticker", map[string]string{"file_key": file})
		m.Attachments = []Attachment{{Kind: "sticker", FileKey: file}}
	}
}

// asCard makes an interactive message in both forms in which it can be asked for.
func (d *draft) asCard(m *Message) {
	link := "https://ci.example.com/" + d.c.with("build", 0).hex(8)
	setContent(m, "interactive", map[string]any{"title": "Build notice", "elements": [][]any{
		{postText{Tag: "text", Text: d.text}}, {postLink{"a", link, "open"}, map[string]string{"tag": "button", "text": "Retry", "type": "primary"}},
		{map[string]any{"tag": "note", "elements": []any{postText{Tag: "text", Text: "sent by a bot"}}}}}})
	words := map[string]string{"tag": "plain_text", "content": d.text}
	header := map[string]any{"template": "blue", "title": map[string]string{"tag": "plain_text", "content": "Build notice"}}
	if d.c.with("schema", 0).below(2) == 0 {
		m.Card = contentJSON(map[string]any{"schema": "2.0", "header": header, "body": map[string]any{"elements": []any{
			map[string]string{"tag": "markdown", "content": d.text}}}})
	} else {
		m.Card = contentJSON(map[string]any{"config": map[string]bool{"wide_screen_mode": true}, "header": header,
			"elements": []any{map[string]any{"tag": "div", "text": words}, map[string]string{"tag": "hr"}}})
	}
	m.Text = "Build notice\n" + d.text
}

// asOther makes one of the rarer types.
func (d *draft) asOther(m *Message, person Sender) {
	start, end := strconv.FormatInt(d.at+3_600_000, 10), strconv.FormatInt(d.at+7_200_000, 10)
	slot := map[string]string{"summary": d.text, "start_time": start, "end_time": end}
	switch n := d.c.with("other", 0).below(12); n {
	case 0:
		setContent(m, "share_chat", map[string]string{"chat_id": d.chat.ID})
	case 1:
		setContent(m, "share_user", map[string]string{"user_id": person.ID})
	case 2:
		setContent(m, "location", map[string]string{"name": "Pier " + strconv.Itoa(d.c.below(9)), "longitude": "121.50", "latitude": "31.24"})
	case 3:
		setContent(m, "video_chat", map[string]string{"topic": d.text, "start_time": start})
	case 4:
		setContent(m, "todo", map[string]any{"task_id": "t-" + d.c.with("task", 0).hex(12), "due_time": end,
			"summary": postContent{Content: [][]any{{postText{Tag: "text", Text: d.text}}}}})
	case 5:
		setContent(m, "vote", map[string]any{"topic": d.text, "options": []string{"yes", "no", "later"}})
	case 6:
		setContent(m, "hongbao", map[string]string{"text": "[red packet]"})
		m.Text, m.TextExact = "[red packet]", true
		return
	case 7, 8, 9:
		setContent(m, []string{"share_calendar_event", "calendar", "general_calendar"}[n-7], slot)
	default:
		setContent(m, []string{"hologram", "whiteboard"}[n-10], map[string]string{"file_key": "x_" + d.c.with("odd", 0).hex(16), "caption": d.text})
		m.Kind = "UNKNOWN"
	}
	m.Text = d.text
}

var (
	joined = regexp.MustCompile(`^(\S+)\s+has (joined|left) (\S+)`)
	named  = regexp.MustCompile(`^(\S+) is now known as (\S+)`)
)

// asSystem makes a system message: who came, who left, who has another name, else a divider.
func (d *draft) asSystem(m *Message) {
	if p := joined.FindStringSubmatch(d.text); p != nil {
		template := fmt.Sprintf("{from_user} %s {chat_name}.", p[2])
		setContent(m, "system", map[string]any{"template": template, "from_user": []string{p[1]}, "chat_name": p[3]})
		m.Text = p[1] + " " + p[2] + " " + p[3] + "."
	} else if p := named.FindStringSubmatch(d.text); p != nil {
		setContent(m, "system", map[string]any{"template": "{from_user} is now known as {new_name}.",
			"from_user": []string{p[1]}, "new_name": []string{p[2]}})
		m.Text = p[1] + " is now known as " + p[2] + "."
	} else {
		setContent(m, "system", map[string]any{"template": "{divider_text}", "divider_text": map[string]any{"text": d.text,
			"i18n_text": map[string]string{"zh_cn": d.text, "en_us": d.text}}})
		m.Text = d.text
	}
	m.TextExact = true
}
