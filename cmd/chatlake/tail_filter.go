package main

import (
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// messageFilter chooses messages: those that fit all that is given.
type messageFilter struct {
	conversation, thread, sender, kind, since, grep string

	from    *schemas.Millis
	pattern *regexp.Regexp
}

func (o *messageFilter) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.conversation, "conversation", "", "only messages of this conversation: its id, a spelling of Yunxin's, or its key platform/tenant/id")
	f.StringVar(&o.thread, "thread", "", "only messages of the thread of this id")
	f.StringVar(&o.sender, "sender", "", "only messages of the sender of this id")
	f.StringVar(&o.kind, "kind", "", "only messages of this content_kind, such as TEXT or FILE")
	f.StringVar(&o.since, "since", "", "only messages that occurred at or after a UTC date, an RFC 3339 time, or so long ago (36h, 7d); from the beginning")
	f.StringVar(&o.grep, "grep", "", "only messages whose text matches this RE2 pattern; (?i) at its start ignores case")
}

func (o *messageFilter) any() bool {
	return o.conversation+o.thread+o.sender+o.kind+o.since+o.grep != ""
}

// check reads the flags.
func (o *messageFilter) check() (err error) {
	for _, v := range []*string{&o.conversation, &o.thread, &o.sender, &o.kind} {
		*v, _ = worker.Cut(*v) // what fits nothing prints nothing
	}
	o.kind = strings.ToUpper(o.kind)
	if o.from, err = parseSince(o.since, time.Now()); err != nil {
		return err
	}
	if o.grep == "" {
		return nil
	}
	if o.pattern, err = regexp.Compile(o.grep); err != nil {
		return usagef("--grep: %w", err)
	}
	return nil
}

// partition gives the one partition that all messages that fit lie in, where a conversation is named by its key.
func (o *messageFilter) partition(total int) (int32, bool) {
	platform, rest, _ := strings.Cut(o.conversation, "/")
	if strings.Count(rest, "/") != 1 || platform != schemas.Feishu && platform != schemas.Yunxin {
		return 0, false
	}
	return schemas.Partition(schemas.ConversationKey(o.conversation), total), true
}

// fits reports whether a message is chosen.
func (o *messageFilter) fits(m *schemas.Message) bool {
	return (o.conversation == "" || o.within(m)) && (o.thread == "" || value(m.ThreadID) == o.thread) &&
		(o.sender == "" || m.Sender.ID == o.sender) && (o.kind == "" || m.ContentKind == o.kind) &&
		(o.from == nil || m.OccurredAt >= *o.from) && (o.pattern == nil || m.Text != nil && o.pattern.MatchString(*m.Text))
}

func (o *messageFilter) within(m *schemas.Message) bool {
	return m.ConversationID == o.conversation ||
		string(schemas.NewConversationKey(m.Platform, m.TenantID, m.ConversationID)) == o.conversation ||
		m.Platform == schemas.Yunxin && strings.Contains(o.conversation, "|") && sameConversation(o.conversation, m.ConversationID)
}
