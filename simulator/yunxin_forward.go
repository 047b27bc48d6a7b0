package simulator

import (
	"fmt"
	"strings"
)

// maxFileDepth is how deep the files of merged forwards are nested in a world.
const maxFileDepth = 4

// mergedFile is the file of a merged forward.
type mergedFile struct {
	name      string
	signature string // query that it is served with, "" where none is asked for
	oddity    FileOddity
	talk      *talk
	lines     []*mergedLine
	depth     int // of files, itself counted
	shape     int // how its attachment is written
	terminal  int // 1, 16 (web), 65 (Harmony, which swaps the ids of a root)
}

// mergedLine is one line of a file: a message as it was when it was forwarded.
type mergedLine struct {
	YunxinMessage
	nick   string
	form   int // how its ids are written
	broken bool
	cycle  bool // its file is the one that it stands in
}

var outerOddities = []FileOddity{FileCRLF, FileLongLine, FileNoMD5, FileMoved, FileEmpty, FileCount, FileBrokenLine, FileCycle, FileGone,
	FileExpired, FileWrongMD5, FileElsewhere, FileForeign, FilePrivate}

// Within a file only such as leave no doubt about the files around it.
var nestedOddities = []FileOddity{FileCRLF, FileNoMD5, FileGone, FileExpired, FileWrongMD5}

// forwards turns some messages into merged forwards of earlier windows of the conversation.
func (b *talkBuilder) forwards() {
	big := b.w.options.BigForward > 0 && b.t.index == 0
	for i, m := range b.made {
		if m == nil || i < 20 || m.Type == typeNotice {
			continue
		}
		c := b.c.with("forward", i)
		switch {
		case big:
			big = false
			b.fill(m, b.bigFile(c), c)
		case c.below(1000) < b.w.options.Mix.Forwards:
			b.fill(m, b.file(i, 1, c), c)
		}
	}
}

// fill makes a message a merged forward of a file.
func (b *talkBuilder) fill(m *YunxinMessage, f *mergedFile, c chance) {
	m.asForward(f)
	m.body.quoted = c.with("string", 0).below(8) == 0
	if c.with("sub", 0).below(3) == 0 {
		m.SubType = innerForward
	}
}

func (m *YunxinMessage) asForward(f *mergedFile) {
	m.Type, m.SubType, m.Inner, m.Kind, m.file = typeCustom, 0, innerForward, "MERGE_FORWARD", f
	m.Text, m.TextExact, m.TextNone, m.Content = "[聊天记录]", false, false, ""
	m.Files, m.Mentions = nil, nil
	m.body = &content{text: m.Text}
	m.Forward = &YunxinForward{Oddity: f.oddity, Path: "/merged/" + f.name + ".txt", Depth: f.depth, Expansion: f.expansion(false)}
}

// expansion is what comes of a file, or of all that is in it where it is the outermost. What a file becomes whose nested
// file fails is told for the outermost only.
func (f *mergedFile) expansion(outermost bool) string {
	own := expansions[f.oddity]
	if own != "COMPLETE" || !f.fails() {
		return own
	}
	if outermost {
		return "PARTIAL"
	}
	return ""
}

// fails tells whether a file within fails.
func (f *mergedFile) fails() bool {
	for _, l := range f.lines {
		if l.file != nil && !l.cycle && (expansions[l.file.oddity] == "FAILED" || l.file.fails()) {
			return true
		}
	}
	return false
}

// newFile makes a file without lines.
func (b *talkBuilder) newFile(depth int, c chance) *mergedFile {
	f := &mergedFile{name: c.with("name", depth).hex(32), talk: b.t, depth: 1, shape: c.with("shape", depth).below(24),
		terminal: []int{1, 1, 1, 16, 16, 65}[c.with("terminal", depth).below(6)]}
	if c.with("signed", depth).below(2) == 0 {
		f.signature = "token=" + c.with("signature", depth).hex(16) + "&Expires=4102444800"
	}
	odd, among := b.w.options.Mix.OddFiles, outerOddities
	if depth > 1 {
		odd, among = odd/2, nestedOddities
	}
	if roll := c.with("odd", depth); roll.below(100) < odd {
		f.oddity = among[roll.with("which", 0).below(len(among))]
	}
	b.w.files[f.name] = f
	return f
}

