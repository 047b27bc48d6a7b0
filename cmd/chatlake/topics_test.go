package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestTopicsThatExist: topics that somebody made by hand, or an older version, are taken, and what is missing gets their
// number of partitions, whatever the setting says.
func TestTopicsThatExist(t *testing.T) {
	env := append(installation(t), "TOPIC_PREFIX=byhand", "TOPIC_PARTITIONS=12")
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokerOf(env)))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	request := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range []string{"byhand.containers", "byhand.raw.pages"} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 5, 1
		for key, value := range map[string]string{"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "8388608"} {
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = key, kmsg.StringPtr(value)
			topic.Configs = append(topic.Configs, config)
		}
		request.Topics = append(request.Topics, topic)
	}
	if _, err := request.RequestWith(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	r := decoded[struct{ Created, Existing []string }](t, env, "topics", "create")
	if !slices.Equal(r.Existing, []string{"byhand.containers", "byhand.raw.pages"}) || !slices.Contains(r.Created, "byhand.messages") {
		t.Errorf("%+v", r)
	}
	for name, n := range partitions(t, cl, "byhand.containers", "byhand.checkpoints", "byhand.raw.pages", "byhand.messages", "byhand.deadletters") {
		if n != 5 {
			t.Errorf("%s has %d partitions", name, n)
		}
	}
	ok(t, append(env, "FEISHU_APP_ID=cli_test"), addChat("oc_1")...) // the schemas are registered
	env = append(env, "NORMALIZER_OUTPUT=byhand.messages2")
	ok(t, env, "topics", "create")
	if n := partitions(t, cl, "byhand.messages2")["byhand.messages2"]; n != 5 {
		t.Errorf("the output beside it has %d partitions", n)
	}
}

// TestMessageBytesOfTopics: what a cluster's policy allows may be less than the default.
func TestMessageBytesOfTopics(t *testing.T) {
	env := append(installation(t), "TOPIC_PREFIX=small", "TOPIC_PARTITIONS=1", "TOPIC_MAX_MESSAGE_BYTES=8388608")
	if said := ok(t, env, "topics", "create"); !strings.Contains(said, "STATE") {
		t.Errorf("a column without a name: %s", said)
	}
	takesMessagesOf(t, brokerOf(env), "small", "8388608")
	if r := chatlake(t, env[:len(env)-1], "containers", "list"); strings.Count(r.stderr, "max.message.bytes=8388608") != 1 || strings.Count(r.stderr, "small.") != 5 {
		t.Errorf("five topics with one thing to say of them: %s", r.stderr)
	}
	for _, wrong := range []string{"0", "1000", "999999999", "many"} {
		oneLine(t, chatlake(t, append(env, "TOPIC_MAX_MESSAGE_BYTES="+wrong), "topics", "create"), 2, "TOPIC_MAX_MESSAGE_BYTES")
	}
}

// TestUpMakesTopicsAsTheSettingsSay: up shows the setting in its help.
func TestUpMakesTopicsAsTheSettingsSay(t *testing.T) {
	up, r, err := startUp([]string{"TOPIC_PREFIX=own", "TOPIC_MAX_MESSAGE_BYTES=1048588"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	takesMessagesOf(t, r.Brokers, "own", "1048588")
}

// takesMessagesOf wants every topic of a prefix to take messages of so many bytes.
func takesMessagesOf(t *testing.T, broker, prefix, bytes string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	request := kmsg.NewPtrDescribeConfigsRequest()
	for _, name := range []string{"containers", "checkpoints", "raw.pages", "messages", "deadletters"} {
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, prefix+"."+name, []string{"max.message.bytes"}
		request.Resources = append(request.Resources, resource)
	}
	answer, err := request.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range answer.Resources {
		if len(r.Configs) != 1 || *r.Configs[0].Value != bytes {
			t.Errorf("%s: %+v", r.ResourceName, r.Configs)
		}
	}
}

func partitions(t *testing.T, cl *kgo.Client, topics ...string) map[string]int {
	t.Helper()
	request := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, topic)
	}
	answer, err := request.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, topic := range answer.Topics {
		n[*topic.Topic] = len(topic.Partitions)
	}
	return n
}

// brokerOf gives the address of the broker that an environment names.
func brokerOf(env []string) string {
	const name = "KAFKA_BROKERS="
	i := slices.IndexFunc(env, func(kv string) bool { return len(kv) > len(name) && kv[:len(name)] == name })
	return env[i][len(name):]
}
