package kafka

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxTold is the most that a worker's own words in an offset's metadata may take, in bytes.
const maxTold = 2048

// tell puts a worker's own words into the note; what is too long is left out.
func (n *note) tell(o Ownership) {
	n.Told = nil
	if o.Tell == nil {
		return
	}
	if told := o.Tell(); len(told) <= maxTold && json.Valid(told) {
		n.Told = told
	}
}

// Committed is what a group has committed of one partition.
type Committed struct {
	Offset int64           // the next that it will read; -1: none
	Told   json.RawMessage // what Ownership.Tell gave with it; nil: nothing
}

// GroupOffsets gives what a group has committed of each partition of a topic, by number; of a group that nobody knows, nothing.
// An offset in a transaction that is still open does not show.
func (c *Client) GroupOffsets(ctx context.Context, group, topic string, total int) ([]Committed, error) {
	request := kmsg.NewOffsetFetchRequest()
	request.Version, request.Group = 7, group
	of := kmsg.NewOffsetFetchRequestTopic()
	of.Topic = topic
	for p := range int32(total) {
		of.Partitions = append(of.Partitions, p)
	}
	request.Topics = append(request.Topics, of)
	var found []Committed
	what := tries{what: "offsets of group " + group, rights: []right{onGroup("Describe", group), onTopic("Describe", topic)}}
	err := c.persist(ctx, what, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{groupKey, group}, func(node int32) error {
			found = make([]Committed, total)
			for i := range found {
				found[i].Offset = -1
			}
			answer, err := call[*kmsg.OffsetFetchResponse](ctx, c, order{request: &request, node: node})
			if err != nil || answer.ErrorCode == codeGroupNotFound {
				return err
			}
			if err := refusal(answer.ErrorCode, "offsets of group %s", group); err != nil {
				return err
			}
			return readCommitted(answer, found)
		})
	})
	return found, err
}

// readCommitted takes an answer's offsets into found.
func readCommitted(answer *kmsg.OffsetFetchResponse, found []Committed) error {
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if p.Partition < 0 || int(p.Partition) >= len(found) {
				return fmt.Errorf("offsets of %s: the answer is about partition %d of %d", t.Topic, p.Partition, len(found))
			}
			if err := refusal(p.ErrorCode, "offset of %s/%d", t.Topic, p.Partition); err != nil {
				return err
			}
			at := &found[p.Partition]
			at.Offset = p.Offset
			if p.Metadata != nil {
				at.Told = parseNote(*p.Metadata).Told
			}
		}
	}
	return nil
}
