package feishu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
	"chatlake/simulator"
)

func newWorld(t *testing.T, o simulator.Options) *simulator.World {
	t.Helper()
	w, err := simulator.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func simulated(w *simulator.World, base string, client *http.Client) feishu.Config {
	id, secret, _ := w.App()
	return feishu.Config{AppID: id, AppSecret: secret, BaseURL: base, ConnectorVersion: "chatlake/test", Client: client}
}

// readWorld reads all chats, and all threads that they show, trying again as the pipeline does when the platform gives
// nothing useful, and gives every response.
func readWorld(t *testing.T, w *simulator.World, s *feishu.Source) (all []connectors.Response, failed map[string]string) {
	t.Helper()
	failed = map[string]string{}
	var queue []*schemas.Container
	for _, c := range w.Chats() {
		queue = append(queue, &schemas.Container{Platform: schemas.Feishu, TenantID: appTenant, Kind: "chat", ID: c.ID, ConversationID: c.ID, Epoch: 1})
	}
	for n := 0; n < len(queue); n++ {
		c, at := queue[n], connectors.Position{}
		for done, tries := false, 0; !done; tries++ {
			if tries > 50 {
				t.Fatalf("%s does not end", c.ID)
			}
			for page, err := range s.Pages(t.Context(), c, at) {
				var e *connectors.Error
				if errors.As(err, &e) && e.Class == connectors.ClassUnavailable {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", c.ID, err)
				}
				at, done = page.Next, page.Final
				all = append(append(append(all, page.Opening...), page.Expansions...), page.Response)
				if page.Failed != nil {
					failed[c.ID] = page.Failed.Code
				}
				for _, f := range page.Found {
					if !slices.ContainsFunc(queue, func(q *schemas.Container) bool { return q.ID == f.ID }) {
						queue = append(queue, &schemas.Container{Platform: c.Platform, TenantID: c.TenantID, Kind: f.Kind, ID: f.ID, ConversationID: c.ConversationID, Epoch: 1})
					}
				}
			}
		}
	}
	return all, failed
}

func TestSimulatedTenantIsReadWhole(t *testing.T) {
	trouble := []simulator.Fault{
		{From: 5, Every: 17, Action: simulator.Reset},
		{From: 7, Every: 19, Action: simulator.Cut},
		{From: 11, Every: 23, Action: simulator.HTML},
		{From: 13, Every: 29, Action: simulator.Throttle, Delay: time.Millisecond},
		{From: 17, Every: 31, Action: simulator.RevokeToken},
		{API: simulator.APIMessages, From: 3, Every: 37, Action: simulator.RefusePageToken},
		{API: simulator.APIMessages, From: 6, Every: 11, Action: simulator.EmptyPage},
		{API: simulator.APIMessages, From: 2, Every: 3, Action: simulator.LastPageToken},
		{API: simulator.APIMessages, From: 4, Every: 13, Action: simulator.Answer, Status: 200, Code: 2200},
	}
	for name, faults := range map[string][]simulator.Fault{"healthy": nil, "in trouble": trouble} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, simulator.Options{Seed: 7, Chats: 4, Messages: 2400, ChatSize: 600})
			platform := simulator.NewFeishu(w, simulator.FeishuConfig{Faults: faults, RecordBodies: true})
			server := httptest.NewServer(platform)
			defer server.Close()
			call := api.Retry(feishu.NewCall(simulated(w, server.URL, server.Client())), api.Policy{Unit: time.Microsecond})
			all, failed := readWorld(t, w, feishu.NewSource(call, appTenant))
			if len(failed) != 0 {
				t.Errorf("failed: %v", failed)
			}
			shown := platform.Shown()
			for _, c := range w.Chats() {
				for _, m := range w.Messages(c.ID) {
					if _, ok := slices.BinarySearch(shown, m.ID); !ok {
						t.Errorf("message %s of chat %s was not shown", m.ID, c.ID)
					}
				}
			}
			checkBodies(t, platform, all)
			report := platform.Report()
			if faults == nil {
				wantCalls(t, w, report)
			}
			t.Logf("%d messages in lists, %d calls, %d pages and expansions, faults %v", report.InLists, report.Calls, len(all), report.Faults)
		})
	}
}

