package simulator_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatlake/simulator"
)

// forwardPayload is what the attachment of a merged forward tells, in whatever form it comes.
type forwardPayload struct {
	Type      int             `json:"type"`
	Raw       string          `json:"raw"`
	Data      json.RawMessage `json:"data"`
	URL       string          `json:"url"`
	MD5       string          `json:"md5"`
	Depth     int             `json:"depth"`
	SessionID string          `json:"sessionId"`
	Abstracts []struct {
		Content string `json:"content"`
	} `json:"abstracts"`
}

// unwrapForward reads an attachment: a string is decoded first, then raw, then data.
func unwrapForward(t *testing.T, attachment []byte) (p forwardPayload) {
	t.Helper()
	for range 4 {
		var text string
		if json.Unmarshal(attachment, &text) == nil {
			attachment = []byte(text)
		}
		if err := json.Unmarshal(attachment, &p); err != nil {
			t.Fatalf("attachment %.200s: %v", attachment, err)
		}
		switch {
		case p.Raw != "":
			attachment, p.Raw = []byte(p.Raw), ""
		case p.Data != nil:
			attachment, p.Data = p.Data, nil
		default:
			return p
		}
	}
	return p
}

// fileReader follows the files of merged forwards.
type fileReader struct {
	t      *testing.T
	http   *http.Client
	origin string
}

func (f *fileReader) get(address string) (int, []byte, string) {
	f.t.Helper()
	resp, err := f.http.Get(address)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, b.Bytes(), resp.Header.Get("Location")
}

// rows reads a file and gives its lines below the header; nil where the file is not to be had.
func (f *fileReader) rows(p forwardPayload, oddity simulator.FileOddity) []string {
	t := f.t
	t.Helper()
	if foreign := !strings.HasPrefix(p.URL, f.origin+"/merged/"); foreign {
		if oddity != simulator.FileForeign && oddity != simulator.FilePrivate {
			t.Errorf("file of oddity %q is at %s", oddity, p.URL)
		}
		return nil
	}
	status, body, location := f.get(p.URL)
	if oddity == simulator.FileMoved {
		if status != http.StatusFound || !strings.HasPrefix(location, f.origin+"/merged/moved/") {
			t.Fatalf("moved file: HTTP %d to %q", status, location)
		}
		status, body, _ = f.get(location)
	}
	if want, ok := map[simulator.FileOddity]int{simulator.FileGone: 404, simulator.FileExpired: 403, simulator.FileElsewhere: 302}[oddity]; ok {
		if status != want || oddity == simulator.FileElsewhere && !strings.HasPrefix(location, "https://files.example.org/") {
			t.Errorf("file of oddity %q: HTTP %d to %q", oddity, status, location)
		}
		return nil
	}
	sum := md5.Sum(body)
	told := map[simulator.FileOddity]string{simulator.FileNoMD5: "", simulator.FileWrongMD5: strings.Repeat("0123456789abcdef", 2)}
	want, odd := told[oddity]
	if !odd {
		want = hex.EncodeToString(sum[:])
	}
	if status != http.StatusOK || p.MD5 != want {
		t.Fatalf("file of oddity %q: HTTP %d, md5 %q, want %q", oddity, status, p.MD5, want)
	}
	if oddity == simulator.FileWrongMD5 {
		return nil
	}
	return f.split(string(body), oddity)
}

func (f *fileReader) split(body string, oddity simulator.FileOddity) []string {
	t := f.t
	t.Helper()
	if strings.HasSuffix(body, "\n") != (oddity == simulator.FileEmpty) || strings.Contains(body, "\r\n") != (oddity == simulator.FileCRLF) {
		t.Errorf("file of oddity %q ends or breaks its lines otherwise: %.100q", oddity, body)
	}
	rows := strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	var header struct {
		Count int `json:"message_count"`
	}
	if err := json.Unmarshal([]byte(rows[0]), &header); err != nil {
		t.Fatalf("header %q: %v", rows[0], err)
	}
	if rows = rows[1:]; oddity == simulator.FileEmpty {
		rows = nil
	}
	if (header.Count != len(rows)) != (oddity == simulator.FileCount) {
		t.Errorf("file of oddity %q: header tells %d of %d lines", oddity, header.Count, len(rows))
	}
	return rows
}

