package local

import (
	"math"
	"strconv"
	"testing"
	"time"
)

// TestTimesOfTheBrokerFit: kfake makes a time.Duration of each of these settings; one that does not fit is in the past.
func TestTimesOfTheBrokerFit(t *testing.T) {
	for name, unit := range map[string]time.Duration{"log.cleaner.backoff.ms": time.Millisecond, "offsets.retention.minutes": time.Minute} {
		n, err := strconv.ParseInt(brokerSettings()[name], 10, 64)
		if err != nil || n < int64(10*365*24*time.Hour/unit) || n > math.MaxInt64/int64(unit) {
			t.Errorf("%s is %d, %v", name, n, err)
		}
	}
}
