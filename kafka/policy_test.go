package kafka_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// policy refuses the creation of topics as hosted clusters do: settings that may not be told, and a largest record.
func policy(p place, most int, untold ...string) {
	p.fake.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		in := req.(*kmsg.CreateTopicsRequest)
		why := ""
		for _, config := range in.Topics[0].Configs {
			n, err := strconv.Atoi(*config.Value)
			if slices.Contains(untold, config.Name) {
				why = "Config " + config.Name + " may not be set."
			} else if config.Name == "max.message.bytes" && err == nil && n > most {
				why = "Config property max.message.bytes with value " + *config.Value + " exceeded max limit of " + strconv.Itoa(most) + "."
			}
		}
		if why == "" {
			return nil, nil, false
		}
		out := in.ResponseKind().(*kmsg.CreateTopicsResponse)
		topic := kmsg.NewCreateTopicsResponseTopic()
		topic.Topic, topic.ErrorCode, topic.ErrorMessage = in.Topics[0].Topic, kerr.PolicyViolation.Code, &why
		out.Topics = append(out.Topics, topic)
		return out, nil, true
	})
}

// A hosted cluster's limit ends with what to set or to create by hand, and either way goes on.
func TestPolicyOnTheSizeOfRecords(t *testing.T) {
	p := embedded(t)
	policy(p, 8<<20)
	c := p.client(t)
	ctx := within(t, time.Minute)
	_, err := c.CreateTopics(ctx, kafka.Topics("im", 12, 1, true))
	for _, part := range []string{
		"im.containers", "exceeded max limit of 8388608", "TOPIC_MAX_MESSAGE_BYTES", "now 33554432",
		"im.containers, im.raw.pages, im.messages, im.deadletters with 12 partitions and cleanup.policy=delete retention.ms=-1",
		"im.checkpoints with 12 partitions and cleanup.policy=compact", "run 'chatlake topics create' again",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %v", err)
	}
	topics := kafka.LimitMessages(kafka.Topics("im", 12, 1, true), 8<<20)
	created, err := c.CreateTopics(ctx, topics)
	if err != nil || len(created) != 5 {
		t.Fatalf("with the limit: created %v, %v", created, err)
	}
	if _, warnings, err := c.VerifyTopics(ctx, topics); err != nil || len(warnings) != 0 {
		t.Errorf("warned %q, %v", warnings, err)
	}
	// By hand, with the keys that the error names.
	for _, topic := range kafka.Topics("hand", 2, 1, true) {
		config := map[string]string{"cleanup.policy": topic.Config["cleanup.policy"]}
		if topic.Config["retention.ms"] != "" {
			config["retention.ms"] = "-1"
		}
		must(t, p.fake.CreateTopic(topic.Name, 2, config))
	}
	if created, err = c.CreateTopics(ctx, kafka.Topics("hand", 2, 1, true)); err != nil || len(created) != 0 {
		t.Errorf("by hand: created %v, %v", created, err)
	}
	if n, _, err := c.VerifyTopics(ctx, kafka.Topics("hand", 2, 1, true)); err != nil || n != 2 {
		t.Errorf("by hand: %d partitions, %v", n, err)
	}
}

