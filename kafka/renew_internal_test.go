package kafka

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Who was fenced while its own epoch was spoiled must not come back by renewing it.
func TestRenewKeepsAFencedProducerOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	brokers := []string{os.Getenv("CHATLAKE_TEST_KAFKA")}
	if brokers[0] == "" {
		fake, err := kfake.NewCluster(kfake.NumBrokers(1))
		must(err)
		defer fake.Close()
		brokers = fake.ListenAddrs()
	}
	c, err := NewClient(Config{Brokers: brokers})
	must(err)
	defer c.Close()
	name := fmt.Sprintf("renew-%d", time.Now().UnixNano())
	first := &transaction{client: c, id: name, group: name, timeout: time.Minute}
	must(first.begin(ctx))
	must(first.renew(ctx))
	own := first.writer.by
	second := &transaction{client: c, id: name, group: name, timeout: time.Minute}
	must(second.begin(ctx))
	if err := first.renew(ctx); err == nil || judge(err) == again || judge(err) == unknown {
		t.Errorf("a fenced producer renewed its epoch: %v", err)
	}
	if first.writer.by != own {
		t.Errorf("a fenced producer went from %+v to %+v", own, first.writer.by)
	}
	must(second.begin(ctx))
	must(second.renew(ctx))
}
