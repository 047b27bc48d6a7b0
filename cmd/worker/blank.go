package worker

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// fillers are characters that show nothing though Unicode calls them letters or symbols: combining grapheme joiner, Hangul
// fillers, Khmer inherent vowels, the empty Braille pattern.
var fillers = []rune{0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0}

// Invisible reports whether a character is a blank, a control or one that shows nothing. Copied values carry them, and
// two values that differ in nothing else look alike in every list.
func Invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) ||
		slices.Contains(fillers, r)
}

// Cut takes blanks and invisible characters off the ends of an id or credential, and says which, "" where there are none.
func Cut(s string) (cut, what string) {
	cut = strings.TrimFunc(s, Invisible)
	if cut == s {
		return s, ""
	}
	left, right, _ := strings.Cut(s, cut)
	if cut == "" {
		left, right = s, ""
	}
	var seen []string
	for _, r := range left + right {
		if point := fmt.Sprintf("U+%04X", r); !slices.Contains(seen, point) {
			seen = append(seen, point)
		}
	}
	return cut, strings.Join(seen[:min(len(seen), 3)], ", ")
}

// Placeholder reports whether an id or credential is one that documentation shows, such as cli_…, pasted as it stands.
func Placeholder(s string) bool { return strings.ContainsRune(s, '…') }

// Within names the first blank or invisible character within an id or credential, "" where there is none.
func Within(s string) string {
	for _, r := range s {
		if Invisible(r) {
			return fmt.Sprintf("U+%04X", r)
		}
	}
	return ""
}
