// Package plan estimates what reading what is asked for and not yet read will take: calls, time under the quota, bytes. It looks at
// a few pages of the real containers, and knows no vendor and no broker.
package plan

import (
	"context"
	"math"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Container is one that is in force and has not ended, with what was read of it.
type Container struct {
	schemas.Container
	Items int64
	Pages int64
}

// Platform is what samples are taken from.
type Platform struct {
	Call    connectors.Call
	Sampler connectors.Sampler
	Decoder connectors.Decoder
	// Quotas are those of its APIs, by ce_type.
	Quotas map[string]connectors.Quota
	// Expansion and Opening name the APIs that expand merged forwards and tell of a conversation itself, "" where none is called.
	Expansion, Opening string
	// Nested is how many fetches a merged forward takes, with those within it; 0: one brings all.
	Nested float64
	// Threads says that threads are containers of their own.
	Threads bool
	// ByID names the API that fetches messages by their ids, and how many in one call.
	ByID     string
	IDsAtOne int
	AppID    string
}

// Estimate is what the rest of a platform's containers is expected to take.
type Estimate struct {
	Containers   int
	Calls        int64
	Hours        float64 // under the quota; meaningless where Unlimited
	Unlimited    bool    // the APIs have no quota
	RawBytes     int64
	MessageBytes int64
	Messages     int64
	Sampled      int   // containers that were looked at
	Used         int   // calls that this took
	Refused      int   // sampled containers that the platform refuses; others like them are taken to cost a call each
	Refusal      error // the last of its answers
}

// Of estimates what containers of one platform will take, with about so many calls.
func Of(ctx context.Context, p *Platform, containers []Container, calls int) (*Estimate, error) {
	e := &Estimate{Containers: len(containers)}
	if len(containers) == 0 {
		return e, nil
	}
	s := &sampling{Platform: p, left: calls}
	lists, threads, fetched := split(containers)
	if err := s.run(ctx, lists, threads); err != nil {
		return nil, err
	}
	e.Sampled, e.Used, e.Refused, e.Refusal = s.looked+s.refused, s.used, s.refused, s.refusal
	s.add(e, lists, threads, fetched)
	return e, nil
}

// split sorts containers by how they are read: histories, threads, and messages by their ids.
func split(all []Container) (lists, threads, fetched []Container) {
	for _, c := range all {
		switch c.Kind {
		case schemas.KindThread:
			threads = append(threads, c)
		case schemas.KindMessage, schemas.KindMessages:
			fetched = append(fetched, c)
		default:
			lists = append(lists, c)
		}
	}
	return lists, threads, fetched
}

// add works the estimate out.
func (s *sampling) add(e *Estimate, lists, threads, fetched []Container) {
	size := float64(s.Sampler.PageSize())
	calls := map[string]float64{}
	list := schemas.PageType(platformOf(lists, threads, fetched), schemas.KindChat)
	if len(fetched) > 0 && len(lists)+len(threads) == 0 {
		list = ""
	}
	messages, known := 0.0, map[string]float64{}
	for _, h := range s.histories {
		known[h.key] = h.messages
	}
	mean := s.meanMessages()
	for _, c := range lists {
		n, ok := known[c.Key]
		if !ok {
			n = mean
		}
		left := max(0, n-float64(c.Items))
		messages += left
		if c.Pages == 0 && s.Opening != "" {
			calls[s.Opening]++
			e.RawBytes += openingBytes
		}
		calls[list] += max(1, math.Ceil(left/size))
	}
	found := messages * s.threadRate()
	replies := s.meanThread()
	pages := max(1, math.Ceil(replies/size))
	calls[list] += (found + float64(len(threads))) * pages
	messages += (found + float64(len(threads))) * replies
	forwards := messages * s.forwardRate()
	if s.Expansion != "" {
		calls[s.Expansion] += forwards * max(1, s.Nested)
	}
	for _, c := range fetched {
		n := max(1, float64(len(c.Refs)))
		messages += n
		calls[s.ByID] += math.Ceil(n / float64(max(1, s.IDsAtOne)))
	}
	delete(calls, "")
	children := forwards * s.childrenOfForward()
	e.Messages = int64(messages + children)
	e.RawBytes += int64(messages*s.bytesOfItem() + forwards*s.bytesOfForward())
	e.MessageBytes = int64((messages + children) * s.bytesOfMessage())
	e.Unlimited = true
	for api, n := range calls {
		e.Calls += int64(math.Ceil(n))
		if hour := perHour(s.Quotas[api]); hour > 0 {
			e.Unlimited = false
			e.Hours = max(e.Hours, n/hour)
		}
	}
}

// openingBytes is about what a platform tells of a conversation itself.
const openingBytes = 1 << 10

func platformOf(lists ...[]Container) string {
	for _, l := range lists {
		if len(l) > 0 {
			return l[0].Platform
		}
	}
	return ""
}

// used is how much of a quota extraction uses.
const used = 0.97

// perHour is how many calls of an API an hour allows, 0: any number.
func perHour(q connectors.Quota) float64 {
	n := math.Inf(1)
	if q.PerMinute > 0 {
		n = float64(q.PerMinute) * 60
	}
	if q.PerSecond > 0 {
		n = min(n, float64(q.PerSecond)*3600)
	}
	if math.IsInf(n, 1) {
		return 0
	}
	return n * used
}
