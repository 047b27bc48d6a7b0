package yunxin

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Sampler gives requests for parts of conversations, of an API's version (DefaultAPIVersion if "").
type Sampler struct{ APIVersion string }

var _ connectors.Sampler = Sampler{}

// PageSize implements connectors.Sampler.
func (Sampler) PageSize() int { return pageSize }

// PageOf implements connectors.Sampler.
func (s Sampler) PageOf(c *schemas.Container, from, to schemas.Millis, newest bool) (connectors.Request, bool) {
	id, err := spelling(c)
	if c.Kind != schemas.KindConversation || err != nil {
		return connectors.Request{}, false
	}
	if to <= 0 {
		to = schemas.MillisOf(time.Now())
	}
	q := "begin_time=" + strconv.FormatInt(int64(max(0, from)), 10) + "&end_time=" + strconv.FormatInt(int64(max(from+1, to)), 10) +
		"&limit=" + strconv.Itoa(pageSize) + "&descending=" + strconv.FormatBool(!newest) // by the vendor's words true is the oldest first
	if strings.Contains(id, "|"+typeTeam+"|") {
		q += "&check_team_valid=false"
	}
	q += "&include_no_sense_msg=true"
	path := "/im/" + cmp.Or(s.APIVersion, DefaultAPIVersion) + "/conversations/" + url.PathEscape(id) + "/messages"
	return connectors.Request{API: schemas.YunxinMessagesList, Method: http.MethodGet, Path: path, Query: q}, true
}

// ExpansionOf implements connectors.Sampler: a merged file has an address of its own, and no quota.
func (Sampler) ExpansionOf(string) (connectors.Request, bool) { return connectors.Request{}, false }
