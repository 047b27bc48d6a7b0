package conformance

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// stored is a page as the topic of raw pages holds it, and how many messages its source counted, -1 where it did not.
type stored struct {
	schemas.Page
	items int
}

// storedPages reads all containers and gives their pages as they are written.
func storedPages(t *testing.T, p Platform) []stored {
	t.Helper()
	var all []stored
	for _, c := range p.Containers {
		for n, page := range read(t, p.Start(t).Source, c, connectors.Position{}) {
			for i, r := range responses(page) {
				s := stored{rawPage(c, &r, int64(n+1)), -1}
				if i == len(page.Opening)+len(page.Expansions) {
					s.Final, s.items = page.Final, page.Items
				}
				all = append(all, s)
			}
		}
	}
	return all
}

func rawPage(c *schemas.Container, r *connectors.Response, number int64) schemas.Page {
	key := schemas.ContainerKey(c.Key)
	if key == "" {
		key = schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID)
	}
	contentType := r.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	return schemas.Page{
		ID: schemas.PageID(key, c.Epoch, number, r.Request, r.Subject), Container: key,
		Conversation: schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID),
		Type:         r.Type, ContentType: contentType, Time: r.Time, Epoch: c.Epoch, Number: number, Request: r.Request,
		HTTPStatus: r.HTTPStatus, Code: r.Code, Error: r.Error, LogID: r.LogID, Subject: r.Subject,
		AppID: "app", ConnectorVersion: "chatlake/conformance", Body: r.Body,
	}
}

// told is what a decoder says of a page, in memory of its own.
func told(t *testing.T, d connectors.Decoder, page *schemas.Page, out *connectors.Decoded) string {
	t.Helper()
	d.Decode([]schemas.Page{*page}, out)
	said := *out
	if len(said.Readings) == 0 {
		said.Readings = nil // none is none, whether memory is kept or not
	}
	if len(said.Failed) == 0 {
		said.Failed = nil
	}
	b, err := json.Marshal(&said)
	if err != nil {
		t.Fatalf("page %s: what was decoded cannot be written: %v", page.Request, err)
	}
	return string(b)
}

func testDecode(t *testing.T, p Platform) {
	pages := storedPages(t, p)
	d := p.NewDecoder()
	var out, fresh connectors.Decoded
	for i := range pages {
		page := &pages[i]
		body := string(page.Body)
		first := told(t, d, &page.Page, &out)
		checkDecoded(t, page, &out)
		told(t, d, &pages[(i+1)%len(pages)].Page, &out)
		if again := told(t, d, &page.Page, &out); again != first {
			t.Errorf("page %s: decoded again after another page:\n%.1500s\nwas\n%.1500s", page.Request, again, first)
		}
		if other := told(t, p.NewDecoder(), &page.Page, &fresh); other != first {
			t.Errorf("page %s: decoded by a fresh decoder:\n%.1500s\nwas\n%.1500s", page.Request, other, first)
		}
		if string(page.Body) != body {
			t.Errorf("page %s: decoding changed the body", page.Request)
		}
	}
}

// checkDecoded checks that every item of a page is accounted for, and that readings belong to the page.
func checkDecoded(t *testing.T, page *stored, out *connectors.Decoded) {
	t.Helper()
	pointers, rows := map[string]bool{}, map[string]bool{}
	for i := range out.Readings {
		m := &out.Readings[i].Message
		pointer := m.Provenance.ItemPointer
		pointers[pointer] = true
		if pointer == "" || m.MessageID == "" || m.Platform == "" || m.TenantID == "" || m.ContentKind == "" || m.State == "" {
			t.Errorf("page %s: reading %d lacks something: %+v", page.Request, i, m)
		}
		if prefix := schemas.Part(m.Platform) + "/" + schemas.Part(m.TenantID) + "/"; !strings.HasPrefix(m.RecordID, prefix) {
			t.Errorf("page %s: reading %d has record_id %q", page.Request, i, m.RecordID)
		}
		if rows[m.RecordID+pointer] {
			t.Errorf("page %s: %s is told twice by one item", page.Request, m.RecordID)
		}
		rows[m.RecordID+pointer] = true
	}
	for _, f := range out.Failed {
		pointers[f.Pointer] = true
		if f.Class == "" || f.Message == "" {
			t.Errorf("page %s: failed item without a reason: %+v", page.Request, f)
		}
	}
	if len(pointers) < page.items {
		t.Errorf("page %s: %d items are accounted for, its source counted %d", page.Request, len(pointers), page.items)
	}
}

// mutationsEach is how many broken copies of each page are decoded, of each kind.
const mutationsEach = 64

func testMutated(t *testing.T, p Platform) {
	pages := storedPages(t, p)
	d, random := p.NewDecoder(), rand.New(rand.NewPCG(1, 2))
	var out connectors.Decoded
	for i := range pages {
		good := &pages[i]
		want := told(t, d, &good.Page, &out)
		texts := textsOf(&out)
		for n := range 2 * mutationsEach {
			page := good.Page
			if n < mutationsEach {
				page.Body = good.Body[:(n+1)*len(good.Body)/(mutationsEach+1)]
			} else {
				page.Body = scramble(random, good.Body)
			}
			decodeBroken(t, d, &page, &out)
			if n < mutationsEach && good.items > 0 && len(page.Body) > 0 && len(out.Readings)+len(out.Failed) == 0 {
				t.Errorf("page %s cut to %d of %d bytes leaves no trace", page.Request, len(page.Body), len(good.Body))
			}
			for _, f := range out.Failed {
				if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(f.Message, text) }) {
					t.Errorf("page %s: the reason of a failure shows what a message says: %q", page.Request, f.Message)
				}
			}
		}
		if again := told(t, d, &good.Page, &out); again != want {
			t.Errorf("page %s: decoded otherwise after broken pages", good.Request)
		}
	}
}

// decodeBroken decodes a page that may be anything; a panic is a failure that shows the page.
func decodeBroken(t *testing.T, d connectors.Decoder, page *schemas.Page, out *connectors.Decoded) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("page %s: decoding panics: %v\n%q", page.Request, p, page.Body)
		}
	}()
	told(t, d, page, out)
}

// scramble changes a few bytes of a copy of b.
func scramble(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	if len(b) == 0 {
		return b
	}
	const likely = "{}[]\",:0n\\\x00\xff"
	for range 1 + r.IntN(6) {
		i := r.IntN(len(b))
		switch r.IntN(3) {
		case 0:
			b[i] = likely[r.IntN(len(likely))]
		case 1:
			b[i] = byte(r.IntN(256))
		default:
			b = slices.Delete(b, i, min(len(b), i+1+r.IntN(4)))
		}
		if len(b) == 0 {
			break
		}
	}
	return b
}

// textsOf gives texts that are long enough to be told from other words.
func textsOf(out *connectors.Decoded) []string {
	var texts []string
	for i := range out.Readings {
		if text := out.Readings[i].Message.Text; text != nil && len(*text) >= 12 {
			texts = append(texts, strings.Clone(*text))
		}
	}
	return texts
}
