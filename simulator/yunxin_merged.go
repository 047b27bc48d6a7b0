package simulator

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// The lines of a merged file are JSON objects whose keys are numbers, as the vendor's client SDK and its UIKit write them.

type mergedRow struct {
	Scene        int             `json:"0"`
	To           string          `json:"1"`
	From         string          `json:"2"`
	ClientType   json.RawMessage `json:"4,omitempty"`
	Nick         string          `json:"6,omitempty"`
	Time         json.RawMessage `json:"7"`
	Type         int             `json:"8"`
	Text         string          `json:"9,omitempty"`
	Attach       string          `json:"10,omitempty"`
	ClientID     string          `json:"11,omitempty"`
	ServerID     json.RawMessage `json:"12,omitempty"`
	Resend       int             `json:"13"`
	Extension    string          `json:"15,omitempty"`
	ReplySender  string          `json:"29,omitempty"`
	ReplyTo      string          `json:"30,omitempty"`
	ReplyTime    int64           `json:"31,omitempty"`
	ReplyServer  json.RawMessage `json:"32,omitempty"`
	ReplyClient  string          `json:"33,omitempty"`
	RootSender   string          `json:"34,omitempty"`
	RootTo       string          `json:"35,omitempty"`
	RootTime     int64           `json:"36,omitempty"`
	RootServer   json.RawMessage `json:"37,omitempty"`
	RootClient   json.RawMessage `json:"38,omitempty"`
	SubType      int             `json:"41,omitempty"`
	ModifiedAt   int64           `json:"62,omitempty"`
	ModifiedFrom string          `json:"63,omitempty"`
}

// native is the thread that a line tells: none where the root has no server id, as the vendor's reader ignores all then.
func (l *mergedLine) native() *quote {
	if l.told == nil || l.told.root == nil || l.told.root.vague {
		return nil
	}
	if told := l.told.root.told("", ""); told.MessageID == "" {
		return nil
	}
	return l.told
}

func (w *YunxinWorld) row(f *mergedFile, l *mergedLine, origin string) string {
	t := f.talk
	r := mergedRow{Scene: []int{0, 0, 1, 5}[t.Type], From: l.Sender, To: t.receiver(&l.YunxinMessage), Nick: l.nick, Type: l.Type, Text: l.body.text,
		Attach: l.body.wire, ClientID: l.ClientID, ServerID: wireID(l.ID, l.form), ClientType: wireID(strconv.Itoa(l.ClientType), l.form),
		Time: wireID(strconv.FormatInt(l.CreatedAt, 10), l.form/2), SubType: l.SubType, ModifiedAt: l.EditedAt, ModifiedFrom: l.EditedBy}
	if l.Type == typeText {
		r.Text, r.Attach = l.Text, ""
	}
	switch {
	case l.cycle:
		r.Attach = l.file.attachment(origin, "") // a file cannot hold its own digest
	case l.file != nil:
		r.Attach = w.envelope(l.file, origin)
	}
	more := map[string]any{}
	if l.form%3 == 0 {
		more["mergedMessageNickKey"], more["mergedMessageAvatarKey"] = "Merged "+l.Sender, "https://nos.example.com/avatar.png"
	}
	r.Extension = t.extension(&l.YunxinMessage, more)
	if q := l.native(); q != nil {
		reply, root := t.wireRef(q.parent), t.wireRef(q.root)
		r.ReplySender, r.ReplyTo, r.ReplyTime = reply.SenderID, reply.ReceiverID, reply.CreateTime
		r.ReplyServer, r.ReplyClient = reply.MessageServerID, reply.MessageClientID
		r.RootSender, r.RootTo, r.RootTime, r.RootServer = root.SenderID, root.ReceiverID, root.CreateTime, root.MessageServerID
		r.RootClient = json.RawMessage(contentJSON(root.MessageClientID))
		if f.terminal == 65 && root.MessageClientID != "" {
			r.RootServer, r.RootClient = r.RootClient, r.RootServer
		}
	}
	return contentJSON(r)
}

