package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is a topic as it should be.
type Topic struct {
	Name        string
	Partitions  int
	Replication int // 0: the broker's default
	Config      map[string]string
}

// Topic configuration keys: https://kafka.apache.org/documentation/#topicconfigs
const (
	keyCleanup   = "cleanup.policy"
	keyRetention = "retention.ms"
	keyBytes     = "retention.bytes"
	keyMessage   = "max.message.bytes"
	keyUnclean   = "unclean.leader.election.enable"
	keyInSync    = "min.insync.replicas"

	rawPages    = ".raw.pages"
	checkpoints = ".checkpoints"
)

// Topics are the five of a prefix: containers, checkpoints, raw.pages, messages, deadletters. Without
// compactCheckpoints, as for a broker whose compaction is not to be trusted, checkpoints keep everything.
func Topics(prefix string, partitions, replication int, compactCheckpoints bool) []Topic {
	var out []Topic
	for _, name := range []string{".containers", checkpoints, rawPages, ".messages", ".deadletters"} {
		t := kept(prefix+name, partitions, replication)
		if name == checkpoints && compactCheckpoints {
			t.Config[keyCleanup] = "compact"
			delete(t.Config, keyRetention)
		}
		out = append(out, t)
	}
	return out
}

// OutputTopics are those of a replay beside the first one: its messages and its dead letters.
func OutputTopics(output string, partitions, replication int) []Topic {
	return []Topic{kept(output, partitions, replication), kept(output+".deadletters", partitions, replication)}
}

// kept is a topic that loses nothing and takes records of 32 MiB.
func kept(name string, partitions, replication int) Topic {
	t := Topic{Name: name, Partitions: partitions, Replication: replication, Config: map[string]string{
		keyCleanup: "delete", keyRetention: "-1", keyBytes: "-1", keyMessage: "33554432", keyUnclean: "false",
	}}
	if replication >= 3 {
		t.Config[keyInSync] = "2"
	}
	return t
}

