// Package kafka is everything that speaks Kafka: ownership of partitions, committed reads, transactions and topics.
// It knows no platform, no schema and nothing of what a record means.
//
// Connections, TLS, SASL and group membership are kafka-go's (Transport and ConsumerGroup); its Reader and Writer are
// not used, because they return aborted records, stop at compacted batches and repeat records on retry. Requests are
// encoded with kmsg at fixed versions that Apache Kafka 2.5 to 4.x serve, and sent through one function, exchange.go.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config says how to reach a cluster.
type Config struct {
	Brokers   []string    // host:port, at least one; the others are found through it
	TLS       *tls.Config // nil: plaintext
	Mechanism string      // "", PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username  string
	Password  string
	ClientID  string       // name in the broker's logs and quotas
	Logger    *slog.Logger // nil: discard
	// MaxMessageBytes is what a topic is taken to take where its own max.message.bytes may not be read; 0: 32 MiB.
	MaxMessageBytes int
	// ReadBudget is how many bytes the batches of all Readers may take together; 0: 128 MiB. Below it, each Read brings
	// fewer records; a single batch that is larger goes through alone.
	ReadBudget int
}

// timing holds the waits of a client. Their relations matter: heartbeat well under session, stop under rebalance
// (else a slow partition gets a second owner before it has ended), leave under what a supervisor waits before it kills.
type timing struct {
	session, heartbeat, rebalance, joinBackoff time.Duration

	request  time.Duration // one request, without the wait that it asks for
	produce  time.Duration // one produce request
	missing  time.Duration // how long an unknown topic may be a broker that is still starting
	grace    time.Duration // what a transaction in hand gets after its ctx has ended
	stop     time.Duration // what run gets to return after its partition was taken away
	leave    time.Duration // the same when the whole program stops
	closing  time.Duration // what leaving the group may take
	backoff  time.Duration // first pause between tries; doubles up to a second
	sessions time.Duration // first pause between two sessions of a partition; doubles up to 5 s
	limits   time.Duration // how long a topic's limit is believed when it refuses a record
	dial     time.Duration // one connection to an advertised address
	reach    time.Duration // how long advertised addresses are tried at the start
}

func usualTiming() timing {
	return timing{
		session: 10 * time.Second, heartbeat: 2 * time.Second, rebalance: 20 * time.Second, joinBackoff: time.Second,
		request: 10 * time.Second, produce: 30 * time.Second, missing: 15 * time.Second,
		grace: 5 * time.Second, stop: 15 * time.Second, leave: 7 * time.Second, closing: 8 * time.Second,
		backoff: 20 * time.Millisecond, sessions: 200 * time.Millisecond,
		limits: time.Minute, dial: 5 * time.Second, reach: 12 * time.Second,
	}
}

// Client is a connection to one cluster. It is safe for concurrent use.
type Client struct {
	config    Config
	log       *slog.Logger
	library   *slog.Logger // of what kafka-go says
	addr      net.Addr
	transport *kafkago.Transport
	dialer    *kafkago.Dialer
	formatter *kmsg.RequestFormatter
	timing    timing
	sequence  atomic.Int32 // correlation ids
	frames    sync.Pool    // *[]byte of requests that were answered
	routes    routes
	pulses    pulses
	versions  versions
	limits    limits
	budget    budget
	outage    outage
	largest   int // bytes of one batch
}

// NewClient checks the settings. It does no I/O: see Ping.
func NewClient(config Config) (*Client, error) {
	if len(config.Brokers) == 0 {
		return nil, errors.New("no brokers")
	}
	for _, broker := range config.Brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			return nil, fmt.Errorf("broker %q is not host:port: %w", broker, err)
		}
	}
	mechanism, err := mechanism(config)
	if err != nil {
		return nil, err
	}
	log := config.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	size := int64(config.ReadBudget)
	if size <= 0 {
		size = usualBudget
	}
	return &Client{
		outage:  outage{log: log, after: outageAfter},
		budget:  budget{size: size, patience: 5 * time.Second, freed: make(chan struct{})},
		largest: largestBatch,
		config:  config,
		log:     log,
		library: log.With("library", "kafka-go"),
		addr:    kafkago.TCP(config.Brokers...),
		transport: &kafkago.Transport{
			TLS: config.TLS, SASL: mechanism, ClientID: config.ClientID,
			// A broker that comes back is known again after at most this time.
			MetadataTTL: 2 * time.Second,
		},
		// Group membership has connections of its own, configured apart.
		dialer: &kafkago.Dialer{
			ClientID: config.ClientID, Timeout: 5 * time.Second, DualStack: true,
			TLS: config.TLS, SASLMechanism: mechanism,
		},
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(config.ClientID)),
		timing:    usualTiming(),
	}, nil
}

func mechanism(config Config) (sasl.Mechanism, error) {
	switch config.Mechanism {
	case "":
		if config.Username != "" || config.Password != "" {
			return nil, errors.New("a user name or password without a SASL mechanism")
		}
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: config.Username, Password: config.Password}, nil
	case "SCRAM-SHA-256":
		return scramWith(scram.SHA256, config)
	case "SCRAM-SHA-512":
		return scramWith(scram.SHA512, config)
	}
	return nil, fmt.Errorf("SASL mechanism %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", config.Mechanism)
}

func scramWith(hash scram.Algorithm, config Config) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(hash, config.Username, config.Password)
	if err != nil {
		// The library's error may repeat what it was given, the password included.
		return nil, fmt.Errorf("user name or password not usable with %s", config.Mechanism)
	}
	return m, nil
}

// Ping asks the cluster for its brokers and connects to them where they say that they are. An error is one line that names
// the configured brokers; an *Unreached where they answer there only.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.reach(ctx); err != nil {
		return fmt.Errorf("kafka at %s: %w", strings.Join(c.config.Brokers, ","), err)
	}
	return nil
}

// Close closes the connections. Calls that are under way end with an error or not at all disturbed.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// TLSConfig reads PEM files: the certificates to trust (empty: the system's) and, for mutual TLS, our certificate with
// its key (both or neither). Errors name the file.
func TLSConfig(caFile, certFile, keyFile string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("TLS certificate authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TLS certificate authority: %s holds no PEM certificate", caFile)
		}
	}
	if (certFile == "") != (keyFile == "") {
		return nil, fmt.Errorf("TLS client certificate %q and key %q: one without the other", certFile, keyFile)
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS client certificate %s with key %s: %w", certFile, keyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
