package simulator

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync"
)

// Defaults of YunxinOptions.
const (
	defaultAppKey           = "5imulated0appkey0f0yunxin0000001"
	defaultYunxinSecret     = "simulated-secret-not-for-real-use"
	defaultConversationSize = 500
	defaultBurst            = 230
)

// Accounts that no line of the corpus has: in no team, in no world, and disabled.
const (
	outsider = "outsider@none"
	nobody   = "nobody@none"
	disabled = "disabled@none"
)

// YunxinOptions say what a world of Yunxin holds. The same options give the same world, byte for byte, on any machine.
type YunxinOptions struct {
	Seed int64
	// Conversations and Messages are caps; 0: all. Messages counts lines of the corpus; the last conversation may be cut.
	Conversations, Messages int
	// ConversationSize is how many lines of the corpus a conversation has at least; 0: 500.
	ConversationSize int
	// Skip leaves so many channel-days at the beginning of the corpus to others: World.Days of a Feishu that is shown
	// beside it.
	Skip int
	// CorpusFile is a whole corpus on disk, gzipped JSON lines; "": the part that ships with this package.
	CorpusFile string
	// AppKey and AppSecret are the only app; "": defaults, see YunxinWorld.App.
	AppKey, AppSecret string
	Mix               YunxinMix
	// Burst is how many messages in the middle of the third conversation stand in one millisecond, more than two pages
	// hold; 0: 230, negative: none.
	Burst int
	// BigForward gives the first conversation one more merged forward, with so many messages in one file.
	BigForward int
}

// YunxinMix is how lines of the corpus become messages. A zero field stands for its default, a negative one for none.
type YunxinMix struct {
	Threads int // per cent of reply trees that are native threads: 40
	Quotes  int // per cent of reply trees that are quotes in the extension: 40; the rest are plain follow-ups
	Vague   int // per cent of links that are told by client id alone: 6
	Both    int // per cent of native replies whose extension has a quote too, of the same or of another message: 10
	// Per thousand of messages:
	Media    int // image, audio, video, file: 60
	Customs  int // rich text, sticker, unknown custom types: 24
	Others   int // each of the rarer types, one and a half: 24
	Forwards int // merged forwards: 8
	Edited   int // 20
	Recalled int // 10
	Blocked  int // by anti-spam: 4
	NoSense  int // 4
	Missing  int // answers to something that history does not show, of lines that answer nothing: 16
	// OddFiles is per cent of the files of merged forwards that have an oddity: 40.
	OddFiles int
}

func (m YunxinMix) filled() YunxinMix {
	for field, standard := range map[*int]int{&m.Threads: 40, &m.Quotes: 40, &m.Vague: 6, &m.Both: 10, &m.Media: 60, &m.Customs: 24,
		&m.Others: 24, &m.Forwards: 8, &m.Edited: 20, &m.Recalled: 10, &m.Blocked: 4, &m.NoSense: 4, &m.Missing: 16, &m.OddFiles: 40} {
		if *field == 0 {
			*field = standard
		}
	}
	return m
}

// YunxinWorld is an app of Yunxin with its conversations, accounts and messages: the truth that Yunxin serves. All
// methods may be called from several goroutines.
type YunxinWorld struct {
	options YunxinOptions
	seed    chance

	mu       sync.RWMutex
	talks    []*talk
	byID     map[string]*talk // by canonical id, dissolved ones included
	accounts map[string]bool  // that exist, lower-case
	blocked  map[string]bool  // accounts that are disabled
	files    map[string]*mergedFile
	numbers  int64
}

// talk is a conversation with its messages.
type talk struct {
	YunxinConversation
	index     int
	dissolved bool
	members   map[string]bool
	all       []*YunxinMessage // by creation, hidden ones included
	order     []*YunxinMessage // what history may show, in ascending order, recalled ones included
	byServer  map[string]*YunxinMessage
	byClient  map[string]*YunxinMessage // the one that a client id stands for
}

// NewYunxinWorld makes a world. It fails only where the corpus cannot be read or holds no line beyond Skip.
func NewYunxinWorld(o YunxinOptions) (*YunxinWorld, error) {
	o.Mix = o.Mix.filled()
	for field, standard := range map[*string]string{&o.AppKey: defaultAppKey, &o.AppSecret: defaultYunxinSecret} {
		if *field == "" {
			*field = standard
		}
	}
	for field, standard := range map[*int]int{&o.ConversationSize: defaultConversationSize, &o.Burst: defaultBurst} {
		if *field == 0 {
			*field = standard
		}
	}
	days, err := openCorpus(o.CorpusFile)
	if err != nil {
		return nil, err
	}
	days = sortDays(days)
	chats := capped(joinDays(days[min(max(o.Skip, 0), len(days)):], o.ConversationSize), o.Conversations, o.Messages)
	if len(chats) == 0 {
		return nil, fmt.Errorf("corpus %q holds no conversation beyond the first %d channel-days", o.CorpusFile, o.Skip)
	}
	w := &YunxinWorld{options: o, seed: chance(scramble(uint64(o.Seed) + 0x79)), byID: map[string]*talk{}, accounts: map[string]bool{},
		blocked: map[string]bool{}, files: map[string]*mergedFile{}}
	for i, lines := range chats {
		w.addTalk(i, lines)
	}
	w.addRefused()
	return w, nil
}

