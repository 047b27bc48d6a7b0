package simulator

import (
	"fmt"
	"sort"
	"sync"
)

// Defaults of Options.
const (
	defaultAppID     = "cli_simulated0000001"
	defaultAppSecret = "simulated-secret-not-for-real-use"
	defaultTenantKey = "1a2b3c4d5e6f7788"
	defaultChatSize  = 900
)

// Options say what a world holds. The same options give the same world, byte for byte, on any machine.
type Options struct {
	Seed int64
	// Chats and Messages are caps; 0: all. Messages counts lines of the corpus; the last chat may be cut.
	Chats, Messages int
	// ChatSize is how many lines of the corpus a chat has at least; 0: 900.
	ChatSize int
	// CorpusFile is a whole corpus on disk, gzipped JSON lines; "": the part that ships with this package.
	CorpusFile string
	// AppID, AppSecret and TenantKey are the only app and tenant; "": defaults, see World.App.
	AppID, AppSecret, TenantKey string
	Mix                         Mix
	// Burst puts so many messages in the middle of every chat into one millisecond.
	Burst int
	// BigForward gives the first chat one more merged forward, with so many descendants.
	BigForward int
}

// Mix is how lines of the corpus become messages. A zero field stands for its default, a negative one for none.
type Mix struct {
	Threads int // per cent of reply trees in ordinary groups that are threads: 30
	Quotes  int // per cent of reply trees that are quoted replies: 45; the rest are plain follow-ups
	// Per thousand of messages:
	Posts    int // rich text: 50
	Cards    int // interactive, by apps: 8
	Media    int // image, file, folder, audio, media, sticker: 36
	Others   int // each of the rarer types, one and a half: 16
	Forwards int // merged forwards: 5
	Recalled int // 10
	Edited   int // 20
	Missing  int // quoted replies to something that no list shows, of lines that answer nothing: 12
}

func (m Mix) filled() Mix {
	for field, standard := range map[*int]int{&m.Threads: 30, &m.Quotes: 45, &m.Posts: 50, &m.Cards: 8, &m.Media: 36,
		&m.Others: 16, &m.Forwards: 5, &m.Recalled: 10, &m.Edited: 20, &m.Missing: 12} {
		if *field == 0 {
			*field = standard
		}
	}
	return m
}

// World is a tenant of Feishu with its chats, people and messages: the truth that Feishu serves. All methods may be
// called from several goroutines.
type World struct {
	options Options
	seed    chance
	days    int

	mu      sync.RWMutex
	chats   []*chatRoom
	rooms   map[string]*chatRoom // by chat id, foreign included
	threads map[string]*threadRoom
	byID    map[string]*Message
	nested  map[string]string // nested container of a merged forward: the id of the outermost
	numbers int               // messages numbered so far, children included
}

// chatRoom is a chat with its messages.
type chatRoom struct {
	Chat
	foreign bool // the bot is not in it
	index   int
	serial  int        // ids given out
	all     []*Message // every message, by creation
	order   []*Message // what container=chat shows, in ascending order, deleted ones included
	threads []*threadRoom
}

type threadRoom struct {
	id        string
	chat      *chatRoom
	root      *Message
	order     []*Message // root first
	invisible bool
}

// code is what listing the thread gives.
func (t *threadRoom) code() int {
	switch {
	case t.invisible:
		return codeThreadInvisible
	case t.root.State != Normal:
		return codeDeleted
	}
	return 0
}

// NewWorld makes a world. It fails only where the corpus cannot be read or holds no line.
func NewWorld(o Options) (*World, error) {
	o.Mix = o.Mix.filled()
	for field, standard := range map[*string]string{&o.AppID: defaultAppID, &o.AppSecret: defaultAppSecret,
		&o.TenantKey: defaultTenantKey} {
		if *field == "" {
			*field = standard
		}
	}
	if o.ChatSize == 0 {
		o.ChatSize = defaultChatSize
	}
	days, err := openCorpus(o.CorpusFile)
	if err != nil {
		return nil, err
	}
	chats := capped(joinDays(sortDays(days), o.ChatSize), o.Chats, o.Messages)
	if len(chats) == 0 {
		return nil, fmt.Errorf("corpus %q holds no chat", o.CorpusFile)
	}
	w := &World{options: o, seed: chance(scramble(uint64(o.Seed))), days: countDays(chats), rooms: map[string]*chatRoom{},
		threads: map[string]*threadRoom{}, byID: map[string]*Message{}, nested: map[string]string{}}
	w.addForeign()
	for i, lines := range chats {
		w.addChat(i, lines)
	}
	return w, nil
}