// text is the file as it is served at an origin.
func (w *YunxinWorld) text(f *mergedFile, origin string) string {
	count := len(f.lines)
	if f.oddity == FileCount {
		count++
	}
	header := map[string]any{"version": f.shape % 2, "terminal": f.terminal, "sdk_version": "9.17.1", "message_count": count}
	if f.terminal == 16 {
		header["terminal"] = "web"
	}
	rows := []string{contentJSON(header)}
	for _, l := range f.lines {
		row := w.row(f, l, origin)
		if l.broken {
			row = row[:len(row)/2]
		}
		rows = append(rows, row)
	}
	if len(f.lines) == 0 {
		rows = append(rows, "") // as the writer has it
	}
	end := "\n"
	if f.oddity == FileCRLF {
		end = "\r\n"
	}
	return strings.Join(rows, end)
}

// envelope is the attachment of a forward, with the digest of its file.
func (w *YunxinWorld) envelope(f *mergedFile, origin string) string {
	sum := md5.Sum([]byte(w.text(f, origin)))
	digest := hex.EncodeToString(sum[:])
	switch f.oddity {
	case FileNoMD5:
		digest = ""
	case FileWrongMD5:
		digest = strings.Repeat("0123456789abcdef", 2)
	}
	return f.attachment(origin, digest)
}

// attachment is written in the UIKit's form, now and then in those that other readers tolerate: flat, as a string, or
// wrapped in raw.
func (f *mergedFile) attachment(origin, digest string) string {
	switch f.oddity {
	case FileForeign:
		origin = "https://files.example.org"
	case FilePrivate:
		origin = "https://10.0.0.7"
	}
	url := origin + "/merged/" + f.name + ".txt"
	if f.signature != "" {
		url += "?" + f.signature
	}
	abstracts := []any{}
	for _, l := range f.lines[:min(3, len(f.lines))] {
		abstracts = append(abstracts, map[string]string{"senderNick": l.nick, "content": cutRunes(l.Text, 40), "userAccId": l.Sender})
	}
	session := f.talk.Name
	if session == "" {
		session = f.talk.Other
	}
	payload := map[string]any{"sessionId": f.talk.APIID, "sessionName": session, "url": url, "md5": digest, "depth": f.depth, "abstracts": abstracts}
	switch f.shape {
	case 0:
		payload["type"] = innerForward
		return contentJSON(payload)
	case 1:
		return contentJSON(map[string]any{"type": innerForward, "data": contentJSON(payload)})
	case 2:
		return contentJSON(map[string]string{"raw": contentJSON(map[string]any{"type": innerForward, "data": payload})})
	}
	return contentJSON(map[string]any{"type": innerForward, "data": payload})
}

// cutRunes shortens a text to n characters.
func cutRunes(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n])
	}
	return text
}

// serveFile serves GET /merged/<name>.txt as an object store does: errors are XML under an HTTP status.
func (w *YunxinWorld) serveFile(name, query, origin string) *answer {
	name, moved := strings.CutPrefix(name, "moved/")
	w.mu.RLock()
	defer w.mu.RUnlock()
	f := w.files[strings.TrimSuffix(name, ".txt")]
	switch {
	case f == nil || f.oddity == FileGone || f.oddity == FileForeign || f.oddity == FilePrivate:
		return storeError(http.StatusNotFound, "NoSuchKey")
	case f.oddity == FileExpired || f.signature != query:
		return storeError(http.StatusForbidden, "AccessDenied")
	case f.oddity == FileElsewhere:
		return redirect("https://files.example.org/merged/" + name)
	case f.oddity == FileMoved && !moved:
		return redirect(origin + "/merged/moved/" + name + "?" + query)
	}
	return plain(http.StatusOK, "text/plain; charset=utf-8", []byte(w.text(f, origin)))
}

func storeError(status int, code string) *answer {
	return plain(status, "application/xml", []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"+code+"</Code></Error>\n"))
}

func redirect(to string) *answer {
	a := plain(http.StatusFound, "text/html", nil)
	a.header.Set("Location", to)
	return a
}
