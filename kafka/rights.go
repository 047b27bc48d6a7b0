package kafka

import (
	"errors"
	"fmt"
	"strings"
)

// right is an operation that a request needs on a resource, and the code by which a broker refuses it.
type right struct {
	code      int16
	operation string // as Kafka names it: https://kafka.apache.org/documentation/#operations_resources_and_protocols
	kind      string // topic, group, transactional-id, cluster: as kafka-acls names it
	name      string
}

func onTopic(operation, name string) right {
	return right{codeTopicForbidden, operation, "topic", name}
}
func onGroup(operation, name string) right {
	return right{codeGroupForbidden, operation, "group", name}
}
func onTransactions(operation, id string) right {
	return right{codeTransactionForbidden, operation, "transactional-id", id}
}
func onCluster(operation string) right {
	return right{codeClusterForbidden, operation, "cluster", ""}
}

// forbidden is a refusal with the right that is missing.
type forbidden struct {
	error
	right right
}

func (f *forbidden) Unwrap() error { return f.error }

func (f *forbidden) Error() string {
	resource := strings.TrimSpace("--" + f.right.kind + " " + f.right.name)
	return fmt.Sprintf("%v: the right %s on %s is missing: grant it to the user of this program, for example with kafka-acls --add --operation %s %s",
		f.error, f.right.operation, strings.TrimSpace(f.right.kind+" "+f.right.name), f.right.operation, resource)
}

// explain adds to a refusal which of these rights is missing, if one is and nothing has said so yet.
func explain(err error, rights ...right) error {
	var said *forbidden
	code, ok := codeOf(err)
	if !ok || errors.As(err, &said) {
		return err
	}
	for _, r := range rights {
		if r.code == code {
			return &forbidden{err, r}
		}
	}
	return err
}
