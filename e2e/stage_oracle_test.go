package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// epochOf is one container in one epoch.
type epochOf struct {
	key   schemas.ContainerKey
	epoch int64
}

// kept is what the log of a stage holds.
type kept struct {
	chains      map[epochOf][]schemas.Page            // list and look-up pages, in order
	expansions  map[epochOf]map[int64]map[string]bool // by page and message
	checkpoints map[schemas.ContainerKey]schemas.Checkpoint
	messages    map[string][]string        // that a page shows, by page id
	shown       map[epochOf]map[string]int // how often pages show a message
	calls       int64                      // that the checkpoints in force account for
	letters     []schemas.DeadLetter
}

func newKept() *kept {
	return &kept{
		chains: map[epochOf][]schemas.Page{}, expansions: map[epochOf]map[int64]map[string]bool{},
		checkpoints: map[schemas.ContainerKey]schemas.Checkpoint{}, shown: map[epochOf]map[string]int{}, messages: map[string][]string{},
	}
}

// check reads everything in the order of its commits and holds it against the rules: each page once and as it was served,
// numbers without a gap, ce_prev whole, expansions before their page, and after every transaction checkpoints that say
// exactly what is durable.
func (s *stage) check() *kept {
	s.t.Helper()
	for _, v := range s.log.Violations() {
		s.t.Error(v)
	}
	k := newKept()
	served, ids := s.served(), map[string]bool{}
	for _, tx := range s.log.History() {
		k.take(s.t, &tx, func(p *schemas.Page) {
			if ids[p.ID] {
				s.t.Errorf("page %d of %s stands twice", p.Number, p.Container)
			}
			ids[p.ID] = true
			sum := sha256.Sum256(p.Body)
			if p.Error == "" && !served[p.Request+" "+hex.EncodeToString(sum[:])] || p.Error != "" && len(p.Body) > connectorsMaxBody {
				s.t.Errorf("page %d of %s (%s) is not what was served", p.Number, p.Container, p.Request)
			}
		})
	}
	k.holes(s.t)
	if len(k.letters) > 0 && !s.letters {
		s.t.Errorf("%d dead letters: %+v", len(k.letters), k.letters)
	}
	for key := range k.checkpoints {
		cp := k.checkpoints[key]
		k.calls += cp.Calls
		if chain := k.chains[epochOf{key, cp.Epoch}]; !cp.Ended() || len(chain) == 0 || !chain[len(chain)-1].Final {
			s.t.Errorf("%s never ended: %s after %d pages", key, cp.State, len(chain))
		}
	}
	return k
}

// holes expects a dead letter for each page that came without its body because one message was too large, unless it is the
// last of a container that has failed, or another dead letter of the page names the message. It leaves the other letters.
func (k *kept) holes(t testing.TB) {
	t.Helper()
	open := map[string]bool{}
	for _, chain := range k.chains {
		for i := range chain {
			if p := &chain[i]; p.Error == "too_large" && len(p.Body) == 0 && !p.Final {
				open[p.ID] = true
			}
		}
	}
	rest := k.letters[:0]
	for _, d := range k.letters {
		if d.ErrorClass == "too_large" && d.PageID != nil {
			if d.RecordID == nil && !open[*d.PageID] {
				t.Errorf("a dead letter of a page that has its body, or a second one: %+v", d)
			}
			delete(open, *d.PageID)
		}
		if d.RecordID != nil || d.ErrorClass != "too_large" {
			rest = append(rest, d)
		}
	}
	k.letters = rest
	if len(open) > 0 {
		t.Errorf("%d pages without a body and without a dead letter", len(open))
	}
}

// connectorsMaxBody is the most that is read of a body.
const connectorsMaxBody = 24 << 20

// served are the bodies that went out whole, with their requests.
func (s *stage) served() map[string]bool {
	out := map[string]bool{}
	for _, x := range s.answers() {
		if x.Whole {
			out[x.Request+" "+x.SHA256] = true
		}
	}
	return out
}

func (k *kept) take(t testing.TB, tx *memlog.Transaction, each func(*schemas.Page)) {
	t.Helper()
	for i := range tx.Records {
		rec := &tx.Records[i]
		switch rec.Topic {
		case stageTopics.RawPages:
			p, err := schemas.ParsePage(rec)
			if err != nil {
				t.Fatal(err)
			}
			each(&p)
			k.page(t, &p)
		case stageTopics.Checkpoints:
			k.checkpoint(t, rec)
		case stageTopics.DeadLetters:
			k.letters = append(k.letters, deadLetter(t, rec))
		}
	}
}

