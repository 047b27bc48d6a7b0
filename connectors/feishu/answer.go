package feishu

import (
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

// logID is the platform's id of a request, which its support asks for.
func logID(a *api.Reply) string {
	id := a.Header.Get("X-Tt-Logid")
	if id == "" {
		id = a.Header.Get("X-Request-Id")
	}
	return strings.ToValidUTF8(id[:min(len(id), 256)], "?")
}

// reset is how long the platform asks to wait: x-ogw-ratelimit-reset, in seconds that may have a fraction
// (https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control), else Retry-After; 0 where it does not say.
func reset(a *api.Reply) time.Duration {
	if d := api.Seconds(a.Header.Get("X-Ogw-Ratelimit-Reset")); d > 0 {
		return d
	}
	return a.RetryAfter()
}

// fault names what broke an exchange, and what to look at.
func fault(a *api.Reply) (code, means string) {
	code, means = a.Fault()
	if code == connectors.CodeUnreachable {
		means += "; check FEISHU_BASE_URL, HTTPS_PROXY and the network"
	}
	return code, means
}
