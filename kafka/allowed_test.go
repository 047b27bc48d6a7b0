package kafka_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chatlake/kafka"
)

// A user sees which rights it lacks, and nothing is changed by the look: not even a transaction that is open under the id.
func TestRightsAreLookedAtWithoutAChange(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	p.topics(t, c, 1, p.name("in"), p.name("out"))
	ctx := within(t, time.Minute)
	must(t, c.Produce(ctx, numbered(p.name("in"), 0, 20)))
	group := p.name("g")
	looked := 0
	s := copying{from: p.name("in"), to: p.name("out"), batch: 5, n: 20, before: func(*kafka.Partition) {
		looked++
		for _, n := range []struct {
			on     kafka.Resource
			wanted []string
		}{
			{kafka.Resource{Kind: kafka.KindTopic, Name: p.name("in")}, []string{"Describe", "Read", "Write", "DescribeConfigs"}},
			{kafka.Resource{Kind: kafka.KindGroup, Name: group}, []string{"Describe", "Read"}},
			{kafka.Resource{Kind: kafka.KindGroup, Name: group + "-none"}, []string{"Describe", "Read"}},
			{kafka.Resource{Kind: kafka.KindTransactionalID, Name: group + "-0"}, []string{"Describe", "Write"}},
			{kafka.Resource{Kind: kafka.KindTransactionalID, Name: group + "-none-0"}, []string{"Describe", "Write"}},
		} {
			if lacking, told, err := c.Lacking(ctx, n.on, n.wanted...); err != nil || !told || len(lacking) > 0 {
				t.Errorf("%s: lacks %v, told %v, %v", n.on, lacking, told, err)
			}
		}
	}}
	must(t, p.quick(p.client(t)).Own(ctx, s.ownership(group), s.run))
	if start, stable, err := c.Offsets(ctx, p.name("out"), 0); err != nil || start != 0 || stable < 20 || looked != 4 {
		t.Errorf("after %d looks the output has offsets %d to %d, %v", looked, start, stable, err)
	}
	if _, _, err := c.Lacking(ctx, kafka.Resource{Kind: kafka.KindTopic, Name: p.name("none")}, "Read"); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("a topic that does not exist: %v", err)
	}
	if _, _, err := c.Lacking(ctx, kafka.Resource{Kind: "cluster"}, "Read"); err == nil {
		t.Error("rights on a cluster are told")
	}
}

// What is refused is lacking, by whichever request shows it.
func TestRightsThatAreMissingAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		on      kafka.Resource
		key     kmsg.Key
		code    *kerr.Error
		lacking []string
	}{
		"topic":            {kafka.Resource{Kind: kafka.KindTopic, Name: "test.in"}, kmsg.Metadata, kerr.TopicAuthorizationFailed, []string{"Describe", "Write"}},
		"group":            {kafka.Resource{Kind: kafka.KindGroup, Name: "g"}, kmsg.DescribeGroups, kerr.GroupAuthorizationFailed, []string{"Describe", "Read"}},
		"group's place":    {kafka.Resource{Kind: kafka.KindGroup, Name: "g"}, kmsg.FindCoordinator, kerr.GroupAuthorizationFailed, []string{"Describe", "Read"}},
		"transactions":     {kafka.Resource{Kind: kafka.KindTransactionalID, Name: "g-0"}, kmsg.FindCoordinator, kerr.TransactionalIDAuthorizationFailed, []string{"Describe", "Write"}},
		"transaction":      {kafka.Resource{Kind: kafka.KindTransactionalID, Name: "g-0"}, kmsg.EndTxn, kerr.TransactionalIDAuthorizationFailed, []string{"Write"}},
		"a busy moment":    {kafka.Resource{Kind: kafka.KindTransactionalID, Name: "g-0"}, kmsg.EndTxn, kerr.ConcurrentTransactions, nil},
		"a moved group":    {kafka.Resource{Kind: kafka.KindGroup, Name: "g"}, kmsg.DescribeGroups, kerr.NotCoordinator, nil},
		"a leader changes": {kafka.Resource{Kind: kafka.KindTopic, Name: "test.in"}, kmsg.Metadata, kerr.LeaderNotAvailable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := embedded(t, kfake.NumBrokers(1))
			c := p.quick(p.client(t))
			p.topics(t, c, 1, "test.in")
			count := -1
			if tc.lacking == nil {
				count = 1
			}
			p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{tc.key}, Err: tc.code, Count: count, When: func(req kmsg.Request) bool {
				m, ok := req.(*kmsg.MetadataRequest)
				return !ok || m.Topics != nil // not the transport's own
			}})
			wanted := []string{"Describe", "Write"}
			if tc.on.Kind == kafka.KindGroup {
				wanted[1] = "Read" // nobody writes to a group
			}
			lacking, told, err := p.quick(p.client(t)).Lacking(within(t, 20*time.Second), tc.on, wanted...)
			if err != nil || !told || !slices.Equal(lacking, tc.lacking) {
				t.Errorf("lacks %v, told %v, %v; want %v", lacking, told, err, tc.lacking)
			}
		})
	}
}

// The bits of what a cluster allows are read as what they are.
func TestRightsAreThoseOfTheUser(t *testing.T) {
	may := func(kind kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	p := embedded(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "r"),
		kfake.User("PLAIN", "reader", "p",
			may(kmsg.ACLResourceTypeTopic, "test.in", kmsg.ACLOperationRead), may(kmsg.ACLResourceTypeGroup, "g", kmsg.ACLOperationDescribe),
			may(kmsg.ACLResourceTypeTransactionalId, "g-0", kmsg.ACLOperationDescribe), may(kmsg.ACLResourceTypeTransactionalId, "w-0", kmsg.ACLOperationWrite)))
	as := func(user, password string) *kafka.Client {
		return p.quick(p.client(t, func(c *kafka.Config) { c.Mechanism, c.Username, c.Password = "PLAIN", user, password }))
	}
	p.topics(t, as("root", "r"), 1, "test.in", "test.out")
	c := as("reader", "p")
	for _, tc := range []struct {
		kind, name      string
		wanted, lacking []string
	}{
		{kafka.KindTopic, "test.in", []string{"Describe", "Read"}, nil},
		{kafka.KindTopic, "test.in", []string{"Describe", "Read", "Write", "DescribeConfigs"}, []string{"Write", "DescribeConfigs"}},
		{kafka.KindTopic, "test.out", []string{"Describe", "Read"}, []string{"Describe", "Read"}},
		{kafka.KindGroup, "g", []string{"Describe", "Read"}, []string{"Read"}},
		{kafka.KindGroup, "h", []string{"Describe", "Read"}, []string{"Describe", "Read"}},
		{kafka.KindTransactionalID, "g-0", []string{"Describe", "Write"}, []string{"Write"}},
		{kafka.KindTransactionalID, "w-0", []string{"Describe", "Write"}, nil},
		{kafka.KindTransactionalID, "h-0", []string{"Describe", "Write"}, []string{"Describe", "Write"}},
	} {
		lacking, told, err := c.Lacking(within(t, 20*time.Second), kafka.Resource{Kind: tc.kind, Name: tc.name}, tc.wanted...)
		if err != nil || !told || !slices.Equal(lacking, tc.lacking) {
			t.Errorf("%s %s: lacks %v, told %v, %v; want %v", tc.kind, tc.name, lacking, told, err, tc.lacking)
		}
	}
}
