package simulator_test

import (
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

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

// BenchmarkHistoryPage measures one page of 100 messages of Yunxin, without the network.
func BenchmarkHistoryPage(b *testing.B) {
	w := yunxinWorld(b, simulator.YunxinOptions{Conversations: 1})
	key, secret := w.App()
	at := time.Unix(1_700_000_000, 0)
	api := simulator.NewYunxin(w, simulator.YunxinConfig{Now: func() time.Time { return at }})
	r := httptest.NewRequest(http.MethodGet, historyPath("v2.1", w.Conversations()[0].APIID), nil)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		nonce := strconv.Itoa(n)
		sum := sha1.Sum([]byte(secret + nonce + "1700000000"))
		for name, value := range map[string]string{"AppKey": key, "Nonce": nonce, "CurTime": "1700000000", "CheckSum": hex.EncodeToString(sum[:])} {
			r.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		if api.ServeHTTP(answer, r); !strings.HasPrefix(answer.Body.String(), `{"code":200`) {
			b.Fatalf("HTTP %d: %.200s", answer.Code, answer.Body)
		}
	}
}

func BenchmarkNewYunxinWorld(b *testing.B) {
	for b.Loop() {
		yunxinWorld(b, simulator.YunxinOptions{})
	}
}
