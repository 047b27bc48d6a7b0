package conformance

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// group is what a decoder is given at once: a page of the topic of raw pages, last, with the expansions before it.
type group struct {
	pages []schemas.Page
	items int // messages that the source counted in the page, -1 where it did not
}

func (g *group) String() string {
	page := &g.pages[len(g.pages)-1]
	return page.Type + " " + page.Request + " after " + strconv.Itoa(len(g.pages)-1) + " expansions"
}

// groups reads all containers and gives their pages as they are written and normalized.
func groups(t *testing.T, p Platform) []group {
	t.Helper()
	var all []group
	for _, c := range p.Containers {
		for n, page := range read(t, p.Start(t).Source, c, connectors.Position{}) {
			number := int64(n + 1)
			for i := range page.Opening {
				all = append(all, group{[]schemas.Page{rawPage(c, &page.Opening[i], 0)}, -1})
			}
			g := group{rawPages(c, page, number), page.Items}
			for i := range g.pages {
				if expands := i < len(g.pages)-1; g.pages[i].Expansion() != expands {
					t.Errorf("%s: page %d of the group is taken for an expansion: %t", &g, i, !expands)
				}
			}
			all = append(all, g)
		}
	}
	return all
}

// rawPages gives a page as it is written: with its expansions before it.
func rawPages(c *schemas.Container, page *connectors.Page, number int64) []schemas.Page {
	var pages []schemas.Page
	for i := range page.Expansions {
		pages = append(pages, rawPage(c, &page.Expansions[i], number))
	}
	last := rawPage(c, &page.Response, number)
	last.Final = page.Final
	return append(pages, last)
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

// told is what a decoder says of some pages, in memory of its own.
func told(t *testing.T, d connectors.Decoder, pages []schemas.Page, out *connectors.Decoded) string {
	t.Helper()
	d.Decode(pages, out)
	said := *out
	// None is none, whether memory is kept or not.
	if len(said.Readings) == 0 {
		said.Readings = nil
	}
	if len(said.Answers) == 0 {
		said.Answers = nil
	}
	if len(said.Failed) == 0 {
		said.Failed = nil
	}
	b, err := json.Marshal(&said)
	if err != nil {
		t.Fatalf("page %s: what was decoded cannot be written: %v", pages[len(pages)-1].Request, err)
	}
	return string(b)
}

func testDecode(t *testing.T, p Platform) {
	all := groups(t, p)
	d := p.NewDecoder()
	var out, fresh connectors.Decoded
	for i := range all {
		g := &all[i]
		var bodies []string
		for _, page := range g.pages {
			bodies = append(bodies, string(page.Body))
		}
		first := told(t, d, g.pages, &out)
		checkDecoded(t, g, &out)
		told(t, d, all[(i+1)%len(all)].pages, &out)
		if again := told(t, d, g.pages, &out); again != first {
			t.Errorf("%s: decoded again after other pages:\n%.1500s\nwas\n%.1500s", g, again, first)
		}
		if other := told(t, p.NewDecoder(), g.pages, &fresh); other != first {
			t.Errorf("%s: decoded by a fresh decoder:\n%.1500s\nwas\n%.1500s", g, other, first)
		}
		for n, page := range g.pages {
			if string(page.Body) != bodies[n] {
				t.Errorf("%s: decoding changed the body of page %d", g, n)
			}
		}
		for n := range g.pages { // expansions may come without their page, and a page without them
			alone := group{g.pages[n : n+1], -1}
			told(t, d, alone.pages, &out)
			checkDecoded(t, &alone, &out)
		}
	}
}

// Check checks that what was decoded of some pages agrees with itself and with them, whatever the pages hold.
func Check(t testing.TB, pages []schemas.Page, out *connectors.Decoded) {
	t.Helper()
	checkDecoded(t, &group{pages, -1}, out)
}

// checkDecoded checks that every item of a page is accounted for, and that readings belong to their pages.
func checkDecoded(t testing.TB, g *group, out *connectors.Decoded) {
	t.Helper()
	last := len(g.pages) - 1
	pointers, rows := map[string]bool{}, map[string]bool{}
	for i := range out.Readings {
		r := &out.Readings[i]
		m := &r.Message
		pointer := m.Provenance.ItemPointer
		if r.Page < 0 || r.Page > last {
			t.Fatalf("%s: reading %d is of page %d", g, i, r.Page)
		}
		if r.Page == last {
			pointers[pointer] = true
		}
		if pointer == "" || m.MessageID == "" || m.Platform == "" || m.TenantID == "" || m.ContentKind == "" || m.State == "" {
			t.Errorf("%s: reading %d lacks something: %+v", g, i, m)
		}
		if prefix := schemas.Part(m.Platform) + "/" + schemas.Part(m.TenantID) + "/"; !strings.HasPrefix(m.RecordID, prefix) {
			t.Errorf("%s: reading %d has record_id %q", g, i, m.RecordID)
		}
		row := m.RecordID + " " + strconv.Itoa(r.Page) + pointer
		if rows[row] {
			t.Errorf("%s: %s is told twice by one item", g, m.RecordID)
		}
		rows[row] = true
	}
	for _, f := range out.Failed {
		if f.Page == last {
			pointers[f.Pointer] = true
		}
		if f.Class == "" || f.Message == "" || f.Page < 0 || f.Page > last {
			t.Errorf("%s: failed item without a reason or a page: %+v", g, f)
		}
	}
	if len(pointers) < g.items {
		t.Errorf("%s: %d items are accounted for, its source counted %d", g, len(pointers), g.items)
	}
	checkAnswers(t, g, out)
	checkForwards(t, g, out)
}

// mutationsEach is how many broken copies of each page are decoded, of each kind.
const mutationsEach = 64

func testMutated(t *testing.T, p Platform) {
	d, random := p.NewDecoder(), rand.New(rand.NewPCG(1, 2))
	var out connectors.Decoded
	for _, g := range groups(t, p) {
		want := told(t, d, g.pages, &out)
		texts := textsOf(&out)
		var traces []bool
		for i := range g.pages {
			traces = append(traces, traced(&out, i))
		}
		for n := range 2 * mutationsEach * len(g.pages) {
			broken := group{slices.Clone(g.pages), -1}
			which, kind := n%len(g.pages), n/len(g.pages)
			page := &broken.pages[which]
			good := page.Body
			if kind < mutationsEach {
				page.Body = good[:(kind+1)*len(good)/(mutationsEach+1)]
			} else {
				page.Body = scramble(random, good)
			}
			decodeBroken(t, d, &broken, &out)
			if traces[which] && g.items != 0 && kind < mutationsEach && len(page.Body) > 0 && !traced(&out, which) && !incomplete(&out) {
				t.Errorf("%s: page %d, cut to %d of %d bytes, leaves no trace", &g, which, len(page.Body), len(good))
			}
			for _, f := range out.Failed {
				if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(f.Message, text) }) {
					t.Errorf("%s: the reason of a failure shows what a message says: %q", &g, f.Message)
				}
			}
		}
		if again := told(t, d, g.pages, &out); again != want {
			t.Errorf("%s: decoded otherwise after broken pages", &g)
		}
	}
}

// traced reports whether anything was said of a page.
func traced(out *connectors.Decoded, page int) bool {
	for i := range out.Readings {
		if out.Readings[i].Page == page {
			return true
		}
	}
	return slices.ContainsFunc(out.Answers, func(a connectors.Answer) bool { return a.Page == page }) ||
		slices.ContainsFunc(out.Failed, func(f connectors.Failed) bool { return f.Page == page })
}

// incomplete reports whether a merged forward says that its expansion is not whole: what is missing is told there.
func incomplete(out *connectors.Decoded) bool {
	return slices.ContainsFunc(out.Readings, func(r connectors.Reading) bool {
		e := r.Message.Forward.Expansion
		return e == schemas.ExpansionPartial || e == schemas.ExpansionFailed
	})
}

// decodeBroken decodes pages of which one may be anything; a panic is a failure that shows it.
func decodeBroken(t *testing.T, d connectors.Decoder, g *group, out *connectors.Decoded) {
	t.Helper()
	bodies := make([][]byte, len(g.pages))
	for i := range g.pages {
		bodies[i] = g.pages[i].Body
	}
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%s: decoding panics: %v\n%+q", g, p, bodies)
		}
	}()
	told(t, d, g.pages, out)
	checkDecoded(t, g, out)
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
