package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"chatlake/kafka"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// Kafka makes a client of the cluster.
func (c *Cluster) Kafka(logger *slog.Logger) (*kafka.Client, error) {
	config := kafka.Config{
		Brokers: c.Brokers, Mechanism: c.SASL, Username: c.Username, Password: string(c.Password),
		ClientID: "chatlake", Logger: logger, MaxMessageBytes: int(c.MaxMessage),
	}
	if c.TLS {
		t, err := certificates([3][2]string{
			{"KAFKA_TLS_CA_FILE", c.TLSCA}, {"KAFKA_TLS_CERT_FILE", c.TLSCert}, {"KAFKA_TLS_KEY_FILE", c.TLSKey},
		})
		if err != nil {
			return nil, err
		}
		config.TLS = t
	}
	if c.SASL != "" && !c.TLS && !c.loopback() {
		logger.Warn("credentials travel in the clear: KAFKA_SASL_MECHANISM is set without KAFKA_TLS, to a host that is not this one")
	}
	return kafka.NewClient(config)
}

func (c *Cluster) loopback() bool {
	for _, b := range c.Brokers {
		host, _, err := net.SplitHostPort(b)
		if err != nil {
			host = b
		}
		if !loopback(host) {
			return false
		}
	}
	return true
}

// Registry makes a client of the schema registry.
func (c *Cluster) Registry(logger *slog.Logger) (*schemas.Registry, error) {
	return c.registry(schemas.RegistryConfig{
		Patience: startTime,
		Waiting: func(err error) {
			logger.Warn("the schema registry does not answer yet, or is busy: asked again", "wait", startTime, "error", err)
		},
	})
}

// registry makes a client with the patience in config.
func (c *Cluster) registry(config schemas.RegistryConfig) (*schemas.Registry, error) {
	config.URL, config.Username, config.Password = c.RegistryURL, c.RegistryUsername, string(c.RegistryPassword)
	if c.RegistryCA != "" {
		t, err := certificates([3][2]string{{"SCHEMA_REGISTRY_TLS_CA_FILE", c.RegistryCA}})
		if err != nil {
			return nil, err
		}
		config.TLS = &tls.Config{RootCAs: t.RootCAs, MinVersion: tls.VersionTLS12}
	}
	return schemas.OpenRegistry(config)
}

// Connection is a cluster and a registry that were found to be as they should be.
type Connection struct {
	Topics     schemas.Topics
	Partitions int
	IDs        map[string]int // schema ids by topic
	Client     *kafka.Client
	Registry   *schemas.Registry
}

// Connect reaches the cluster and the registry and verifies topics and schemas. output is another topic of messages, or
// "" for the prefix's own.
func (c *Cluster) Connect(ctx context.Context, output string, logger *slog.Logger) (*Connection, error) {
	c.Warn(logger)
	client, err := c.Kafka(logger)
	if err != nil {
		return nil, err
	}
	registry, err := c.Registry(logger)
	if err != nil {
		return nil, err
	}
	n := &Connection{Topics: schemas.NewTopics(c.Prefix, output), Client: client, Registry: registry}
	if err := n.verify(ctx, c, output, logger); err != nil {
		_ = client.Close() // the first error is the one that matters
		return nil, err
	}
	return n, nil
}

func (n *Connection) verify(ctx context.Context, c *Cluster, output string, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	waited, err := reach(ctx, n.Client.Ping, logger)
	if err != nil {
		return err
	}
	return settle(ctx, waited, func() (err error) {
		total, warnings, err := n.Client.VerifyTopics(ctx, c.topics(output, true))
		if err != nil && absent(err) { // it answered a moment ago, and has gone
			return unreachable(err)
		}
		if err != nil {
			return err
		}
		if n.IDs, err = n.Registry.IDs(ctx, n.Topics.Schemas()); err != nil {
			return err
		}
		n.Partitions = total
		for _, w := range warnings {
			logger.Warn(w)
		}
		return nil
	})
}