// file copies a window of earlier messages; one of them may be a forward itself. The writer leaves out notifications,
// notices of calls and robots.
func (b *talkBuilder) file(before, depth int, c chance) *mergedFile {
	f := b.newFile(depth, c)
	if f.oddity == FileEmpty {
		return f
	}
	long := 3 + c.with("long", depth).below(8)
	from := c.with("from", depth).below(max(1, before-long))
	for i := from; i < from+long && i < before; i++ {
		m := b.made[i]
		if m == nil || m.file != nil || m.Type == typeNotice || m.Type == 7 || m.Type == typeRobot {
			continue
		}
		f.lines = append(f.lines, b.snapshot(m, c.with("line", i*8+depth)))
	}
	if depth < maxFileDepth && len(f.lines) > 1 && c.with("nest", depth).below(2) == 0 {
		inner := b.file(before, depth+1, c.with("inner", depth))
		f.lines[len(f.lines)/2].asForward(inner)
		f.depth += inner.depth
	}
	if len(f.lines) > 0 && c.with("twice", depth).below(8) == 0 && f.lines[0].file == nil {
		twice := *f.lines[0]
		f.lines = append(f.lines, &twice)
	}
	f.spoil(c.with("spoil", depth))
	return f
}

// spoil gives a file what its oddity needs within its lines.
func (f *mergedFile) spoil(c chance) {
	if len(f.lines) == 0 {
		if f.oddity == FileBrokenLine || f.oddity == FileCycle || f.oddity == FileLongLine {
			f.oddity = ""
		}
		return
	}
	last := *f.lines[len(f.lines)-1]
	switch f.oddity {
	case FileBrokenLine:
		f.lines[c.below(len(f.lines))].broken = true
	case FileLongLine, FileCycle:
		last.told, last.body, last.Files, last.Mentions, last.Content, last.SubType, last.Inner = nil, &content{}, nil, nil, "", 0, 0
		last.file, last.Forward = nil, nil
		last.ID, last.ClientID = last.ID+"7", c.hex(32)
		if len(last.ID) > 18 || last.ID == "7" {
			last.ID = "7007"
		}
		last.setText(strings.Repeat("a long story ", 200_000/13))
		if f.oddity == FileCycle {
			last.asForward(f)
			last.cycle, last.Forward.Expansion = true, ""
		}
		f.lines = append(f.lines, &last)
	}
}

// snapshot is a message as a file holds it. Some have no server id, and some of these no client id either.
func (b *talkBuilder) snapshot(m *YunxinMessage, c chance) *mergedLine {
	l := &mergedLine{YunxinMessage: *m, nick: "device of " + m.Sender, form: c.below(12)}
	l.EditedAt, l.EditedBy = 0, ""
	if l.Type == typeText && c.with("edited", 0).below(30) == 0 {
		l.EditedAt, l.EditedBy = l.CreatedAt+5000, l.Sender
	}
	if l.Content = m.body.wire; l.Type == typeText {
		l.Content = ""
	}
	if c.with("no id", 0).below(25) == 0 {
		if l.ID = ""; c.with("no id", 1).below(3) == 0 {
			l.ClientID = ""
		}
	}
	return l
}

// bigFile makes as many lines as YunxinOptions.BigForward says.
func (b *talkBuilder) bigFile(c chance) *mergedFile {
	f := b.newFile(1, c)
	f.oddity = ""
	for n := range b.w.options.BigForward {
		l := b.snapshot(b.made[n%20], 0)
		l.YunxinMessage = YunxinMessage{ID: fmt.Sprint(5_000_000_000_000_000_001 + int64(n)*2), ClientID: c.with("big", n).hex(32), Sender: b.t.Owner, Receiver: b.t.Other,
			ConversationID: b.t.ID, CreatedAt: l.CreatedAt, ClientType: 1, State: YunxinShown, body: &content{}}
		l.setText(fmt.Sprintf("line %d", n+1))
		f.lines = append(f.lines, l)
	}
	return f
}
