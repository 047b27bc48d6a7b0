package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ghosts removes members of consumer groups that kfake would keep for ever. Where a member's connection dies while it waits
// for the group's next generation, kfake counts it in, but starts no session timer, since its answer did not arrive: its
// partitions are read by nobody until somebody else joins. Kafka starts the timer in any case.
type ghosts struct {
	cluster *kfake.Cluster
	log     *slog.Logger

	mu     sync.Mutex
	groups map[string]*membership
}

// membership is what was seen of a group.
type membership struct {
	session time.Duration        // the longest that a member asked for
	heard   map[string]time.Time // by member id: its last heartbeat, or request to join or sync
	epoch   int32
	since   time.Time // since when the group was seen stable in that epoch
}

// sweepEvery is also by how much a ghost may outlive its session.
const sweepEvery = time.Second

// RemoveGhosts removes members that kfake would keep for ever, until stop is called, which must be before the cluster is
// closed. Start does it for its broker; tests that start a cluster of their own call it where they kill members.
func RemoveGhosts(cluster *kfake.Cluster, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	g := &ghosts{cluster: cluster, log: log, groups: map[string]*membership{}}
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat} {
		cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			g.hear(r, time.Now())
			return nil, nil, false
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (g *ghosts) run(ctx context.Context) {
	turn := time.NewTicker(sweepEvery)
	defer turn.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-turn.C:
		}
		for group, member := range g.found(time.Now()) {
			err := g.leave(ctx, group, member)
			g.log.Info("embedded broker: member of a group removed, for its connection ended while it joined",
				"group", group, "member", member, "error", err)
		}
	}
}

// hear notes a sign of life.
func (g *ghosts) hear(r kmsg.Request, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch r := r.(type) {
	case *kmsg.JoinGroupRequest:
		m := g.groups[r.Group]
		if m == nil {
			m = &membership{heard: map[string]time.Time{}}
			g.groups[r.Group] = m
		}
		m.session = max(m.session, time.Duration(r.SessionTimeoutMillis)*time.Millisecond)
		m.heard[r.MemberID] = now
	case *kmsg.SyncGroupRequest:
		g.heard(r.Group, r.MemberID, now)
	case *kmsg.HeartbeatRequest:
		g.heard(r.Group, r.MemberID, now)
	}
}

func (g *ghosts) heard(group, member string, now time.Time) {
	if m := g.groups[group]; m != nil {
		m.heard[member] = now
	}
}

// found gives a ghost for each group that has one: the next sweep finds its others.
func (g *ghosts) found(now time.Time) map[string]string {
	g.mu.Lock()
	groups := make([]string, 0, len(g.groups))
	for name := range g.groups {
		groups = append(groups, name)
	}
	g.mu.Unlock()
	ghosts := map[string]string{}
	for _, name := range groups {
		info := g.cluster.GroupInfo(name) // asks the broker's loop, which may be waiting in hear
		g.mu.Lock()
		if member := g.groups[name].ghost(info, now); member != "" {
			ghosts[name] = member
		}
		g.mu.Unlock()
	}
	return ghosts
}

// ghost gives a member that has been silent for one and a half sessions, counted from when the group was stable: before
// that members wait, and say nothing. A member with a timer is removed by kfake before.
func (m *membership) ghost(info *kfake.GroupInfo, now time.Time) string {
	if info == nil || info.State != "Stable" {
		m.since = time.Time{}
		return ""
	}
	if m.since.IsZero() || m.epoch != info.Epoch {
		m.epoch, m.since = info.Epoch, now
	}
	heard, ghost := m.heard, ""
	m.heard = make(map[string]time.Time, len(info.Members))
	for i := range info.Members {
		id := info.Members[i].MemberID
		last, ok := heard[id]
		if ok {
			m.heard[id] = last
		}
		if last.Before(m.since) {
			last = m.since
		}
		if now.Sub(last) > m.session*3/2 {
			ghost = id
		}
	}
	return ghost
}

// leave has a member leave its group, as it would have done itself. All nodes are asked: one of them is the coordinator.
func (g *ghosts) leave(ctx context.Context, group, member string) error {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group, r.MemberID = 2, group, member
	var failed []error
	for _, address := range g.cluster.ListenAddrs() {
		failed = append(failed, exchange(ctx, address, r))
	}
	return errors.Join(failed...)
}

// exchange sends a request over a connection of its own, and waits for the answer.
func exchange(ctx context.Context, address string, r kmsg.Request) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	defer func() { _ = conn.Close() }() // the answer is all that was wanted
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer unhook()
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, r, 1)); err != nil {
		return fmt.Errorf("embedded broker %s: %w", address, err)
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return fmt.Errorf("embedded broker %s: %w", address, err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
		return fmt.Errorf("embedded broker %s: %w", address, err)
	}
	return nil
}
