package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// talkBuilder makes one conversation of its lines. The steps of build depend on each other in their order.
type talkBuilder struct {
	w        *YunxinWorld
	t        *talk
	c        chance
	lines    []line
	made     []*YunxinMessage // one for each line, nil where a line gives none
	answered map[int]bool     // lines with a reply tree under them, by index
}

// account is the account of a nick: lower-case, of letters, digits and _ @ . - as the platform allows them.
func (w *YunxinWorld) account(nick string) string {
	id := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, strings.ToLower(nick))
	id = id[:min(len(id), 18)]
	switch w.seed.with("account "+id, 0).below(9) {
	case 0:
		id += "@ex.cn"
	case 1:
		id += ".x"
	case 2:
		id = "-" + id
	}
	w.accounts[id] = true
	return id
}

// speakers lists who speaks, in the order of first words.
func speakers(lines []line) []string {
	seen := map[string]bool{"": true}
	var all []string
	for _, l := range lines {
		if !seen[l.Who] {
			seen[l.Who] = true
			all = append(all, l.Who)
		}
	}
	if len(all) == 0 {
		all = []string{"nobody here"}
	}
	return all
}

func (w *YunxinWorld) addTalk(index int, lines []line) {
	t := &talk{index: index, members: map[string]bool{}}
	t.YunxinConversation = w.conversation(index, lines)
	t.members[t.Owner] = true
	b := &talkBuilder{w: w, t: t, c: w.seed.with("talk", index), lines: lines, made: make([]*YunxinMessage, len(lines)), answered: map[int]bool{}}
	w.talks = append(w.talks, t)
	w.byID[t.ID] = t
	b.build()
}

// conversation makes the ids of a conversation: kinds take turns, p2p ids are read from either side, and now and then a
// team and a super team have one number.
func (w *YunxinWorld) conversation(index int, lines []line) YunxinConversation {
	people := speakers(lines)
	c := YunxinConversation{Type: 1 + index%3, Owner: w.account(people[0])}
	spelled := c.Owner
	if index%7 == 4 {
		spelled = strings.ToUpper(c.Owner)
	}
	switch c.Type {
	case YunxinP2P:
		c.Kind = "P2P"
		c.Other = w.account(fmt.Sprintf("%d_%s", index, people[len(people)/2]))
		c.ID = "p2p:" + min(c.Owner, c.Other) + ":" + max(c.Owner, c.Other)
		if index%2 == 1 {
			c.Owner, c.Other, spelled = c.Other, c.Owner, c.Other
		}
		c.APIID = spelled + "|1|" + c.Other
		return c
	case YunxinTeam:
		c.Kind, c.TeamID, c.ID = "GROUP", 2_000_000+int64(index/3), "team:"
	case YunxinSuper:
		c.Kind, c.TeamID, c.ID = "SUPER_GROUP", 2_000_000+int64(index/3), "super:"
		if index%2 == 0 {
			c.TeamID += 9_007_199_254_740_993 // beyond 2^53
		}
	}
	c.Name = fmt.Sprintf("#%s %s", lines[0].Channel, lines[0].At[:10])
	number := strconv.FormatInt(c.TeamID, 10)
	c.ID += number
	c.APIID = fmt.Sprintf("%s|%d|%s", spelled, c.Type, number)
	return c
}

func (b *talkBuilder) build() {
	burst := 0
	if b.t.index == 2 {
		burst = b.w.options.Burst
	}
	times := spread(b.lines, b.c, burst)
	for i := range b.lines {
		b.made[i] = b.message(i, times[i])
	}
	b.link()
	b.loseParents(times[0] - 86_400_000)
	b.forwards()
	b.change()
	b.finish()
}

// nextID gives the next server id. They do not rise evenly, all are odd so that a float64 shows, and conversations differ
// in magnitude: below 2^53, beyond it, beyond 2^62.
func (b *talkBuilder) nextID() string {
	b.w.numbers++
	n := b.w.numbers
	low := n<<9 | int64(b.c.with("id", int(n)).below(256))<<1 | 1
	switch b.t.index % 4 {
	case 0:
		return strconv.FormatInt(158_844_553_334_358_018+low, 10)
	case 1:
		return strconv.FormatInt(4_891_065_454_174_142_468+low, 10)
	case 2:
		return strconv.FormatInt(9_223_372_000_000_000_000+low, 10)
	}
	return strconv.FormatInt(167_595_236+low, 10)
}

