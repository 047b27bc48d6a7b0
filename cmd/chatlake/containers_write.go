package main

import (
	"context"
	"fmt"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// writeContainers writes what is to be read, each at the time at which it was asked for. A crash in between leaves some of
// them; writing them once more changes nothing, for readers fold.
func writeContainers(ctx context.Context, n *worker.Connection, all []*schemas.Container) error {
	records := make([]schemas.Record, 0, len(all))
	for _, c := range all {
		value, err := schemas.ContainerSchema.Append(nil, n.IDs[n.Topics.Containers], c)
		if err != nil {
			return fmt.Errorf("container %s: %w", c.Key, err)
		}
		records = append(records, schemas.Record{
			Topic: n.Topics.Containers, Partition: partitionOf(n, c), Time: c.RequestedAt.Time(), Key: c.Key, Value: value,
		})
	}
	if len(records) == 0 {
		return nil
	}
	return n.Client.Produce(ctx, records)
}

func partitionOf(n *worker.Connection, c *schemas.Container) int32 {
	return schemas.Partition(schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID), n.Partitions)
}
