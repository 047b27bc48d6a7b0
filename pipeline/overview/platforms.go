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

// Activity is what extractors do at present, by API; an API belongs to the platform whose name it begins with.
type Activity struct {
	Calls map[string]int // in the last minute; nil: no extractor has told it
	Pace  map[string]int // calls a minute that are let through: what the quota allows where calls wait for it
}

// Platforms adds rows up, in the order of platform and tenant.
func Platforms(rows []Row, a Activity, now time.Time) []Platform {
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
		p, pace := &all[i], 0.0
		if tenants[p.Platform] == 1 { // extractors tell calls by API, not by tenant
			p.CallsLastMinute = callsOf(p.Platform, a.Calls)
			pace = float64(fastest(callsOf(p.Platform, a.Pace)))
		}
		p.ETASeconds = eta(of[i], pace)
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

// fastest is the highest number.
func fastest(pace map[string]int) (most int) {
	for _, n := range pace {
		most = max(most, n)
	}
	return most
}