// clientID makes a client id: mostly like a UUID, which nobody promises.
func (b *talkBuilder) clientID(n int) string {
	c := b.c.with("client", n)
	switch c.below(12) {
	case 0:
		return fmt.Sprintf("web-%d/%s#%d", b.t.index, c.hex(6), n)
	case 1:
		return ""
	}
	return c.hex(32)
}

// blank makes a message without content. Messages are made in the order of n, which is unique in the conversation.
func (b *talkBuilder) blank(n int, at int64, sender string) *YunxinMessage {
	t := b.t
	m := &YunxinMessage{ID: b.nextID(), ConversationID: t.ID, ClientID: b.clientID(n), CreatedAt: at, Sender: sender,
		State: YunxinShown, body: &content{}}
	m.number = b.w.numbers
	t.members[sender] = true
	m.ClientType = []int{1, 2, 4, 16, 32, 64, 65}[b.c.with("from", n).below(7)]
	if t.Type == YunxinP2P {
		m.Receiver = t.Other
		if sender == t.Other {
			m.Receiver = t.Owner
		}
	}
	return m
}

// sender is who wrote a line: in a p2p conversation one of the two sides.
func (b *talkBuilder) sender(nick string) string {
	if b.t.Type != YunxinP2P {
		return b.w.account(nick)
	}
	if b.c.with("side "+nick, 0).below(2) == 0 {
		return b.t.Owner
	}
	return b.t.Other
}

// message makes one message of one line.
func (b *talkBuilder) message(i int, at int64) *YunxinMessage {
	l := b.lines[i]
	d := &yunxinDraft{b: b, c: b.c.with("line", i), text: strings.TrimSpace(l.Text), at: at}
	if l.Kind == lineSystem || l.Who == "" {
		m := b.blank(i, at, b.t.Owner)
		d.asNotice(m)
		return m
	}
	m := b.blank(i, at, b.sender(l.Who))
	if l.Kind == lineAction {
		d.text = l.Who + " " + d.text
	}
	b.shape(d, m)
	return m
}

// shape gives a message its type.
func (b *talkBuilder) shape(d *yunxinDraft, m *YunxinMessage) {
	mix, n := b.w.options.Mix, d.c.with("type", 0).below(1000)
	media, customs, others := max(mix.Media, 0), max(mix.Customs, 0), max(mix.Others, 0)
	switch {
	case d.text == "" || n < media:
		d.asMedia(m)
	case n < media+customs:
		d.asCustom(m)
	case n < media+customs+others:
		d.asOther(m)
	default:
		d.asText(m)
	}
	m.TextNone = m.TextExact && m.Text == ""
}

// change edits, recalls and hides some messages. What has no sense neither answers nor is answered, so that links come
// out the same whether history is asked for it or not.
func (b *talkBuilder) change() {
	mix := b.w.options.Mix
	for i, m := range b.made {
		if m == nil {
			continue
		}
		if m.Type == 0 && b.c.with("edit", i).below(1000) < mix.Edited {
			m.EditedAt, m.EditedBy = m.CreatedAt+1000+int64(b.c.with("later", i).below(600_000)), m.Sender
		}
		switch n := b.c.with("state", i).below(1000); {
		case n < mix.Recalled:
			m.State = YunxinRecalled
		case n < max(mix.Recalled, 0)+mix.Blocked:
			m.State = YunxinBlocked
		case n < max(mix.Recalled, 0)+max(mix.Blocked, 0)+mix.NoSense && m.told == nil && !b.answered[i]:
			m.State = YunxinNoSense
		}
	}
}

// finish puts all messages in order and works out their links. Now and then a message was sent again under the same
// client id.
func (b *talkBuilder) finish() {
	var before *YunxinMessage
	for i, m := range b.made {
		if m == nil {
			continue
		}
		b.t.all = append(b.t.all, m)
		if before != nil && before.State == YunxinShown && m.State == YunxinShown && before.CreatedAt < m.CreatedAt &&
			before.ClientID != "" && m.Type == 0 && b.c.with("again", i).below(250) == 0 {
			m.ClientID = before.ClientID
		}
		before = m
	}
	for _, m := range b.made {
		if m != nil && m.file != nil {
			m.Forward.Children, m.Forward.Expansion = m.children(), m.file.expansion(true)
		}
	}
	sortTalk(b.t.all)
	b.t.settle()
}