// checkBodies holds what was read against what was sent, byte for byte.
func checkBodies(t *testing.T, platform *simulator.Feishu, all []connectors.Response) {
	t.Helper()
	sent := map[string][][]byte{}
	for _, e := range platform.Exchanges() {
		if e.Whole {
			sent[e.LogID] = append(sent[e.LogID], e.Body)
		}
	}
	for _, r := range all {
		if !slices.ContainsFunc(sent[r.LogID], func(b []byte) bool { return bytes.Equal(b, r.Body) }) {
			t.Errorf("%s: the body is not what was sent", r.Request)
		}
	}
}

// wantCalls checks that a healthy tenant costs no more than one call for each chat, page and merged forward.
func wantCalls(t *testing.T, w *simulator.World, report simulator.Report) {
	t.Helper()
	chats, lists := len(w.Chats()), 0
	for _, c := range w.Chats() {
		lists += (max(1, len(w.Messages(c.ID))) + 49) / 50
		for _, thread := range w.Threads(c.ID) {
			lists += (max(1, len(w.Thread(thread.ID))) + 49) / 50
		}
	}
	if n := report.APIs[simulator.APIChat].Calls; n != chats {
		t.Errorf("%d calls for %d chats", n, chats)
	}
	if n := report.APIs[simulator.APIMessages].Calls; n > lists {
		t.Errorf("%d calls for lists of %d pages", n, lists)
	}
	if n := report.APIs[simulator.APIToken].Calls; n != 1 {
		t.Errorf("%d calls for a token", n)
	}
}

// within is a connection to an API without a network, so that it runs on the clock of a test. Both ways take time.
type within struct{ platform http.Handler }

func (n within) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(rand.N(150 * time.Millisecond))
	w := httptest.NewRecorder()
	r.RequestURI = r.URL.RequestURI()
	n.platform.ServeHTTP(w, r)
	time.Sleep(50*time.Millisecond + rand.N(300*time.Millisecond))
	return w.Result(), nil
}

// The quota is used and kept, whatever the platform's windows are, by one process and by three that share it.
func TestQuotaIsUsedAndKept(t *testing.T) {
	const minutes = 10
	for _, sliding := range []bool{false, true} {
		for _, processes := range []int{1, 3} {
			t.Run(fmt.Sprintf("sliding %t, %d processes", sliding, processes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, simulator.Options{Chats: 1, Messages: 60})
					platform := simulator.NewFeishu(w, simulator.FeishuConfig{Limits: simulator.Limits{PerMinute: 1000, PerSecond: 50, Sliding: sliding}})
					ctx, cancel := context.WithTimeout(t.Context(), minutes*time.Minute)
					defer cancel()
					var wait sync.WaitGroup
					for range processes {
						pacer := api.NewPacer(map[string]connectors.Quota{schemas.FeishuMessagesList: {PerMinute: 1000, PerSecond: 50}})
						pacer.SetShare(12/processes, 12)
						call := feishu.NewCall(simulated(w, "http://feishu.test", &http.Client{Transport: within{platform}}))
						call = api.Retry(api.Pace(call, pacer), api.Policy{Pacer: pacer})
						for range 16 {
							wait.Go(func() { keepCalling(ctx, t, call, w.Chats()[0].ID) })
						}
					}
					wait.Wait()
					u := platform.Report().APIs[simulator.APIMessages]
					used := float64(u.Calls-u.Throttled) / (1000 * minutes)
					t.Logf("used %.4f of the quota, %d of %d calls throttled, at most %d a minute and %d a second",
						used, u.Throttled, u.Calls, u.PeakSliding, u.PeakSecond)
					if used < 0.97 || float64(u.Throttled) > 0.005*float64(u.Calls) {
						t.Errorf("used %.4f of the quota, %d of %d calls throttled", used, u.Throttled, u.Calls)
					}
				})
			})
		}
	}
}

func keepCalling(ctx context.Context, t *testing.T, call connectors.Call, chat string) {
	for {
		_, err := call(ctx, connectors.Request{
			API: schemas.FeishuMessagesList, Method: "GET", Path: "/open-apis/im/v1/messages", Query: "container_id_type=chat&container_id=" + chat + "&page_size=1",
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("call: %v", err)
			return
		}
	}
}
