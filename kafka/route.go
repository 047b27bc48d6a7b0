package kafka

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

func (p place) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// attrs names the place in a log line.
func (p place) attrs() []any { return []any{"topic", p.topic, "partition", p.partition} }

const (
	groupKey       = int8(0)
	transactionKey = int8(1)
)

// office is what a coordinator is looked up by.
type office struct {
	kind int8
	name string
}

func (o office) String() string {
	if o.kind == groupKey {
		return "group " + o.name
	}
	return "transactional id " + o.name
}

// routes remembers leaders and coordinators until an answer says that they moved. kafka-go's own routing would look
// coordinators up before every request, ignore that look-up's error, and learn of a new leader from a timer only.
type routes struct {
	mu           sync.Mutex
	leaders      map[place]leader
	coordinators map[office]int32
}

// leader is the broker that leads a partition, and since which epoch.
type leader struct{ node, epoch int32 }

func (c *Client) leader(ctx context.Context, p place) (leader, error) {
	c.routes.mu.Lock()
	known, ok := c.routes.leaders[p]
	c.routes.mu.Unlock()
	if ok {
		return known, nil
	}
	cluster, err := c.metadata(ctx, p.topic)
	if err != nil {
		return leader{}, err
	}
	topic := cluster.topics[p.topic]
	if topic.ErrorCode != 0 {
		return leader{}, explain(refusal(topic.ErrorCode, "topic %s", p.topic), onTopic("Describe", p.topic))
	}
	c.routes.mu.Lock()
	defer c.routes.mu.Unlock()
	if c.routes.leaders == nil {
		c.routes.leaders = make(map[place]leader)
	}
	found := false
	for _, partition := range topic.Partitions {
		at := place{p.topic, partition.Partition}
		if partition.Leader < 0 {
			delete(c.routes.leaders, at)
			continue
		}
		c.routes.leaders[at] = leader{partition.Leader, partition.LeaderEpoch}
		found = found || at == p
	}
	if !found {
		return leader{}, refusal(5, "leader of %s", p)
	}
	return c.routes.leaders[p], nil
}

func (c *Client) coordinator(ctx context.Context, o office) (int32, error) {
	c.routes.mu.Lock()
	node, ok := c.routes.coordinators[o]
	c.routes.mu.Unlock()
	if ok {
		return node, nil
	}
	request := kmsg.NewFindCoordinatorRequest()
	request.Version, request.CoordinatorKey, request.CoordinatorType = 2, o.name, o.kind
	answer, err := call[*kmsg.FindCoordinatorResponse](ctx, c, order{request: &request, node: anyBroker})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", o, err)
	}
	if answer.ErrorCode != 0 {
		return 0, explain(refusal(answer.ErrorCode, "coordinator of %s", o), onGroup("Describe", o.name), onTransactions("Describe", o.name))
	}
	c.routes.mu.Lock()
	defer c.routes.mu.Unlock()
	if c.routes.coordinators == nil {
		c.routes.coordinators = make(map[office]int32)
	}
	c.routes.coordinators[o] = answer.NodeID
	return answer.NodeID, nil
}

// atLeader runs ask with the leader of p, and forgets that leader if it fails.
func (c *Client) atLeader(ctx context.Context, p place, ask func(leader) error) error {
	at, err := c.leader(ctx, p)
	if err != nil {
		return err
	}
	if err = ask(at); err != nil {
		c.routes.mu.Lock()
		delete(c.routes.leaders, p)
		c.routes.mu.Unlock()
	}
	return err
}

// atCoordinator runs ask with the coordinator of o, and forgets that coordinator if it fails.
func (c *Client) atCoordinator(ctx context.Context, o office, ask func(node int32) error) error {
	node, err := c.coordinator(ctx, o)
	if err != nil {
		return err
	}
	if err = ask(node); err != nil {
		c.routes.mu.Lock()
		delete(c.routes.coordinators, o)
		c.routes.mu.Unlock()
	}
	return err
}

// cluster is one answer to a metadata request.
type cluster struct {
	controller int32
	brokers    []string // as they advertise themselves, host:port
	nodes      []int32  // their ids
	topics     map[string]kmsg.MetadataResponseTopic
}

// metadata asks for the cluster and these topics, and never lets the broker create one.
func (c *Client) metadata(ctx context.Context, topics ...string) (cluster, error) {
	return c.metadataAt(ctx, metadataUsual, topics...)
}

// Versions of a metadata request: one that every broker serves and that tells leader epochs, and one that tells topic ids.
const (
	metadataUsual   = 7
	metadataWithIDs = 10
)

func (c *Client) metadataAt(ctx context.Context, version int16, topics ...string) (cluster, error) {
	request := kmsg.NewMetadataRequest()
	request.Version = version
	request.Topics = []kmsg.MetadataRequestTopic{} // nil would mean all
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, topic)
	}
	answer, err := call[*kmsg.MetadataResponse](ctx, c, order{request: &request, node: anyBroker})
	if err != nil {
		return cluster{}, err
	}
	found := cluster{controller: answer.ControllerID, topics: make(map[string]kmsg.MetadataResponseTopic)}
	for _, b := range answer.Brokers {
		found.brokers = append(found.brokers, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
		found.nodes = append(found.nodes, b.NodeID)
	}
	for _, topic := range answer.Topics {
		if topic.Topic != nil {
			found.topics[*topic.Topic] = topic
		}
	}
	for _, name := range topics {
		if _, ok := found.topics[name]; !ok {
			found.topics[name] = kmsg.MetadataResponseTopic{Topic: kmsg.StringPtr(name), ErrorCode: codeUnknownTopic}
		}
	}
	return found, nil
}
