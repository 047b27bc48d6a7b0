// Package local is a whole installation in one process: an embedded Kafka-protocol broker and an embedded schema registry,
// both kept on disk. It knows no topic, no platform and no schema of ours.
//
// Any Kafka client can join, since both listen on ordinary ports. It is made for evaluation and small archives: one
// broker, no replication, and writes that survive the end of the process (kill -9 included) but, but for the registry's,
// are not forced to disk before they are acknowledged, so that a power cut can take the last of them, as with Kafka's own
// defaults on a single node.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// What Start refuses, to be told apart with errors.Is. The message names the directory or port and the remedy.
var (
	ErrLocked    = errors.New("in use by another process")
	ErrPort      = errors.New("port not available")
	ErrDirectory = errors.New("directory not usable")
	ErrHost      = errors.New("host not usable")
)

// Config says where an installation lies and listens.
type Config struct {
	// Dir is the data directory. It is made with mode 0700 where it is missing; what lies in it is always 0700.
	Dir string
	// Host is where both listen and what the broker tells clients to connect to; 127.0.0.1 where empty. Neither asks for
	// credentials, so another host opens everything to whoever reaches it. An address that stands for all interfaces is
	// refused, as no client can connect to it.
	Host string
	// KafkaPort and RegistryPort are TCP ports; 0 takes any free one.
	KafkaPort, RegistryPort int
	// Logger takes what broker and registry have to say; nil is silence.
	Logger *slog.Logger
	// Compatible says why newer must not follow older under one subject, in both directions (FULL in the words of
	// Confluent's registry), and nil where it may; it fails for a text that is no schema. Where it is nil, no subject that is
	// checked takes a second version.
	Compatible func(older, newer string) error

	free func(dir string) (int64, error) // bytes free; nil: the file system's
}

// Server is a running installation.
type Server struct {
	lock     *lock
	space    *space
	broker   *broker
	registry *registryServer

	closing sync.Once
	closed  error
}

// Start opens the directory, takes its lock and the ports, and returns once both answer. ctx bounds the start only.
func Start(ctx context.Context, c Config) (_ *Server, err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if ip := net.ParseIP(c.Host); ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("%w: %s stands for every interface, and clients could not be told where to connect: name the address that they shall use with --host", ErrHost, c.Host)
	}
	s := &Server{}
	defer func() {
		if err != nil {
			_ = s.Close() // the reason of the start's failure is the one to tell
		}
	}()
	if s.lock, err = lockDirectory(c.Dir); err != nil {
		return nil, err
	}
	if c.free == nil {
		c.free = freeSpace
	}
	s.space = newSpace(c.Dir, c.free)
	if err := s.space.check(); err != nil {
		return nil, err
	}
	kafka, err := listen(ctx, c.Host, c.KafkaPort, "--kafka-port")
	if err != nil {
		return nil, err
	}
	web, err := listen(ctx, c.Host, c.RegistryPort, "--registry-port")
	if err != nil {
		_ = kafka.Close()
		return nil, err
	}
	if s.registry, err = openRegistry(c, web); err != nil {
		_, _ = kafka.Close(), web.Close()
		return nil, err
	}
	if s.broker, err = openBroker(c, kafka, s.space); err != nil {
		_ = kafka.Close()
		return nil, err
	}
	s.space.watch()
	return s, nil
}

// Failed gives an error once the installation can write no more: ErrNoSpace or ErrWrite. It takes no records then, and what
// was acknowledged is on disk; the stages are to be ended, and then Close called.
func (s *Server) Failed() <-chan error { return s.space.failed }

// Brokers gives the bootstrap addresses, each host:port.
func (s *Server) Brokers() []string { return []string{s.broker.address} }

// RegistryURL gives the base URL of the registry, without a path.
func (s *Server) RegistryURL() string { return "http://" + s.registry.address }

// Close ends the registry, has the broker write its state, and releases the directory. Clients should have ended before:
// a transaction that is open now is lost. Calling it again gives the first result.
func (s *Server) Close() error {
	s.closing.Do(func() {
		if s.space != nil {
			s.space.close()
		}
		if s.registry != nil {
			s.closed = errors.Join(s.closed, s.registry.close())
		}
		if s.broker != nil {
			limit := closeTime
			if s.space.over.Load() {
				limit = failedTime
			}
			s.closed = errors.Join(s.closed, s.broker.close(limit))
		}
		if s.space != nil {
			s.closed = errors.Join(s.closed, s.space.rest())
		}
		if s.lock != nil {
			s.closed = errors.Join(s.closed, s.lock.release())
		}
	})
	return s.closed
}

// subdirectory makes a directory that only the owner reads.
func subdirectory(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrDirectory, path, err)
	}
	return path, nil
}

// listen takes a port, or says which one it could not take and what to do.
func listen(ctx context.Context, host string, port int, flag string) (net.Listener, error) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: %s is taken by another process: end that one or choose another port with %s", ErrPort, address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%w: %s needs rights that this process lacks: choose a port above 1023 with %s", ErrPort, address, flag)
	}
	return nil, fmt.Errorf("%w: %s (%s): %w", ErrPort, address, flag, err)
}
