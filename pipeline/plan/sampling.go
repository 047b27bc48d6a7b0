package plan

import (
	"context"
	"errors"
	"slices"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// sampling takes samples of a platform's containers and holds what they show together.
type sampling struct {
	*Platform
	left, used int // calls
	looked     int // containers that showed a page
	refused    int // containers that the platform refuses
	refusal    error
	histories  []history
	threads    []float64       // messages of threads that were looked at
	asked      map[string]bool // threads that were
	items      int             // messages in pages
	itemBytes  int             // of these pages
	found      map[string]bool // threads that pages of histories showed
	listed     int             // messages in pages of histories
	forwards   []string        // ids of merged forwards in all pages
	expanded   int             // forwards that were fetched
	expansion  int             // bytes of these
	encoded    int             // bytes of messages as they are published
	messages   int             // of which there were so many
}

// history is one container that was looked at.
type history struct {
	key      string
	messages float64 // in its window, as far as can be told
	exact    bool
	// newest and oldest are its ends; between them density is probed.
	newest, oldest page
	probes         []float64 // messages for each millisecond
	container      *Container
}

// page is what one page shows.
type page struct {
	items, bytes      int
	first, last       schemas.Millis
	seq, threadSeq    span
	threads, forwards []string
}

// span is a range of a platform's own numbers, n of them told.
type span struct {
	low, high int64
	n         int
}

func (s *span) take(v *int64) {
	if v == nil || *v < 0 {
		return
	}
	if s.n == 0 || *v < s.low {
		s.low = *v
	}
	if s.n == 0 || *v > s.high {
		s.high = *v
	}
	s.n++
}

// callsOfOne is how many calls a history wants whose messages have no numbers: both ends, and twice between.
const callsOfOne = 4

// run spends the calls: first on newest pages, then on what they leave open.
func (s *sampling) run(ctx context.Context, lists, threads []Container) error {
	s.found, s.asked = map[string]bool{}, map[string]bool{}
	numbered := true
	most := len(lists)
	for i := range chosen(most, max(1, min(most, s.left-2))) {
		if s.left <= 0 || !numbered && len(s.histories)*callsOfOne >= s.left+len(s.histories) {
			break
		}
		h, err := s.open(ctx, &lists[i])
		if err != nil {
			return err
		}
		if h != nil {
			s.histories = append(s.histories, *h)
			numbered = numbered && h.exact
		}
	}
	if err := s.forward(ctx); err != nil {
		return err
	}
	if err := s.someThreads(ctx, lists, threads); err != nil {
		return err
	}
	return s.probe(ctx)
}

// chosen gives n indexes below total, evenly spread, and so that any first few of them are spread too.
func chosen(total, n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for k := range min(n, total) {
			if !yield(spread(total, n, k)) {
				return
			}
		}
	}
}

// spread is the k-th of n places below total: in reversed bits of k, so that the first few lie far apart.
func spread(total, n, k int) int {
	bits := 0
	for 1<<bits < n {
		bits++
	}
	seen := -1
	for i := 0; ; i++ {
		r := 0
		for b := range bits {
			if i&(1<<b) != 0 {
				r |= 1 << (bits - 1 - b)
			}
		}
		if r < n {
			if seen++; seen == k {
				return r * total / n
			}
		}
	}
}

// open looks at the newest page of a history; nil where the platform refuses it.
func (s *sampling) open(ctx context.Context, c *Container) (*history, error) {
	p, err := s.page(ctx, c, deref(c.WindowStart), deref(c.WindowEnd), true)
	if p == nil {
		return nil, err
	}
	s.looked++
	h := &history{key: c.Key, newest: *p, container: c}
	for _, t := range p.threads {
		s.found[t] = true
	}
	s.listed += p.items
	switch {
	case p.items < s.Sampler.PageSize():
		h.messages, h.exact = float64(p.items), true
	case p.seq.n*2 > p.items && p.seq.high > p.seq.low:
		// Numbers count from the conversation's first message; some of them may not be shown.
		shown := float64(p.seq.n) / float64(p.seq.high-p.seq.low+1)
		h.messages, h.exact = float64(p.seq.high)*min(1, shown)*float64(p.items)/float64(p.seq.n), true
		if c.WindowStart != nil && s.left > 0 {
			old, err := s.page(ctx, c, deref(c.WindowStart), deref(c.WindowEnd), false)
			if err != nil {
				return nil, err
			}
			if old != nil && old.seq.n > 0 {
				h.messages *= float64(p.seq.high-old.seq.low+1) / float64(p.seq.high)
			}
		}
	}
	return h, nil
}

