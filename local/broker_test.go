package local_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chatlake/local"
)

const batchLimit = 33554432

func large() []kgo.Opt {
	return []kgo.Opt{
		kgo.ProducerBatchMaxBytes(batchLimit), kgo.BrokerMaxWriteBytes(100 << 20), kgo.BrokerMaxReadBytes(200 << 20),
		kgo.FetchMaxBytes(batchLimit), kgo.FetchMaxPartitionBytes(batchLimit), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
}

// read takes n records from the beginning of a topic.
func read(t *testing.T, broker, topic string, n int) []*kgo.Record {
	t.Helper()
	ctx := deadline(t)
	cl := client(t, broker, append(large(), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	var got []*kgo.Record
	for len(got) < n {
		f := cl.PollFetches(ctx)
		if errs := f.Errors(); len(errs) > 0 {
			t.Fatalf("read %s: %v", topic, errs)
		}
		got = append(got, f.Records()...)
	}
	return got
}

func TestLargeBatches(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	cl := client(t, s.Brokers()[0], large()...)
	createTopic(t, cl, "wide", map[string]string{"max.message.bytes": fmt.Sprint(batchLimit)})
	createTopic(t, cl, "narrow", nil)
	body := make([]byte, 24<<20)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(body) // never fails
	want := sha256.Sum256(body)

	must(t, cl.ProduceSync(deadline(t), &kgo.Record{Topic: "wide", Value: body}).FirstErr())
	got := read(t, s.Brokers()[0], "wide", 1)
	if len(got) != 1 || sha256.Sum256(got[0].Value) != want {
		t.Errorf("24 MiB came back as %d records of %d bytes", len(got), len(got[0].Value))
	}
	if err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: "narrow", Value: body}).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("24 MiB to a topic with the default limit: %v", err)
	}
}

func TestTopicsAreNotCreatedByUse(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	cl := client(t, s.Brokers()[0], kgo.UnknownTopicRetries(0), kgo.AllowAutoTopicCreation())
	if err := cl.ProduceSync(deadline(t), kgo.StringRecord("x")).FirstErr(); err == nil {
		t.Error("a record without a topic was taken")
	}
	if err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: "unknown", Value: []byte("x")}).FirstErr(); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("a record for a missing topic: %v", err)
	}
}

// What is no request of Kafka ends its connection and nothing else.
func TestStrayBytesOnTheKafkaPort(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	request := func(length uint32, key, version int16) []byte {
		b := binary.BigEndian.AppendUint32(nil, length)
		b = binary.BigEndian.AppendUint16(b, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		return append(b, make([]byte, 64)...)
	}
	for name, stray := range map[string][]byte{
		"http":              []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"tls":               {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x00},
		"unknown key":       request(64, 9999, 0),
		"negative key":      request(64, -1, 0),
		"unknown version":   request(64, 3, 999),
		"negative version":  request(64, 3, -1),
		"too short":         request(2, 3, 0),
		"too long":          request(200<<20, 3, 0),
		"key of no client":  request(64, 6, 0),
		"broken body":       request(64, 0, 9),
		"cut in the header": {0, 0, 0},
	} {
		conn, err := net.Dial("tcp", s.Brokers()[0])
		must(t, err)
		_, err = conn.Write(stray)
		must(t, err)
		must(t, conn.(*net.TCPConn).CloseWrite())
		answer, _ := io.ReadAll(conn) // a reset is as good as an end
		if bytes.Contains(answer, []byte("HTTP")) {
			t.Errorf("%s: answered %q", name, answer)
		}
		_ = conn.Close()
		must(t, client(t, s.Brokers()[0]).Ping(deadline(t)))
	}
}

// committed reads the offsets that a group has committed, -1 where none.
func committed(t *testing.T, cl *kgo.Client, group, topic string) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = group, true
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic, rt.Partitions = topic, []int32{0, 1}
	req.Topics = append(req.Topics, rt)
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	rgt := kmsg.NewOffsetFetchRequestGroupTopic()
	rgt.Topic, rgt.Partitions = topic, rt.Partitions
	rg.Topics = append(rg.Topics, rgt)
	req.Groups = append(req.Groups, rg)
	resp, err := req.RequestWith(deadline(t), cl)
	must(t, err)
	out := map[int32]int64{}
	for _, g := range resp.Groups {
		must(t, kerr.ErrorForCode(g.ErrorCode))
		for _, p := range g.Topics[0].Partitions {
			out[p.Partition] = p.Offset
		}
	}
	return out
}

func TestOrderlyRestartKeepsTopicsRecordsAndGroups(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir})
	cl := client(t, s.Brokers()[0], kgo.DefaultProduceTopic("t"))
	createTopic(t, cl, "t", map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"})
	for i := range 100 {
		must(t, cl.ProduceSync(deadline(t), kgo.KeyStringRecord("same key", fmt.Sprint(i))).FirstErr())
	}
	readInGroup(t, s.Brokers()[0], "g", "t", 100)
	before := committed(t, cl, "g", "t")
	must(t, s.Close())

	s = start(t, local.Config{Dir: dir})
	cl = client(t, s.Brokers()[0])
	if after := committed(t, cl, "g", "t"); fmt.Sprint(after) != fmt.Sprint(before) || max(0, after[0])+max(0, after[1]) != 100 {
		t.Errorf("offsets %v after %v", after, before)
	}
	if got := read(t, s.Brokers()[0], "t", 100); len(got) != 100 || got[0].Offset != 0 || got[99].Offset != 99 {
		t.Errorf("%d records from offset %d", len(got), got[0].Offset)
	}
	resp, err := describeGroup("g").RequestWith(deadline(t), cl)
	must(t, err)
	if g := resp.Groups[0]; g.ErrorCode != 0 || g.State == "Dead" {
		t.Errorf("group after the restart: %+v", g)
	}
}

func describeGroup(name string) *kmsg.DescribeGroupsRequest {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{name}
	return req
}

// readInGroup consumes n records as a member of a group, commits and leaves.
func readInGroup(t *testing.T, broker, group, topic string, n int) {
	t.Helper()
	ctx := deadline(t)
	cl := client(t, broker, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for seen := 0; seen < n; {
		f := cl.PollFetches(ctx)
		must(t, f.Err0())
		seen += f.NumRecords()
	}
	must(t, cl.CommitUncommittedOffsets(ctx))
	must(t, cl.LeaveGroupContext(ctx))
}

// A transaction's offsets and records are there together after a restart, and those of an aborted one are not.
func TestTransactions(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir})
	createTopic(t, client(t, s.Brokers()[0]), "t", nil)
	cl := client(t, s.Brokers()[0], kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	transact := func(value string, end kgo.TransactionEndTry) {
		must(t, cl.BeginTransaction())
		must(t, cl.ProduceSync(deadline(t), kgo.StringRecord(value)).FirstErr())
		must(t, cl.EndTransaction(context.WithoutCancel(deadline(t)), end))
	}
	transact("aborted", kgo.TryAbort)
	transact("committed", kgo.TryCommit)
	must(t, s.Close())
	s = start(t, local.Config{Dir: dir})
	got := read(t, s.Brokers()[0], "t", 1)
	if len(got) != 1 || string(got[0].Value) != "committed" {
		t.Errorf("read %d records, first %q", len(got), got[0].Value)
	}
}
