package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Resource is something that rights are given on.
type Resource struct {
	Kind string // KindTopic, KindGroup or KindTransactionalID
	Name string
}

// Kinds of resources, as kafka-acls names them.
const (
	KindTopic           = "topic"
	KindGroup           = "group"
	KindTransactionalID = "transactional-id"
)

// String is a resource as kafka-acls takes it.
func (r Resource) String() string { return r.Kind + " " + r.Name }

// operations are those that our programs need, with their bits in an answer (KIP-430: bit n is the operation with code n).
var operations = map[string]kmsg.ACLOperation{
	"Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite, "Describe": kmsg.ACLOperationDescribe,
	"DescribeConfigs": kmsg.ACLOperationDescribeConfigs,
}

// ErrNoTopic says that a topic whose rights were asked for does not exist.
var ErrNoTopic = errors.New("no such topic")

// untold is the answer of a cluster that does not tell what is allowed.
const untold = math.MinInt32

// Lacking gives those of some operations (Describe, Read, Write, DescribeConfigs) on a resource that this client may not do;
// told is false where the cluster does not tell. It asks until ctx ends and changes nothing: a topic's and a group's rights
// come with its description (KIP-430), and a transactional id's show in how an EndTxn is refused that cannot be about any
// transaction, see endNone. That is the one way that is open to every user: a list of ACLs is for administrators.
func (c *Client) Lacking(ctx context.Context, r Resource, wanted ...string) (lacking []string, told bool, err error) {
	var allowed int32
	switch r.Kind {
	case KindTopic:
		allowed, err = c.allowedOnTopic(ctx, r.Name)
	case KindGroup:
		allowed, err = c.allowedOnGroup(ctx, r.Name)
	case KindTransactionalID:
		allowed, err = c.allowedTransactions(ctx, r.Name)
	default:
		err = fmt.Errorf("rights on a %s are not looked at", r.Kind)
	}
	switch {
	case refusedRight(err):
		return wanted, true, nil
	case err != nil:
		return nil, false, err
	case allowed == untold:
		return nil, false, nil
	}
	for _, w := range wanted {
		if allowed&(1<<operations[w]) == 0 {
			lacking = append(lacking, w)
		}
	}
	return lacking, true, nil
}

// refusedRight says whether not even looking is allowed.
func refusedRight(err error) bool {
	return isCode(err, codeTopicForbidden) || isCode(err, codeGroupForbidden) || isCode(err, codeTransactionForbidden) || isCode(err, codeClusterForbidden)
}

func (c *Client) allowedOnTopic(ctx context.Context, topic string) (allowed int32, err error) {
	request := kmsg.NewMetadataRequest()
	request.Version, request.IncludeTopicAuthorizedOperations = 8, true
	of := kmsg.NewMetadataRequestTopic()
	of.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, of)
	err = c.persist(ctx, tries{what: "rights on topic " + topic}, func(ctx context.Context) error {
		answer, err := call[*kmsg.MetadataResponse](ctx, c, order{request: &request, node: anyBroker})
		if err != nil {
			return err
		}
		if len(answer.Topics) != 1 {
			return fmt.Errorf("rights on topic %s: answer is about %d topics", topic, len(answer.Topics))
		}
		if answer.Topics[0].ErrorCode == codeUnknownTopic {
			return damaged{fmt.Errorf("topic %s: %w", topic, ErrNoTopic)}
		}
		allowed = answer.Topics[0].AuthorizedOperations
		return refusal(answer.Topics[0].ErrorCode, "topic %s", topic)
	})
	return allowed, err
}

func (c *Client) allowedOnGroup(ctx context.Context, group string) (allowed int32, err error) {
	request := kmsg.NewDescribeGroupsRequest()
	request.Version, request.Groups, request.IncludeAuthorizedOperations = 3, []string{group}, true
	err = c.persist(ctx, tries{what: "rights on group " + group}, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{groupKey, group}, func(node int32) error {
			answer, err := call[*kmsg.DescribeGroupsResponse](ctx, c, order{request: &request, node: node})
			if err != nil {
				return err
			}
			if len(answer.Groups) != 1 {
				return fmt.Errorf("rights on group %s: answer is about %d groups", group, len(answer.Groups))
			}
			if code := answer.Groups[0].ErrorCode; code != codeGroupNotFound {
				allowed, err = answer.Groups[0].AuthorizedOperations, refusal(code, "group %s", group)
				return err
			}
			allowed = untold
			return nil
		})
	})
	return allowed, err
}

// allowedTransactions finds the right to describe in the look-up of the coordinator, and the one to write in endNone.
func (c *Client) allowedTransactions(ctx context.Context, id string) (allowed int32, err error) {
	err = c.persist(ctx, tries{what: "rights on transactional id " + id}, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{transactionKey, id}, func(node int32) error { return c.endNone(ctx, id, node) })
	})
	switch {
	case err == nil:
		return 1<<kmsg.ACLOperationDescribe | 1<<kmsg.ACLOperationWrite, nil
	case isCode(err, codeNoWrite):
		return 1 << kmsg.ACLOperationDescribe, nil
	}
	return 0, err
}

// codeNoWrite stands for a refused EndTxn: the look-up of the coordinator before it has the same code. No broker gives it.
const codeNoWrite = 32000

// Codes by which a broker says that no such producer has a transaction.
var noProducer = map[int16]bool{codeWrongProducer: true, codeUnknownProducer: true, codeFenced: true, codeOldEpoch: true, codeNoTransaction: true}

const (
	codeOldEpoch        = 47
	codeNoTransaction   = 48
	codeWrongProducer   = 49
	codeUnknownProducer = 59
)

// endNone asks to end a transaction of producer id -1, which no broker gives to anybody. The right to write is looked at
// before the producer is (Apache Kafka, KafkaApis.handleEndTxnRequest, TransactionCoordinator.endTransaction), so whoever has
// it is told that there is no such producer, whatever transaction is open under the id; nothing is written. An
// InitProducerID would tell as well, and fence the worker that runs.
func (c *Client) endNone(ctx context.Context, id string, node int32) error {
	request := kmsg.NewEndTxnRequest()
	request.Version, request.TransactionalID, request.ProducerID, request.ProducerEpoch = 1, id, -1, -1
	answer, err := call[*kmsg.EndTxnResponse](ctx, c, order{request: &request, node: node})
	switch {
	case err != nil:
		return err
	case noProducer[answer.ErrorCode]:
		return nil
	case answer.ErrorCode == codeTransactionForbidden:
		return damaged{refusal(codeNoWrite, "transactional id %s", id)}
	}
	return refusal(answer.ErrorCode, "transactional id %s", id)
}
