package kafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// LimitMessages sets how large a record of these topics may be, for when they are created. 0 leaves the usual 32 MiB.
func LimitMessages(topics []Topic, bytes int) []Topic {
	if bytes <= 0 {
		return topics
	}
	out := slices.Clone(topics)
	for i := range out {
		out[i].Config = maps.Clone(out[i].Config)
		out[i].Config[keyMessage] = strconv.Itoa(bytes)
	}
	return out
}

// essential are the settings that a topic does not have by itself. The others only say what Kafka's defaults are, so that a
// cluster whose defaults were changed does not lose data; policies of hosted clusters refuse to be told.
var essential = []string{keyCleanup, keyRetention, keyMessage}

// bare is a topic with its essential settings, and the names of those left out.
func (t Topic) bare() (out Topic, without []string) {
	out = t
	out.Config = make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(t.Config)) {
		if slices.Contains(essential, key) {
			out.Config[key] = t.Config[key]
		} else {
			without = append(without, key)
		}
	}
	return out, without
}

// settings is a topic's configuration as people write it.
func (t Topic) settings() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(t.Config)) {
		pairs = append(pairs, key+"="+t.Config[key])
	}
	return strings.Join(pairs, " ")
}

// refusedByPolicy says whether a cluster's rules, not its state, refuse something.
func refusedByPolicy(err error) bool {
	return isCode(err, codePolicy) || isCode(err, codeInvalidConfig)
}

// byHand adds to a policy's refusal what can be done about it: another size, or these topics made by other means.
func byHand(err error, topics []Topic) error {
	if !refusedByPolicy(err) {
		return err
	}
	sorts := make(map[string][]string)
	var order []string
	for _, t := range topics {
		b, _ := t.bare()
		delete(b.Config, keyMessage)
		how := fmt.Sprintf("%d partitions and %s", t.Partitions, b.settings())
		if sorts[how] == nil {
			order = append(order, how)
		}
		sorts[how] = append(sorts[how], t.Name)
	}
	var parts []string
	for _, how := range order {
		parts = append(parts, fmt.Sprintf("%s with %s", strings.Join(sorts[how], ", "), how))
	}
	return fmt.Errorf("%w: the cluster's policy refuses this: set TOPIC_MAX_MESSAGE_BYTES to what it allows (hosted clusters often 8388608 or 1048588, now %s), "+
		"or create by hand %s, and run 'chatlake topics create' again, which takes what exists and registers the schemas",
		err, topics[0].Config[keyMessage], strings.Join(parts, "; "))
}

// softer drops a policy's refusal of a setting that only guards against other defaults, and says so.
func (c *Client) softer(topic, setting string, err error) error {
	var r *refused
	if !errors.As(err, &r) || !refusedByPolicy(err) && r.code != codeTopicForbidden && r.code != codeClusterForbidden {
		return err
	}
	c.log.Warn("a setting of a topic was refused: the cluster's default holds", "topic", topic, "setting", setting, "error", err)
	return nil
}
