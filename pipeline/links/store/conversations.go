package store

import (
	"encoding/binary"

	"chatlake/pipeline/links/graph"
)

// Conversation is what is known of one.
type Conversation struct {
	graph.Conversation
	Kind string // the last one given, "" where none was
}

// conversations are those that were asked for since the last Apply. Each gets a number, which stands for it in keys, when
// it is first asked for.
type conversations struct {
	table *table
	known map[string]*Conversation
	count uint32 // of those that have a number; 0: not read yet
}

func (cs *conversations) get(key string) (*Conversation, error) {
	if c := cs.known[key]; c != nil {
		return c, nil
	}
	v, err := cs.table.get(cs.table.at(keyConversation, key))
	if err != nil {
		return nil, err
	}
	if len(v) < 4 {
		if err := cs.readCount(); err != nil {
			return nil, err
		}
		cs.count++
		v = binary.BigEndian.AppendUint32(nil, cs.count)
		if err := cs.table.set(cs.table.at(keyConversation, key), v); err != nil {
			return nil, err
		}
	}
	c := &Conversation{Conversation: graph.Conversation(v[:4]), Kind: string(v[4:])}
	cs.known[key] = c
	return c, nil
}

// readCount reads the number that a conversation got last, which is kept beside how far the index has come.
func (cs *conversations) readCount() (err error) {
	if cs.count == 0 {
		_, cs.count, _, err = cs.table.applied()
	}
	return err
}
