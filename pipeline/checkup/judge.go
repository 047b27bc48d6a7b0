package checkup

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Differences of clocks: one worth a word, and one beyond which Yunxin takes no signature.
const (
	clockWarn  = time.Minute
	clockLimit = 5 * time.Minute
)

// Skew judges how far this machine's clock is ahead of a platform's, within what the whole seconds of its answers tell.
func Skew(platform string, ahead time.Duration) Check {
	ahead = ahead.Round(time.Second)
	how, far := "ahead of", ahead
	if ahead < 0 {
		how, far = "behind", -ahead
	}
	detail := fmt.Sprintf("this machine's clock is %v %s the platform's", far, how)
	const remedy = "set this machine's clock, by NTP for instance"
	switch {
	case far <= time.Second:
		return Good(Clock, platform, "this machine's clock agrees with the platform's within a second or so")
	case far <= clockWarn:
		return Good(Clock, platform, detail)
	case platform == schemas.Yunxin && far >= clockLimit:
		return Bad(Clock, platform, detail+", which refuses signatures that are 5 minutes off", remedy)
	}
	return Odd(Clock, platform, detail, remedy)
}

// Candidate is a container with how far it was read.
type Candidate struct {
	Container  *schemas.Container
	Checkpoint *schemas.Checkpoint // of the epoch in force; nil: none
}

// failed reports whether the container stands FAILED.
func (c *Candidate) failed() bool {
	return c.Checkpoint != nil && c.Checkpoint.State == schemas.StateFailed
}

// when is the time of the newest checkpoint, else of the request, which is older than any.
func (c *Candidate) when() (checked bool, at schemas.Millis) {
	if c.Checkpoint != nil {
		return true, c.Checkpoint.UpdatedAt
	}
	return false, c.Container.RequestedAt
}

// Choose gives n containers: those that failed last first, then by newest checkpoint, then what was asked for last. It
// reorders all.
func Choose(all []Candidate, n int) []Candidate {
	rank := func(c *Candidate) int {
		checked, _ := c.when()
		switch {
		case c.failed():
			return 0
		case checked:
			return 1
		}
		return 2
	}
	slices.SortFunc(all, func(a, b Candidate) int {
		_, atA := a.when()
		_, atB := b.when()
		return cmp.Or(rank(&a)-rank(&b), cmp.Compare(atB, atA), cmp.Compare(a.Container.Key, b.Container.Key))
	})
	return all[:min(n, len(all))]
}

// Asked judges how a container's one call came out.
func Asked(c Candidate, err error) Check {
	key := c.Container.Key
	if err == nil {
		return Good(Container, key, "the platform answers")
	}
	e, refused := refusal(err)
	if !refused {
		return Call(Container, key, err)
	}
	detail := fmt.Sprintf("refused with code %s: %s", e.Code, e.Message)
	remedy := advice(e)
	if c.failed() && c.Checkpoint.ErrorCode != nil && *c.Checkpoint.ErrorCode == e.Code {
		return Odd(Container, key, detail+" (it is FAILED with that code already)", remedy+"; then run 'chatlake containers retry', or dismiss it with 'chatlake containers cancel'")
	}
	return Bad(Container, key, detail, remedy)
}

// refusal gives a platform's answer that says of a container that it cannot be read.
func refusal(err error) (*connectors.Error, bool) {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return nil, false
	}
	switch e.Class {
	case connectors.ClassContainer, connectors.ClassItem, connectors.ClassSticky, connectors.ClassUnknown:
		return e, true
	}
	return e, false
}

// Call judges a call of a platform that did not bring what it should, whatever for.
func Call(name, subject string, err error) Check {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return Bad(name, subject, "no answer in time: "+err.Error(), "run the check again; if it stays so, check the network and HTTPS_PROXY")
	}
	if e.Class == connectors.ClassThrottled {
		return Odd(name, subject, e.Error(), "the app's quota is used up just now, by an extractor perhaps: run the check again")
	}
	return Bad(name, subject, e.Error(), advice(e))
}

// advice is what to do about an error: what its message says of it, else where to look.
func advice(e *connectors.Error) string {
	said, _, _ := strings.Cut(e.Message, ": \"") // the platform's own words follow
	if _, what, ok := strings.Cut(said, "; "); ok {
		return what
	}
	switch e.Class {
	case connectors.ClassFatal, connectors.ClassToken:
		return said
	case connectors.ClassUnavailable, connectors.ClassThrottled:
		return "run the check again; if it stays so, check the platform's address, HTTPS_PROXY and the network"
	}
	return "make sure that it exists and that the app may read it; else dismiss it with 'chatlake containers cancel'"
}