// capped takes the first chats and, of them, the first lines.
func capped(all [][]line, chats, lines int) [][]line {
	if chats > 0 && chats < len(all) {
		all = all[:chats]
	}
	if lines <= 0 {
		return all
	}
	var kept [][]line
	for _, chat := range all {
		if lines <= 0 {
			break
		}
		if len(chat) > lines {
			chat = chat[:lines]
		}
		kept = append(kept, chat)
		lines -= len(chat)
	}
	return kept
}

// App returns the credentials that the world's only app has, and its tenant.
func (w *World) App() (id, secret, tenantKey string) {
	return w.options.AppID, w.options.AppSecret, w.options.TenantKey
}

// Days tells how many channel-days of the corpus the world took, from its beginning; see YunxinOptions.Skip.
func (w *World) Days() int { return w.days }

// Chats lists the chats that the bot is in, p2p included, in order of creation.
func (w *World) Chats() []Chat {
	w.mu.RLock()
	defer w.mu.RUnlock()
	chats := make([]Chat, len(w.chats))
	for i, room := range w.chats {
		chats[i] = room.Chat
	}
	return chats
}

// Messages lists what container=chat shows with only_thread_root_messages=false, in ascending order; of an unknown chat
// nothing. Deleted messages are left out, recalled ones are not.
func (w *World) Messages(chatID string) []Message {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if room := w.rooms[chatID]; room != nil {
		return w.copies(room.order)
	}
	return nil
}

// Everything lists all messages of a chat, also those that no list shows, in order of creation.
func (w *World) Everything(chatID string) []Message {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var all []Message
	if room := w.rooms[chatID]; room != nil {
		for _, m := range room.all {
			all = append(all, w.truth(m))
		}
	}
	return all
}

// Thread lists what container=thread shows, root first; nothing where the thread cannot be read.
func (w *World) Thread(threadID string) []Message {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if t := w.threads[threadID]; t != nil && t.code() == 0 {
		return w.copies(t.order)
	}
	return nil
}

// Threads lists the threads of a chat in the order of their roots.
func (w *World) Threads(chatID string) []Thread {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var threads []Thread
	if room := w.rooms[chatID]; room != nil {
		for _, t := range room.threads {
			threads = append(threads, Thread{ID: t.id, ChatID: chatID, RootID: t.root.ID, Replies: len(t.order) - 1, Code: t.code()})
		}
	}
	return threads
}

// Message finds a message by id, also one that no list shows; not the children of merged forwards.
func (w *World) Message(id string) (Message, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	m, ok := w.byID[id]
	if !ok {
		return Message{}, false
	}
	return w.truth(m), true
}

// copies leaves out deleted messages.
func (w *World) copies(order []*Message) []Message {
	messages := make([]Message, 0, len(order))
	for _, m := range order {
		if m.State != Deleted {
			messages = append(messages, w.truth(m))
		}
	}
	return messages
}

// truth is a message with what depends on the present state of others.
func (w *World) truth(m *Message) Message {
	c := m.clone()
	if t := w.threads[m.ThreadID]; t != nil {
		c.InThread = t.code() == 0 && m.State != Deleted
	}
	c.InChat = m.InChat && m.State != Deleted
	if parent := w.byID[m.ParentID]; parent != nil && m.ParentFate == FateShown && parent.State == Deleted {
		c.ParentFate = FateDeleted
	}
	return c
}

// register numbers a message and makes it known by id.
func (w *World) register(m *Message) {
	m.number = w.numbers
	w.numbers++
	w.byID[m.ID] = m
	for i := range m.Children {
		c := &m.Children[i]
		c.number = w.numbers
		w.numbers++
		if c.Type == "merge_forward" {
			w.nested[c.ID] = m.ID
		}
	}
}

// sortByCreation orders messages as lists do: by creation, equal times by position of arrival.
func sortByCreation(messages []*Message) {
	sort.SliceStable(messages, func(i, j int) bool { return messages[i].CreatedAt < messages[j].CreatedAt })
}
