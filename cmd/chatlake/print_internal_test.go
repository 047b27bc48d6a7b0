package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode"
)

func TestCleanLetsNothingSteerATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain 文字 🙂":         "plain 文字 🙂",
		"a\nb\r\nc":          "a⏎b⏎c",
		"tab\there":          "tab here",
		"\x1b[31mred":        "\ufffd[31mred",
		"\u009b2J":           "\ufffd2J",
		"a\u2028b\u2029c":    "a⏎b⏎c",
		"\u202eabc\u2066d":   "\ufffdabc\ufffdd",
		"cut \xff\xfe short": "cut \ufffd\ufffd short",
		"":                   "",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJSONKeepsTheTextAndShowsNoControl(t *testing.T) {
	in := "a<b>&\x00\x1b\x7f\u0085\u009f é 🙂\n"
	var b bytes.Buffer
	if err := printJSON(&b, map[string]string{"text": in}, false); err != nil {
		t.Fatal(err)
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if bytes.ContainsFunc(line, unicode.IsControl) {
		t.Errorf("a control character stands in %q", line)
	}
	var back map[string]string
	if err := json.Unmarshal(line, &back); err != nil || back["text"] != in {
		t.Errorf("reads back as %q: %v", back["text"], err)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %s, want %s", n, got, want)
		}
	}
	for _, tt := range []struct {
		calls, perMinute int
		within           time.Duration
		want             float64
	}{{500, 1000, 30 * time.Second, 100}, {250, 1000, 30 * time.Second, 50}, {5, 1000, 0, 0}, {5, 0, time.Minute, 0}, {20, 1000, time.Second, 100}} {
		if got := share(tt.calls, tt.perMinute, tt.within); got != tt.want {
			t.Errorf("share of %+v is %v", tt, got)
		}
	}
	if got := cut("文字文字", 3); got != "文字…" {
		t.Errorf("cut: %s", got)
	}
}

func TestVerdictNamesWhatWentWrong(t *testing.T) {
	if err := (&demoSummary{demoCounts: demoCounts{Served: 10, Messages: 10}}).verdict(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]demoCounts{
		"lost": {Lost: 1}, "doubled": {Doubled: 1}, "unexpected": {Unexpected: 1}, "pages doubled": {PagesDoubled: 1}, "altered": {PagesAltered: 1},
	} {
		if s := (&demoSummary{demoCounts: c}); s.verdict() == nil {
			t.Errorf("%s: passed as good", name)
		}
	}
}
