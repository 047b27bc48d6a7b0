package plan_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline/plan"
	"chatlake/schemas"
	"chatlake/simulator"
)

// truth is what reading containers took, threads and expansions with them.
type truth struct{ calls, bytes, messages int64 }

// read reads containers, and what they show, to their ends.
func read(t *testing.T, source connectors.Source, all []schemas.Container) truth {
	t.Helper()
	var sum truth
	known := map[string]bool{}
	for len(all) > 0 {
		c := all[0]
		all = all[1:]
		if known[c.Kind+c.ID] {
			continue
		}
		known[c.Kind+c.ID] = true
		for p, err := range source.Pages(t.Context(), &c, connectors.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			sum.calls += int64(p.Calls)
			sum.bytes += int64(p.Bytes())
			sum.messages += int64(p.Items)
			for _, f := range p.Found {
				f.Platform, f.TenantID, f.ConversationID = c.Platform, c.TenantID, c.ConversationID
				f.Key = string(schemas.NewContainerKey(f.Platform, f.TenantID, f.Kind, f.ID))
				all = append(all, f)
			}
		}
	}
	return sum
}

// counted counts calls.
func counted(call connectors.Call, n *int) connectors.Call {
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		*n++
		return call(ctx, r)
	}
}

func within(t *testing.T, what string, got, want int64) {
	t.Helper()
	t.Logf("%s: %d, in truth %d", what, got, want)
	if got > 2*want || 2*got < want {
		t.Errorf("%s: %d, in truth %d: not within a factor of two", what, got, want)
	}
}

func containers(all []schemas.Container) []plan.Container {
	out := make([]plan.Container, len(all))
	for i := range all {
		out[i].Container = all[i]
	}
	return out
}

func feishuWorld(t *testing.T, o simulator.Options) (connectors.Call, string, []schemas.Container) {
	t.Helper()
	w, err := simulator.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(simulator.NewFeishu(w, simulator.FeishuConfig{}))
	t.Cleanup(s.Close)
	id, secret, _ := w.App()
	var all []schemas.Container
	for _, c := range w.Chats() {
		all = append(all, schemas.Container{
			Key: string(schemas.NewContainerKey(schemas.Feishu, id, schemas.KindChat, c.ID)), Platform: schemas.Feishu, TenantID: id,
			Kind: schemas.KindChat, ID: c.ID, ConversationID: c.ID, Epoch: 1,
		})
	}
	return feishu.NewCall(feishu.Config{AppID: id, AppSecret: secret, Tenant: id, BaseURL: s.URL}), id, all
}

func feishuPlatform(call connectors.Call) *plan.Platform {
	return &plan.Platform{
		Call: call, Sampler: feishu.Sampler{}, Decoder: feishu.NewDecoder(), Expansion: schemas.FeishuMessagesGet, Threads: true,
		Opening: schemas.FeishuChatsGet, ByID: schemas.FeishuMessagesGet, IDsAtOne: 1,
		Quotas: map[string]connectors.Quota{schemas.FeishuMessagesList: {PerMinute: 1000, PerSecond: 50}},
	}
}