// warnOtherGroups says where another group reads the containers that this extractor's group should read alone: each page
// would be read, and written, twice.
func (n *Connection) warnOtherGroups(ctx context.Context, mine string, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	others, err := n.Client.OtherGroups(ctx, n.Topics.Containers, mine)
	if err != nil {
		logger.Debug("other groups were not looked for", "error", err)
		return
	}
	if len(others) > 0 {
		logger.Warn("another consumer group reads this prefix's containers: every page is extracted once for each group. "+
			"Let all extractors of a prefix have the same EXTRACTOR_GROUP, and delete the offsets of a group that is no longer used",
			"topic", n.Topics.Containers, "group", mine, "others", strings.Join(others, " "))
	}
}

// topics is what must exist: the five of the prefix, and a side-by-side output with its dead letters.
func (c *Cluster) topics(output string, compactCheckpoints bool) []kafka.Topic {
	topics := kafka.Topics(c.Prefix, int(c.Partitions), int(c.Replication), compactCheckpoints)
	if output != "" && output != c.Prefix+".messages" {
		topics = append(topics, kafka.OutputTopics(output, int(c.Partitions), int(c.Replication))...)
	}
	return kafka.LimitMessages(topics, int(c.MaxMessage))
}

// Prepare creates what is missing of the topics, and registers the schemas. It returns what it created.
func (c *Cluster) Prepare(ctx context.Context, output string, compactCheckpoints bool, logger *slog.Logger) ([]string, error) {
	c.Warn(logger)
	client, err := c.Kafka(logger)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	registry, err := c.Registry(logger)
	if err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if _, err := reach(starting, client.Ping, logger); err != nil {
		return nil, err
	}
	topics := c.topics(output, compactCheckpoints)
	if err := alike(ctx, client, topics); err != nil {
		return nil, err
	}
	created, err := client.CreateTopics(ctx, topics)
	if err != nil {
		return created, err
	}
	if _, warnings, err := client.VerifyTopics(ctx, topics); err != nil {
		return created, err
	} else if len(warnings) > 0 {
		logger.Warn(strings.Join(warnings, "; "))
	}
	all := schemas.NewTopics(c.Prefix, "").Schemas()
	maps.Copy(all, schemas.NewTopics(c.Prefix, output).Schemas())
	for _, topic := range slices.Sorted(maps.Keys(all)) {
		if _, err := registry.Register(ctx, schemas.Subject(topic), all[topic]); err != nil {
			return created, err
		}
	}
	return created, nil
}

// alike gives topics that are to be created the partitions and replication of those that exist: an older version, or an
// operator by hand, may have made some with other numbers than the settings'.
func alike(ctx context.Context, client *kafka.Client, topics []kafka.Topic) error {
	shapes, err := client.Existing(ctx, topics)
	if err != nil {
		return err
	}
	for _, t := range topics { // the first that exists is the model; VerifyTopics refuses what differs from it
		model, ok := shapes[t.Name]
		if !ok {
			continue
		}
		for i := range topics {
			topics[i].Partitions, topics[i].Replication = model.Partitions, model.Replication
		}
		return nil
	}
	return nil
}

// staged gives an error of the broker's side to a stage in the words that it knows.
func staged(err error) error {
	var large *kafka.TooLarge
	if errors.As(err, &large) {
		return &pipeline.TooLarge{Topic: large.Topic, Index: large.Index, Size: large.Size, Limit: large.Limit}
	}
	return err
}

type reader struct{ r *kafka.Reader }

func (r reader) Read(ctx context.Context, wait time.Duration, maxBytes int) (pipeline.Batch, error) {
	b, err := r.r.Read(ctx, wait, maxBytes)
	return batch(b), err
}

// batch gives what was read to a stage in the words that it knows.
func batch(b kafka.Batch) pipeline.Batch {
	out := pipeline.Batch{Records: b.Records, Next: b.Next}
	for _, d := range b.Skipped {
		out.Skipped = append(out.Skipped, pipeline.Damaged(d))
	}
	return out
}
