package simulator

import (
	"fmt"
	"regexp"
	"strings"
)

// builder makes one chat of its lines. The steps of build depend on each other in their order.
type builder struct {
	w     *World
	room  *chatRoom
	c     chance
	lines []line
	made  []*Message // one for each line, nil where a line gives none
	spoke map[string]bool
	// answered are lines with a reply tree under them, by index.
	answered map[int]bool
}

// addForeign makes a chat that the bot is not in; messages elsewhere answer to some of its messages.
func (w *World) addForeign() {
	room := &chatRoom{foreign: true, index: -1, Chat: Chat{ID: "oc_" + w.seed.with("foreign", 0).hex(32), Name: "elsewhere",
		Mode: ModeGroup, GroupMessageType: FormChat, CreatedAt: 1_100_000_000_000}}
	w.rooms[room.ID] = room
	for i := range 64 {
		m := &Message{ID: w.messageID("foreign", i), ChatID: room.ID, CreatedAt: room.CreatedAt + int64(i)*1000, State: Normal,
			Position: int64(i + 1), ThreadPosition: -1, InChat: true, Sender: w.person("stranger")}
		m.UpdatedAt = m.CreatedAt
		setText(m, fmt.Sprintf("not for this bot (%d)", i))
		w.register(m)
		room.all = append(room.all, m)
	}
	room.order = room.all
}

// modes gives the kind of chat by its place: mostly ordinary groups.
func modes(index int) (mode, form string) {
	switch {
	case index == 5:
		return ModeP2P, ""
	case index%8 == 3:
		return ModeTopic, ""
	case index%8 == 6:
		return ModeGroup, FormThread
	}
	return ModeGroup, FormChat
}

func (w *World) addChat(index int, lines []line) {
	c := w.seed.with("chat", index)
	mode, form := modes(index)
	room := &chatRoom{index: index, Chat: Chat{ID: "oc_" + c.with("id", 0).hex(32), Mode: mode, GroupMessageType: form}}
	b := &builder{w: w, room: room, c: c, lines: lines, made: make([]*Message, len(lines)), spoke: map[string]bool{},
		answered: map[int]bool{}}
	for _, l := range lines {
		if l.Who != "" {
			b.spoke[l.Who] = true
		}
	}
	if mode != ModeP2P {
		room.Name = fmt.Sprintf("#%s %s", lines[0].Channel, lines[0].At[:10])
		room.Description = fmt.Sprintf("%s, from %s on", lines[0].Channel, lines[0].At[:10])
		room.People = len(b.spoke)
		if c.with("owner", 0).below(5) > 0 {
			room.OwnerID = w.person(firstSpeaker(lines)).ID
		}
	}
	w.rooms[room.ID] = room
	w.chats = append(w.chats, room)
	b.build()
}

func firstSpeaker(lines []line) string {
	for _, l := range lines {
		if l.Who != "" {
			return l.Who
		}
	}
	return "nobody"
}

func (b *builder) build() {
	times := spread(b.lines, b.c, b.w.options.Burst)
	for i := range b.lines {
		b.made[i] = b.message(i, times[i])
	}
	b.room.CreatedAt = times[0] - 86_400_000
	b.link()
	b.loseParents()
	b.forwards()
	b.change()
	b.finish()
}

// messageID makes an id in one of the two forms that the platform has.
func (w *World) messageID(scope string, n int) string {
	c := w.seed.with("message "+scope, n)
	if c.below(3) == 0 {
		return "om_x100" + c.hex(28)
	}
	return "om_" + c.hex(32)
}

// nextID numbers the messages of a room.
func (w *World) nextID(room *chatRoom) string {
	room.serial++
	return w.messageID(room.ID, room.serial)
}

func (w *World) person(name string) Sender {
	return Sender{ID: "ou_" + w.seed.with("person "+name, 0).hex(32), IDType: "open_id", Type: "user", Name: name,
		TenantKey: w.options.TenantKey}
}

func (w *World) bot(n int) Sender {
	id := w.options.AppID
	if n > 0 {
		id = "cli_" + w.seed.with("bot", n).hex(16)
	}
	return Sender{ID: id, IDType: "app_id", Type: "app", Name: fmt.Sprintf("bot %d", n), TenantKey: w.options.TenantKey}
}

