package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"chatlake/schemas"
	"chatlake/simulator"
)

// Widths, in characters: of a line of a conversation, of a name, and of what is quoted of a message answered.
const (
	lineWidth  = 118
	nameWidth  = 14
	quoteWidth = 36
	indent     = 4 // for each level
)

// print writes a piece of conversation, one message a line, each as deep as level says.
func (t *talk) print(b *strings.Builder, piece []*utterance, level func(*utterance) int) {
	for _, u := range piece {
		head := fmt.Sprintf("  %s%s  ", strings.Repeat(" ", indent*level(u)), u.at.Time().Format("15:04"))
		if u.system {
			fmt.Fprintf(b, "%s%-*s  * %s\n", head, nameWidth, "", cut(u.text, lineWidth-utf8.RuneCountInString(head)-nameWidth-4))
			continue
		}
		head += fmt.Sprintf("%-*s  ", nameWidth, cut(clean(u.name), nameWidth))
		text := u.text
		if u.role == schemas.ForwardContainer || u.role == schemas.ForwardChildContainer {
			text = fmt.Sprintf("(merged forward of %d messages)", u.inside)
		}
		if u.answers.status != "" && !t.obvious(u, piece) {
			text = t.quote(u) + text
		}
		room := lineWidth - utf8.RuneCountInString(head)
		if u.mark != "" {
			text = cut(strings.TrimSpace(text), room-1-utf8.RuneCountInString(u.mark)) + " " + u.mark
		}
		b.WriteString(head + strings.TrimSpace(cut(text, room)) + "\n")
	}
}

// obvious reports whether it goes without saying what a message answers: the root of the thread, under which it stands.
func (t *talk) obvious(u *utterance, piece []*utterance) bool {
	to := t.answered(u)
	return to != nil && to.threadRoot && to == piece[0] && u.thread != "" && u.thread == to.thread
}

// flat is the level of all messages of a conversation; threaded puts replies under their root, nested what stands in a merged
// forward under it.
func flat(*utterance) int { return 0 }

func threaded(u *utterance) int {
	if u.threadRoot {
		return 0
	}
	return 1
}

func nested(u *utterance) int { return u.depth }

// quote says what is answered, and whom.
func (t *talk) quote(u *utterance) string {
	to := t.answered(u)
	if to == nil {
		what := map[string]string{
			schemas.LinkDeleted: "a message that was deleted", schemas.LinkForbidden: "a message that may not be read",
			schemas.LinkMissing: "a message that is not there", schemas.LinkOutOfScope: "a message of another conversation",
		}[u.answers.status]
		switch {
		case u.container != "":
			what = "a message that was not forwarded"
		case what == "":
			what = clean(u.answers.id)
		}
		return "↳ to " + what + ": "
	}
	if to.text == "" {
		return fmt.Sprintf("↳ to %s %s: ", cut(clean(to.name), nameWidth), to.mark)
	}
	return fmt.Sprintf("↳ to %s “%s”: ", cut(clean(to.name), nameWidth), cut(to.text, quoteWidth))
}

// printOpen says what is about to happen, and which ports are open while it does.
func (d *demo) printOpen() error {
	if d.tool.json() {
		return nil
	}
	var b strings.Builder
	for _, p := range d.platforms {
		limits := simulator.Limits{PerMinute: d.options.perMinute, PerSecond: d.options.perSecond}
		if p.name == schemas.Yunxin {
			limits.PerMinute = 0
		}
		fmt.Fprintf(&b, "%-15s  %s (simulated, %s): %d chats, %s messages\n", p.title, p.url, quotaWords(limits), len(p.wishes),
			grouped(int64(len(p.expected.messages))))
	}
	fmt.Fprintf(&b, "Kafka            %s\nschema registry  %s\ndata             %s\n\n",
		strings.Join(d.in.cluster.Brokers, ","), d.in.cluster.RegistryURL, clean(d.in.dir))
	_, err := d.tool.out.Write([]byte(b.String()))
	return err
}

// printPieces shows what the messages that were read back say.
func (d *demo) printPieces(b *strings.Builder, t *talk) {
	fmt.Fprintf(b, "\nRead back from %s.messages.\n", d.in.cluster.Prefix)
	show := func(what string, piece []*utterance, level func(*utterance) int) {
		if len(piece) == 0 {
			return
		}
		fmt.Fprintf(b, "\n%s, %s, %s:\n\n", what, clean(d.chatName(piece[0])), piece[0].at.Date())
		t.print(b, piece, level)
	}
	for i, p := range d.platforms {
		lines := excerptLines - 2*i
		piece := t.excerpt(p.name, lines)
		show(p.title, piece, flat)
		if !slices.ContainsFunc(piece, func(u *utterance) bool { return u.mark == markRecalled }) {
			show("A recall", t.aRecall(p.name), flat)
		}
		if i > 0 {
			continue
		}
		d.first(t.aThread, func(piece []*utterance) { show("A thread", piece, threaded) })
		d.first(t.aForward, func(piece []*utterance) { show("A merged forward, unfolded", piece, nested) })
	}
}

