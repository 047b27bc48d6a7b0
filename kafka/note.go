package kafka

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxNote is what brokers take as an offset's metadata (offset.metadata.max.bytes).
const maxNote = 4096

// note is what a group commits beside the offset of a partition, as JSON in the offset's metadata. Fields may be added;
// who does not know one ignores it. Workers before it wrote none, and tools that reset offsets remove it.
type note struct {
	// Ends are, by topic, the offset after the last record that a transaction of the group wrote in the partition.
	Ends map[string]int64 `json:"ends,omitempty"`
	// IDs are the ids of these topics, where the broker knows ids (Kafka 2.8): a topic that was deleted and created again
	// has another.
	IDs map[string]string `json:"ids,omitempty"`
	// Told are the worker's own words, see Ownership.Tell. No session goes by what an earlier one told.
	Told json.RawMessage `json:"told,omitempty"`
}

// parseNote reads metadata that anybody may have written.
func parseNote(metadata string) note {
	var n note
	if json.Unmarshal([]byte(metadata), &n) != nil {
		return note{}
	}
	return n
}

// text is the note as metadata, without the worker's own words where it would not fit with them, empty where it would not
// fit at all.
func (n note) text() string {
	if len(n.Ends) == 0 && n.Told == nil {
		return ""
	}
	b, err := json.Marshal(n)
	switch {
	case err == nil && len(b) <= maxNote:
		return string(b)
	case n.Told != nil:
		return note{Ends: n.Ends, IDs: n.IDs}.text()
	}
	return ""
}

// in is the part of a note that is about topics as they are now, by their ids: the ends of a topic that was created again
// would be waited for without end. Where no id is known, the end holds.
func (n note) in(ids map[string]string) note {
	out := note{Ends: map[string]int64{}, IDs: map[string]string{}}
	for topic, end := range n.Ends {
		was, is := n.IDs[topic], ids[topic]
		if was == "" || is == "" || was == is {
			out.Ends[topic] = end
		}
	}
	maps.Copy(out.IDs, ids)
	return out
}

// with is the note after a transaction has written up to these ends.
func (n note) with(ends map[place]int64) note {
	out := note{Ends: maps.Clone(n.Ends), IDs: n.IDs}
	for at, end := range ends {
		if out.Ends == nil {
			out.Ends = map[string]int64{}
		}
		out.Ends[at.topic] = max(out.Ends[at.topic], end)
	}
	return out
}

// notes holds the note of the last commit, for those who ask while the next one is under way.
type notes struct {
	mu     sync.Mutex
	last   note
	warned map[string]bool
}

func (n *notes) set(last note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = last
}

func (n *notes) get() note {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// first is true once for a topic.
func (n *notes) first(topic string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.warned == nil {
		n.warned = make(map[string]bool)
	}
	was := n.warned[topic]
	n.warned[topic] = true
	return !was
}

// End gives the offset after the last record that the same partition of a topic is known to hold: its high watermark, but
// never less than what this group's last commit knew, in whatever session. A leader that was deposed, or one that lost
// records, is noticed by that: whoever waits until the stable offset has reached End does not take its log for the whole.
// A topic that was created again counts from its new beginning (by its id; brokers before Kafka 2.8 have none).
func (p *Partition) End(ctx context.Context, topic string) (int64, error) {
	at := place{topic, p.driver.partition}
	end, err := p.owner.client.End(ctx, topic, at.partition)
	if err != nil {
		return 0, interrupt(err)
	}
	known := p.transaction.notes.get().Ends[topic]
	if end < known && p.transaction.notes.first(topic) {
		p.owner.client.log.Warn("a topic ends before what this group has written to it: its leader is out of date, or records were lost. "+
			"If they are lost for good, stop the group and reset its offsets to their present values (kafka-consumer-groups --reset-offsets --to-current)",
			append(at.attrs(), "group", p.owner.Group, "to", end, "written", known)...)
	}
	return max(end, known), nil
}

// topicIDs gives the ids of topics, as text; none where the broker knows no ids.
func (c *Client) topicIDs(ctx context.Context, topics []string) (map[string]string, error) {
	var ids map[string]string
	err := c.persist(ctx, tries{what: "ids of topics"}, func(ctx context.Context) error {
		ids = make(map[string]string)
		known, err := c.serves(ctx, kmsg.Metadata, metadataWithIDs)
		if err != nil || !known {
			return err
		}
		found, err := c.metadataAt(ctx, metadataWithIDs, topics...)
		if err != nil {
			return err
		}
		for _, name := range topics {
			topic := found.topics[name]
			if topic.ErrorCode != 0 {
				return explain(refusal(topic.ErrorCode, "topic %s", name), onTopic("Describe", name))
			}
			if topic.TopicID != [16]byte{} {
				ids[name] = base64.RawURLEncoding.EncodeToString(topic.TopicID[:])
			}
		}
		return nil
	})
	return ids, err
}

// serves asks once whether the brokers serve a version of a request.
func (c *Client) serves(ctx context.Context, key kmsg.Key, version int16) (bool, error) {
	c.versions.mu.Lock()
	newest, ok := c.versions.newest[key]
	c.versions.mu.Unlock()
	if ok {
		return newest >= version, nil
	}
	request := kmsg.NewApiVersionsRequest()
	request.Version = 2
	answer, err := call[*kmsg.ApiVersionsResponse](ctx, c, order{request: &request, node: anyBroker})
	if err != nil {
		return false, err
	}
	if err := refusal(answer.ErrorCode, "versions"); err != nil {
		return false, err
	}
	c.versions.mu.Lock()
	defer c.versions.mu.Unlock()
	c.versions.newest = make(map[kmsg.Key]int16)
	for _, k := range answer.ApiKeys {
		c.versions.newest[kmsg.Key(k.ApiKey)] = k.MaxVersion
	}
	if _, ok := c.versions.newest[key]; !ok {
		return false, fmt.Errorf("the broker does not serve %s", key.Name())
	}
	return c.versions.newest[key] >= version, nil
}

// versions are the newest that a broker serves, by request.
type versions struct {
	mu     sync.Mutex
	newest map[kmsg.Key]int16
}
