package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"chatlake/cmd/worker"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

// wish is a container to add, as it is told on the command line or in a line of a file.
type wish struct {
	Platform     string `json:"platform"`
	Kind         string `json:"kind"`
	ID           string `json:"id"`
	Conversation string `json:"conversation,omitempty"`
	From         string `json:"from,omitempty"`
	To           string `json:"to,omitempty"`

	anyID bool // ids need not look like one of their kind
}

// maxID is far above any id of a platform, in bytes; a longer one is something else.
const maxID = 256

// containers checks the wish and makes the containers that it stands for, without epochs: one, or, of messages, as many as
// their refs need. tenants gives the tenant of each platform, "" where it is not known.
func (w wish) containers(tenants map[string]string, refs []schemas.MessageRef) ([]*schemas.Container, error) {
	switch w.Platform {
	case schemas.Feishu:
		c, err := w.feishu(tenants[schemas.Feishu])
		return []*schemas.Container{c}, err
	case schemas.Yunxin:
		return w.yunxin(tenants[schemas.Yunxin], refs)
	case "":
		return nil, errors.New("platform is missing: feishu or yunxin")
	}
	return nil, fmt.Errorf("platform %q is unknown: feishu and yunxin are there", w.Platform)
}

func (w wish) feishu(tenant string) (*schemas.Container, error) {
	if err := checkID("id", w.ID); err != nil {
		return nil, err
	}
	conversation := w.ID
	switch w.Kind {
	case schemas.KindChat:
		if w.Conversation != "" && w.Conversation != w.ID {
			return nil, fmt.Errorf("chat %q is its own conversation, not %q", w.ID, w.Conversation)
		}
	case schemas.KindThread:
		if err := checkID("conversation (the thread's chat)", w.Conversation); err != nil {
			return nil, err
		}
		conversation = w.Conversation
	case "":
		return nil, errors.New("kind is missing: chat or thread")
	default:
		return nil, fmt.Errorf("kind %q cannot be added for platform %s: chat or thread can", w.Kind, w.Platform)
	}
	c := &schemas.Container{
		Key: string(schemas.NewContainerKey(w.Platform, tenant, w.Kind, w.ID)), Platform: w.Platform, TenantID: tenant,
		Kind: w.Kind, ID: w.ID, ConversationID: conversation, Mode: "backfill", Cause: schemas.CauseUser,
	}
	if why := unusual(c); why != "" && !w.anyID {
		return nil, fmt.Errorf("%s: copy it again, or take it as it is with --any-id", why)
	}
	return c, w.window(c)
}

// maxRefs is the most messages that one container of kind messages asks for.
const maxRefs = 1000

// yunxin makes containers whose ids are spelled as the API wants them, and whose keys are not: two spellings of one
// conversation are one container.
func (w wish) yunxin(tenant string, refs []schemas.MessageRef) ([]*schemas.Container, error) {
	if err := checkID("id", w.ID); err != nil {
		return nil, err
	}
	conversation, err := yunxin.Canonical(w.ID)
	if err != nil {
		return nil, err
	}
	if w.Conversation != "" && w.Conversation != conversation && !sameConversation(w.Conversation, conversation) {
		return nil, fmt.Errorf("%s %q names its conversation itself, which is not %q: leave conversation out", w.Kind, w.ID, w.Conversation)
	}
	c := schemas.Container{
		Key: string(schemas.NewContainerKey(w.Platform, tenant, w.Kind, conversation)), Platform: w.Platform, TenantID: tenant,
		Kind: w.Kind, ID: w.ID, ConversationID: conversation, Mode: "backfill", Cause: schemas.CauseUser,
	}
	switch w.Kind {
	case schemas.KindConversation:
		return []*schemas.Container{&c}, w.window(&c)
	case schemas.KindMessages:
		if len(refs) == 0 {
			return nil, errors.New(`refs are missing: kind messages needs --refs, a file of lines {"message_id":"…","created_at":<ms>}`)
		}
		if w.From != "" || w.To != "" {
			return nil, errors.New("messages are named by their ids, not by a window: leave out from and to")
		}
		var parts []*schemas.Container
		for part := range slices.Chunk(refs, maxRefs) {
			p := c
			p.Refs = part
			p.Key = string(schemas.MessagesContainerKey(w.Platform, tenant, conversation, messageIDs(part)))
			parts = append(parts, &p)
		}
		return parts, nil
	case "":
		return nil, errors.New("kind is missing: conversation or messages")
	}
	return nil, fmt.Errorf("kind %q cannot be added for platform %s: conversation or messages can", w.Kind, w.Platform)
}

// sameConversation reports whether a spelling of Yunxin's API is of a conversation.
func sameConversation(spelled, conversation string) bool {
	id, err := yunxin.Canonical(spelled)
	return err == nil && id == conversation
}

func messageIDs(refs []schemas.MessageRef) []string {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.MessageID
	}
	return ids
}

// window reads the bounds of time.
func (w wish) window(c *schemas.Container) (err error) {
	if c.WindowStart, err = parseBound("from", w.From); err != nil {
		return err
	}
	if c.WindowEnd, err = parseBound("to", w.To); err != nil {
		return err
	}
	if c.WindowStart != nil && c.WindowEnd != nil && *c.WindowStart >= *c.WindowEnd {
		return fmt.Errorf("from %s is not before to %s", w.From, w.To)
	}
	return nil
}

func checkID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s is missing", what)
	case !utf8.ValidString(id):
		return fmt.Errorf("%s %q is not UTF-8", what, id)
	case worker.Within(id) != "":
		return fmt.Errorf("%s %q holds a blank, control or invisible character (%s)", what, id, worker.Within(id))
	case worker.Placeholder(id):
		return fmt.Errorf("%s %q is the placeholder of an example: put your own in its place", what, id)
	case len(id) > maxID:
		return fmt.Errorf("%s of %d bytes is longer than %d", what, len(id), maxID)
	}
	return nil
}

// Years that messages may be of; what is outside is a mistake in units.
const (
	firstYear = 2000
	lastYear  = 2100
)

// parseBound reads a UTC date, which means its first moment, or an RFC 3339 time.
func parseBound(name, s string) (*schemas.Millis, error) {
	if s == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q is neither a date such as 2024-01-31 nor a time such as 2024-01-31T09:30:00Z", name, s)
	}
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return nil, fmt.Errorf("%s %q is not between the years %d and %d", name, s, firstYear, lastYear)
	}
	m := schemas.MillisOf(t)
	return &m, nil
}

// prefixes begin the ids of Feishu (https://open.feishu.cn/document/server-docs/im-v1/message/list).
var prefixes = map[string]string{schemas.KindChat: "oc_", schemas.KindThread: "omt_"}

// unusual says why a container's ids cannot be of its kind, "" where they can. The platform has the last word. An id of
// Yunxin that breaks its grammar has no key, and is refused before.
func unusual(c *schemas.Container) string {
	if c.Platform != schemas.Feishu {
		return ""
	}
	if p := prefixes[c.Kind]; !strings.HasPrefix(c.ID, p) {
		return fmt.Sprintf("the id of %s %q does not begin with %s", c.Kind, c.ID, p)
	}
	if p := prefixes[schemas.KindChat]; !strings.HasPrefix(c.ConversationID, p) {
		return fmt.Sprintf("the conversation %q of %s %q does not begin with %s", c.ConversationID, c.Kind, c.ID, p)
	}
	return ""
}
