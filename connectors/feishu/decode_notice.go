package feishu

import (
	"strings"

	"chatlake/schemas"
)

// Longest and shortest notice in bytes. A longer text is somebody's own, a shorter one has no room for a word of each list.
const (
	maxNotice = 200
	minNotice = 19
)

// notices are the words of the notice that the platform shows in place of a card, an element or a chart: one of each list
// must occur. They differ by kind of content, age and language.
var notices = [...]struct{ ask, what, which []string }{
	{
		[]string{"请升级", "请更新", "請升級", "請更新"},
		[]string{"最新版", "新版本"},
		[]string{"客户端", "客戶端", "用戶端", "飞书", "飛書", "lark"},
	},
	{
		[]string{"upgrade", "update"},
		[]string{"latest version", "newer version", "new version"},
		[]string{"to view", "to see", "to check", "to display", "before viewing"},
	},
	{
		[]string{"update", "upgrade"},
		[]string{
			"date lark", "grade lark", "date feishu", "grade feishu", "date your lark", "grade your lark", "date your feishu", "grade your feishu",
			"date your client", "grade your client", "date the client", "grade the client", "date your app to", "grade your app to",
			"date the app to", "grade the app to", "date to the latest", "grade to the latest",
		},
		[]string{"to view", "to see", "to check", "to display", "before viewing"},
	},
	{
		[]string{"アップデート", "アップグレード", "更新"},
		[]string{"最新バージョン", "最新版"},
		[]string{"表示", "確認"},
	},
	{
		[]string{"업데이트", "업그레이드"},
		[]string{"최신 버전", "최신버전", "새 버전"},
		[]string{"확인", "보려면", "볼 수", "보기", "표시"},
	},
}

// notice reports whether s is to be left out: the platform's notice in place of content, in elements that the platform
// wrote. Where the sender may have written the same words, they stay. Both are issues.
func (d *reader) notice(s string) bool {
	if d.ours {
		return d.noticeOfPlatform(s)
	}
	if len(s) < minNotice || len(s) > maxNotice || !mayBeNotice(s) || !isNotice(s) {
		return false
	}
	d.textIssue(schemas.IssueUnknownType, likeNotice)
	return false
}

const likeNotice = "reads like the platform's notice in place of the content"

// half is an element that may be the first half of a notice.
type half struct {
	text string
	asks bool // it has a word that is rare in other texts
}

// noticeOfPlatform is notice for elements that the platform wrote. Two that are a notice together stay, with an issue: the
// first has been added.
func (d *reader) noticeOfPlatform(s string) bool {
	before := d.before
	d.before = half{}
	if s == "" || len(s) > maxNotice {
		return false
	}
	asks := mayBeNotice(s)
	if asks && len(s) >= minNotice && isNotice(s) {
		d.textIssue(schemas.IssueNulled, "the platform shows a notice in place of the content")
		return true
	}
	d.before = half{text: s, asks: asks}
	if n := len(before.text) + len(s); !asks && !before.asks || before.text == "" || n < minNotice || n > maxNotice {
		return false
	}
	if isNotice(before.text+s) || isNotice(before.text+" "+s) {
		d.textIssue(schemas.IssueUnknownType, likeNotice)
	}
	return false
}

// mayBeNotice tells most texts from notices by bytes that are rare in others, without looking for each word.
func mayBeNotice(s string) bool {
	if i := strings.IndexByte(s, 'p'); i >= 0 && (strings.Contains(s[i:], "pdate") || strings.Contains(s[i:], "pgrade")) {
		return true
	}
	for _, word := range [...]string{"新", "버전"} {
		if i := strings.IndexByte(s, word[0]); i >= 0 && strings.Contains(s[i:], word) {
			return true
		}
	}
	return false
}

func isNotice(s string) bool {
	s = strings.ToLower(s)
	for i := range notices {
		if n := &notices[i]; hasAny(s, n.ask) && hasAny(s, n.what) && hasAny(s, n.which) {
			return true
		}
	}
	return false
}

func hasAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
