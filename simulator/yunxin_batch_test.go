package simulator_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/simulator"
)

func TestBatchTellsWhatItFindsAndWhatNot(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 12})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	seen := map[int]int{}
	for _, c := range w.Conversations() {
		all := w.Everything(c.ID)
		for part := range slices.Chunk(all, 99) {
			want, messages := map[string]int{"12345678901": 107404}, []asked{{"12345678901", 1}}
			for i, m := range part {
				at := m.CreatedAt
				if i%17 == 3 {
					at++ // a wrong time finds nothing
				}
				messages = append(messages, asked{m.ID, at})
				want[m.ID] = w.Answer(c.ID, m.ID, at)
			}
			p := k.batch(c.APIID, messages...)
			p.want(t, 200, 200)
			got := map[string]int{}
			for _, id := range serverIDs(t, p.Data.Success) {
				got[id] = 200
			}
			for _, f := range p.Data.Failed {
				got[strings.Trim(string(f.ID), `"`)] = f.Code
				if f.Msg == "" || f.At == 0 {
					t.Errorf("failed item %+v", f)
				}
			}
			for id, code := range want {
				if seen[code]++; got[id] != code {
					t.Errorf("message %s: %d, want %d", id, got[id], code)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d ids answered, want %d", len(got), len(want))
			}
		}
	}
	if seen[200] == 0 || seen[107404] == 0 || seen[107451] == 0 {
		t.Errorf("answers are %v, want all of 200, 107404 and 107451", seen)
	}
}

func TestBatchParameters(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	c := w.Conversations()[0]
	var all []asked
	for _, m := range w.Messages(c.ID, false)[:101] {
		all = append(all, asked{m.ID, m.CreatedAt})
	}
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	small := newYunxinCaller(t, w, simulator.YunxinConfig{MaxBatch: 20})
	k.batch(c.APIID, all[:100]...).want(t, 200, 200)
	k.batch(c.APIID, all...).want(t, 200, 414)
	small.batch(c.APIID, all[:21]...).want(t, 200, 414)
	small.batch(c.APIID, all[:20]...).want(t, 200, 200)
	if p := k.batch(c.APIID, all[0], all[0]); len(p.Data.Success) != 1 || strings.Contains(string(p.body), "failed_list") {
		t.Errorf("one id twice: %s", p.body)
	}
	if p := k.batch(c.APIID, asked{"9", 1}); strings.Contains(string(p.body), "success_list") {
		t.Errorf("nothing found: %s", p.body)
	}
	path := strings.Replace(historyPath("v2", c.APIID), "/messages?", "/batch_messages?", 1)
	for body, field := range map[string]string{
		`{"messages":[]}`: "messages", `{}`: "messages", `[`: "messages", "": "messages",
		`{"messages":[{"message_server_id":"9","create_time":1}]}`:                   "message_server_id",
		`{"messages":[{"message_server_id":9.5,"create_time":1}]}`:                   "message_server_id",
		`{"messages":[{"message_server_id":9223372036854775808,"create_time":1}]}`:   "message_server_id",
		`{"messages":[{"message_server_id":1.5884455333435802e17,"create_time":1}]}`: "message_server_id",
		`{"messages":[{"message_server_id":9}]}`:                                     "create_time",
		`{"messages":[{"message_server_id":9,"create_time":"1"}]}`:                   "create_time",
	} {
		if p := k.send(k.request(http.MethodPost, path, body)); p.Code != 414 || !strings.Contains(p.Msg, field) {
			t.Errorf("%s: %s", body, p.body)
		}
	}
	form := k.request(http.MethodPost, path, batchBody(all[0]))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	k.send(form).want(t, 200, 414)
}

func TestYunxinQuotaBlocksForAWhile(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	c := w.Conversations()[0]
	k := newYunxinCaller(t, w, simulator.YunxinConfig{Limits: simulator.Limits{PerSecond: 5}})
	burst := func() (through int) {
		for range 7 {
			if p := k.page(c.APIID, "limit", "1"); p.Code == 200 {
				through++
			} else {
				p.want(t, 200, 416)
			}
		}
		return through
	}
	if n := burst(); n != 5 {
		t.Errorf("%d calls in a second, want 5", n)
	}
	m := w.Messages(c.ID, false)[0]
	k.batch(c.APIID, asked{m.ID, m.CreatedAt}).want(t, 200, 200) // another API, another quota
	k.at.add(59 * time.Second)
	if n := burst(); n != 0 {
		t.Errorf("%d calls within the minute after, want none", n)
	}
	k.at.add(time.Second)
	if n := burst(); n != 5 {
		t.Errorf("%d calls after a minute, want 5", n)
	}
	u := k.api.Report().APIs[simulator.APIHistory]
	if u.Calls != 21 || u.Throttled != 11 || u.PeakSecond != 5 || u.Failed != 0 {
		t.Errorf("usage is %+v", u)
	}
	open := newYunxinCaller(t, w, simulator.YunxinConfig{Limits: simulator.Limits{PerSecond: 1}, Block: -1})
	open.page(c.APIID).want(t, 200, 200)
	open.page(c.APIID).want(t, 200, 416)
	open.at.add(time.Second)
	open.page(c.APIID).want(t, 200, 200)
}