// check holds a forward against its truth: every child stands in its line, and no line is left over.
func (f *fileReader) check(p forwardPayload, oddity simulator.FileOddity, under string, children map[string][]simulator.YunxinChild) {
	t := f.t
	t.Helper()
	rows := f.rows(p, oddity)
	if len(rows) != len(children[under]) {
		t.Errorf("%s under %q, oddity %q: %d lines, %d children", p.URL, under, oddity, len(rows), len(children[under]))
		return
	}
	for i, child := range children[under] {
		var row struct {
			From     string          `json:"2"`
			Time     json.RawMessage `json:"7"`
			Type     int             `json:"8"`
			Text     string          `json:"9"`
			Attach   string          `json:"10"`
			ClientID string          `json:"11"`
			ServerID json.RawMessage `json:"12"`
		}
		if err := json.Unmarshal([]byte(rows[i]), &row); (err != nil) != child.Broken {
			t.Errorf("line %q: %v, broken: %t", rows[i], err, child.Broken)
		}
		if child.Broken {
			continue
		}
		id := strings.Trim(string(row.ServerID), `"`)
		if id == "0" || id == "null" {
			id = ""
		}
		if id != child.ID || row.ClientID != child.ClientID || row.Type != child.Type || row.From != child.Sender || child.Type == 0 && row.Text != child.Text ||
			child.Inner != 101 && row.Attach != child.Content || strings.Trim(string(row.Time), `"`) != json.Number(itoa(child.CreatedAt)).String() {
			t.Errorf("line %.300s is not %+v", rows[i], child)
		}
		if child.Forward != nil {
			inner := unwrapForward(t, []byte(row.Attach))
			if inner.URL == p.URL {
				if oddity != simulator.FileCycle || len(children[child.Path]) != 0 {
					t.Errorf("%s: a cycle in a file of oddity %q", p.URL, oddity)
				}
				continue
			}
			f.check(inner, child.Forward.Oddity, child.Path, children)
		}
	}
}

func itoa(n int64) string {
	b, _ := json.Marshal(n) // a number always encodes
	return string(b)
}

func TestMergedFilesHoldWhatIsSaid(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Mix: simulator.YunxinMix{Forwards: 40}, Conversations: 16})
	origin := httptest.NewUnstartedServer(nil)
	origin.Start()
	defer origin.Close()
	k := newYunxinCaller(t, w, simulator.YunxinConfig{FileOrigin: origin.URL})
	origin.Config.Handler = k.api.Files()
	reader := &fileReader{t: t, http: k.http, origin: origin.URL}
	oddities, depths, shapes := map[simulator.FileOddity]int{}, map[int]int{}, map[byte]int{}
	for _, c := range w.Conversations() {
		items := map[string]json.RawMessage{}
		for _, item := range k.read(c.APIID) {
			items[serverID(t, item)] = item
		}
		for _, m := range w.Messages(c.ID, false) {
			if m.Forward == nil {
				continue
			}
			var item struct{ Attachment json.RawMessage }
			if err := json.Unmarshal(items[m.ID], &item); err != nil {
				t.Fatal(err)
			}
			p := unwrapForward(t, item.Attachment)
			if p.Type != 101 || p.Depth != m.Forward.Depth || p.SessionID != c.APIID || len(p.Abstracts) > 3 || !strings.Contains(p.URL, m.Forward.Path) {
				t.Errorf("forward %s tells %+v, truth is %+v", m.ID, p, m.Forward)
			}
			children := map[string][]simulator.YunxinChild{}
			for _, child := range m.Forward.Children {
				children[child.Under] = append(children[child.Under], child)
			}
			reader.check(p, m.Forward.Oddity, "", children)
			oddities[m.Forward.Oddity]++
			depths[m.Forward.Depth]++
			shapes[item.Attachment[0]]++
		}
	}
	if len(oddities) != 15 || len(depths) != 4 || len(shapes) != 2 {
		t.Errorf("oddities %v, depths %v, attachments that begin with %v", oddities, depths, shapes)
	}
	if files := k.api.FilesShown(); len(files) == 0 || len(files) != k.api.Report().Files || !strings.HasPrefix(files[0], "/merged/") {
		t.Errorf("%d files shown, report says %d", len(files), k.api.Report().Files)
	}
	if status, _, _ := reader.get(origin.URL + "/im/v2/conversations/a/messages"); status != http.StatusNotFound {
		t.Errorf("the files' origin serves more than files: HTTP %d", status)
	}
}

func TestSignedFilesWantTheirSignature(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Mix: simulator.YunxinMix{OddFiles: -1, Forwards: 40}, Conversations: 4})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	signed := 0
	for _, item := range k.read(w.Conversations()[0].APIID, "message_type", "100") {
		address := string(item)
		at := strings.Index(address, k.base)
		if at < 0 {
			continue
		}
		address = address[at : at+strings.IndexAny(address[at:], `"\`)]
		reader := &fileReader{t: t, http: k.http, origin: k.base}
		if status, _, _ := reader.get(address); status != http.StatusOK {
			t.Errorf("%s: HTTP %d", address, status)
		}
		if bare, _, ok := strings.Cut(address, "?"); ok {
			signed++
			if status, _, _ := reader.get(bare); status != http.StatusForbidden {
				t.Errorf("%s without its signature: HTTP %d", bare, status)
			}
		}
	}
	if signed == 0 {
		t.Error("no file is signed")
	}
}

func TestBigForwardOfYunxin(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1, BigForward: 10_000})
	most := 0
	for _, m := range w.Messages(w.Conversations()[0].ID, false) {
		if m.Forward != nil {
			most = max(most, len(m.Forward.Children))
		}
	}
	if most != 10_000 {
		t.Errorf("%d children, want 10,000", most)
	}
}
