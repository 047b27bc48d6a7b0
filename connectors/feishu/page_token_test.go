package feishu_test

import (
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// TestPageTokenThatIsTooLong: such a token cannot be kept in a checkpoint; the container must end, not the process.
func TestPageTokenThatIsTooLong(t *testing.T) {
	big := strings.Repeat("<", 3<<20) // 3 MiB on the wire, 18 MiB in the cursor
	f := script{"list c": list(big, msg("om_1", 1700000001000))}.serve(t)
	for page, err := range f.source().Pages(t.Context(), container("chat", "c"), connectors.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		cursor, id := string(page.Next.Cursor), "p"
		cp := schemas.Checkpoint{ContainerKey: "feishu/t/chat/c", Epoch: 1, State: schemas.StateRunning, Cursor: &cursor, LastPageID: &id}
		if err := cp.Validate(); err != nil {
			t.Errorf("the checkpoint after the page: %v", err)
		}
		break
	}
}

// TestMoreIsNotTold: a page with a token that does not say whether there is more is no end.
func TestMoreIsNotTold(t *testing.T) {
	for _, more := range []string{``, `"has_more":null,`} {
		f := script{
			"list c":    `{"code":0,"data":{` + more + `"page_token":"p2","items":[` + msg("om_1", 1700000001000) + `]}}`,
			"list c p2": list("", msg("om_2", 1700000002000)),
		}.serve(t)
		pages, err := read(t, f.source(), container("chat", "c"), connectors.Position{})
		if err == nil && len(pages) == 1 && pages[0].Final && pages[0].Failed == nil {
			t.Errorf("%q: container is COMPLETE after 1 page of 2", more)
		}
	}
}