// TestFeishuWithinAFactorOfTwo compares estimates with what reading takes.
func TestFeishuWithinAFactorOfTwo(t *testing.T) {
	for _, o := range []simulator.Options{{Seed: 1, Chats: 10, Messages: 6000}, {Seed: 2, Chats: 40, Messages: 9000}, {Seed: 3, Chats: 2, Messages: 3000}} {
		t.Run(fmt.Sprint(o.Chats), func(t *testing.T) {
			call, id, all := feishuWorld(t, o)
			var used int
			e, err := plan.Of(t.Context(), feishuPlatform(counted(call, &used)), containers(all), 20)
			if err != nil {
				t.Fatal(err)
			}
			if used > 20 || used != e.Used || e.Containers != len(all) {
				t.Errorf("%d calls were made, %d counted, of %d containers", used, e.Used, e.Containers)
			}
			want := read(t, feishu.NewSource(call, id), all)
			within(t, "calls", e.Calls, want.calls)
			within(t, "raw bytes", e.RawBytes, want.bytes)
			if e.Hours <= 0 || e.Unlimited || e.MessageBytes <= 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestYunxinWithinAFactorOfTwo is the same where messages have no numbers.
func TestYunxinWithinAFactorOfTwo(t *testing.T) {
	for _, o := range []simulator.YunxinOptions{{Seed: 1, Conversations: 10, Messages: 6000}, {Seed: 2, Conversations: 30, Messages: 9000}, {Seed: 3, Conversations: 2, Messages: 4000}} {
		t.Run(fmt.Sprint(o.Conversations), func(t *testing.T) {
			w, err := simulator.NewYunxinWorld(o)
			if err != nil {
				t.Fatal(err)
			}
			s := httptest.NewServer(simulator.NewYunxin(w, simulator.YunxinConfig{}))
			defer s.Close()
			key, secret := w.App()
			config := yunxin.Config{AppKey: key, AppSecret: secret, BaseURL: s.URL, FileHosts: []string{s.URL}}
			var all []schemas.Container
			for _, c := range w.Conversations() {
				all = append(all, schemas.Container{
					Key: string(schemas.NewContainerKey(schemas.Yunxin, key, schemas.KindConversation, c.ID)), Platform: schemas.Yunxin, TenantID: key,
					Kind: schemas.KindConversation, ID: c.APIID, ConversationID: c.ID, Epoch: 1,
				})
			}
			var used int
			e, err := plan.Of(t.Context(), &plan.Platform{
				Call: counted(yunxin.NewCall(config), &used), Sampler: yunxin.Sampler{}, Decoder: yunxin.NewDecoder(), Expansion: schemas.YunxinMergedFile, Nested: 1.5,
				ByID: schemas.YunxinMessagesBatch, IDsAtOne: 100,
			}, containers(all), 20)
			if err != nil {
				t.Fatal(err)
			}
			if used > 20 || used != e.Used {
				t.Errorf("%d calls were made, %d counted", used, e.Used)
			}
			if !e.Unlimited {
				t.Errorf("hours %v without a quota", e.Hours)
			}
			want := read(t, yunxin.NewSource(yunxin.SourceConfig{Call: yunxin.NewCall(config), Fetch: yunxin.NewFetch(config), AppKey: key}), all)
			within(t, "calls", e.Calls, want.calls)
			within(t, "messages", e.Messages, want.messages)
		})
	}
}

// TestWhatIsReadIsNotCounted: containers that are nearly read cost little, look-ups cost a call each.
func TestWhatIsReadIsNotCounted(t *testing.T) {
	call, id, all := feishuWorld(t, simulator.Options{Seed: 4, Chats: 3, Messages: 2000})
	whole, err := plan.Of(t.Context(), feishuPlatform(call), containers(all), 20)
	if err != nil {
		t.Fatal(err)
	}
	begun := containers(all)
	for i := range begun {
		begun[i].Items, begun[i].Pages = 1<<30, 100
	}
	rest, err := plan.Of(t.Context(), feishuPlatform(call), begun, 20)
	if err != nil {
		t.Fatal(err)
	}
	if rest.Calls != int64(len(all)) || rest.Messages != 0 || whole.Calls < 20 {
		t.Errorf("whole %+v, rest %+v: one call for each container is left", whole, rest)
	}
	ids := []plan.Container{{Container: schemas.Container{Platform: schemas.Feishu, TenantID: id, Kind: schemas.KindMessage, ID: "om_1"}}}
	if e, err := plan.Of(t.Context(), feishuPlatform(call), ids, 20); err != nil || e.Calls != 1 || e.Used != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := plan.Of(t.Context(), feishuPlatform(call), nil, 20); err != nil || e.Calls != 0 || e.Used != 0 {
		t.Errorf("of nothing: %+v, %v", e, err)
	}
}

// TestAPlatformThatRefusesIsUnknown: no estimate is made up.
func TestAPlatformThatRefusesIsUnknown(t *testing.T) {
	_, _, all := feishuWorld(t, simulator.Options{Seed: 4, Chats: 2, Messages: 200})
	refuse := func(context.Context, connectors.Request) (*connectors.Response, error) {
		return nil, &connectors.Error{Class: connectors.ClassFatal, API: schemas.FeishuMessagesList, Code: "99991672", Calls: 1}
	}
	var e *connectors.Error
	if _, err := plan.Of(t.Context(), feishuPlatform(refuse), containers(all), 20); !errors.As(err, &e) || e.Code != "99991672" {
		t.Errorf("error %v", err)
	}
}
