package yunxin

import (
	"testing"

	"chatlake/connectors/decode"
)

// TestFilesOfTypeSpellings holds that the file of a merged forward is fetched however the numbers of its types are spelled.
func TestFilesOfTypeSpellings(t *testing.T) {
	var p decode.Parser
	for _, outer := range []string{`100`, `"100"`, `" 100 "`, `100.0`} {
		for _, inner := range []string{`101`, `"101"`, `" 101 "`, `101.0`, `"101.0"`} {
			v, err := p.ParseString(`{"message_type":` + outer + `,"attachment":{"type":` + inner + `,"data":{"url":"https://nos.example/f.txt"}}}`)
			if err != nil {
				t.Fatal(err)
			}
			if files := mergedFiles(v.Get("message_type"), v.Get("attachment")); len(files) != 1 {
				t.Errorf("types %s and %s: %d files, want one", outer, inner, len(files))
			}
		}
	}
}
