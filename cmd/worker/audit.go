package worker

import (
	"context"
	"log/slog"

	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline"
	"chatlake/pipeline/audit"
	"chatlake/schemas"
)

// Audit compares what the topics of the connection hold with each other, up to what a normalizer's group has committed.
func (n *Connection) Audit(ctx context.Context, group string, logger *slog.Logger) (*audit.Report, error) {
	return audit.Run(ctx, audit.Config{
		Topics: n.Topics, Partitions: n.Partitions, Texts: n.Registry.Text, Logger: logger,
		Log: func(partition int32) audit.Log { return lookedAt{n, group, partition} },
		Platforms: map[string]audit.Platform{
			schemas.Feishu: {Decoder: decoders[schemas.Feishu], Shown: feishu.Shown},
			schemas.Yunxin: {Decoder: decoders[schemas.Yunxin], Shown: yunxin.Shown},
		},
	})
}

// lookedAt is a partition of all topics that nobody here owns.
type lookedAt struct {
	*Connection
	group     string
	partition int32
}

func (l lookedAt) Offsets(ctx context.Context, topic string) (start, stable int64, err error) {
	return l.Client.Offsets(ctx, topic, l.partition)
}

func (l lookedAt) End(ctx context.Context, topic string) (int64, error) {
	return l.Client.End(ctx, topic, l.partition)
}

func (l lookedAt) Reader(topic string, from int64) pipeline.Reader {
	return reader{l.Client.Reader(topic, l.partition, from)}
}

func (l lookedAt) Committed(ctx context.Context) (int64, error) {
	return l.Client.Committed(ctx, l.group, l.Topics.RawPages, l.partition)
}
