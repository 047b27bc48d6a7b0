package schemas

import (
	"cmp"
	"slices"
)

// MaxLookupRefs is the most messages that one look-up of Yunxin asks for.
const MaxLookupRefs = 100

// Lookups gives the containers that fetch some messages of a conversation for links that name them: for Feishu one for
// each message, for Yunxin as few as hold them, sorted by id. Key, kind, id, refs and what does not vary are set.
func Lookups(platform, tenant, conversation string, refs []MessageRef) []Container {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b MessageRef) int { return cmp.Compare(a.MessageID, b.MessageID) })
	var all []Container
	add := func(kind, id string, key ContainerKey, refs []MessageRef) {
		all = append(all, Container{
			Key: string(key), Platform: platform, TenantID: tenant, Kind: kind, ID: id, ConversationID: conversation,
			Mode: "backfill", Epoch: 1, Refs: refs, Cause: CauseLookup,
		})
	}
	if platform == Feishu {
		for _, r := range refs {
			add(KindMessage, r.MessageID, MessageContainerKey(platform, tenant, conversation, r.MessageID), nil)
		}
		return all
	}
	for part := range slices.Chunk(refs, MaxLookupRefs) {
		ids := make([]string, len(part))
		for i := range part {
			ids[i] = part[i].MessageID
		}
		add(KindMessages, conversation, MessagesContainerKey(platform, tenant, conversation, ids), part)
	}
	return all
}
