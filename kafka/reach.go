package kafka

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Unreached says that brokers answer where they were looked for, but not at any address that they advertise. It does not
// unwrap to the fault of the connection: it was tried for a while, and an operator must act.
type Unreached struct {
	Advertised []string // host:port
	Err        error    // of the first
}

func (u *Unreached) Error() string {
	return fmt.Sprintf("the brokers answer, but not at what they advertise, %s (%v): set advertised.listeners of the brokers to addresses that this machine can reach",
		strings.Join(u.Advertised, ", "), u.Err)
}

// reach looks whether the brokers can be reached where they say that they are: all that comes after goes there. One that
// cannot while another can is only said, for it may be down.
func (c *Client) reach(ctx context.Context) error {
	var none *Unreached
	for began := time.Now(); ; {
		found, err := c.metadata(ctx)
		if err != nil && none != nil {
			break
		}
		if err != nil {
			return err
		}
		failed := c.dialAll(ctx, found.brokers)
		if len(failed) < len(found.brokers) {
			for at, err := range failed {
				c.log.Warn("a broker cannot be reached at the address that it advertises (advertised.listeners)", "address", at, "error", err)
			}
			return nil
		}
		if len(found.brokers) > 0 {
			none = &Unreached{Advertised: found.brokers, Err: failed[found.brokers[0]]}
		}
		if time.Since(began) >= c.timing.reach || !sleep(ctx, min(c.timing.reach/5, time.Second)) {
			break
		}
	}
	if none == nil {
		return fmt.Errorf("no broker is known: %w", context.Cause(ctx))
	}
	return none
}

// dialAll connects to each address and gives the errors of those where that failed.
func (c *Client) dialAll(ctx context.Context, addresses []string) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.dial)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	failed := make(map[string]error)
	for _, at := range addresses {
		all.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
			if err == nil {
				_ = conn.Close()
				return
			}
			mu.Lock()
			defer mu.Unlock()
			failed[at] = err
		})
	}
	all.Wait()
	return failed
}
