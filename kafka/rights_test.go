package kafka_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A right that is missing, at whatever step, ends the owner with one line that names it, the resource and what to do.
func TestMissingRightsAreNamed(t *testing.T) {
	const group, topic, id = "--group g", "--topic ", "--transactional-id g-0"
	for name, tc := range map[string]struct {
		key  kmsg.Key
		code *kerr.Error
		want string
	}{
		"topics":             {kmsg.Metadata, kerr.TopicAuthorizationFailed, "Describe " + topic + "test.in"},
		"join":               {kmsg.JoinGroup, kerr.GroupAuthorizationFailed, "Read " + group},
		"group's place":      {kmsg.FindCoordinator, kerr.GroupAuthorizationFailed, "Read " + group},
		"heartbeat":          {kmsg.Heartbeat, kerr.GroupAuthorizationFailed, "Read " + group},
		"producer":           {kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, "Write " + id},
		"producer, cluster":  {kmsg.InitProducerID, kerr.ClusterAuthorizationFailed, "IdempotentWrite --cluster"},
		"transaction":        {kmsg.AddPartitionsToTxn, kerr.TransactionalIDAuthorizationFailed, "Write " + id},
		"output":             {kmsg.AddPartitionsToTxn, kerr.TopicAuthorizationFailed, "Write " + topic + "test.out"},
		"write":              {kmsg.Produce, kerr.TopicAuthorizationFailed, "Write " + topic + "test.out"},
		"offsets":            {kmsg.AddOffsetsToTxn, kerr.GroupAuthorizationFailed, "Read " + group},
		"commit of offset":   {kmsg.TxnOffsetCommit, kerr.TopicAuthorizationFailed, "Read " + topic + "test.in"},
		"commit, group":      {kmsg.TxnOffsetCommit, kerr.GroupAuthorizationFailed, "Read " + group},
		"end":                {kmsg.EndTxn, kerr.TransactionalIDAuthorizationFailed, "Write " + id},
		"look at the offset": {kmsg.OffsetFetch, kerr.GroupAuthorizationFailed, "Describe " + group},
		"read":               {kmsg.Fetch, kerr.TopicAuthorizationFailed, "Read " + topic + "test.in"},
		"log start":          {kmsg.ListOffsets, kerr.TopicAuthorizationFailed, "Read " + topic + "test.in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := embedded(t, kfake.NumBrokers(1))
			c := p.quick(p.client(t))
			s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 30}
			p.topics(t, c, 1, s.from, s.to)
			ctx := within(t, time.Minute)
			must(t, c.Produce(ctx, numbered(s.from, 0, 30)))
			p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{tc.key}, Err: tc.code, Count: -1, When: func(req kmsg.Request) bool {
				m, ok := req.(*kmsg.MetadataRequest)
				return !ok || m.Topics != nil // not the transport's own
			}})
			fresh := p.quick(p.client(t))
			err := fresh.Own(ctx, s.ownership("g"), s.run)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "kafka-acls --add --operation "+tc.want) ||
				strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "is missing") != 1 {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
