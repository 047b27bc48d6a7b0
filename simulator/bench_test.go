package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatlake/simulator"
)

func BenchmarkNewWorld(b *testing.B) {
	for b.Loop() {
		if _, err := simulator.NewWorld(simulator.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListPage measures one page of 50 messages, without the network.
func BenchmarkListPage(b *testing.B) {
	w := world(b, simulator.Options{Chats: 1})
	api := simulator.NewFeishu(w, simulator.FeishuConfig{})
	id, secret, _ := w.App()
	login := httptest.NewRecorder()
	api.ServeHTTP(login, httptest.NewRequest(http.MethodPost, "/open-apis/auth/v3/tenant_access_token/internal",
		strings.NewReader(`{"app_id":"`+id+`","app_secret":"`+secret+`"}`)))
	_, rest, _ := strings.Cut(login.Body.String(), `"tenant_access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	r := httptest.NewRequest(http.MethodGet, messages+"?container_id_type=chat&page_size=50&container_id="+w.Chats()[0].ID, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	b.ReportAllocs()
	for b.Loop() {
		answer := httptest.NewRecorder()
		if api.ServeHTTP(answer, r); answer.Code != http.StatusOK {
			b.Fatalf("HTTP %d: %s", answer.Code, answer.Body)
		}
	}
}
