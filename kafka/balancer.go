package kafka

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"

	kafkago "github.com/segmentio/kafka-go"
)

// balancer shares out the partitions of the driver topic: sorted, so that brokers' order does not matter; within one of
// equal; and sticky, since a partition that moves must have its state rebuilt. The same members with the same claims give
// the same shares whoever computes them.
type balancer struct {
	topic string
	mu    sync.Mutex
	claim claim
}

// claim is what a member says it owned: in which generation, so that a member that slept cannot outbid its successor.
type claim struct {
	generation int32
	partitions []int32
}

// ProtocolName is our own, so that no member with another idea of shares can join.
func (b *balancer) ProtocolName() string { return "chatlake-sticky-1" }

func (b *balancer) remember(generation int32, partitions []int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.claim = claim{generation, slices.Clone(partitions)}
}

// UserData encodes the claim: generation, then partitions, four bytes each.
func (b *balancer) UserData() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := binary.BigEndian.AppendUint32(nil, uint32(b.claim.generation))
	for _, p := range b.claim.partitions {
		out = binary.BigEndian.AppendUint32(out, uint32(p))
	}
	return out, nil
}

func decodeClaim(b []byte) claim {
	if len(b) < 4 || len(b)%4 != 0 {
		return claim{generation: -1}
	}
	c := claim{generation: int32(binary.BigEndian.Uint32(b))}
	for b = b[4:]; len(b) > 0; b = b[4:] {
		c.partitions = append(c.partitions, int32(binary.BigEndian.Uint32(b)))
	}
	return c
}

func (b *balancer) AssignGroups(members []kafkago.GroupMember, partitions []kafkago.Partition) kafkago.GroupMemberAssignments {
	var ids []int32
	for _, p := range partitions {
		if p.Topic == b.topic {
			ids = append(ids, int32(p.ID))
		}
	}
	claims := make(map[string]claim)
	for _, m := range members {
		if slices.Contains(m.Topics, b.topic) {
			claims[m.ID] = decodeClaim(m.UserData)
		}
	}
	out := make(kafkago.GroupMemberAssignments, len(members))
	for _, m := range members {
		out[m.ID] = map[string][]int{}
	}
	for id, share := range shares(claims, ids) {
		list := make([]int, len(share))
		for i, p := range share {
			list[i] = int(p)
		}
		out[id][b.topic] = list
	}
	return out
}

// shares gives every partition to exactly one member.
func shares(claims map[string]claim, partitions []int32) map[string][]int32 {
	out := make(map[string][]int32, len(claims))
	if len(claims) == 0 {
		return out
	}
	partitions = slices.Compact(slices.Sorted(slices.Values(partitions)))
	owners := owners(claims, partitions)
	held := make(map[string][]int32)
	for _, p := range partitions {
		if id, ok := owners[p]; ok {
			held[id] = append(held[id], p)
		}
	}
	members := make([]string, 0, len(claims))
	for id := range claims {
		members = append(members, id)
	}
	// Who holds most keeps the one more that does not divide evenly.
	slices.SortFunc(members, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(held[b]), len(held[a])), cmp.Compare(a, b))
	})
	floor, rest := len(partitions)/len(members), len(partitions)%len(members)
	taken := make(map[int32]bool)
	quota := make(map[string]int, len(members))
	for i, id := range members {
		quota[id] = floor
		if i < rest {
			quota[id]++
		}
		out[id] = held[id][:min(len(held[id]), quota[id])]
		for _, p := range out[id] {
			taken[p] = true
		}
	}
	slices.Sort(members)
	i := 0
	for _, p := range partitions {
		if taken[p] {
			continue
		}
		for len(out[members[i]]) >= quota[members[i]] {
			i++
		}
		out[members[i]] = append(slices.Clip(out[members[i]]), p)
	}
	for id := range out {
		slices.Sort(out[id])
	}
	return out
}

// owners settles who held each partition: the claim of the later generation, then the smaller member id.
func owners(claims map[string]claim, partitions []int32) map[int32]string {
	exists := make(map[int32]bool, len(partitions))
	for _, p := range partitions {
		exists[p] = true
	}
	out := make(map[int32]string)
	for id, c := range claims {
		for _, p := range c.partitions {
			if !exists[p] {
				continue
			}
			rival, ok := out[p]
			was := claims[rival].generation
			if !ok || c.generation > was || c.generation == was && id < rival {
				out[p] = id
			}
		}
	}
	return out
}
