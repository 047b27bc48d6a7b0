package simulator

import (
	"fmt"
)

// changeLag is how long after its last change a message is changed again, in ms. It is not the wall clock, so that a
// world with the same history is the same world.
const changeLag = 60_000

// find returns a message that may still be changed.
func (w *World) find(id string) (*Message, error) {
	m := w.byID[id]
	if m == nil {
		return nil, fmt.Errorf("message %s: not in this world", id)
	}
	if m.State != Normal {
		return nil, fmt.Errorf("message %s: already %s", id, m.State)
	}
	return m, nil
}

// Edit gives a text or rich text another text: updated becomes true and update_time later.
func (w *World) Edit(messageID, newText string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.find(messageID)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	if m.Type != "text" && m.Type != "post" {
		return fmt.Errorf("edit: message %s: a %s cannot be edited", messageID, m.Type)
	}
	m.Mentions, m.MentionsAll, m.Attachments = nil, false, nil
	if m.Type == "text" {
		setText(m, newText)
	} else {
		setPost(m, postContent{Content: [][]any{{postText{Tag: "text", Text: newText}}}}, newText)
	}
	m.Edited = true
	m.UpdatedAt += changeLag
	return nil
}

// Recall leaves a shell in the lists. Whether update_time moves is not documented: here it does for every other message.
func (w *World) Recall(messageID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.find(messageID)
	if err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	w.recall(m)
	return nil
}

func (w *World) recall(m *Message) {
	m.State = Recalled
	if m.number%2 == 0 {
		m.UpdatedAt += changeLag
	}
}

// Delete takes a message out of the lists; asking for it gives 230110. The root of a thread takes its thread along.
func (w *World) Delete(messageID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.byID[messageID]
	if m == nil || m.State == Deleted {
		return fmt.Errorf("delete: message %s: not in this world", messageID)
	}
	m.State = Deleted
	return nil
}

// Send appends a text to a chat, later than all before it, and returns its id.
func (w *World) Send(chatID, text string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	room := w.rooms[chatID]
	if room == nil || len(room.order) == 0 {
		return "", fmt.Errorf("send: chat %s: not in this world", chatID)
	}
	m := w.fresh(room, text)
	m.InChat, m.Position = true, int64(len(room.order))
	room.order = append(room.order, m)
	return m.ID, nil
}

// Reply answers a message in its thread, which begins with that where there is none, and returns the reply's id.
func (w *World) Reply(messageID, text string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	root, err := w.find(messageID)
	if err != nil {
		return "", fmt.Errorf("reply: %w", err)
	}
	if root.ThreadID != "" && !root.ThreadRoot || root.Type == "system" || root.RootID != "" && root.ThreadID == "" {
		return "", fmt.Errorf("reply: message %s cannot be the root of a thread", messageID)
	}
	room := w.rooms[root.ChatID]
	if root.ThreadID == "" {
		w.openThread(room, root)
	}
	t := w.threads[root.ThreadID]
	m := w.fresh(room, text)
	joinThread(t, m)
	if room.Flat() {
		m.InChat, m.Position = true, int64(len(room.order))
		room.order = append(room.order, m)
	}
	return m.ID, nil
}

// fresh makes a text of an existing person, a minute after the newest message of its chat.
func (w *World) fresh(room *chatRoom, text string) *Message {
	at := room.all[len(room.all)-1].CreatedAt
	m := &Message{ID: w.nextID(room), ChatID: room.ID, Type: "text", CreatedAt: at + changeLag,
		State: Normal, Position: -1, ThreadPosition: -1, Sender: w.person("newcomer")}
	m.UpdatedAt = m.CreatedAt
	setText(m, text)
	w.register(m)
	room.all = append(room.all, m)
	return m
}
