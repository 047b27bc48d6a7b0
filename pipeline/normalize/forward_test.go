package normalize_test

import (
	"fmt"
	"strings"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// expansion is a page that completes a merged forward, standing before the list page of a number.
func expansion(number int64, id, err string, children ...child) sheet {
	sh := sheet{typ: schemas.FeishuMessagesGet, subject: id, number: number, err: err}
	if err == "" {
		sh.Items = []item{{ID: id, Rev: 1, Forward: true, Source: 2, Children: children}}
	}
	return sh
}

// forwards tells the rows that have to do with merged forwards, in their last versions.
func (r *rig) forwards() string {
	r.t.Helper()
	last, order := map[string]string{}, []string{}
	for _, m := range r.messages() {
		if last[m.RecordID] == "" {
			order = append(order, m.RecordID)
		}
		f := &m.Forward
		s := strings.TrimPrefix(m.RecordID, "feishu/cli_1/") + " " + f.Role
		if f.Role == schemas.ForwardContainer {
			s += fmt.Sprintf(" %s(%s) %s", f.Expansion, str(f.ExpansionReason), number(f.ChildCount))
		}
		if m.Text != nil {
			s += " " + *m.Text
		}
		last[m.RecordID] = s + " " + m.Parent.Status
	}
	var out []string
	for _, id := range order {
		out = append(out, last[id])
	}
	return strings.Join(out, "; ")
}

// TestExpansionsStandBeforeTheirPage: whole, in parts, alone, and after their page failed to bring them.
func TestExpansionsStandBeforeTheirPage(t *testing.T) {
	f := item{ID: "f", Rev: 1, Forward: true}
	list := func(number int64) sheet {
		return sheet{body: page(f, item{ID: "f2", Rev: 1, Forward: true}), number: number}
	}
	two := []child{{ID: "a", Text: "x"}, {ID: "b", Text: "y", Parent: "p"}}
	const whole, kids = "f CONTAINER COMPLETE() 2 NONE", "f/a CHILD x NONE; f/b CHILD y OUT_OF_SCOPE"
	const second = "f2 CONTAINER FAILED(absent)  NONE"
	for name, c := range map[string]struct {
		pages []sheet
		want  string
	}{
		"before it":             {[]sheet{expansion(1, "f", "", two...), expansion(1, "f2", "", child{ID: "a", Text: "z"}), list(1)}, whole + "; " + kids + "; f2 CONTAINER COMPLETE() 1 NONE; f2/a CHILD z NONE"},
		"none at all":           {[]sheet{list(1)}, "f CONTAINER FAILED(absent)  NONE; " + second},
		"given up":              {[]sheet{expansion(1, "f", "2200"), list(1)}, "f CONTAINER FAILED(2200)  NONE; " + second},
		"without their page":    {[]sheet{expansion(1, "f", "", two...), {body: page(item{ID: "n", Rev: 1}), number: 2}}, whole + "; " + kids + "; n NONE NONE"},
		"without, then with it": {[]sheet{expansion(1, "f", "", two...), list(2)}, whole + "; " + kids + "; " + second},
		"of another page":       {[]sheet{expansion(1, "f2", "", child{ID: "a", Text: "z"}), expansion(2, "f", "", two...), list(2)}, "f2 CONTAINER COMPLETE() 1 NONE; f2/a CHILD z NONE; " + whole + "; " + kids},
		"fails later":           {[]sheet{expansion(1, "f", "", two...), list(1), expansion(2, "f", "2200"), list(2)}, whole + "; " + kids + "; " + second},
		"failed before":         {[]sheet{expansion(1, "f", "2200"), list(1), expansion(2, "f", "", two...), list(2)}, whole + "; " + second + "; " + kids},
		"after its page":        {[]sheet{list(1), expansion(1, "f", "", two...), {body: page(), number: 3}}, whole + "; " + second + "; " + kids},
		"recalled since":        {[]sheet{expansion(1, "f", "", two...), {body: page(item{ID: "f", Rev: 2, Forward: true, State: schemas.MessageRecalled}), number: 2}}, "f NONE NONE; " + kids},
		"deleted since":         {[]sheet{expansion(1, "f", "", two...), {body: body{Answers: []answer{{"f", schemas.LinkDeleted, "230110"}}}, number: 2}}, "f NONE NONE; " + kids},
		"a child's own message": {[]sheet{expansion(1, "f", "", two...), {body: page(item{ID: "f", Rev: 1, Forward: true}, item{ID: "a", Rev: 9, Text: "native"}, reply("r", "b")), number: 1, final: true}}, whole + "; " + kids + "; a NONE native NONE; r NONE PENDING"},
		"deleted at its source": {[]sheet{expansion(1, "f", "", two...), {body: body{Items: []item{f}, Answers: []answer{{"a", schemas.LinkDeleted, "230110"}}}, number: 1}}, whole + "; " + kids},
		"what a child answers":  {[]sheet{expansion(1, "f", "", two...), {body: page(item{ID: "p", Rev: 1}), number: 1, final: true}}, "p NONE NONE"},
	} {
		for _, size := range []int{0, 1, 2} { // groups are split over batches, and over sessions
			r := newRig(t, memlog.Faults{MaxRecords: size})
			for _, sh := range c.pages {
				r.add(sh)
			}
			r.conf.Lookups = true
			r.toTheEnd()
			if name == "what a child answers" {
				for _, m := range r.messages() {
					if m.MessageID == "b" && m.Parent.Status != schemas.LinkOutOfScope {
						t.Errorf("a snapshot's link is %s", m.Parent.Status)
					}
				}
				if got := r.asked(); len(got) != 0 {
					t.Errorf("asked for %q", got)
				}
				continue
			}
			if got := r.forwards(); got != c.want {
				t.Errorf("%s, batches of %d:\n%s, want\n%s", name, size, got, c.want)
			}
			for _, id := range r.asked() {
				if id != "b" || name != "a child's own message" {
					t.Errorf("%s: asked for %q", name, id)
				}
			}
		}
	}
}
