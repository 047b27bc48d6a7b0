package overview

import (
	"cmp"
	"slices"
	"time"

	"chatlake/schemas"
)

// Platform is what the containers of one platform and tenant come to. Sums are over the checkpoints in force.
type Platform struct {
	Platform        string             `json:"platform"`
	TenantID        string             `json:"tenant_id"`
	Containers      map[string]int     `json:"containers"` // by state
	Pages           int64              `json:"pages"`
	Items           int64              `json:"items"`
	Calls           int64              `json:"calls"`
	NewestMessageAt *schemas.Millis    `json:"newest_message_at"`
	Overdue         int                `json:"overdue"`
	Stretch         map[string]float64 `json:"stretch"`           // by class; nil: no extractor tells it
	CallsLastMinute map[string]int     `json:"calls_last_minute"` // by API; nil: no extractor has told it
	ETASeconds      *int64             `json:"eta_seconds"`       // nil: unknown
}

// maxLate is how far beyond its time a container that is followed is overdue.
const maxLate = 10 * time.Minute

// Platforms adds rows up, in the order of platform and tenant. calls are those of the last minute, by API, nil where nobody
// has told any; an API belongs to the platform whose name it begins with.
func Platforms(rows []Row, calls map[string]int, now time.Time) []Platform {
	type owner struct{ platform, tenant string }
	at := map[owner]int{}
	all := []Platform{}
	var of [][]*Row
	for i := range rows {
		r := &rows[i]
		o := owner{r.Platform, r.TenantID}
		n, ok := at[o]
		if !ok {
			n = len(all)
			at[o] = n
			all = append(all, Platform{Platform: r.Platform, TenantID: r.TenantID, Containers: NoStates()})
			of = append(of, nil)
		}
		of[n] = append(of[n], r)
		p := &all[n]
		p.Containers[r.State]++
		p.Pages, p.Items, p.Calls = p.Pages+r.Pages, p.Items+r.Items, p.Calls+r.Calls
		p.NewestMessageAt = later(p.NewestMessageAt, r.Watermark)
		if r.State == StateFollowing && r.DueAt != nil && now.Sub(r.DueAt.Time()) > maxLate {
			p.Overdue++
		}
	}
	tenants := map[string]int{}
	for i := range all {
		tenants[all[i].Platform]++
	}
	for i := range all {
		p := &all[i]
		if tenants[p.Platform] == 1 { // extractors tell calls by API, not by tenant
			p.CallsLastMinute = callsOf(p.Platform, calls)
		}
		p.ETASeconds = eta(of[i], p.CallsLastMinute)
	}
	slices.SortFunc(all, func(a, b Platform) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.TenantID, b.TenantID))
	})
	return all
}

// callsOf picks the calls of a platform's APIs.
func callsOf(platform string, calls map[string]int) map[string]int {
	if calls == nil {
		return nil
	}
	own := map[string]int{}
	for api, n := range calls {
		if len(api) > len(platform) && api[:len(platform)] == platform && api[len(platform)] == '.' {
			own[api] = n
		}
	}
	return own
}

// eta is how many seconds reading the rest will take at the pace of the last minute: 0 where nothing is left, nil where it is not
// known. What containers will show, such as threads, is not in it before they have shown it.
func eta(rows []*Row, calls map[string]int) *int64 {
	kinds := map[string]*sizes{}
	var open []*Row
	for _, r := range rows {
		k := kinds[r.Kind]
		if k == nil {
			k = &sizes{}
			kinds[r.Kind] = k
		}
		switch {
		case r.State == schemas.StateComplete && r.Calls > 0:
			k.ended = append(k.ended, r.Calls)
		case !r.Ended() && r.State != StateFollowing:
			open = append(open, r)
			if r.Calls > 0 {
				k.begun, k.calls = k.begun+1, k.calls+r.Calls
			}
		}
	}
	if len(open) == 0 {
		return new(int64)
	}
	pace := 0
	for _, n := range calls {
		pace += n
	}
	if pace == 0 {
		return nil
	}
	for _, k := range kinds {
		k.sort()
	}
	left := 0.0
	for _, r := range open {
		n, ok := kinds[r.Kind].after(r.Calls)
		if !ok {
			return nil
		}
		left += n
	}
	seconds := max(1, int64(left*60/float64(pace)))
	return &seconds
}

// sizes tells what is left of a container from what others of its kind took, in calls.
type sizes struct {
	ended        []int64 // rising
	sums         []int64 // of ended from there on
	begun, calls int64   // containers that have begun and not ended, and what they took so far
}

func (s *sizes) sort() {
	slices.Sort(s.ended)
	s.sums = make([]int64, len(s.ended)+1)
	for i := len(s.ended) - 1; i >= 0; i-- {
		s.sums[i] = s.sums[i+1] + s.ended[i]
	}
}

// after is what a container that took n calls is expected to take still: the mean of what those took beyond n that ended with more;
// where none did, as much again; where nothing of its kind has begun, that is not known.
func (s *sizes) after(n int64) (float64, bool) {
	i, _ := slices.BinarySearch(s.ended, n+1)
	switch {
	case i < len(s.ended):
		return float64(s.sums[i])/float64(len(s.ended)-i) - float64(n), true
	case n > 0:
		return float64(n), true
	case s.begun > 0:
		return 2 * float64(s.calls) / float64(s.begun), true
	}
	return 0, false
}