func deadLetter(t testing.TB, rec *schemas.Record) (d schemas.DeadLetter) {
	t.Helper()
	_, body, err := schemas.Frame(rec.Value)
	if err == nil {
		err = schemas.DeadLetterSchema.Decode(body, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (k *kept) page(t testing.TB, p *schemas.Page) {
	t.Helper()
	at := epochOf{p.Container, p.Epoch}
	chain := k.chains[at]
	switch {
	case p.Number == 0:
		if len(chain) > 0 {
			t.Errorf("%v: the chat's own record comes after its pages", at)
		}
		return
	case p.Expansion():
		if p.Number != int64(len(chain))+1 || p.Prev != "" || p.Final {
			t.Errorf("%v: an expansion of page %d stands before page %d", at, p.Number, len(chain)+1)
		}
		if k.expansions[at] == nil {
			k.expansions[at] = map[int64]map[string]bool{}
		}
		if k.expansions[at][p.Number] == nil {
			k.expansions[at][p.Number] = map[string]bool{}
		}
		k.expansions[at][p.Number][p.Subject] = true
		return
	}
	prev := ""
	if n := len(chain); n > 0 {
		prev = chain[n-1].ID
		if chain[n-1].Final {
			t.Errorf("%v: page %d comes after the final one", at, p.Number)
		}
	}
	if p.Number != int64(len(chain))+1 || p.Prev != prev {
		t.Errorf("%v: page %d after %d pages, with ce_prev %q for %q", at, p.Number, len(chain), p.Prev, prev)
	}
	k.chains[at] = append(chain, *p)
	if k.shown[at] == nil {
		k.shown[at] = map[string]int{}
	}
	k.messages[p.ID] = messagesOf(t, p)
	for _, id := range k.messages[p.ID] {
		k.shown[at][id]++
	}
}

// messagesOf are the ids of the messages that a page shows.
func messagesOf(t testing.TB, p *schemas.Page) []string {
	t.Helper()
	if len(p.Body) == 0 || p.Error != "" {
		return nil
	}
	type item struct {
		MessageID string          `json:"message_id"`
		ServerID  json.RawMessage `json:"message_server_id"` // Yunxin's, a number or a string
	}
	var body struct {
		Data struct {
			Items       []item
			SuccessList []item `json:"success_list"`
		}
	}
	if err := json.Unmarshal(p.Body, &body); err != nil {
		t.Fatalf("page %d of %s: %v", p.Number, p.Container, err)
	}
	var ids []string
	for _, i := range append(body.Data.Items, body.Data.SuccessList...) {
		ids = append(ids, i.MessageID+strings.Trim(string(i.ServerID), `"`))
	}
	return ids
}

func (k *kept) checkpoint(t testing.TB, rec *schemas.Record) {
	t.Helper()
	var cp schemas.Checkpoint
	_, body, err := schemas.Frame(rec.Value)
	if err == nil {
		err = schemas.CheckpointSchema.Decode(body, &cp)
	}
	if err != nil {
		t.Fatal(err)
	}
	key := schemas.ContainerKey(cp.ContainerKey)
	chain := k.chains[epochOf{key, cp.Epoch}]
	if cp.Pages != int64(len(chain)) || len(chain) > 0 && *cp.LastPageID != chain[len(chain)-1].ID {
		t.Errorf("checkpoint of %s says %d pages where %d are durable", key, cp.Pages, len(chain))
	}
	k.checkpoints[key] = cp
}

// whole expects a container to be complete, with every message that the simulator would show, each once unless pages may
// overlap, and every merged forward expanded beside its page.
func (s *stage) whole(k *kept, c *schemas.Container, overlap bool) {
	s.t.Helper()
	at := epochOf{schemas.ContainerKey(c.Key), c.Epoch}
	if cp := k.checkpoints[at.key]; cp.Epoch != c.Epoch || cp.State != schemas.StateComplete {
		s.t.Errorf("%s is %s in epoch %d (%v), not complete", c.Key, cp.State, cp.Epoch, cp.ErrorCode)
	}
	truth := s.world.Messages(c.ID)
	if c.Kind == schemas.KindThread {
		truth = s.world.Thread(c.ID)
	}
	for i := range truth {
		if n := k.shown[at][truth[i].ID]; (n == 0) != (truth[i].ID == s.large) || n > 1 && !overlap {
			s.t.Errorf("%s shows message %d of %d %d times", c.Key, i+1, len(truth), n)
		}
	}
	for _, p := range k.chains[at] {
		for _, id := range k.messages[p.ID] {
			m, known := s.world.Message(id)
			if !known || m.Type == "merge_forward" && m.State == simulator.Normal && !k.expansions[at][p.Number][id] {
				s.t.Errorf("%s page %d: %s is not of this world, or a merged forward without its expansion", c.Key, p.Number, id)
			}
		}
	}
}
