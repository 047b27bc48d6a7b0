package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"chatlake/schemas"
	"chatlake/simulator"
)

// rounds runs both programs in turn until nobody asks for anything more, and gives how often.
func (s *site) rounds() int {
	s.t.Helper()
	for n := 1; n < 40; n++ {
		s.once("extractor", 0)
		before := len(s.read(s.prefix + ".containers"))
		s.once("normalizer", 0)
		if len(s.read(s.prefix+".containers")) == before {
			return n
		}
	}
	s.t.Fatal("look-ups never come to an end")
	return 0
}

// flow runs both programs together until all containers have come to their end, look-ups included.
func (s *site) flow() {
	s.t.Helper()
	programs := []*process{s.start("extractor"), s.start("normalizer")}
	for done := 0; done < 3; {
		if done++; !s.quiet() {
			done = 0
		}
		if s.t.Context().Err() != nil {
			break
		}
	}
	for _, p := range programs {
		_ = p.cmd.Process.Signal(os.Interrupt) // one that has ended tells by its exit code
		if code := p.exit(s.t); code != 0 {
			s.t.Fatalf("exit code %d:\n%s", code, p.out)
		}
	}
	s.rounds() // what was under way when they were stopped
}

// TestWholeTenantInAnyOrder reads a tenant with everything in it and holds every record against the truth: read by a
// few workers, by many, and normalized from its raw pages in an order that chance made.
func TestWholeTenantInAnyOrder(t *testing.T) {
	t.Parallel()
	mix := simulator.Mix{Threads: 35, Quotes: 60, Missing: 35, Forwards: 8}
	world := size(t, simulator.Options{Seed: 60, ChatSize: 500, Chats: 60, BigForward: 10_000, Mix: mix}, simulator.Options{Seed: 60, Chats: 4, ChatSize: 500, BigForward: 300, Mix: mix})
	s := newSite(t, options{world: world, feishu: simulator.FeishuConfig{Record: true}, partitions: 6})
	truth := s.model()
	s.env = append(s.env, "EXTRACTOR_WORKERS=4")
	s.add(1, s.chats()...)
	s.flow()
	f := s.check()
	counts := truth.hold(&f)
	t.Logf("%d chats: %d records, %d versions, %d raw pages, %d look-ups expected; links: %s", len(s.chats()), len(f.last), f.messages, f.pages, truth.lookedUp, dump(counts))
	asked, vain := s.lookups(truth)
	t.Logf("%d targets asked for, %d of them in vain", asked, vain)
	if vain*10 > asked {
		t.Errorf("%d of %d look-ups were in vain", vain, asked)
	}
	if !testing.Short() && (len(s.chats()) < 60 || asked < 200) {
		t.Errorf("%d chats with %d missing targets are fewer than this test is about", len(s.chats()), asked)
	}

	many := s.like(t, options{world: world, feishu: simulator.FeishuConfig{Record: true}, partitions: 6})
	many.add(1, many.chats()...)
	many.flow()
	g := many.check()
	many.model().hold(&g)

	shuffled := s.like(t, options{world: world, partitions: 6})
	shuffled.env = append(shuffled.env, "NORMALIZER_LOOKUPS=false")
	shuffled.shuffle(s.read(s.prefix + ".raw.pages"))
	shuffled.once("normalizer", 0)
	h := found{versions: map[string][]int64{}, last: map[string]map[string]any{}}
	shuffled.checkMessages(&h)
	truth.hold(&h)
	t.Logf("versions: few workers %d, many %d, shuffled %d", f.messages, g.messages, h.messages)
	same(t, &f, &h)
}

// like is another installation on the same servers.
func (s *site) like(t *testing.T, o options) *site {
	t.Helper()
	o.beside = s
	return newSite(t, o)
}

// lookups counts the targets that were asked for, and those of them that lists show anyhow.
func (s *site) lookups(m *model) (asked, vain int) {
	s.t.Helper()
	decode, seen := s.foreign(), map[string]bool{}
	for _, r := range s.read(s.prefix + ".containers") {
		c := decode.decode(r.Value)
		if c["cause"] != "lookup" {
			continue
		}
		if seen[string(r.Key)] {
			s.t.Errorf("%s was asked for twice", r.Key)
		}
		seen[string(r.Key)] = true
		asked++
		if x := m.byID[c["id"].(string)]; x != nil && (x.message.InChat || x.message.InThread) && x.message.ChatID == c["conversation_id"] {
			vain++
		}
	}
	return asked, vain
}

// shuffle writes raw pages in another order; what belongs to one page stays together.
func (s *site) shuffle(records []*kgo.Record) {
	s.t.Helper()
	var groups [][]schemas.Record
	open := ""
	for _, r := range records {
		rec := schemas.Record{Topic: s.prefix + ".raw.pages", Partition: r.Partition, Time: r.Timestamp, Key: string(r.Key), Value: r.Value}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, schemas.Header{Key: h.Key, Value: h.Value})
		}
		p, err := schemas.ParsePage(&rec)
		if err != nil {
			s.t.Fatal(err)
		}
		if id := fmt.Sprint(p.Container, p.Epoch, p.Number); id == open {
			groups[len(groups)-1] = append(groups[len(groups)-1], rec)
		} else {
			groups = append(groups, []schemas.Record{rec})
			open = id
		}
		if !p.Expansion() {
			open = ""
		}
	}
	chance := rand.New(rand.NewPCG(4, 2))
	chance.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	for _, g := range groups {
		if err := s.client.Produce(s.t.Context(), g); err != nil {
			s.t.Fatal(err)
		}
	}
}

// same expects last versions to say the same, but for what may differ.
func same(t *testing.T, a, b *found) {
	t.Helper()
	strip := func(m map[string]any) string {
		c := map[string]any{}
		for k, v := range m {
			switch k {
			case "version", "change", "provenance", "conversation_kind":
			case "sender":
				sender := map[string]any{}
				for k, v := range v.(map[string]any) {
					if k != "name" {
						sender[k] = v
					}
				}
				c[k] = sender
			default:
				c[k] = v
			}
		}
		out, _ := json.Marshal(c) // maps of plain values
		return string(out)
	}
	wrong := 0
	for id, m := range a.last {
		if x, y := strip(m), strip(b.last[id]); x != y {
			if wrong++; wrong <= 3 {
				t.Errorf("record %s in another order is\n%s, was\n%s", id, y, x)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d records hang on the order of pages", wrong)
	}
}
