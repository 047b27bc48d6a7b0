package decode_test

import (
	"testing"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

func TestScopeOf(t *testing.T) {
	page := schemas.Page{Container: "toy/t%2F1/message/c1!m%21", Conversation: "toy/t%2F1/c1", AppID: "app\xff"}
	want := decode.Scope{Tenant: "t/1", Kind: "message", ID: "c1!m!", Conversation: "c1", RecordPrefix: "toy/t%2F1/", App: "app\uFFFD"}
	if got, ok := decode.ScopeOf("toy", &page); !ok || got != want {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, keys := range [][2]string{
		{"toy/t/chat/c", "toy/u/c"}, {"toy/t/chat/c", "other/t/c"}, {"other/t/chat/c", "toy/t/c"}, {"toy/t/chat", "toy/t/c"},
		{"toy/t/chat/c", "toy/t/"}, {"toy//chat/c", "toy//c"}, {"", ""}, {"toy/t/chat/c", "toy/t"},
	} {
		if got, ok := decode.ScopeOf("toy", &schemas.Page{Container: schemas.ContainerKey(keys[0]), Conversation: schemas.ConversationKey(keys[1])}); ok {
			t.Errorf("%v: %+v", keys, got)
		}
	}
}

func TestDates(t *testing.T) {
	var d decode.Dates
	for _, c := range []struct {
		at   schemas.Millis
		want string
	}{{0, "1970-01-01"}, {86_399_999, "1970-01-01"}, {86_400_000, "1970-01-02"}, {1_722_247_467_123, "2024-07-29"}, {1, "1970-01-01"}} {
		if got := d.Of(c.at); got != c.want {
			t.Errorf("%d: %s, want %s", c.at, got, c.want)
		}
	}
}

func TestPointers(t *testing.T) {
	p := decode.Pointers{List: "/data/items"}
	for i, want := range map[int]string{0: "/data/items/0", 7: "/data/items/7", 3: "/data/items/3", 999: "/data/items/999", 1000: "/data/items/1000"} {
		if got := p.At(i); got != want {
			t.Errorf("%d: %s", i, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.At(500) }); n > 0 {
		t.Errorf("%v allocations for a pointer that was given before", n)
	}
}