// sender is who wrote a line: in a p2p chat the bot or its only partner.
func (b *builder) sender(i int) Sender {
	if b.room.Mode == ModeP2P {
		if b.c.with("side "+b.lines[i].Who, 0).below(2) == 0 {
			return b.w.bot(0)
		}
		return b.w.person("partner of " + b.room.ID)
	}
	switch b.c.with("sender", i).below(500) {
	case 0:
		return Sender{Type: "anonymous", TenantKey: b.w.options.TenantKey}
	case 1:
		return Sender{ID: "ou_" + b.c.with("gone", i).hex(32), IDType: "open_id", Type: "unknown", TenantKey: b.w.options.TenantKey}
	case 2, 3, 4:
		return b.w.bot(1 + i%3)
	}
	return b.w.person(b.lines[i].Who)
}

var addressed = regexp.MustCompile(`^(\S+?(?:, ?\S+?)*)[:,]\s+(.+)$`)

// message makes one message of one line; none of a system line of a p2p chat.
func (b *builder) message(i int, at int64) *Message {
	l := b.lines[i]
	system := l.Kind == lineSystem || l.Who == ""
	if system && b.room.Mode == ModeP2P {
		return nil
	}
	m := &Message{ID: b.w.nextID(b.room), ChatID: b.room.ID, CreatedAt: at, UpdatedAt: at, State: Normal, Position: -1, ThreadPosition: -1}
	d := &draft{c: b.c.with("line", i), text: strings.TrimSpace(l.Text), who: l.Who, at: at, chat: &b.room.Chat}
	if system {
		d.asSystem(m)
		if d.c.below(2) == 0 {
			m.Sender = Sender{Type: "unknown"}
		}
		return m
	}
	m.Sender = b.sender(i)
	b.address(d)
	if l.Kind == lineAction {
		d.text = l.Who + " " + d.text
	}
	b.shape(d, m)
	return m
}

// shape gives a message its type.
func (b *builder) shape(d *draft, m *Message) {
	mix, n := b.w.options.Mix, d.c.with("type", 0).below(1000)
	chosen := func(share int) bool {
		share = max(share, 0)
		hit := n >= 0 && n < share
		n -= share
		if hit {
			n = -1
		}
		return hit
	}
	switch {
	case d.text == "":
		d.asMedia(m)
	case chosen(mix.Posts):
		d.asPost(m)
	case chosen(mix.Cards):
		m.Sender = b.w.bot(1 + d.c.below(3))
		d.asCard(m)
	case chosen(mix.Media):
		d.asMedia(m)
	case chosen(mix.Others):
		d.asOther(m, b.w.person(d.who))
	default:
		d.asText(m)
	}
	m.TextNone = m.Text == ""
	m.TextExact = m.TextExact || m.TextNone && m.Kind != "UNKNOWN"
}

// address turns "nick, other: words" into mentions where all of these have spoken in the chat. A p2p chat never tells
// mentions.
func (b *builder) address(d *draft) {
	if b.room.Mode == ModeP2P {
		return
	}
	if d.c.with("roll", 0).below(700) == 0 {
		for _, l := range b.lines {
			b.mention(d, l.Who)
			if len(d.mentions) == 12 {
				return
			}
		}
		return
	}
	p := addressed.FindStringSubmatch(d.text)
	if p == nil {
		return
	}
	names := strings.Split(p[1], ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if !b.spoke[names[i]] {
			return
		}
	}
	for _, name := range names {
		b.mention(d, name)
	}
	d.text = p[2]
}

// mention adds a person once.
func (b *builder) mention(d *draft, name string) {
	if name == "" {
		return
	}
	person := b.w.person(name)
	for _, m := range d.mentions {
		if m.ID == person.ID {
			return
		}
	}
	d.mentions = append(d.mentions, Mention{Key: fmt.Sprintf("@_user_%d", len(d.mentions)+1), ID: person.ID, Name: name,
		TenantKey: person.TenantKey})
}
