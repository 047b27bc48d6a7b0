package feishu_test

import (
	"path/filepath"
	"slices"
	"testing"

	"chatlake/schemas"
)

// saying is what is checked of a message from the field.
type saying struct {
	text     string // "-": null
	mentions []string
	images   []string
	issue    string // action of an issue of its text, "": it has none at all
	mode     string // of a card
}

// TestReportsFromTheField decodes messages that were reported as lost or changed, by the names of the files in
// testdata/cases, in the order of the page.
func TestReportsFromTheField(t *testing.T) {
	const disk = "Disk alert\nnode seven\n**/var** is at 93 %\nOwner: Wren"
	for name, want := range map[string][]saying{
		"card-user-dsl": {{text: disk, mode: "user_card_content"}, {text: disk, mode: "user_card_content"}},
		"post-content-v2": {
			{text: "## Plan\n- water the ferns"}, {text: "Weekly\n- water the ferns"}, {text: "- water the ferns"},
			{text: "| a | b |\n|---|---|\n| 1 | 2 |\nplan", images: []string{"img_v3_fern"}}, {text: "in a locale"},
		},
		"card-markdown-at": {
			{text: "@Robin Oak please look", mentions: []string{"ou_robin open_id"}, mode: "user_card_content"},
			{text: "@Robin Oak please look", mentions: []string{"ou_robin open_id"}, mode: "user_card_content"},
			{text: "@Robin Oak and @all: deploy at nine", mentions: []string{"ou_robin open_id", "all"}, mode: "user_card_content"},
			{text: "@ou_robin @ou_lark @ou_robin hi", mentions: []string{"ou_robin open_id", "ou_lark open_id"}, mode: "user_card_content"},
		},
		"post-md-at": {
			{text: "@Devon run the tests", mentions: []string{"cli_helper app_id"}}, {text: "@Robin Oak look", mentions: []string{"ou_robin open_id"}},
			{text: "@Devon run the tests", mentions: []string{"cli_helper app_id"}}, {text: "@Robin Oak hi", mentions: []string{"ou_robin open_id"}},
		},
		"card-as-post": {
			{text: "Shift plan\nMonday: Wren\nTuesday: Robin", mode: "flattened"}, {text: "Shift plan\nMonday: Wren"},
			{text: "Shift plan\nMonday: Wren", mode: "flattened"},
		},
		"card-upgrade-placeholder": {{text: "-", images: []string{"img_v3_up"}, issue: schemas.IssueNulled, mode: "flattened"}},
		"surrogates": {
			{text: "cut \uFFFD here", issue: schemas.IssueCoerced}, {text: "whole 😀 pair"}, {text: "swapped \uFFFD\uFFFD", issue: schemas.IssueCoerced},
			{text: "\uFFFD\nx", issue: schemas.IssueCoerced},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := decodeAll(listPage(fixture(t, filepath.Join("cases", name+".json"))))
			if len(out.Readings) != len(want) || len(out.Failed) != 0 {
				t.Fatalf("%d readings, failed %v", len(out.Readings), out.Failed)
			}
			for i := range want {
				encode(t, &out.Readings[i])
				checkSaid(t, &out.Readings[i].Message, &want[i])
			}
		})
	}
}

func checkSaid(t *testing.T, m *schemas.Message, want *saying) {
	t.Helper()
	text := "-"
	if m.Text != nil {
		text = *m.Text
	}
	if text != want.text {
		t.Errorf("%s: text %q, want %q", m.MessageID, text, want.text)
	}
	var mentions, images []string
	for i := range m.Mentions {
		switch e := &m.Mentions[i]; {
		case e.IsAll:
			mentions = append(mentions, "all")
		case e.ID != nil && e.IDType != nil:
			mentions = append(mentions, *e.ID+" "+*e.IDType)
		default:
			t.Errorf("%s: mention %+v", m.MessageID, e)
		}
	}
	for i := range m.Attachments {
		images = append(images, *m.Attachments[i].FileKey)
	}
	if !slices.Equal(mentions, want.mentions) || !slices.Equal(images, want.images) {
		t.Errorf("%s: mentions %q, images %q", m.MessageID, mentions, images)
	}
	if want.issue == "" && len(m.Issues) != 0 || want.issue != "" && !hasIssue(m, "text", want.issue) {
		t.Errorf("%s: issues %v, want %q", m.MessageID, m.Issues, want.issue)
	}
	if mode := m.Attributes.Get("card_mode"); mode != want.mode {
		t.Errorf("%s: card_mode %q, want %q", m.MessageID, mode, want.mode)
	}
}