// Settings that only repeat Kafka's defaults are left out where a policy refuses to be told.
func TestPolicyOnSettings(t *testing.T) {
	p := embedded(t)
	policy(p, 32<<20, "unclean.leader.election.enable", "min.insync.replicas", "retention.bytes")
	var log bytes.Buffer
	c := p.client(t, func(c *kafka.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	ctx := within(t, time.Minute)
	topics := kafka.Topics("im", 2, 3, true)
	created, err := c.CreateTopics(ctx, topics)
	if err != nil || len(created) != 5 {
		t.Fatalf("created %v, %v", created, err)
	}
	if n := strings.Count(log.String(), "min.insync.replicas retention.bytes unclean.leader.election.enable"); n != 5 {
		t.Errorf("said for %d topics: %s", n, log.String())
	}
	if _, warnings, err := c.VerifyTopics(ctx, topics); err != nil || len(warnings) != 1 || strings.Count(warnings[0], "im.") != 5 { // two in sync are advised
		t.Errorf("warned %q, %v", warnings, err)
	}
	policy(p, 32<<20, "cleanup.policy")
	if _, err := c.CreateTopics(ctx, kafka.OutputTopics("im.v2", 2, 1)); err == nil || !strings.Contains(err.Error(), "by hand im.v2, im.v2.deadletters with 2 partitions") {
		t.Errorf("a setting that is needed: %v", err)
	}
	// The same for what is set after the creation, where the broker chose three replicas.
	q := embedded(t, kfake.BrokerConfigs(map[string]string{"default.replication.factor": "3"}))
	q.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.IncrementalAlterConfigs}, Err: kerr.PolicyViolation, Count: -1})
	if created, err := q.client(t).CreateTopics(ctx, kafka.OutputTopics("out", 1, 0)); err != nil || len(created) != 2 {
		t.Errorf("created %v, %v", created, err)
	}
}

func TestLimitMessages(t *testing.T) {
	before := kafka.OutputTopics("out", 1, 1)
	after := kafka.LimitMessages(before, 1048588)
	for i := range after {
		if after[i].Config["max.message.bytes"] != "1048588" || before[i].Config["max.message.bytes"] != "33554432" ||
			len(after[i].Config) != len(before[i].Config) {
			t.Errorf("%v from %v", after[i].Config, before[i].Config)
		}
	}
	if got := kafka.LimitMessages(before, 0); got[0].Config["max.message.bytes"] != "33554432" {
		t.Errorf("none: %v", got[0].Config)
	}
}

// A group with offsets of a topic, and one with members only, are seen; our own, those of other topics, and what we may not
// look at are not.
func TestOtherGroups(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	containers, other := p.name("containers"), p.name("other")
	p.topics(t, c, 3, containers, other)
	ctx := within(t, 2*time.Minute)
	look := func() string {
		t.Helper()
		found, err := c.OtherGroups(ctx, containers, p.name("mine"))
		must(t, err)
		return strings.ReplaceAll(strings.Join(found, " "), p.name(""), "")
	}
	commit := func(group, topic string) {
		t.Helper()
		o := kafka.Ownership{Group: p.name(group), Topic: topic, Writes: []string{topic}, Once: true}
		must(t, c.Own(ctx, o, func(ctx context.Context, q *kafka.Partition) error {
			if q.ID() != 1 {
				return nil
			}
			return q.Commit(ctx, []schemas.Record{{Topic: topic, Partition: 1}}, 1)
		}))
	}
	if got := look(); got != "" {
		t.Errorf("before: %s", got)
	}
	commit("mine", containers)
	commit("elsewhere", other)
	commit("second", containers)
	if got := look(); got != "second" {
		t.Errorf("with offsets: %s", got)
	}
	joined, leave := context.WithCancel(ctx)
	in, done := make(chan struct{}, 3), make(chan error, 1)
	go func() {
		done <- p.quick(p.client(t)).Own(joined, kafka.Ownership{Group: p.name("member"), Topic: containers},
			func(ctx context.Context, _ *kafka.Partition) error {
				in <- struct{}{}
				<-ctx.Done()
				return context.Cause(ctx)
			})
	}()
	<-in
	if got := look(); got != "member second" {
		t.Errorf("with members: %s", got)
	}
	leave()
	must(t, <-done)
	if p.fake == nil {
		return
	}
	for key, code := range map[kmsg.Key]*kerr.Error{kmsg.OffsetFetch: kerr.GroupAuthorizationFailed, kmsg.ListGroups: kerr.ClusterAuthorizationFailed, kmsg.Metadata: kerr.TopicAuthorizationFailed} {
		h := p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: -1})
		if got := look(); got != "" {
			t.Errorf("%s forbidden: %s", key.Name(), got)
		}
		h.Remove()
	}
}
