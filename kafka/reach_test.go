package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// advertise makes every answer about the cluster tell these addresses of its brokers.
func advertise(t *testing.T, p place, addresses ...string) {
	t.Helper()
	p.fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		out := req.ResponseKind().(*kmsg.MetadataResponse)
		for i, at := range addresses {
			host, port, err := net.SplitHostPort(at)
			must(t, err)
			b := kmsg.NewMetadataResponseBroker()
			n, err := strconv.Atoi(port)
			must(t, err)
			b.NodeID, b.Host, b.Port = int32(i), host, int32(n)
			out.Brokers = append(out.Brokers, b)
		}
		return out, nil, true
	})
}

// Brokers that answer and advertise what cannot be reached are named with what to do, soon.
func TestUnreachableAdvertisedListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed := l.Addr().String()
	must(t, l.Close())
	for name, at := range map[string]string{"nobody listens": closed, "unknown name": "kafka.invalid:9092"} {
		t.Run(name, func(t *testing.T) {
			p := embedded(t, kfake.NumBrokers(1))
			advertise(t, p, at)
			c := p.client(t)
			c.Shorten(kafka.Waits{Reach: 50 * time.Millisecond})
			err := c.Ping(within(t, 20*time.Second))
			var none *kafka.Unreached
			if !errors.As(err, &none) || len(none.Advertised) != 1 || none.Advertised[0] != at {
				t.Fatalf("got %v", err)
			}
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, p.brokers[0]) || !strings.Contains(text, at) || !strings.Contains(text, "advertised.listeners") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("time is short", func(t *testing.T) {
		p := embedded(t, kfake.NumBrokers(1))
		advertise(t, p, closed)
		err := p.client(t).Ping(within(t, 500*time.Millisecond)) // far less than the usual wait
		var none *kafka.Unreached
		var dial *net.OpError
		if !errors.As(err, &none) || errors.As(err, &dial) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one of two", func(t *testing.T) { // it may be down
		p := embedded(t, kfake.NumBrokers(1))
		advertise(t, p, closed, p.brokers[0])
		var log bytes.Buffer
		c := p.client(t, func(c *kafka.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		must(t, c.Ping(within(t, 20*time.Second)))
		if !strings.Contains(log.String(), closed) {
			t.Errorf("not said: %s", log.String())
		}
	})
	t.Run("stopped", func(t *testing.T) {
		p := embedded(t, kfake.NumBrokers(1))
		advertise(t, p, closed)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.client(t).Ping(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// What is waited for at the start is over well within the half minute that a start may take.
func TestReachIsBounded(t *testing.T) {
	if dial, reach := kafka.ReachWaits(); dial+reach > 20*time.Second || reach <= 0 || dial <= 0 {
		t.Errorf("%v a connection, %v in all", dial, reach)
	}
}
