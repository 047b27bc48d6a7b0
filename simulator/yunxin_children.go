package simulator

import (
	"fmt"
	"strings"
)

// flattening lists what a reader should find in a merged forward.
type flattening struct {
	conversation string
	above        map[*mergedFile]bool
	ids          map[string]bool // server and client ids of all lines, at whatever depth
	out          []YunxinChild
}

// children lists the lines of a forward and of those within it, depth-first.
func (m *YunxinMessage) children() []YunxinChild {
	f := &flattening{conversation: m.ConversationID, above: map[*mergedFile]bool{}, ids: map[string]bool{}}
	f.collect(m.file)
	f.add(m.file, "")
	return f.out
}

func (f *flattening) collect(file *mergedFile) {
	for _, l := range file.lines {
		f.ids[l.ID], f.ids["client "+l.ClientID] = true, true
		if l.file != nil && !l.cycle {
			f.collect(l.file)
		}
	}
	delete(f.ids, "")
	delete(f.ids, "client ")
}

func (f *flattening) add(file *mergedFile, under string) {
	if expansions[file.oddity] == "FAILED" {
		return
	}
	f.above[file] = true
	defer delete(f.above, file)
	keys, links := map[string]int{}, f.links(file)
	for n, l := range file.lines {
		path := fmt.Sprintf("%05d", n+1)
		if under != "" {
			path = under + "." + path
		}
		c := YunxinChild{YunxinMessage: l.clone(), SenderName: l.nick, Under: under, Path: path, Depth: strings.Count(path, ".") + 1, Line: n + 1,
			Broken: l.broken}
		c.ConversationID, c.State, c.Parent, c.Root = f.conversation, YunxinShown, links[n].parent, links[n].root
		if l.form%3 == 0 {
			c.SenderName = "Merged " + l.Sender
		}
		if key := l.key(); key != "" && !l.broken {
			if keys[key]++; keys[key] > 1 {
				c.Repeat = keys[key]
			}
		}
		f.out = append(f.out, c)
		if l.file != nil && !f.above[l.file] && !l.broken {
			f.add(l.file, path)
		}
	}
}

// key is what tells a line from others of its file, "" where nothing does.
func (l *mergedLine) key() string {
	if l.ID != "" {
		return l.ID
	}
	return l.ClientID
}

// pair is where a line points to.
type pair struct{ parent, root YunxinLink }

// links works out what becomes of the links of a file's lines: those among siblings stay inside, all others point out of
// the forward. Where only a reader who compares client ids, or looks at other levels, would find a target, nothing is
// prescribed.
func (f *flattening) links(file *mergedFile) []pair {
	byServer, byClient := map[string]*mergedLine{}, map[string]*mergedLine{}
	for _, l := range file.lines {
		if l.broken {
			continue
		}
		if byServer[l.ID] == nil {
			byServer[l.ID] = l
		}
		if first := byClient[l.ClientID]; first == nil || l.CreatedAt < first.CreatedAt {
			byClient[l.ClientID] = l
		}
	}
	delete(byServer, "")
	delete(byClient, "")
	outcome := func(r *ref) YunxinLink {
		told := r.told(linkOutOfScope, "")
		sibling := byServer[told.MessageID]
		if told.MessageID == "" {
			sibling = byClient[told.ClientID]
		}
		switch {
		case sibling != nil:
			return YunxinLink{Status: linkResolved, MessageID: sibling.ID, SenderID: sibling.Sender, CreatedAt: sibling.CreatedAt}
		case f.ids[told.MessageID], f.ids["client "+told.ClientID]:
			return YunxinLink{}
		}
		return told
	}
	pairs := make([]pair, len(file.lines))
	for n, l := range file.lines {
		pairs[n] = pair{YunxinLink{Status: linkNone}, YunxinLink{Status: linkNone}}
		if q := l.native(); q != nil {
			pairs[n] = pair{outcome(q.parent), outcome(q.root)}
		} else if l.told != nil && l.told.legacy != nil {
			parent := outcome(l.told.legacy)
			pairs[n] = pair{parent, parent}
		}
	}
	f.derive(file, pairs, byServer)
	return pairs
}

// derive gives quotes of siblings the roots of these; a sibling stands before what answers it, or nothing is prescribed.
func (f *flattening) derive(file *mergedFile, pairs []pair, byServer map[string]*mergedLine) {
	places := map[*mergedLine]int{}
	for n, l := range file.lines {
		places[l] = n
	}
	for n, l := range file.lines {
		if pairs[n].parent.Status != linkResolved || l.native() != nil {
			continue
		}
		place, known := places[byServer[pairs[n].parent.MessageID]]
		switch {
		case !known || place > n:
			pairs[n].root = YunxinLink{}
		case pairs[place].root.Status != linkNone:
			pairs[n].root = pairs[place].root
		}
	}
}
