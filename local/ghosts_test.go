package local_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chatlake/local"
)

// A member whose connection ends while it joins leaves the group when its session is over, as with any Kafka: kfake alone
// would keep it, and nobody would read its partitions.
func TestMemberThatDiesWhileItJoins(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	live, dead := dial(t, s.Brokers()[0]), dial(t, s.Brokers()[0])

	first := live.join(t, "")
	live.sync(t, first)
	dead.send(t, joining("")) // waits for the other one to join again
	for live.beat(t, first) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	dead.Close()
	second := live.join(t, first.MemberID)
	if len(second.Members) != 2 {
		t.Fatalf("the group has %d members, want the live one and the dead one", len(second.Members))
	}
	live.sync(t, second)
	ctx := deadline(t)
	for live.beat(t, second) == 0 {
		if ctx.Err() != nil {
			t.Fatal("the dead member is never removed")
		}
		time.Sleep(50 * time.Millisecond)
	}
	third := live.join(t, first.MemberID)
	if len(third.Members) != 1 {
		t.Fatalf("the group has %d members, want one", len(third.Members))
	}
	live.sync(t, third)
	// The live one stays: it is heard. Two sessions are enough for a mistake to show.
	for until := time.Now().Add(2 * sessionTime); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if code := live.beat(t, third); code != 0 {
			t.Fatalf("the live member is told %v", kerr.ErrorForCode(code))
		}
	}
}

const sessionTime = 6 * time.Second // the least that the broker takes

// member is a connection that speaks for a member of the group "g".
type member struct{ net.Conn }

func dial(t *testing.T, address string) member {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", address)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	t.Cleanup(func() { _ = conn.Close() })
	return member{conn}
}

func joining(id string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	r.Version, r.Group, r.MemberID, r.ProtocolType = 2, "g", id, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = int32(sessionTime.Milliseconds()), 60_000
	r.Protocols = append(r.Protocols, p)
	return r
}

func (m member) send(t *testing.T, r kmsg.Request) {
	t.Helper()
	_, err := m.Write(kmsg.NewRequestFormatter().AppendRequest(nil, r, 7))
	must(t, err)
}

func (m member) ask(t *testing.T, r kmsg.Request) kmsg.Response {
	t.Helper()
	m.send(t, r)
	var head [8]byte // size, correlation id
	_, err := io.ReadFull(m, head[:])
	must(t, err)
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-4)
	_, err = io.ReadFull(m, body)
	must(t, err)
	resp := r.ResponseKind()
	must(t, resp.ReadFrom(body))
	return resp
}

func (m member) join(t *testing.T, id string) *kmsg.JoinGroupResponse {
	t.Helper()
	resp := m.ask(t, joining(id)).(*kmsg.JoinGroupResponse)
	must(t, kerr.ErrorForCode(resp.ErrorCode))
	return resp
}

func (m member) sync(t *testing.T, of *kmsg.JoinGroupResponse) {
	t.Helper()
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.Generation, r.MemberID = 1, "g", of.Generation, of.MemberID
	must(t, kerr.ErrorForCode(m.ask(t, r).(*kmsg.SyncGroupResponse).ErrorCode))
}

// beat gives the error code of a heartbeat.
func (m member) beat(t *testing.T, of *kmsg.JoinGroupResponse) int16 {
	t.Helper()
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.Generation, r.MemberID = 1, "g", of.Generation, of.MemberID
	return m.ask(t, r).(*kmsg.HeartbeatResponse).ErrorCode
}
