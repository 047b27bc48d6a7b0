package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Codes that are named in the code. All: https://kafka.apache.org/protocol#protocol_error_codes
const (
	codeOutOfRange           = 1
	codeUnknownTopic         = 3
	codeMessageTooLarge      = 10
	codeNoteTooLarge         = 12
	codeListTooLarge         = 18
	codeTopicExists          = 36
	codeDuplicate            = 46
	codeNotAttempted         = 55
	codeFenced               = 90
	codeGroupNotFound        = 69
	codeTopicForbidden       = 29
	codeGroupForbidden       = 30
	codeClusterForbidden     = 31
	codeTransactionForbidden = 53
	codeInvalidConfig        = 40
	codePolicy               = 44
	codeTransactionAbort     = 120
)

// verdict is what a failed request means for who asked. One table decides it, after Java's TransactionManager
// (Apache Kafka, clients/.../producer/internals) and KIP-447, KIP-890.
type verdict int

const (
	// unknown: no answer came; the broker may have acted. Asked again only where that does no harm.
	unknown verdict = iota
	// again: the broker did nothing, or will know the repetition; the same request after a pause.
	again
	// anew: the transaction or its producer is spoilt; a new producer epoch and the committed offset.
	anew
	// lost: this member no longer owns the partition; nothing until the generation has ended.
	lost
	// fatal: no repetition helps; an operator must act.
	fatal
)

var verdicts = map[int16]verdict{
	2:  again, // CORRUPT_MESSAGE: damaged on the way
	3:  again, // UNKNOWN_TOPIC_OR_PARTITION: a broker that has just started; for how long: timing.missing
	5:  again, // LEADER_NOT_AVAILABLE
	6:  again, // NOT_LEADER_OR_FOLLOWER
	7:  again, // REQUEST_TIMED_OUT: perhaps stored, and then known by its sequence
	8:  again, // BROKER_NOT_AVAILABLE: kafka-go's word for a broker that it does not know yet
	9:  again, // REPLICA_NOT_AVAILABLE
	13: again, // NETWORK_EXCEPTION, between brokers
	14: again, // COORDINATOR_LOAD_IN_PROGRESS
	15: again, // COORDINATOR_NOT_AVAILABLE
	16: again, // NOT_COORDINATOR
	19: again, // NOT_ENOUGH_REPLICAS; since 3.6 also: transaction not verified yet
	20: again, // NOT_ENOUGH_REPLICAS_AFTER_APPEND
	41: again, // NOT_CONTROLLER
	51: again, // CONCURRENT_TRANSACTIONS: markers of the last one are still being written
	56: again, // KAFKA_STORAGE_ERROR: the leader moves
	72: again, // LISTENER_NOT_FOUND
	74: again, // FENCED_LEADER_EPOCH
	75: again, // UNKNOWN_LEADER_EPOCH
	78: again, // OFFSET_NOT_AVAILABLE (KIP-207)
	88: again, // UNSTABLE_OFFSET_COMMIT (KIP-447)
	89: again, // THROTTLING_QUOTA_EXCEEDED
	55: again, // OPERATION_NOT_ATTEMPTED: because of another partition of the request

	45:  anew, // OUT_OF_ORDER_SEQUENCE_NUMBER
	47:  anew, // INVALID_PRODUCER_EPOCH: fenced, or timed out
	48:  anew, // INVALID_TXN_STATE
	49:  anew, // INVALID_PRODUCER_ID_MAPPING
	59:  anew, // UNKNOWN_PRODUCER_ID
	90:  anew, // PRODUCER_FENCED
	120: anew, // TRANSACTION_ABORTABLE (KIP-890)

	22: lost, // ILLEGAL_GENERATION
	25: lost, // UNKNOWN_MEMBER_ID
	27: lost, // REBALANCE_IN_PROGRESS
	82: lost, // FENCED_INSTANCE_ID

	10: fatal, // MESSAGE_TOO_LARGE
	17: fatal, // INVALID_TOPIC_EXCEPTION
	18: fatal, // RECORD_LIST_TOO_LARGE
	24: fatal, // INVALID_GROUP_ID
	26: fatal, // INVALID_SESSION_TIMEOUT
	29: fatal, // TOPIC_AUTHORIZATION_FAILED
	30: fatal, // GROUP_AUTHORIZATION_FAILED
	31: fatal, // CLUSTER_AUTHORIZATION_FAILED
	32: fatal, // INVALID_TIMESTAMP
	33: fatal, // UNSUPPORTED_SASL_MECHANISM
	34: fatal, // ILLEGAL_SASL_STATE
	35: fatal, // UNSUPPORTED_VERSION
	42: fatal, // INVALID_REQUEST
	43: fatal, // UNSUPPORTED_FOR_MESSAGE_FORMAT
	44: fatal, // POLICY_VIOLATION
	50: fatal, // INVALID_TRANSACTION_TIMEOUT
	53: fatal, // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
	54: fatal, // SECURITY_DISABLED
	58: fatal, // SASL_AUTHENTICATION_FAILED
	76: fatal, // UNSUPPORTED_COMPRESSION_TYPE
	87: fatal, // INVALID_RECORD
}

