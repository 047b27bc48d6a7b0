package overview

import (
	"cmp"
	"slices"

	"chatlake/schemas"
)

// Conversation is what the containers of one conversation come to.
type Conversation struct {
	ConversationID  string          `json:"conversation_id"`
	ConversationKey string          `json:"conversation_key"`
	Name            *string         `json:"name"`
	Containers      map[string]int  `json:"containers"` // by state
	NewestMessageAt *schemas.Millis `json:"newest_message_at"`
	Errors          map[string]int  `json:"errors"` // containers with an error, by code
	Pages           int64           `json:"pages"`
	Items           int64           `json:"items"`
	UpdatedAt       *schemas.Millis `json:"updated_at"`
}

// RollUp gives a row for each conversation, by key.
func RollUp(rows []Row) []Conversation {
	at := map[string]int{}
	all := []Conversation{}
	for i := range rows {
		r := &rows[i]
		key := r.ConversationKey()
		n, ok := at[key]
		if !ok {
			n = len(all)
			at[key] = n
			all = append(all, Conversation{
				ConversationID: r.ConversationID, ConversationKey: key, Containers: NoStates(), Errors: map[string]int{},
			})
		}
		c := &all[n]
		c.Containers[r.State]++
		c.Pages += r.Pages
		c.Items += r.Items
		c.Name = cmp.Or(c.Name, r.Name)
		c.NewestMessageAt, c.UpdatedAt = later(c.NewestMessageAt, r.Watermark), later(c.UpdatedAt, r.UpdatedAt)
		if r.ErrorCode != nil && *r.ErrorCode != "" {
			c.Errors[*r.ErrorCode]++
		}
	}
	SortConversations(all, Orders[0])
	return all
}

// SortConversations puts them in one of Orders. By state come first those with a container that failed, then those that wait, then
// those with anything left to read.
func SortConversations(all []Conversation, order string) {
	slices.SortFunc(all, func(a, b Conversation) int {
		var n int
		switch order {
		case "activity":
			n = cmp.Compare(millis(b.UpdatedAt), millis(a.UpdatedAt))
		case "pages":
			n = cmp.Compare(b.Pages, a.Pages)
		case "state":
			for _, s := range []string{schemas.StateFailed, schemas.StateWaiting, schemas.StateRunning, schemas.StatePending} {
				n = cmp.Or(n, cmp.Compare(b.Containers[s], a.Containers[s]))
			}
		}
		return cmp.Or(n, cmp.Compare(a.ConversationKey, b.ConversationKey))
	})
}
