package simulator

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

const (
	checkSumLife   = 5 * time.Minute // around CurTime
	maxNonce       = 128             // characters
	duplicateSpan  = 10 * time.Minute
	headerTraceID  = "X-custom-traceid"
	headerAppKey   = "AppKey"
	headerNonce    = "Nonce"
	headerCurTime  = "CurTime"
	headerCheckSum = "CheckSum"
)

// seen remembers words for at least duplicateSpan.
type seen struct {
	now, before map[string]bool
	turned      time.Time
}

// twice notes a word and tells whether it was there already.
func (s *seen) twice(word string, at time.Time) bool {
	if s.now == nil || at.Sub(s.turned) > duplicateSpan {
		s.now, s.before, s.turned = map[string]bool{}, s.now, at
	}
	if s.now[word] || s.before[word] {
		return true
	}
	s.now[word] = true
	return false
}

// authorize answers nil where the four headers are right: CheckSum is the SHA-1 of secret, nonce and time, in lower-case
// hex. See https://doc.commsease.com/en, interface overview. Neither nonce nor trace id may come twice.
func (y *Yunxin) authorize(c *call, r *http.Request) *answer {
	key, secret := y.world.App()
	nonce, at, given := r.Header.Get(headerNonce), r.Header.Get(headerCurTime), r.Header.Get(headerCheckSum)
	for _, name := range []string{headerAppKey, headerNonce, headerCurTime, headerCheckSum} {
		if r.Header.Get(name) == "" {
			return y.unauthorized("header " + name + " is missing")
		}
	}
	if r.Header.Get(headerAppKey) != key {
		return wrong(refuseYunxin(codeNoApp, ""))
	}
	if len(nonce) > maxNonce {
		return y.unauthorized("header Nonce is too long")
	}
	second, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return y.unauthorized("header CurTime is no number of seconds")
	}
	if age := y.clock().Add(c.skew).Unix() - second; age > int64(checkSumLife/time.Second) || age < -int64(checkSumLife/time.Second) {
		return y.unauthorized("checksum expired, check CurTime")
	}
	sum := sha1.Sum([]byte(secret + nonce + at))
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(given)) != 1 {
		return y.unauthorized("bad checksum")
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	again := y.nonces.twice(nonce, y.clock())
	if c.logID != "" && y.traces.twice(c.logID, y.clock()) {
		again = true
	}
	if again {
		y.duplicates++
		return wrong(refuseYunxin(codeDuplicate, ""))
	}
	return nil
}

// unauthorized refuses credentials: which code it has is not documented, 414 or 403.
func (y *Yunxin) unauthorized(why string) *answer {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.strangers++
	if y.config.AuthCode == codeForbidden {
		return wrong(refuseYunxin(codeForbidden, "authentication failed"))
	}
	return wrong(refuseYunxin(codeBadRequest, why))
}