// first shows a piece of the first platform that has one.
func (d *demo) first(find func(platform string) []*utterance, show func([]*utterance)) {
	for _, p := range d.platforms {
		if piece := find(p.name); len(piece) > 0 {
			show(piece)
			return
		}
	}
}

// chatName names the conversation of a message.
func (d *demo) chatName(u *utterance) string {
	for _, p := range d.platforms {
		if name := p.titles[u.conversation]; p.name == u.platform && name != "" {
			return fmt.Sprintf("%s (%s)", name, u.conversation)
		}
	}
	return u.conversation
}

func (d *demo) printSummary(s *demoSummary, back *readBack) error {
	if d.tool.json() {
		return printJSON(d.tool.out, s, true)
	}
	var b strings.Builder
	d.printPieces(&b, back.talk)
	b.WriteString("\n" + attribution + "\n\n")
	if err := printTable(&b, d.rows(s)); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%.1f s from the first call to the last answer: %s messages a second", s.Seconds, grouped(int64(s.PerSecond)))
	if s.QuotaPercent > 0 {
		fmt.Fprintf(&b, ",\n%.1f %% of Feishu's quota of message lists", s.QuotaPercent)
	}
	b.WriteString(".\n\nEverything is kept in " + clean(shortPath(d.in.dir)) + " (log: demo.log). Next:\n\n")
	fmt.Fprintf(&b, "  "+self()+" up --data %s\n", clean(shortPath(d.in.dir)))
	b.WriteString("\nand, while that runs, from another shell:\n\n" +
		"  " + self() + " containers list\n" +
		"  " + self() + " tail --from-beginning\n" +
		"  kcat -b 127.0.0.1:9092 -t " + d.in.cluster.Prefix + ".raw.pages -C -o beginning -c 1 -J\n")
	_, err := d.tool.out.Write([]byte(b.String()))
	return err
}

// rows is the table of counts, a column for each platform.
func (d *demo) rows(s *demoSummary) [][]string {
	head := []string{""}
	for _, p := range d.platforms {
		head = append(head, fmt.Sprintf("%10s", p.title))
	}
	rows := [][]string{append(head, "")}
	row := func(what string, count func(*demoCounts) int, note string) {
		cells := []string{what}
		for _, p := range d.platforms {
			cells = append(cells, fmt.Sprintf("%10s", grouped(int64(count(s.Platforms[p.name])))))
		}
		rows = append(rows, append(cells, note))
	}
	row("containers", func(c *demoCounts) int { return c.Containers },
		fmt.Sprintf("chats, threads, look-ups: %s complete, %d failed", grouped(int64(s.ContainersComplete)), s.ContainersFailed))
	row("API calls", func(c *demoCounts) int { return c.Calls }, fmt.Sprintf("%d throttled", s.Throttled))
	row("raw pages", func(c *demoCounts) int { return c.RawPages },
		fmt.Sprintf("%.1f MB, %d doubled, %d altered", float64(s.RawBytes)/1e6, s.PagesDoubled, s.PagesAltered))
	row("messages", func(c *demoCounts) int { return c.Messages }, fmt.Sprintf("each counted once; %s versions", grouped(int64(s.Versions))))
	row("served", func(c *demoCounts) int { return c.Served }, "distinct messages that the simulated platforms have to show")
	row("in forwards", func(c *demoCounts) int { return c.Children }, "messages within merged forwards")
	row("served", func(c *demoCounts) int { return c.ServedChildren }, "that the simulated platforms have to show within them")
	row("answers", (*demoCounts).answers, "messages that answer another one, by what is known of that")
	for _, l := range linkNotes {
		if s.Links[l[0]] > 0 {
			row("  "+strings.ToLower(strings.ReplaceAll(l[0], "_", " ")), func(c *demoCounts) int { return c.Links[l[0]] }, l[1])
		}
	}
	row("looked up", func(c *demoCounts) int { return c.LookUps }, "messages that others answer and no list shows")
	row("dead letters", func(c *demoCounts) int { return c.Dead }, "")
	row("lost", func(c *demoCounts) int { return c.Lost }, "")
	row("doubled", func(c *demoCounts) int { return c.Doubled }, "")
	return rows
}

// linkNotes say what each status of a link to a message answered means.
var linkNotes = [][2]string{
	{schemas.LinkResolved, "it is there"}, {schemas.LinkDeleted, "not to be had: deleted"},
	{schemas.LinkForbidden, "not to be had: may not be read"}, {schemas.LinkMissing, "not to be had: the platform knows none"},
	{schemas.LinkOutOfScope, "not to be had: in another conversation"}, {schemas.LinkPending, "told by a client id that no message has"},
}

// answers counts the messages that answer another one.
func (c *demoCounts) answers() int {
	n := 0
	for _, of := range c.Links {
		n += of
	}
	return n
}
