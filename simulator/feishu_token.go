package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// sameTokenWhile is how much life a token must have left to be given out again, see
// https://open.feishu.cn/document/server-docs/authentication-management/access-token/tenant_access_token_internal
const sameTokenWhile = 30 * time.Minute

// tokens are the tenant tokens given out.
type tokens struct {
	issued  int
	current string
	expiry  map[string]time.Time // of tokens not revoked
}

type tokenRequest struct {
	AppID     string `json:"app_id"`
	AppSecret string `json:"app_secret"`
}

type tokenReply struct {
	Code              int    `json:"code"`
	Msg               string `json:"msg"`
	TenantAccessToken string `json:"tenant_access_token"`
	Expire            int64  `json:"expire"`
}

// token serves POST /open-apis/auth/v3/tenant_access_token/internal: a flat reply, the same token while it has half an
// hour left, then another beside which the old one stays valid.
func (f *Feishu) token(c *call, r *http.Request) *answer {
	var want tokenRequest
	if body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16)); err != nil || json.Unmarshal(body, &want) != nil || want.AppID == "" {
		return wrong(refuse(codeAppIDInvalid, ""))
	}
	id, secret, _ := f.world.App()
	if want.AppID != id {
		return wrong(refuse(codeAppIDInvalid, ""))
	}
	if want.AppSecret != secret {
		return wrong(refuse(codeAppSecretInvalid, ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock().Add(c.skew)
	t := &f.tokens
	if left := t.expiry[t.current].Sub(now); t.current == "" || left < sameTokenWhile || left <= 0 {
		t.issued++
		t.current = "t-" + f.world.seed.with("token", t.issued).hex(30)
		t.expiry[t.current] = now.Add(f.config.TokenLife)
	}
	left := t.expiry[t.current].Sub(now)
	return answerJSON(http.StatusOK, 0, tokenReply{Msg: "ok", TenantAccessToken: t.current, Expire: int64(left / time.Second)})
}

// RevokeTokens makes every token given out so far invalid; the next request for a token gives a fresh one.
func (f *Feishu) RevokeTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens.current, f.tokens.expiry = "", map[string]time.Time{}
}

// authorize answers nil where the request bears a valid token. A refusal comes under HTTP 400, not 401.
func (f *Feishu) authorize(c *call, r *http.Request) *answer {
	header := r.Header.Get("Authorization")
	if header == "" {
		return refuse(codeNoToken, "")
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok || !strings.HasPrefix(token, "t-") && !strings.HasPrefix(token, "u-") {
		return refuse(codeTokenMalformed, "")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if expiry, known := f.tokens.expiry[token]; !known || !f.clock().Add(c.skew).Before(expiry) {
		return refuse(codeTokenInvalid, "")
	}
	return nil
}