// CreateTopics creates those that do not exist and returns their names; existing ones are left alone. A topic that the
// broker's default gave three replicas or more gets min.insync.replicas=2 afterwards. It returns when all can be read.
func (c *Client) CreateTopics(ctx context.Context, topics []Topic) (created []string, err error) {
	exist, err := c.existing(ctx, topics)
	if err != nil {
		return nil, err
	}
	// Each on its own, so that one refusal does not hide what happened to the others.
	for _, t := range topics {
		if slices.Contains(exist, t.Name) { // a policy may refuse what was made by hand
			continue
		}
		done, err := c.createAllowed(ctx, t)
		if err != nil {
			return created, byHand(fmt.Errorf("create topic %s: %w", t.Name, err), topics)
		}
		if done {
			created = append(created, t.Name)
		}
	}
	for _, t := range topics {
		if err := c.settleTopic(ctx, t, slices.Contains(created, t.Name)); err != nil {
			return created, fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return created, nil
}

// existing names those of the topics that the cluster has.
func (c *Client) existing(ctx context.Context, topics []Topic) (names []string, err error) {
	all := make([]string, len(topics))
	for i, t := range topics {
		all[i] = t.Name
	}
	err = c.persist(ctx, tries{what: "topics"}, func(ctx context.Context) error {
		names = nil
		found, err := c.metadata(ctx, all...)
		for _, name := range all {
			if err == nil && found.topics[name].ErrorCode == 0 {
				names = append(names, name)
			}
		}
		return err
	})
	return names, err
}

// createAllowed creates a topic, without what only repeats Kafka's defaults where the cluster's policy refuses to be told.
// VerifyTopics looks at what came of it.
func (c *Client) createAllowed(ctx context.Context, t Topic) (created bool, err error) {
	if created, err = c.createTopic(ctx, t); !refusedByPolicy(err) {
		return created, err
	}
	b, without := t.bare()
	again, berr := c.createTopic(ctx, b)
	if berr != nil {
		return false, berr
	}
	c.log.Warn("a topic was created without settings that the cluster's policy refuses: its defaults hold",
		"topic", t.Name, "setting", strings.Join(without, " "), "error", err)
	return again, nil
}

func (c *Client) createTopic(ctx context.Context, t Topic) (created bool, err error) {
	request := kmsg.NewCreateTopicsRequest()
	request.Version, request.TimeoutMillis = 4, int32(c.timing.request.Milliseconds())
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = t.Name, int32(t.Partitions), int16(t.Replication)
	if t.Replication == 0 {
		topic.ReplicationFactor = -1
	}
	for _, key := range slices.Sorted(maps.Keys(t.Config)) {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = key, kmsg.StringPtr(t.Config[key])
		topic.Configs = append(topic.Configs, config)
	}
	request.Topics = append(request.Topics, topic)
	asked := false // an earlier request went unanswered: a topic that exists may be ours
	err = c.persist(ctx, tries{what: "create topic " + t.Name, rights: []right{onTopic("Create", t.Name), onCluster("Create")}}, func(ctx context.Context) error {
		cluster, err := c.metadata(ctx)
		if err != nil {
			return err
		}
		answer, err := call[*kmsg.CreateTopicsResponse](ctx, c, order{
			request: &request, node: cluster.controller, within: 2 * c.timing.request})
		if err != nil {
			asked = asked || judge(err) == unknown
			return err
		}
		if len(answer.Topics) != 1 {
			return fmt.Errorf("answer is about %d topics", len(answer.Topics))
		}
		a := answer.Topics[0]
		created = a.ErrorCode == 0 || a.ErrorCode == codeTopicExists && asked
		if a.ErrorCode == 0 || a.ErrorCode == codeTopicExists {
			return nil
		}
		r := &refused{what: t.Name, code: a.ErrorCode}
		if a.ErrorMessage != nil {
			r.message = *a.ErrorMessage
		}
		return r
	})
	return created, err
}

// settleTopic waits until every partition has a leader, and sets what depends on the replication that the broker chose.
func (c *Client) settleTopic(ctx context.Context, t Topic, created bool) error {
	var replicas int
	err := c.persist(ctx, tries{what: "wait for topic " + t.Name}, func(ctx context.Context) error {
		found, err := c.metadata(ctx, t.Name)
		if err != nil {
			return err
		}
		topic := found.topics[t.Name]
		if topic.ErrorCode != 0 {
			return explain(refusal(topic.ErrorCode, "topic %s", t.Name), onTopic("Describe", t.Name))
		}
		for _, p := range topic.Partitions {
			if p.Leader < 0 {
				return refusal(5, "leader of %s/%d", t.Name, p.Partition)
			}
			replicas = len(p.Replicas)
		}
		return nil
	})
	if err != nil || !created || replicas < 3 || t.Config[keyInSync] != "" {
		return err
	}
	return c.softer(t.Name, keyInSync+"=2", c.alterTopic(ctx, t.Name, keyInSync, "2"))
}

func (c *Client) alterTopic(ctx context.Context, name, key, value string) error {
	request := kmsg.NewIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, name
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Op, config.Value = key, kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(value)
	resource.Configs = append(resource.Configs, config)
	request.Resources = append(request.Resources, resource)
	return c.persist(ctx, tries{what: "configure topic " + name, rights: []right{onTopic("AlterConfigs", name)}}, func(ctx context.Context) error {
		cluster, err := c.metadata(ctx)
		if err != nil {
			return err
		}
		answer, err := call[*kmsg.IncrementalAlterConfigsResponse](ctx, c, order{request: &request, node: cluster.controller})
		if err != nil {
			return err
		}
		for _, r := range answer.Resources {
			if err := refusal(r.ErrorCode, "%s=%s", key, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// VerifyTopics compares existing topics with what they should be. All must exist and have equal numbers of partitions,
// which it returns; the wanted number is not compared. Configuration that differs is an error where it can lose data and
// a warning elsewhere. Nothing is created.
func (c *Client) VerifyTopics(ctx context.Context, topics []Topic) (partitions int, warnings []string, err error) {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	var found cluster
	err = c.persist(ctx, tries{what: "topics"}, func(ctx context.Context) (err error) {
		found, err = c.metadata(ctx, names...)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	for _, t := range topics {
		topic := found.topics[t.Name]
		switch {
		case topic.ErrorCode == codeUnknownTopic:
			return 0, nil, fmt.Errorf("topic %s is missing: run 'chatlake topics create' with the same TOPIC_PREFIX and NORMALIZER_OUTPUT", t.Name)
		case topic.ErrorCode != 0 && verdicts[topic.ErrorCode] != again:
			return 0, nil, explain(refusal(topic.ErrorCode, "topic %s", t.Name), onTopic("Describe", t.Name))
		case partitions == 0:
			partitions = len(topic.Partitions)
		case partitions != len(topic.Partitions):
			return 0, nil, fmt.Errorf("topic %s has %d partitions, %s has %d: all topics of a prefix must have the same number",
				t.Name, len(topic.Partitions), topics[0].Name, partitions)
		}
	}
	var said remarks
	for _, t := range topics {
		actual, warning, err := c.topicConfig(ctx, t.Name)
		if err != nil {
			return 0, nil, err
		}
		if warning != "" {
			warnings = append(warnings, warning)
			continue
		}
		replicas := 0
		for _, p := range found.topics[t.Name].Partitions {
			replicas = len(p.Replicas)
		}
		has, err := compare(t, actual, replicas)
		if err != nil {
			return 0, nil, err
		}
		said.add(t.Name, has)
	}
	return partitions, append(warnings, said.lines()...), nil
}

// remarks are what topics have that another value is advised for, with the topics that have it: what holds for all of a
// prefix is one line, not five.
type remarks []remark

type remark struct {
	has    string
	topics []string
}

func (r *remarks) add(topic string, has []string) {
	for _, h := range has {
		i := slices.IndexFunc(*r, func(known remark) bool { return known.has == h })
		if i < 0 {
			i = len(*r)
			*r = append(*r, remark{has: h})
		}
		(*r)[i].topics = append((*r)[i].topics, topic)
	}
}

func (r remarks) lines() []string {
	var lines []string
	for _, one := range r {
		topics := "topic " + one.topics[0] + " has "
		if len(one.topics) > 1 {
			topics = "topics " + strings.Join(one.topics, ", ") + " have "
		}
		lines = append(lines, topics+one.has)
	}
	return lines
}

// topicConfig reads a topic's configuration; a warning says why it cannot be read.
func (c *Client) topicConfig(ctx context.Context, name string) (config map[string]string, warning string, err error) {
	request := kmsg.NewDescribeConfigsRequest()
	request.Version = 1
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, name
	request.Resources = append(request.Resources, resource)
	err = c.persist(ctx, tries{what: "configuration of topic " + name}, func(ctx context.Context) error {
		answer, err := call[*kmsg.DescribeConfigsResponse](ctx, c, order{request: &request, node: anyBroker})
		if err != nil {
			return err
		}
		if len(answer.Resources) != 1 {
			return fmt.Errorf("configuration of topic %s: answer is about %d topics", name, len(answer.Resources))
		}
		if err := refusal(answer.Resources[0].ErrorCode, "configuration of topic %s", name); err != nil {
			return err
		}
		config = make(map[string]string)
		for _, entry := range answer.Resources[0].Configs {
			if entry.Value != nil {
				config[entry.Name] = *entry.Value
			}
		}
		return nil
	})
	if isCode(err, codeTopicForbidden) {
		return nil, fmt.Sprintf("topic %s: no right to read its configuration: not verified", name), nil
	}
	return config, "", err
}

// compare refuses what can lose data, and names what the topic has that another value is advised for. A key that the broker
// does not return is not compared.
func compare(t Topic, actual map[string]string, replicas int) (has []string, err error) {
	is := func(key, value string) bool { return actual[key] == "" || actual[key] == value }
	raw := strings.HasSuffix(t.Name, rawPages)
	refuse := func(key, want string) error {
		return fmt.Errorf("topic %s has %s=%s, which can lose data: it must be %s", t.Name, key, actual[key], want)
	}
	policy := actual[keyCleanup]
	compacts := policy == "compact" && strings.HasSuffix(t.Name, checkpoints)
	switch {
	case !is(keyCleanup, "delete") && !compacts:
		return nil, refuse(keyCleanup, t.Config[keyCleanup])
	case !is(keyRetention, "-1") && !compacts && !raw:
		return nil, refuse(keyRetention, "-1")
	case !is(keyBytes, "-1") && !compacts && !raw:
		return nil, refuse(keyBytes, "-1")
	case !is(keyUnclean, "false"):
		return nil, refuse(keyUnclean, "false")
	}
	if below(actual[keyMessage], t.Config[keyMessage]) {
		has = append(has, fmt.Sprintf("%s=%s: larger pages are asked for again in smaller ones, and what is larger even then is left out with a word; %s is advised",
			keyMessage, actual[keyMessage], t.Config[keyMessage]))
	}
	if replicas >= 3 && below(actual[keyInSync], "2") {
		has = append(has, fmt.Sprintf("%d replicas and %s=%s: one broker's loss can lose records; 2 is advised",
			replicas, keyInSync, actual[keyInSync]))
	}
	return has, nil
}

// below compares decimal numbers; what is not told is not below.
func below(actual, wanted string) bool {
	if actual == "" || wanted == "" {
		return false
	}
	if len(actual) != len(wanted) {
		return len(actual) < len(wanted)
	}
	return actual < wanted
}
