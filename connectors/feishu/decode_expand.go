package feishu

import (
	"slices"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// expand lays out the merged forwards of the pages, after all other readings, and gives their containers the counts and
// how far they are expanded.
//
// A forward stands in another where some other page shows it there: then what was fetched of it alone completes that
// other, and its own item is no message of the conversation. What the page shows that the expansions belong to always
// is one.
func (d *reader) expand(pages []schemas.Page, out *connectors.Decoded) {
	f := &d.forwards
	if len(f.pages) == 0 {
		return
	}
	defer func() { *f = forwards{expander: f.expander} }()
	f.expander.Begin()
	d.begin(out)
	base := len(pages) - 1
	if pages[base].Expansion() {
		base = len(pages)
	}
	shown := make(map[string]bool)
	for i := range out.Readings[:f.natives] {
		if r := &out.Readings[i]; r.Page == base && !shown[r.Message.MessageID] {
			shown[r.Message.MessageID] = true
			d.layOut(r.Message.MessageID, out)
		}
	}
	var snapshots []int // pages whose subject stands in another forward
	for _, in := range f.pages {
		if f.within[in.subject] != nil && !shown[in.subject] {
			snapshots = append(snapshots, in.page)
			continue
		}
		d.layOut(in.subject, out)
		if in.refused == codeDeleted {
			out.Answers = append(out.Answers, connectors.Answer{Page: in.page, MessageID: in.subject, Status: schemas.LinkDeleted})
		}
	}
	d.report(out)
	if len(snapshots) > 0 {
		out.Readings = slices.DeleteFunc(out.Readings, func(r connectors.Reading) bool {
			return r.Message.Forward.Path == nil && slices.Contains(snapshots, r.Page)
		})
	}
}

// begin sorts what the pages show, and lets the containers in it be opened.
func (d *reader) begin(out *connectors.Decoded) {
	f := &d.forwards
	f.natives = len(out.Readings)
	f.bySubject, f.within = make(map[string]*inside, len(f.pages)), make(map[string]*inside)
	for _, in := range f.pages {
		if old := f.bySubject[in.subject]; old == nil || old.refused != "" && in.refused == "" {
			f.bySubject[in.subject] = in
		}
		for i := range in.children {
			c := &in.children[i]
			if !c.container {
				continue
			}
			c.Open = func() decode.Opened { return d.open(in, c) }
			if id := c.Reading.Message.MessageID; id != in.subject && f.within[id] == nil {
				f.within[id] = in
			}
		}
	}
}

// layOut lays out a merged forward once, where a page shows it as a message of the conversation and its inside is known or
// known not to be had.
func (d *reader) layOut(id string, out *connectors.Decoded) {
	f := &d.forwards
	in := f.bySubject[id]
	if in == nil || in.done {
		return
	}
	in.done = true
	root, recalled := -1, false // of its readings the one that stands first
	for i := range out.Readings[:f.natives] {
		r := &out.Readings[i]
		if r.Message.MessageID != id {
			continue
		}
		recalled = recalled || r.Message.State == schemas.MessageRecalled
		if root < 0 || r.Source < out.Readings[root].Source {
			root = i
		}
	}
	if root < 0 || out.Readings[root].Message.MessageType != typeMergeForward {
		return
	}
	in.owner = out.Readings[root].Message.RecordID
	if out.Readings[root].OtherConversation {
		return // It makes no row, so nothing can stand in it.
	}
	top := decode.Opened{Expansion: schemas.ExpansionFailed, Reason: reasonRecalled}
	f.tree, f.owner = f.tree+1, in.owner
	if !recalled {
		top = d.openPage(in)
	}
	message := out.Readings[root].Message
	forward := f.expander.Expand(out, &message, top)
	for i := range out.Readings[:f.natives] {
		if m := &out.Readings[i].Message; m.MessageID == id && m.Forward.Role == schemas.ForwardContainer {
			m.Forward = forward
		}
	}
}

// open gives what stands in a nested container: as the answer around it shows, else as its own does.
func (d *reader) open(in *inside, c *child) decode.Opened {
	id := c.Reading.Message.MessageID
	own := d.forwards.bySubject[id]
	switch {
	case c.cut:
		return decode.Opened{Expansion: schemas.ExpansionPartial, Reason: decode.ReasonCycle, Children: in.along(c.inner)}
	case c.inner.any:
		return decode.Opened{Expansion: schemas.ExpansionComplete, Children: in.along(c.inner)}
	case c.repeated, own != nil && own.tree == d.forwards.tree:
		return decode.Opened{Expansion: schemas.ExpansionPartial, Reason: reasonTwice}
	case own != nil:
		return d.openPage(own)
	case id == "":
		return decode.Opened{Expansion: schemas.ExpansionFailed, Reason: classMissingID}
	}
	return decode.Opened{Expansion: schemas.ExpansionFailed, Reason: reasonNotFetched}
}

// openPage gives what an answer shows of the inside of its subject.
func (d *reader) openPage(in *inside) decode.Opened {
	in.tree = d.forwards.tree
	if in.owner == "" {
		in.owner = d.forwards.owner
	}
	switch {
	case in.refused != "":
		return decode.Opened{Expansion: schemas.ExpansionFailed, Reason: in.refused}
	case in.partial != "":
		return decode.Opened{Expansion: schemas.ExpansionPartial, Reason: in.partial, Children: in.along(in.top)}
	}
	return decode.Opened{Expansion: schemas.ExpansionComplete, Children: in.along(in.top)}
}

// report says which answers show what stands in a forward that no page shows, and gives what cannot be read in all
// others the record_id of the forward by which it can be asked for again.
func (d *reader) report(out *connectors.Decoded) {
	owners := make(map[int]string, len(d.forwards.pages))
	for _, in := range d.forwards.pages {
		if around := d.forwards.within[in.subject]; in.owner == "" && around != nil {
			in.owner = around.owner
		}
		owners[in.page] = in.owner
	}
	for i := range out.Failed {
		out.Failed[i].RecordID = owners[out.Failed[i].Page]
	}
	for _, in := range d.forwards.pages {
		if in.owner == "" && len(in.children) > 0 {
			out.Failed = append(out.Failed, connectors.Failed{
				Page: in.page, Class: classUnplaced, Message: "shows what stands in a merged forward that no page shows",
			})
		}
	}
}
