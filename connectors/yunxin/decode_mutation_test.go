package yunxin_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

var mutations = flag.Int("mutations", 7, "try one of so many mutations of each fixture, 1: all")

// mutant is a decoded fixture that was changed, and what it was before.
type mutant struct {
	was, is *schemas.Message
	path    string
	of      *mutation
}

// lost gives what is gone without a word.
func (m *mutant) lost() (what []string) {
	if m.is.Text == nil {
		switch m.is.ContentKind {
		case schemas.ContentText, schemas.ContentTip, schemas.ContentRichText, schemas.ContentNotification, schemas.ContentUnknown:
			what = append(what, "text")
		}
	}
	switch m.is.ContentKind {
	case schemas.ContentImage, schemas.ContentAudio, schemas.ContentVideo, schemas.ContentFile:
		if len(m.is.Attachments) == 0 {
			what = append(what, "attachment")
		}
	}
	if m.is.ContentKind == schemas.ContentUnknown {
		what = append(what, "type")
	}
	if len(m.is.Issues) > 0 {
		what = nil
	}
	if !m.of.wrong || m.is.ContentKind != m.was.ContentKind || m.is.ContentKind == schemas.ContentCustom && m.path != "/text" {
		return what // what an app put into a custom message need not be text
	}
	if m.was.Text != nil && m.is.Text == nil && !m.says("text", "message_type", "attachments", "attributes.call_type") {
		what = append(what, "text of another type")
	}
	if len(m.is.Mentions) < len(m.was.Mentions) && !strings.HasSuffix(m.path, "/extension") && !m.says("mentions") {
		what = append(what, "mention of another type")
	}
	if m.was.Parent.Status != schemas.LinkNone && m.is.Parent.Status == schemas.LinkNone && !strings.HasSuffix(m.path, "/extension") && !m.says("parent") {
		what = append(what, "parent of another type")
	}
	if len(m.is.Attachments) < len(m.was.Attachments) && !m.says("attachments") {
		what = append(what, "attachment of another type")
	}
	return what
}

// says reports whether there is an issue of one of these fields.
func (m *mutant) says(fields ...string) bool {
	return slices.ContainsFunc(m.is.Issues, func(i schemas.Issue) bool {
		return slices.ContainsFunc(fields, func(f string) bool { return i.Field == f || strings.HasPrefix(i.Field, f+".") })
	})
}

// mutationTest decodes mutants between two messages that have to come out as they are.
type mutationTest struct {
	d        *yunxin.Decoder
	out      connectors.Decoded
	controls [2]string // what they decode to
	runs     int
}

func (mt *mutationTest) page(item string) *schemas.Page {
	return historyOf(textItem("777001", ""), item, textItem("777002", `,"extension":"{\"yxAitMsg\":{\"bob\":{\"text\":\"@Bob\"}}}"`))
}

func digest(m *schemas.Message) string {
	b, _ := json.Marshal(m)
	return string(b)
}

// decode gives what a mutant becomes, nil where its item is a failure with a reason.
func (mt *mutationTest) decode(t *testing.T, item string) *schemas.Message {
	t.Helper()
	mt.runs++
	pages := []schemas.Page{*mt.page(item)}
	mt.d.Decode(pages, &mt.out)
	var is *schemas.Message
	controls := 0
	for i := range mt.out.Readings {
		m := &mt.out.Readings[i].Message
		writable(t, &mt.out.Readings[i])
		switch at := strings.TrimPrefix(m.Provenance.ItemPointer, "/data/items/"); {
		case m.Forward.Depth > 0:
		case at == "0" || at == "2":
			if was := mt.controls[at[0]/'2']; was == "" {
				mt.controls[at[0]/'2'] = digest(m)
			} else if was != digest(m) {
				t.Fatalf("%s changes its neighbour to %s", item, digest(m))
			}
			controls++
		default:
			is = m
		}
	}
	if controls != 2 || (is == nil) == (len(mt.out.Failed) == 0) {
		t.Fatalf("%s: %d neighbours, failed %+v", item, controls, mt.out.Failed)
	}
	return is
}

// mutationItems gives the items of all fixtures.
func mutationItems(t testing.TB) []string {
	t.Helper()
	var items []string
	for _, name := range []string{"types.json", "notices.json", "threads.json", "forward.json", "formats.json"} {
		list, whole := decode.SplitArray(decodeFixture(t, name), 10_000, "data", "items")
		if !whole {
			t.Fatal(name)
		}
		for _, item := range list {
			items = append(items, string(item))
		}
	}
	return items
}

// Fields that are removed, renamed, of another type, nested or repeated cost a message what they held, with an issue, and
// its neighbours nothing.
func TestMutatedItems(t *testing.T) {
	mt := mutationTest{d: yunxin.NewDecoder()}
	list := allMutations()
	n := 0
	for _, item := range mutationItems(t) {
		was := mt.decode(t, item)
		if was == nil {
			continue // a fixture of what fails
		}
		before := *was
		text := parseTree(t, item).String()
		for i := range parseTree(t, text).spots("", nil) {
			for k := range list {
				if n++; n%*mutations != 0 {
					continue
				}
				root := parseTree(t, text)
				s := root.spots("", nil)[i]
				list[k].apply(s)
				changed := root.String()
				m := mutant{was: &before, is: mt.decode(t, changed), path: s.path, of: &list[k]}
				if m.is == nil {
					continue
				}
				if what := m.lost(); len(what) > 0 {
					t.Errorf("%s of %s loses %v without an issue: %s", list[k].name, s.path, what, changed)
				}
			}
		}
	}
	if t.Logf("%d mutants", mt.runs); mt.runs < n / *mutations / 2 || n < 50_000 {
		t.Errorf("%d mutants of %d", mt.runs, n)
	}
}

