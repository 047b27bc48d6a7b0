package kafka

import "context"

// Shape is what a topic was created with that is not configuration.
type Shape struct{ Partitions, Replication int }

// Existing gives the shapes of those topics that exist, by name.
func (c *Client) Existing(ctx context.Context, topics []Topic) (map[string]Shape, error) {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	var found cluster
	err := c.persist(ctx, tries{what: "topics"}, func(ctx context.Context) (err error) {
		found, err = c.metadata(ctx, names...)
		return err
	})
	if err != nil {
		return nil, err
	}
	shapes := make(map[string]Shape)
	for _, name := range names {
		topic := found.topics[name]
		if topic.ErrorCode == codeUnknownTopic || len(topic.Partitions) == 0 {
			continue
		}
		shapes[name] = Shape{len(topic.Partitions), len(topic.Partitions[0].Replicas)}
	}
	return shapes, nil
}
