package feishu_test

import (
	"errors"
	"testing"

	"chatlake/connectors"
)

// Only some codes are about one chat for sure; words of chatlake are about none.
func TestRefusalsThatMayBeTheApps(t *testing.T) {
	for body, wide := range map[string]bool{
		`400 {"code":230002}`: false, `400 {"code":230013}`: false, `400 {"code":231203}`: false, `400 {"code":231004}`: false, `400 {"code":232009}`: false,
		`400 {"code":230027}`: true, `400 {"code":230001}`: true, `400 {"code":4711}`: true, `400 {"code":232006}`: true,
		`200 {"code":0,"data":{"has_more":true}}`: false,
	} {
		pages, err := read(t, script{"list oc_1": body}.serve(t).source(), container("chat", "oc_1"), connectors.Position{})
		if err != nil || len(pages) != 1 || pages[0].Failed == nil || pages[0].Failed.Wide != wide {
			t.Errorf("%s: %v, %+v", body, err, pages)
		}
	}
}

// A busy chat is waited for: nothing tells that it stays so.
func TestBusyChatWaits(t *testing.T) {
	pages, err := read(t, script{"list oc_1": `400 {"code":232096}`}.serve(t).source(), container("chat", "oc_1"), connectors.Position{})
	var e *connectors.Error
	if len(pages) != 0 || !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "232096" || e.Calls != 5 {
		t.Errorf("%d pages, %v", len(pages), err)
	}
}