// The same in lines of merged files, by several mutations of each at random.
func TestMutatedLines(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 7))
	list := allMutations()
	lines := bytes.Split(decodeFixture(t, "formats.txt"), []byte("\n"))[1:]
	d := yunxin.NewDecoder()
	var out connectors.Decoded
	runs := 0
	for range 60_000 / *mutations {
		root := parseTree(t, string(lines[random.IntN(len(lines))]))
		for range 1 + random.IntN(4) {
			if spots := root.spots("", nil); len(spots) > 0 {
				list[random.IntN(len(list))].apply(spots[random.IntN(len(spots))])
			}
		}
		body := fileOf(textLine("1", ""), root.String(), textLine("2", ""))
		pages := []schemas.Page{*filePage("900", mergedURL, body), *historyOf(mergedItem("900", mergedURL, ""))}
		d.Decode(pages, &out)
		checkPages(t, pages, &out)
		rows := 0
		for i := range out.Readings {
			if m := &out.Readings[i].Message; m.Forward.Depth == 1 {
				rows++
				if m.ContentKind == schemas.ContentText && m.Text == nil && len(m.Issues) == 0 {
					t.Fatalf("%s loses its text", root)
				}
			}
		}
		if runs++; rows != 3 || len(out.Failed) != 0 {
			t.Fatalf("%s: %d lines, failed %+v", root, rows, out.Failed)
		}
	}
	t.Logf("%d mutants", runs)
}

// An answer whose envelope is another one is decoded or has a failure: no page is lost without a word.
func TestMutatedEnvelope(t *testing.T) {
	item := textItem("1", "")
	for name, c := range map[string]struct {
		body             string
		readings, failed int
	}{
		"as it is":      {`{"code":200,"data":{"has_more":false,"items":[` + item + `]}}`, 1, 0},
		"code quoted":   {`{"code":"200","data":{"items":[` + item + `]}}`, 1, 0},
		"code float":    {`{"code":200.0,"data":{"items":[` + item + `]}}`, 1, 0},
		"no code":       {`{"data":{"items":[` + item + `]}}`, 1, 0},
		"data encoded":  {`{"code":200,"data":` + quote(`{"items":[`+item+`]}`) + `}`, 1, 0},
		"data twice":    {`{"code":200,"data":` + quote(quote(`{"items":[`+item+`]}`)) + `}`, 1, 0},
		"items encoded": {`{"code":200,"data":{"items":` + quote(`[`+item+`]`) + `}}`, 1, 0},
		"item encoded":  {`{"code":200,"data":{"items":[` + quote(item) + `]}}`, 1, 0},
		"items renamed": {`{"code":200,"data":{"messages":[` + item + `]}}`, 0, 1},
		"data renamed":  {`{"code":200,"msgs":[` + item + `]}`, 0, 1},
		"items object":  {`{"code":200,"data":{"items":{"0":` + item + `}}}`, 0, 1},
		"data list":     {`{"code":200,"data":[` + item + `]}`, 0, 1},
		"items word":    {`{"code":200,"data":{"items":"none"}}`, 0, 1},
		"empty":         {`{"code":200,"data":{}}`, 0, 0},
		"end":           {`{"code":200,"data":{"has_more":false,"next_token":""}}`, 0, 0},
	} {
		out := decodePages(historyPage([]byte(c.body)))
		if len(out.Readings) != c.readings || len(out.Failed) != c.failed {
			t.Errorf("%s: %d readings, failed %+v", name, len(out.Readings), out.Failed)
		}
		for i := range out.Readings {
			if writable(t, &out.Readings[i]); orEmpty(out.Readings[i].Message.Text) != "hello" {
				t.Errorf("%s: %+v", name, out.Readings[i].Message)
			}
		}
	}
}

// What a page costs is bounded by its size, whatever is nested in it or repeated.
func TestMutatedWork(t *testing.T) {
	deep := `{"type":101,"data":{"url":"https://nos.example/x"}}`
	for range 12 {
		deep = quote(deep)
	}
	wide := strings.Repeat(`"[[[[`+`{\"title\":{\"title\":[1,2]}}`+`]]]]",`, 2000)
	for name, fields := range map[string]string{
		"encoded again and again": `,"attachment":` + deep, "tip": `,"attachment":{"data":[` + wide + `1]}`,
		"wraps":    `,"attachment":` + strings.Repeat(`{"data":{"content":{"attach":{"payload":`, 60) + "1" + strings.Repeat("}}}}", 60),
		"mentions": `,"extension":` + quote(`{"yxAitMsg":{`+strings.Repeat(`"a":"{}",`, 20_000)+`"z":1}}`),
		"accounts": `,"attachment":{"ope":0,"accids":[` + strings.Repeat(`"a",`, 50_000) + `"b"]}`,
		"strings":  `,"text":` + quote(strings.Repeat(`"`, 20_000)), "keys": `,"attachment":{` + strings.Repeat(`"raw":"{}",`, 20_000) + `"raw":"{}"}`,
	} {
		for _, kind := range []string{"0", "1", "5", "10", "11", "12", "100", "99"} {
			page := historyOf(itemOf("1", kind, fields))
			d := yunxin.NewDecoder()
			var out connectors.Decoded
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d.Decode([]schemas.Page{*page}, &out)
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(200*len(page.Body)+4<<20); got > most {
				t.Errorf("%s, type %s: a page of %d bytes takes %d", name, kind, len(page.Body), got)
			}
			if len(out.Readings) != 1 || len(out.Readings[0].Message.Issues) > 64 {
				t.Errorf("%s, type %s: %d readings", name, kind, len(out.Readings))
			}
		}
	}
}
