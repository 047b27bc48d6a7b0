package simulator

import (
	"fmt"
	"strconv"
)

// find returns a message that may still be changed, and its conversation.
func (w *YunxinWorld) find(conversationID, id string) (*talk, *YunxinMessage, error) {
	t := w.byID[conversationID]
	if t == nil || t.byServer[id] == nil {
		return nil, nil, fmt.Errorf("message %s of %s: not in this world", id, conversationID)
	}
	m := t.byServer[id]
	if m.State == YunxinRecalled || m.State == YunxinBlocked {
		return nil, nil, fmt.Errorf("message %s of %s: already %s", id, conversationID, m.State)
	}
	return t, m, nil
}

// Edit gives a text another text; modify_time rises.
func (w *YunxinWorld) Edit(conversationID, id, newText string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, m, err := w.find(conversationID, id)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	if m.Type != typeText {
		return fmt.Errorf("edit: message %s: type %d cannot be edited", id, m.Type)
	}
	m.Mentions, m.body.mentions = nil, nil
	m.setText(newText)
	m.EditedAt, m.EditedBy = max(m.EditedAt, m.CreatedAt)+changeLag, m.Sender
	return nil
}

// Recall takes a message out of history; batch_messages then answers 107404.
func (w *YunxinWorld) Recall(conversationID, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, m, err := w.find(conversationID, id)
	if err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	m.State = YunxinRecalled
	t.settle()
	return nil
}

// Send appends a text to a conversation, a minute later than all before it, and returns its id.
func (w *YunxinWorld) Send(conversationID, text string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.byID[conversationID]
	if t == nil || len(t.all) == 0 {
		return "", fmt.Errorf("send: conversation %s: not in this world", conversationID)
	}
	m := w.fresh(t, text)
	t.settle()
	return m.ID, nil
}

// Reply answers a message natively, in the thread that it is in or that begins with it, and returns the reply's id.
func (w *YunxinWorld) Reply(conversationID, id, text string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, parent, err := w.find(conversationID, id)
	if err != nil {
		return "", fmt.Errorf("reply: %w", err)
	}
	m := w.fresh(t, text)
	m.told = &quote{parent: &ref{target: parent}, root: &ref{target: parent}}
	if parent.inThread() {
		m.told.root = parent.told.root
	}
	t.settle()
	return m.ID, nil
}

func (w *YunxinWorld) fresh(t *talk, text string) *YunxinMessage {
	w.numbers++
	m := &YunxinMessage{ID: strconv.FormatInt(9_100_000_000_000_000_001+w.numbers*2, 10), ConversationID: t.ID, CreatedAt: t.all[len(t.all)-1].CreatedAt + changeLag,
		ClientID: w.seed.with("fresh", int(w.numbers)).hex(32), Sender: t.Owner, Receiver: t.Other, ClientType: 1, State: YunxinShown, body: &content{},
		number: w.numbers}
	m.setText(text)
	t.all = append(t.all, m)
	return m
}
