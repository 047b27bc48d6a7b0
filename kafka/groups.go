package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// OtherGroups names the consumer groups beside mine that have members on a topic or offsets of it, sorted. What may not be
// looked at for want of rights is not seen, and that is no error.
func (c *Client) OtherGroups(ctx context.Context, topic, mine string) ([]string, error) {
	groups, err := c.groups(ctx)
	if err != nil {
		return nil, err
	}
	total, err := c.partitionsOf(ctx, []string{topic})
	if err != nil {
		return nil, silent(err)
	}
	var found []string
	for _, group := range groups {
		if group == mine {
			continue
		}
		uses, err := c.hasOffsets(ctx, group, topic, total)
		if err == nil && !uses {
			uses, err = c.hasMembers(ctx, group, topic)
		}
		if silent(err) != nil {
			return nil, err
		}
		if uses {
			found = append(found, group)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// silent drops the refusal of a right.
func silent(err error) error {
	for _, code := range []int16{codeTopicForbidden, codeGroupForbidden, codeClusterForbidden} {
		if isCode(err, code) {
			return nil
		}
	}
	return err
}

// groups lists the consumer groups of all brokers: each knows those that it coordinates.
func (c *Client) groups(ctx context.Context) ([]string, error) {
	var names []string
	err := c.persist(ctx, tries{what: "list groups"}, func(ctx context.Context) error {
		names = nil
		cluster, err := c.metadata(ctx)
		if err != nil {
			return err
		}
		for _, node := range cluster.nodes {
			request := kmsg.NewListGroupsRequest()
			request.Version = 2
			answer, err := call[*kmsg.ListGroupsResponse](ctx, c, order{request: &request, node: node})
			if err != nil {
				return err
			}
			if err := refusal(answer.ErrorCode, "groups of broker %d", node); err != nil {
				return err
			}
			for _, g := range answer.Groups {
				if g.ProtocolType == "consumer" || g.ProtocolType == "" { // none: offsets without members
					names = append(names, g.Group)
				}
			}
		}
		return nil
	})
	return names, silent(err)
}

// hasOffsets says whether a group has committed an offset of a topic.
func (c *Client) hasOffsets(ctx context.Context, group, topic string, total int) (has bool, err error) {
	request := kmsg.NewOffsetFetchRequest()
	request.Version, request.Group = 7, group
	of := kmsg.NewOffsetFetchRequestTopic()
	of.Topic = topic
	for p := range int32(total) {
		of.Partitions = append(of.Partitions, p)
	}
	request.Topics = append(request.Topics, of)
	err = c.persist(ctx, tries{what: "offsets of group " + group}, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{groupKey, group}, func(node int32) error {
			answer, err := call[*kmsg.OffsetFetchResponse](ctx, c, order{request: &request, node: node})
			if err != nil || answer.ErrorCode == codeGroupNotFound {
				return err
			}
			has = false
			for _, t := range answer.Topics {
				for _, p := range t.Partitions {
					has = has || p.ErrorCode == 0 && p.Offset >= 0
				}
			}
			return refusal(answer.ErrorCode, "offsets of group %s", group)
		})
	})
	return has, err
}

// hasMembers says whether a member of a group subscribes to a topic.
func (c *Client) hasMembers(ctx context.Context, group, topic string) (has bool, err error) {
	request := kmsg.NewDescribeGroupsRequest()
	request.Version, request.Groups = 3, []string{group}
	err = c.persist(ctx, tries{what: "members of group " + group}, func(ctx context.Context) error {
		return c.atCoordinator(ctx, office{groupKey, group}, func(node int32) error {
			answer, err := call[*kmsg.DescribeGroupsResponse](ctx, c, order{request: &request, node: node})
			if err != nil {
				return err
			}
			if len(answer.Groups) != 1 {
				return fmt.Errorf("members of group %s: answer is about %d groups", group, len(answer.Groups))
			}
			if code := answer.Groups[0].ErrorCode; code != 0 && code != codeGroupNotFound {
				return refusal(code, "members of group %s", group)
			}
			for _, m := range answer.Groups[0].Members {
				var wants kmsg.ConsumerMemberMetadata
				_ = wants.ReadFrom(m.ProtocolMetadata) // kafka-go's lacks what follows the topics
				has = has || slices.Contains(wants.Topics, topic)
			}
			return nil
		})
	})
	return has, err
}