// page looks at one page. It is nil without an error where the platform definitively refuses the container.
func (s *sampling) page(ctx context.Context, c *Container, from, to schemas.Millis, newest bool) (*page, error) {
	r, ok := s.Sampler.PageOf(&c.Container, from, to, newest)
	if !ok {
		return nil, nil
	}
	resp, err := s.call(ctx, r)
	var e *connectors.Error
	if errors.As(err, &e) && (e.Class == connectors.ClassContainer || e.Class == connectors.ClassItem || e.Class == connectors.ClassUnknown) {
		s.refused++
		s.refusal = err
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.read(c, resp), nil
}

// call makes one call and counts it.
func (s *sampling) call(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	resp, err := s.Call(ctx, r)
	n := 1
	var e *connectors.Error
	switch {
	case err == nil:
		n = max(1, resp.Calls)
	case errors.As(err, &e):
		n = max(1, e.Calls)
	}
	s.left, s.used = s.left-n, s.used+n
	return resp, err
}

// read takes in what a page shows.
func (s *sampling) read(c *Container, resp *connectors.Response) *page {
	var d connectors.Decoded
	s.Decoder.Decode([]schemas.Page{{
		Container: schemas.ContainerKey(c.Key), Conversation: schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID),
		Type: resp.Type, ContentType: "application/json", Time: resp.Time, Epoch: 1, Number: 1, Request: resp.Request,
		HTTPStatus: resp.HTTPStatus, Code: resp.Code, AppID: s.AppID, Body: resp.Body,
	}}, &d)
	p := &page{bytes: len(resp.Body), items: len(d.Failed)}
	seen := map[string]bool{}
	for i := range d.Readings {
		m := &d.Readings[i].Message
		if m.Forward.Role == schemas.ForwardChild || m.Forward.Role == schemas.ForwardChildContainer {
			continue
		}
		p.items++
		p.take(m)
		if m.ThreadID != nil && !seen[*m.ThreadID] {
			seen[*m.ThreadID] = true
			p.threads = append(p.threads, *m.ThreadID)
		}
		if n := encodedSize(m); n > 0 {
			s.encoded, s.messages = s.encoded+n, s.messages+1
		}
	}
	s.items, s.itemBytes = s.items+p.items, s.itemBytes+p.bytes
	s.forwards = append(s.forwards, p.forwards...)
	return p
}

func (p *page) take(m *schemas.Message) {
	if t := m.CreatedAt; t > 0 {
		if p.first == 0 || t < p.first {
			p.first = t
		}
		p.last = max(p.last, t)
	}
	p.seq.take(m.ConversationSeq)
	p.threadSeq.take(m.ThreadSeq)
	if m.Forward.Role == schemas.ForwardContainer {
		p.forwards = append(p.forwards, m.MessageID)
	}
}

// encodedSize is about how long a message is as it is published, 0 where it cannot be told.
func encodedSize(m *schemas.Message) int {
	v := *m
	v.Version, v.SourceRevision, v.Change = 1, int64(m.CreatedAt), schemas.ChangeCreated
	v.Provenance = schemas.Provenance{
		PageID: "0000000000000000000000000000000000000000000000000000000000000000", SourceAPI: schemas.FeishuMessagesList, RawTopic: "im.raw.pages",
		ItemPointer: "/data/items/0", ConnectorVersion: "chatlake/0", NormalizerVersion: "chatlake/0",
		ExtractedAt: schemas.MillisOf(time.Now()), NormalizedAt: schemas.MillisOf(time.Now()),
	}
	for _, l := range []*schemas.Link{&v.Parent, &v.Root} {
		if l.Status == "" {
			l.Status = schemas.LinkNone
		}
	}
	if v.ConversationKind == "" {
		v.ConversationKind = schemas.ConversationUnknown
	}
	b, err := schemas.MessageSchema.Append(nil, 1, &v)
	if err != nil {
		return 0
	}
	return len(b)
}

// forward fetches one merged forward, to see how large they are.
func (s *sampling) forward(ctx context.Context) error {
	if len(s.forwards) == 0 || s.left <= 0 {
		return nil
	}
	r, ok := s.Sampler.ExpansionOf(s.forwards[len(s.forwards)/2])
	if !ok {
		return nil
	}
	resp, err := s.call(ctx, r)
	var e *connectors.Error
	if errors.As(err, &e) && e.Class != connectors.ClassFatal {
		return nil // one that is deleted tells nothing of the others
	}
	if err != nil {
		return err
	}
	s.expanded, s.expansion = s.expanded+1, s.expansion+len(resp.Body)
	return nil
}

// someThreads looks at a thread that pages showed, or one that is asked for.
func (s *sampling) someThreads(ctx context.Context, lists, threads []Container) error {
	var some []Container
	for i := range chosen(len(threads), min(2, len(threads))) {
		some = append(some, threads[i])
	}
	ids := make([]string, 0, len(s.found))
	for id := range s.found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if s.Threads && len(ids) > 0 && len(lists) > 0 && len(some) == 0 {
		some = append(some, Container{Container: schemas.Container{
			Kind: schemas.KindThread, ID: ids[len(ids)/2], Platform: lists[0].Platform, TenantID: lists[0].TenantID,
		}})
	}
	for i := range some {
		if s.left <= 0 {
			return nil
		}
		p, err := s.page(ctx, &some[i], 0, 0, true)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		n := float64(p.items)
		if p.items >= s.Sampler.PageSize() && p.threadSeq.n > 0 {
			n = max(n, float64(p.threadSeq.high+1))
		}
		s.threads = append(s.threads, n)
	}
	return nil
}

func deref(m *schemas.Millis) schemas.Millis {
	if m == nil {
		return 0
	}
	return *m
}
