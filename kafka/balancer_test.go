package kafka_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chatlake/kafka"

	kafkago "github.com/segmentio/kafka-go"
)

func TestBalancer(t *testing.T) {
	topic := "driver"
	member := func(id string, generation int32, owned ...int32) kafkago.GroupMember {
		data, err := kafka.Balancer(topic, generation, owned).UserData()
		must(t, err)
		return kafkago.GroupMember{ID: id, Topics: []string{topic}, UserData: data}
	}
	partitions := func(ids ...int) []kafkago.Partition {
		var out []kafkago.Partition
		for _, id := range ids {
			out = append(out, kafkago.Partition{Topic: topic, ID: id})
		}
		return append(out, kafkago.Partition{Topic: "other", ID: 0})
	}
	assign := func(ps []kafkago.Partition, ms ...kafkago.GroupMember) string {
		var lines []string
		for id, topics := range kafka.Balancer(topic, 0, nil).AssignGroups(ms, ps) {
			lines = append(lines, fmt.Sprint(id, topics[topic]))
			if !slices.IsSorted(topics[topic]) {
				t.Errorf("%s has %v", id, topics[topic])
			}
		}
		slices.Sort(lines)
		return strings.Join(lines, " ")
	}
	cases := []struct{ name, got, want string }{
		{"fresh", assign(partitions(3, 1, 0, 2, 4), member("b", 0), member("a", 0)), "a[0 1 2] b[3 4]"},
		{"joined", assign(partitions(0, 1, 2, 3), member("a", 1, 0, 1, 2, 3), member("b", 0)), "a[0 1] b[2 3]"},
		{"left", assign(partitions(0, 1, 2, 3), member("b", 2, 2, 3)), "b[0 1 2 3]"},
		{"stale claim", assign(partitions(0, 1, 2, 3), member("a", 1, 0, 1, 2, 3), member("b", 5, 0, 1), member("c", 5, 2, 3)), "a[3] b[0 1] c[2]"},
		{"more members", assign(partitions(0), member("a", 0), member("b", 3, 0)), "a[] b[0]"},
		{"unknown partition", assign(partitions(0, 1), member("a", 1, 7, 8), member("b", 0)), "a[0] b[1]"},
		{"broken claim", assign(partitions(0, 1), kafkago.GroupMember{ID: "a", Topics: []string{topic}, UserData: []byte{1}}), "a[0 1]"},
		{"no partitions", assign(nil, member("a", 0)), "a[]"},
	}
	for _, tc := range cases {
		if tc.got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, tc.got, tc.want)
		}
	}
}

// Over random histories of members that come and go: every partition has exactly one owner, shares differ by at most
// one, no partition moves that need not, and neither the order of members nor that of metadata matters.
func TestBalancerProperties(t *testing.T) {
	const topic = "driver"
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		total := 1 + r.IntN(24)
		var partitions []kafkago.Partition
		for id := range total {
			partitions = append(partitions, kafkago.Partition{Topic: topic, ID: id}, kafkago.Partition{Topic: "other", ID: id})
		}
		owned := map[string][]int32{"m0": nil}
		joined := 1
		for generation := int32(1); generation < 15; generation++ {
			if r.IntN(2) == 0 || len(owned) == 1 {
				owned[fmt.Sprint("m", joined)] = nil
				joined++
			} else {
				for id := range owned {
					delete(owned, id)
					break
				}
			}
			var members []kafkago.GroupMember
			for id, mine := range owned {
				data, err := kafka.Balancer(topic, generation-1, mine).UserData()
				must(t, err)
				members = append(members, kafkago.GroupMember{ID: id, Topics: []string{topic}, UserData: data})
			}
			assign := func() map[string][]int32 {
				r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
				r.Shuffle(len(partitions), func(i, j int) { partitions[i], partitions[j] = partitions[j], partitions[i] })
				out := make(map[string][]int32)
				for id, topics := range kafka.Balancer(topic, 0, nil).AssignGroups(members, partitions) {
					out[id] = nil
					for _, p := range topics[topic] {
						out[id] = append(out[id], int32(p))
					}
				}
				return out
			}
			now := assign()
			if again := assign(); fmt.Sprint(now) != fmt.Sprint(again) {
				t.Fatalf("seed %d: %v, shuffled %v", seed, now, again)
			}
			check(t, owned, now, total)
			owned = now
		}
	}
}

func check(t *testing.T, before, now map[string][]int32, total int) {
	t.Helper()
	var all []int32
	least, most, kept, could := total, 0, 0, 0
	quota, rest := total/len(now), total%len(now)
	for id, mine := range now {
		if !slices.IsSorted(mine) {
			t.Fatalf("%s has %v", id, mine)
		}
		all = append(all, mine...)
		least, most = min(least, len(mine)), max(most, len(mine))
		for _, p := range mine {
			if slices.Contains(before[id], p) {
				kept++
			}
		}
		could += min(len(before[id]), quota)
		if len(before[id]) > quota && rest > 0 {
			could++
			rest--
		}
	}
	slices.Sort(all)
	if len(all) != total || len(slices.Compact(all)) != total {
		t.Fatalf("%d partitions given out of %d: %v", len(all), total, now)
	}
	if most-least > 1 {
		t.Fatalf("shares from %d to %d: %v", least, most, now)
	}
	if kept != could {
		t.Fatalf("kept %d partitions, could have kept %d: %v, then %v", kept, could, before, now)
	}
}
