package yunxin

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

// Checksum is what a request is signed with: lower-case hex SHA-1 over secret, nonce and time, which is Unix seconds in
// decimal (https://doc.yunxin.163.com/messaging2/server-apis/jk3MzY2MTI). It holds for 5 minutes.
func Checksum(secret, nonce, seconds string) string {
	sum := sha1.Sum([]byte(secret + nonce + seconds))
	return hex.EncodeToString(sum[:])
}

// sign adds what each attempt needs anew: the platform refuses a nonce or trace id that it has seen (431), and a checksum that
// is old. It returns the checksum.
func (c *caller) sign(h http.Header, now time.Time) string {
	nonce, seconds := random(), strconv.FormatInt(now.Unix(), 10)
	checksum := Checksum(c.secret, nonce, seconds)
	id := random()
	for name, value := range map[string]string{
		"AppKey": c.appKey, "Nonce": nonce, "CurTime": seconds, "CheckSum": checksum,
		"X-custom-traceid": strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-"),
	} {
		h.Set(name, value)
	}
	return checksum
}

// random gives 32 hex digits.
func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// tolerated is the difference of clocks that is not worth a word; the platform takes 5 minutes.
const tolerated = 2 * time.Minute

// skew tells how far this machine's clock is from the platform's, as its answer tells the time, "" where that is near.
func skew(a *api.Reply) string {
	theirs, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return ""
	}
	switch d := a.At.Sub(theirs).Round(time.Second); {
	case d > tolerated:
		return fmt.Sprintf("; this machine's clock is %v ahead of the platform's", d)
	case d < -tolerated:
		return fmt.Sprintf("; this machine's clock is %v behind the platform's", -d)
	}
	return ""
}

// acceptance is what is known of whether the platform takes our signature. The codes of a bad signature, 403 and 414, are
// also those of a bad request, so a refusal alone tells nothing: charged to the request, a wrong clock would turn a whole
// archive into dead letters.
type acceptance struct {
	// turn is held by the one call that finds out; others wait for what it learns.
	turn chan struct{}

	mu     sync.Mutex
	signed time.Time           // when the newest request was signed that the platform took
	known  *connectors.Request // one that it took and that may be made again
}

// note remembers a request that the platform took for ours, whatever it answered.
func (p *acceptance) note(r *connectors.Request, t *try) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.signed.After(p.signed) {
		p.signed = t.signed
	}
	if t.err == nil && !api.HasPageToken(r) { // page tokens do not last
		p.known = r
	}
}

// since reports whether a request signed after t was taken; ever, whether any was.
func (p *acceptance) since(t time.Time) (since, ever bool, known *connectors.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signed.After(t), !p.signed.IsZero(), p.known
}

// settle decides whether a doubtful refusal is about the request, and leaves it as it is, or about the signature, and makes
// the error one of the app. It may take calls more: a request that was taken before is made again.
func (c *caller) settle(ctx context.Context, t *try) (calls int, err error) {
	p := &c.taken
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-p.turn }()
	since, ever, known := p.since(t.signed)
	switch {
	case since:
		return 0, nil
	case !ever:
		// The first requests of a run: another container's may be taken meanwhile. Source ends what stays in doubt.
		t.err.Class, t.err.Message = connectors.ClassUnavailable, remedySignature+"; or this first request is not valid: "+t.err.Message
		return 0, nil
	case known == nil:
		return 0, nil
	}
	again, err := c.attempt(ctx, known)
	if err != nil {
		return 0, err
	}
	c.log.Debug("a refusal is checked by a request that was taken before", "api", t.err.API, "code", t.err.Code)
	switch again.verdict.trust {
	case signatureTaken:
	case signatureRefused, signatureDoubted:
		t.err.Class, t.err.Message = connectors.ClassFatal, remedySignature+"; a request that was taken before is refused too: "+t.err.Message
	default:
		// Nothing was learnt: the platform is not to be had just now.
		t.err.Class, t.err.Code, t.err.RetryAfter = connectors.ClassUnavailable, again.err.Code, again.err.RetryAfter
		if again.err.Class == connectors.ClassThrottled {
			t.err.Class = connectors.ClassThrottled
		}
	}
	return 1, nil
}
