package kafka_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestCreateAndVerifyTopics(t *testing.T) {
	p := anywhere(t)
	c := p.client(t)
	ctx := within(t, time.Minute)
	want := kafka.Topics(p.prefix, 3, 1, true)
	if _, _, err := c.VerifyTopics(ctx, want); err == nil || !strings.Contains(err.Error(), "topic "+p.prefix+".containers is missing: run 'chatlake topics create'") {
		t.Errorf("before: %v", err)
	}
	created, err := c.CreateTopics(ctx, want)
	must(t, err)
	if len(created) != 5 || created[2] != p.prefix+".raw.pages" {
		t.Errorf("created %v", created)
	}
	created, err = c.CreateTopics(ctx, append(want, kafka.OutputTopics(p.name("replay"), 3, 0)...))
	must(t, err)
	if fmt.Sprint(created) != fmt.Sprintf("[%s %s.deadletters]", p.name("replay"), p.name("replay")) {
		t.Errorf("created %v", created)
	}
	for _, topics := range [][]kafka.Topic{want, kafka.Topics(p.prefix, 12, 0, false), kafka.OutputTopics(p.name("replay"), 3, 0)} {
		n, warnings, err := c.VerifyTopics(ctx, topics)
		if err != nil || n != 3 || len(warnings) != 0 {
			t.Errorf("verify: %d partitions, %q, %v", n, warnings, err)
		}
	}
	odd := kafka.OutputTopics(p.name("odd"), 2, 1)
	_, err = c.CreateTopics(ctx, odd)
	must(t, err)
	if _, _, err := c.VerifyTopics(ctx, append(odd, want...)); err == nil || !strings.Contains(err.Error(), "has 3 partitions") {
		t.Errorf("unequal: %v", err)
	}
}

func TestVerifyRefusesWhatLosesData(t *testing.T) {
	p := anywhere(t)
	c := p.client(t)
	ctx := within(t, time.Minute)
	cases := []struct{ topic, key, value, refused, warned string }{
		{"messages", "retention.ms", "1000", "retention.ms=1000", ""},
		{"messages", "retention.bytes", "1000", "retention.bytes=1000", ""},
		{"messages", "cleanup.policy", "compact", "cleanup.policy=compact", ""},
		{"containers", "unclean.leader.election.enable", "true", "unclean.leader.election.enable=true", ""},
		{"messages", "max.message.bytes", "1000000", "", "max.message.bytes=1000000"},
		{"raw.pages", "retention.ms", "604800000", "", ""},
		{"raw.pages", "cleanup.policy", "compact", "cleanup.policy=compact", ""},
		{"checkpoints", "cleanup.policy", "compact,delete", "cleanup.policy=compact,delete", ""},
		{"checkpoints", "retention.ms", "1000", "", ""}, // compacted: not applied
		{"messages", "min.insync.replicas", "1", "", ""},
	}
	for i, tc := range cases {
		t.Run(tc.topic+" "+tc.key+"="+tc.value, func(t *testing.T) {
			prefix := p.name(fmt.Sprint(i))
			topics := kafka.Topics(prefix, 1, 1, true)
			for _, have := range topics {
				if have.Name == prefix+"."+tc.topic {
					have.Config[tc.key] = tc.value
				}
			}
			_, err := c.CreateTopics(ctx, topics)
			must(t, err)
			_, warnings, err := c.VerifyTopics(ctx, kafka.Topics(prefix, 1, 1, true))
			switch {
			case tc.refused == "" && err != nil, tc.refused != "" && (err == nil || !strings.Contains(err.Error(), tc.refused)):
				t.Errorf("got %v, want %q", err, tc.refused)
			case tc.refused != "":
			case tc.warned == "" && len(warnings) > 0, tc.warned != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], tc.warned)):
				t.Errorf("warned %q, want %q", warnings, tc.warned)
			}
		})
	}
}

func TestTopicsAreAsAgreed(t *testing.T) {
	names := func(topics []kafka.Topic) (out []string) {
		for _, topic := range topics {
			out = append(out, topic.Name)
		}
		return out
	}
	if got := names(kafka.Topics("im", 12, 3, true)); !slices.Equal(got, []string{"im.containers", "im.checkpoints", "im.raw.pages", "im.messages", "im.deadletters"}) {
		t.Errorf("topics %v", got)
	}
	if got := names(kafka.OutputTopics("im.v2", 12, 0)); !slices.Equal(got, []string{"im.v2", "im.v2.deadletters"}) {
		t.Errorf("topics %v", got)
	}
	for _, topic := range kafka.Topics("im", 12, 2, true) {
		if topic.Config["min.insync.replicas"] != "" {
			t.Errorf("%s: min.insync.replicas with two replicas", topic.Name)
		}
	}
	for _, compact := range []bool{true, false} {
		for _, topic := range kafka.Topics("im", 12, 3, compact) {
			policy := topic.Config["cleanup.policy"]
			if (policy == "compact") != (compact && topic.Name == "im.checkpoints") || topic.Config["min.insync.replicas"] != "2" ||
				topic.Config["unclean.leader.election.enable"] != "false" || topic.Config["max.message.bytes"] != "33554432" ||
				topic.Config["retention.bytes"] != "-1" || policy == "delete" && topic.Config["retention.ms"] != "-1" {
				t.Errorf("%s: %v", topic.Name, topic.Config)
			}
		}
	}
}

// With three replicas by the broker's default, acknowledged records must be on two of them.
func TestBrokersReplicationGetsMinInSync(t *testing.T) {
	p := embedded(t, kfake.NumBrokers(3), kfake.BrokerConfigs(map[string]string{"default.replication.factor": "3"}))
	c := p.client(t)
	ctx := within(t, time.Minute)
	topics := kafka.OutputTopics("out", 1, 0)
	_, err := c.CreateTopics(ctx, topics)
	must(t, err)
	info := p.fake.TopicInfo("out")
	if info == nil {
		t.Fatal("no topic")
	}
	if _, warnings, err := c.VerifyTopics(ctx, topics); err != nil || len(warnings) != 0 {
		t.Errorf("warned %q, %v", warnings, err)
	}
	must(t, p.fake.CreateTopic("bare", 1, map[string]string{"min.insync.replicas": "1", "retention.ms": "-1", "max.message.bytes": "33554432"}))
	if _, warnings, err := c.VerifyTopics(ctx, kafka.OutputTopics("bare", 1, 0)[:1]); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "min.insync.replicas=1") {
		t.Errorf("warned %q, %v", warnings, err)
	}
}
