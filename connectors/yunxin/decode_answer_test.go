package yunxin_test

import (
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
)

// answered tells the answers of pages in short.
func answered(out *connectors.Decoded) []string {
	var all []string
	for _, a := range out.Answers {
		all = append(all, a.MessageID+" "+a.Status+" "+a.Reason)
	}
	return all
}

func TestBatchAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		asked []string
		want  []string
		shown int
	}{
		"shown":            {`{"code":200,"data":{"success_list":[` + textItem("1", "") + `]}}`, []string{"1"}, nil, 1},
		"failed":           {`{"code":200,"data":{"failed_list":[{"message_server_id":1,"error_code":107404}]}}`, []string{"1"}, []string{"1 MISSING 107404"}, 0},
		"anti-spam":        {`{"code":200,"data":{"failed_list":[{"message_server_id":"4291065454174142469","error_code":107451}]}}`, []string{"1", "2"}, []string{"4291065454174142469 FORBIDDEN 107451"}, 0},
		"code as a string": {`{"code":200,"data":{"failed_list":[{"message_server_id":1,"error_code":"107404"}]}}`, []string{"1"}, []string{"1 MISSING 107404"}, 0},
		"other codes": {`{"code":200,"data":{"failed_list":[{"message_server_id":1,"error_code":404},{"message_server_id":2,"error_code":109404},{"message_server_id":3,"error_code":414}]}}`,
			[]string{"1", "2", "3"}, []string{"1 MISSING 404", "2 FORBIDDEN 109404", "3 MISSING 414"}, 0},
		"to be asked again":    {`{"code":200,"data":{"failed_list":[{"message_server_id":1,"error_code":416},{"message_server_id":2,"error_code":500},{"message_server_id":3}]}}`, []string{"1", "2", "3"}, nil, 0},
		"in neither, alone":    {`{"code":200,"data":{}}`, []string{"158844553334358018"}, []string{"158844553334358018 MISSING unaccounted"}, 0},
		"in neither, null":     {`{"code":200,"data":{"success_list":null,"failed_list":null}}`, []string{"1"}, []string{"1 MISSING unaccounted"}, 0},
		"in neither, of two":   {`{"code":200,"data":{}}`, []string{"1", "2"}, nil, 0},
		"the same twice":       {`{"code":200,"data":{}}`, []string{"1", "1"}, []string{"1 MISSING unaccounted"}, 0},
		"in both":              {`{"code":200,"data":{"success_list":[` + textItem("1", "") + `],"failed_list":[{"message_server_id":1,"error_code":107404}]}}`, []string{"1"}, nil, 1},
		"failed, not asked":    {`{"code":200,"data":{"failed_list":[{"message_server_id":9,"error_code":107404}]}}`, []string{"1"}, []string{"9 MISSING 107404", "1 MISSING unaccounted"}, 0},
		"failed list no list":  {`{"code":200,"data":{"failed_list":{"a":1}}}`, []string{"1", "2"}, nil, 0},
		"refused as a whole":   {`{"code":108404,"msg":"x","data":{}}`, []string{"1", "2"}, []string{"1 MISSING 108404", "2 MISSING 108404"}, 0},
		"one that is poison":   {`{"code":414,"data":{}}`, []string{"7"}, []string{"7 MISSING 414"}, 0},
		"one of two is poison": {`{"code":414,"data":{}}`, []string{"7", "8"}, nil, 0},
		"throttled":            {`{"code":416,"data":{}}`, []string{"7"}, nil, 0},
	} {
		page := batchPage(c.body, c.asked...)
		out := decodePages(page)
		if got := answered(out); !slices.Equal(got, c.want) || len(out.Readings) != c.shown || len(out.Failed) != 0 {
			t.Errorf("%s: got %q, %d readings, failed %+v; want %q", name, got, len(out.Readings), out.Failed, c.want)
		}
		if strings.HasPrefix(c.body, `{"code":200`) {
			continue
		}
		page.Code = c.body[8:strings.IndexByte(c.body, ',')]
		if got := answered(decodePages(page)); !slices.Equal(got, c.want) {
			t.Errorf("%s, told by the header: got %q, want %q", name, got, c.want)
		}
	}
}

// A code that may be another one later is an answer where nothing comes later.
func TestBatchLastPage(t *testing.T) {
	page := batchPage(`{"code":200,"data":{"failed_list":[{"message_server_id":1,"error_code":500},{"message_server_id":2}]}}`, "1", "2")
	page.Final = true
	if got := answered(decodePages(page)); !slices.Equal(got, []string{"1 MISSING 500", "2 MISSING 0"}) {
		t.Errorf("got %q", got)
	}
	page.Code, page.Body = "500", []byte(`{"code":500,"data":{}}`)
	if got := answered(decodePages(page)); !slices.Equal(got, []string{"1 MISSING 500", "2 MISSING 500"}) {
		t.Errorf("as a whole: got %q", got)
	}
}

// A look-up that was given up says so of all that it asked for; a page that asked for nothing says nothing.
func TestBatchGivenUp(t *testing.T) {
	page := batchPage("<html>", "1", "4291065454174142469")
	page.Error, page.Code = "timeout", ""
	file := filePage("1", "https://nos.example/a", "")
	out := decodePages(file, page)
	if got := answered(out); !slices.Equal(got, []string{"1 MISSING timeout", "4291065454174142469 MISSING timeout"}) || out.Answers[0].Page != 1 || len(out.Failed) != 0 {
		t.Errorf("got %+v", out)
	}
	for _, request := range []string{"", "POST /x", "POST /x {", `POST /x {"messages":{}}`, `POST /x {"messages":[{"message_server_id":0},3]}`} {
		page.Request, page.Body = request, nil
		if out := decodePages(page); len(out.Answers)+len(out.Failed) != 0 {
			t.Errorf("%q: got %+v", request, out)
		}
	}
	list := historyOf(textItem("1", ""))
	list.Error = "timeout"
	if out := decodePages(list); len(out.Answers) != 0 {
		t.Errorf("a list: got %+v", out)
	}
}
