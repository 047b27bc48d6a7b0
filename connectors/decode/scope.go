package decode

import (
	"strconv"
	"strings"

	"chatlake/schemas"
)

// Scope is what a page's keys say of the messages in it.
type Scope struct {
	Tenant       string
	Kind         string // of container
	ID           string // of container, as its key has it
	Conversation string
	RecordPrefix string // <platform>/<tenant>/
	App          string
}

// ScopeOf reads the keys of a page. It reports false where they do not name a container and a conversation of one tenant of the
// platform.
func ScopeOf(platform string, page *schemas.Page) (s Scope, ok bool) {
	container := strings.SplitN(string(page.Container), "/", 4)
	conversation := strings.SplitN(string(page.Conversation), "/", 3)
	if len(container) != 4 || len(conversation) != 3 || container[0] != platform || conversation[0] != platform ||
		container[1] != conversation[1] || container[1] == "" || conversation[2] == "" {
		return Scope{}, false
	}
	s.Kind = container[2]
	s.Tenant, _ = Valid(schemas.Unpart(container[1]))
	s.ID, _ = Valid(schemas.Unpart(container[3]))
	s.Conversation, _ = Valid(schemas.Unpart(conversation[2]))
	s.RecordPrefix = schemas.Part(platform) + "/" + schemas.Part(s.Tenant) + "/"
	s.App, _ = Valid(page.AppID)
	return s, true
}

// Dates gives UTC days, of which the messages of a page mostly share one. Its zero value is ready.
type Dates struct {
	day  int64 // since 1970
	text string
}

// Of gives the UTC day of t as yyyy-MM-dd.
func (d *Dates) Of(t schemas.Millis) string {
	if day := int64(t) / (24 * 60 * 60 * 1000); d.text == "" || day != d.day {
		d.day, d.text = day, t.Date()
	}
	return d.text
}

// Pointers gives the JSON Pointers (RFC 6901) of the elements of one list, those of ordinary pages from memory.
type Pointers struct {
	List  string // pointer of the list
	known []string
}

// keptPointers is how many pointers are kept.
const keptPointers = 1000

// At is the pointer of element i.
func (p *Pointers) At(i int) string {
	if i >= keptPointers {
		return p.List + "/" + strconv.Itoa(i)
	}
	for n := len(p.known); n <= i; n++ {
		p.known = append(p.known, p.List+"/"+strconv.Itoa(n))
	}
	return p.known[i]
}