// judge reads the verdict of an error that this package, kafka-go or the network gave.
func judge(err error) verdict {
	var doubt doubtful
	if errors.As(err, &doubt) {
		return again
	}
	var broken damaged
	if errors.As(err, &broken) {
		return fatal
	}
	if code, ok := codeOf(err); ok {
		if v, ok := verdicts[code]; ok {
			return v
		}
		return anew
	}
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	switch {
	case errors.As(err, &cert), errors.As(err, &host):
		return fatal
	case errors.As(err, &op) && op.Op == "remote error": // crypto/tls: an alert, such as about our certificate
		return fatal
	case errors.As(err, &op) && op.Op == "dial":
		return again // never sent
	}
	return unknown
}

// damaged marks an answer that no repetition mends.
type damaged struct{ error }

func (d damaged) Unwrap() error { return d.error }

// interrupted marks an error that ends a partition's session, not its owner: the next session begins at the committed
// offset and reads the truth there.
type interrupted struct{ error }

func (i interrupted) Unwrap() error { return i.error }

// interrupt marks err unless an operator must act on it.
func interrupt(err error) error {
	if err == nil || judge(err) == fatal {
		return err
	}
	return interrupted{err}
}

// refused is a broker's error code with what it was about.
type refused struct {
	what    string // API and topic, partition, group or transactional id
	code    int16
	message string // the broker's own words, if any
}

func (r *refused) Error() string {
	title := kafkago.Error(r.code).Title()
	switch {
	case r.code == codeNotAttempted: // kafka-go has another name for it
		title = "Operation Not Attempted"
	case r.code == codeTransactionAbort:
		title = "Transaction Abortable"
	case title == "":
		title = "error"
	}
	if r.message != "" {
		return fmt.Sprintf("%s: %s (code %d): %s", r.what, title, r.code, r.message)
	}
	return fmt.Sprintf("%s: %s (code %d)", r.what, title, r.code)
}

// refusal is nil for code 0.
func refusal(code int16, format string, args ...any) error {
	if code == 0 {
		return nil
	}
	return &refused{what: fmt.Sprintf(format, args...), code: code}
}

func codeOf(err error) (int16, bool) {
	var r *refused
	if errors.As(err, &r) {
		return r.code, true
	}
	var k kafkago.Error
	if errors.As(err, &k) {
		return int16(k), true
	}
	return 0, false
}

func isCode(err error, code int16) bool {
	got, ok := codeOf(err)
	return ok && got == code
}

// tries says how persist repeats a call.
type tries struct {
	what   string  // for the log
	unsent bool    // true: repeat only what surely did nothing; false: also what went unanswered
	rights []right // what the call needs, for the error that says which is missing
}

// persist repeats call with growing pauses while its error's verdict allows, until ctx ends. The last error is part of
// the one returned.
func (c *Client) persist(ctx context.Context, t tries, call func(context.Context) error) error {
	began := time.Now()
	for pause := c.timing.backoff; ; pause = min(2*pause, time.Second) {
		turn(ctx)
		err := call(ctx)
		turn(ctx)
		if err == nil {
			c.outage.partWorks(t.what)
			return nil
		}
		v := judge(err)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w (last: %w)", t.what, context.Cause(ctx), err)
		case v == unknown && !t.unsent, v == again:
		default:
			return explain(err, t.rights...)
		}
		if isCode(err, codeUnknownTopic) && time.Since(began) > c.timing.missing {
			return err
		}
		c.outage.partFailed(t.what, began, err)
		if !sleep(ctx, pause/2+rand.N(pause)) {
			return fmt.Errorf("%s: %w (last: %w)", t.what, context.Cause(ctx), err)
		}
	}
}

// sleep waits, and is false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