// App returns the credentials that the world's only app has.
func (w *YunxinWorld) App() (key, secret string) { return w.options.AppKey, w.options.AppSecret }

// Conversations lists the conversations that can be read.
func (w *YunxinWorld) Conversations() []YunxinConversation {
	w.mu.RLock()
	defer w.mu.RUnlock()
	all := make([]YunxinConversation, len(w.talks))
	for i, t := range w.talks {
		all[i] = t.YunxinConversation
	}
	return all
}

// Messages lists what history shows of a conversation, in ascending order, with or without messages of no sense; of an
// unknown conversation nothing.
func (w *YunxinWorld) Messages(conversationID string, noSense bool) []YunxinMessage {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var shown []YunxinMessage
	if t := w.byID[conversationID]; t != nil {
		for _, m := range t.order {
			if m.State == YunxinShown || noSense && m.State == YunxinNoSense {
				shown = append(shown, m.clone())
			}
		}
	}
	return shown
}

// Everything lists all messages of a conversation, also those that nothing shows, in order of creation.
func (w *YunxinWorld) Everything(conversationID string) []YunxinMessage {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var all []YunxinMessage
	if t := w.byID[conversationID]; t != nil {
		for _, m := range t.all {
			all = append(all, m.clone())
		}
	}
	return all
}

// Message finds a message by id; not the children of merged forwards.
func (w *YunxinWorld) Message(conversationID, id string) (YunxinMessage, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if t := w.byID[conversationID]; t != nil {
		if m := t.byServer[id]; m != nil {
			return m.clone(), true
		}
	}
	return YunxinMessage{}, false
}

// LookedUp lists the messages that history does not show and that following links with batch_messages, ten deep, finds.
func (w *YunxinWorld) LookedUp(conversationID string) []YunxinMessage {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var found []YunxinMessage
	if t := w.byID[conversationID]; t != nil {
		depths := t.depths()
		for _, m := range t.all {
			if depth, reached := depths[m.ID]; reached && depth > 0 && depth <= maxLookUpDepth {
				found = append(found, m.clone())
			}
		}
	}
	return found
}

// Answer tells what batch_messages says of one message: 200 where it shows it, else the error code in failed_list.
func (w *YunxinWorld) Answer(conversationID, id string, createdAt int64) int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if t := w.byID[conversationID]; t != nil {
		return t.answer(id, createdAt)
	}
	return codeNoMessage
}

func (t *talk) answer(id string, createdAt int64) int {
	m := t.byServer[id]
	switch {
	case m == nil || m.CreatedAt != createdAt || m.State == YunxinRecalled:
		return codeNoMessage
	case m.State == YunxinBlocked:
		return codeAntiSpam
	}
	return codeOK
}

// Refused lists ids that are well-formed and cannot be read, each with what history says.
func (w *YunxinWorld) Refused() []YunxinRefusal {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var all []YunxinRefusal
	for _, t := range w.byID {
		if t.dissolved {
			all = append(all, YunxinRefusal{t.APIID, codeNoTeam})
		}
		if t.Type == YunxinTeam && !t.dissolved && t.index < 6 {
			all = append(all, YunxinRefusal{outsider + "|2|" + strconv.FormatInt(t.TeamID, 10), codeNoMember},
				YunxinRefusal{nobody + "|2|" + strconv.FormatInt(t.TeamID, 10), codeNoAccount})
		}
	}
	for account := range w.blocked {
		all = append(all, YunxinRefusal{account + "|1|" + outsider, codeBlockedAccount})
	}
	all = append(all, YunxinRefusal{outsider + "|1|" + nobody, codeNoAccount}, YunxinRefusal{outsider + "|3|999999", codeNoTeam})
	sort.Slice(all, func(i, j int) bool { return all[i].APIID < all[j].APIID })
	return all
}

// addRefused makes what cannot be read: a team that was dissolved, and accounts that are in no team or disabled.
func (w *YunxinWorld) addRefused() {
	w.accounts[outsider], w.accounts[disabled], w.blocked[disabled] = true, true, true
	t := &talk{index: len(w.talks), dissolved: true, members: map[string]bool{outsider: true}, YunxinConversation: YunxinConversation{
		ID: "team:777", APIID: outsider + "|2|777", Type: YunxinTeam, Kind: "GROUP", Owner: outsider, TeamID: 777, Name: "gone"}}
	w.byID[t.ID] = t
}

// settle makes all messages of a conversation known and works out what becomes of their links.
func (t *talk) settle() {
	t.byServer, t.byClient = map[string]*YunxinMessage{}, map[string]*YunxinMessage{}
	t.order = t.order[:0]
	for _, m := range t.all {
		t.byServer[m.ID] = m
		if m.State == YunxinShown && m.ClientID != "" && t.byClient[m.ClientID] == nil {
			t.byClient[m.ClientID] = m
		}
		if m.State != YunxinHidden {
			t.order = append(t.order, m)
		}
	}
	t.resolve()
}

// sortTalk orders messages as history does: by creation, equal times by arrival.
func sortTalk(all []*YunxinMessage) {
	slices.SortStableFunc(all, func(a, b *YunxinMessage) int { return int(a.CreatedAt - b.CreatedAt) })
}
