package e2e_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"chatlake/schemas"
	"chatlake/simulator"
)

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// yunxinMix has a good deal of what is rare.
var yunxinMix = simulator.YunxinMix{Forwards: 16, Both: 20, Vague: 10, Missing: 30, Customs: 40, Others: 40}

// TestYunxinBackfill reads an app with conversations of every kind by programs that run on, and holds every record against
// the truth: as it was read, after a second run of both, and normalized from its raw pages in an order that chance made.
func TestYunxinBackfill(t *testing.T) {
	t.Parallel()
	world := simulator.YunxinOptions{Seed: 71, Conversations: 54, BigForward: 2000, Mix: yunxinMix}
	if testing.Short() {
		world.Conversations, world.BigForward = 4, 200
	}
	o := options{alone: true, yunxin: &yunxinOptions{world: world, config: simulator.YunxinConfig{Record: true}}, partitions: 6}
	s := newSite(t, o)
	truth := s.yunxinModel(false)
	kinds := map[string]int{}
	for _, c := range s.app.Conversations() {
		kinds[c.Kind]++
	}
	s.add(1, s.talks()...)
	s.flow()
	f := s.check()
	counts := truth.hold(&f)
	report := s.yunxin.Report()
	t.Logf("conversations %v: %d records, %d of them in merged forwards, %d versions, %d raw pages, %d calls; links: %s", kinds, len(f.last), truth.children, f.messages, f.pages, report.Calls, dump(counts))
	if f.dead != 0 || report.Wrong != 0 {
		t.Errorf("%d dead letters, %d calls at fault: %s", f.dead, report.Wrong, dump(f.letters))
	}
	if asked, vain := s.yunxinLookups(); asked == 0 || vain > 0 {
		t.Errorf("%d targets asked for, %d of them in vain", asked, vain)
	}
	truth.enough(kinds, counts)

	s.once("extractor", 0)
	s.once("normalizer", 0)
	if g := s.check(); g.pages != f.pages || g.messages != f.messages || g.checkpoints != f.checkpoints || g.dead != f.dead {
		t.Errorf("a second run of both added %d pages, %d messages, %d checkpoints", g.pages-f.pages, g.messages-f.messages, g.checkpoints-f.checkpoints)
	}

	shuffled := s.like(t, o)
	shuffled.env = append(shuffled.env, "NORMALIZER_LOOKUPS=false")
	shuffled.shuffle(s.read(s.prefix + ".raw.pages"))
	shuffled.once("normalizer", 0)
	h := found{versions: map[string][]int64{}, last: map[string]map[string]any{}}
	shuffled.checkMessages(&h)
	deep := truth.deep()
	for _, id := range deep {
		delete(truth.rows, id)
		delete(f.last, id)
		delete(h.last, id)
	}
	truth.hold(&h)
	same(t, &f, &h)
	t.Logf("versions: as read %d, shuffled %d; %d records whose links end too deep were left out", f.messages, h.messages, len(deep))
}

// oddities are all that may be wrong with the file of a merged forward.
var oddities = []simulator.FileOddity{"", simulator.FileCRLF, simulator.FileLongLine, simulator.FileNoMD5, simulator.FileMoved, simulator.FileEmpty, simulator.FileCount,
	simulator.FileBrokenLine, simulator.FileCycle, simulator.FileGone, simulator.FileExpired, simulator.FileWrongMD5, simulator.FileElsewhere, simulator.FileForeign, simulator.FilePrivate}

// enough expects the world to have what this test is about.
func (m *yunxinModel) enough(kinds, counts map[string]int) {
	m.s.t.Helper()
	if testing.Short() {
		return
	}
	if kinds["P2P"]+kinds["GROUP"]+kinds["SUPER_GROUP"] < 40 || kinds["P2P"] == 0 || kinds["GROUP"] == 0 || kinds["SUPER_GROUP"] == 0 {
		m.s.t.Errorf("conversations %v are too few", kinds)
	}
	for _, link := range []string{schemas.LinkResolved, schemas.LinkMissing, schemas.LinkForbidden, schemas.LinkPending, schemas.LinkOutOfScope} {
		if counts["parent "+link] < 5 {
			m.s.t.Errorf("%d parents are %s", counts["parent "+link], link)
		}
	}
	files := map[simulator.FileOddity]int{}
	quotes := map[string]int{}
	for _, r := range m.rows {
		quotes[r.message.Quote]++
		if r.role == schemas.ForwardContainer {
			files[r.message.Forward.Oddity]++
		}
	}
	for _, o := range oddities {
		if files[o] == 0 {
			m.s.t.Errorf("no merged forward has a file that is %q: %v", o, files)
		}
	}
	for _, q := range []string{simulator.QuoteNative, simulator.QuoteLegacy, simulator.QuoteBoth, simulator.QuoteConflict} {
		if quotes[q] == 0 {
			m.s.t.Errorf("no message answers by %q: %v", q, quotes)
		}
	}
}

// yunxinLookups counts the targets that were asked for, and those of them that history shows anyhow. No target is asked for
// twice, and no container asks for more than a call takes.
func (s *site) yunxinLookups() (asked, vain int) {
	s.t.Helper()
	shown := map[string]bool{}
	for _, c := range s.app.Conversations() {
		for _, m := range s.app.Messages(c.ID, true) {
			shown[c.ID+" "+m.ID] = true
		}
	}
	decode, containers, seen := s.foreign(), map[string]bool{}, map[string]bool{}
	for _, r := range s.read(s.prefix + ".containers") {
		c := decode.decode(r.Value)
		if c["platform"] != schemas.Yunxin || c["cause"] != schemas.CauseLookup {
			continue
		}
		refs := c["refs"].([]any)
		if containers[string(r.Key)] || len(refs) == 0 || len(refs) > 100 || c["kind"] != schemas.KindMessages {
			s.t.Errorf("look-up %s of kind %v has %d refs, or stands twice", r.Key, c["kind"], len(refs))
		}
		containers[string(r.Key)] = true
		for _, ref := range refs {
			id := c["conversation_id"].(string) + " " + ref.(map[string]any)["message_id"].(string)
			if seen[id] {
				s.t.Errorf("%s was asked for twice", id)
			}
			seen[id] = true
			if asked++; shown[id] {
				vain++
			}
		}
	}
	return asked, vain
}

// TestYunxinVersion21 reads a few conversations by the newer API, which tells more of each message, with all that a server may do
// otherwise than its pages say: the platform's ends of windows, order and direction are none to rely on.
func TestYunxinVersion21(t *testing.T) {
	t.Parallel()
	world := simulator.YunxinOptions{Seed: 72, Conversations: 7, Mix: yunxinMix}
	if testing.Short() {
		world.Conversations = 3
	}
	s := newSite(t, options{alone: true, partitions: 3, yunxin: &yunxinOptions{world: world, version: "v2.1", config: simulator.YunxinConfig{
		Record: true, BeginExclusive: true, EndExclusive: true, DescendingIsNewestFirst: true, Jumbled: true,
	}}})
	truth := s.yunxinModel(true)
	s.add(1, s.talks()...)
	n := s.rounds()
	f := s.check()
	counts := truth.hold(&f)
	t.Logf("%d records, %d versions, %d raw pages in %d rounds; links: %s", len(f.last), f.messages, f.pages, n, dump(counts))
	if wrong := s.yunxin.Report().Wrong; f.dead != 0 || wrong != 0 {
		t.Errorf("%d dead letters, %d calls at fault: %s", f.dead, wrong, dump(f.letters))
	}
}
