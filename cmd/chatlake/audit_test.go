package main_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// audited is the document of audit.
type audited struct {
	OK         *bool            `json:"ok"`
	Containers *int             `json:"containers"`
	Epochs     *int             `json:"epochs"`
	Pages      *int             `json:"pages"`
	Items      *int             `json:"items"`
	Messages   *int             `json:"messages"`
	Pending    *int             `json:"pending"`
	Expired    *int             `json:"expired"`
	Findings   []map[string]any `json:"findings"`
}

// TestAudit finds nothing where nothing is, and ends with 4 where messages come from nowhere.
func TestAudit(t *testing.T) {
	env := topics(t, "audited")
	r := decoded[audited](t, env, "audit")
	if r.OK == nil || !*r.OK || r.Findings == nil || len(r.Findings) > 0 || r.Containers == nil || r.Epochs == nil || r.Pages == nil ||
		r.Items == nil || r.Messages == nil || *r.Messages != 0 || r.Pending == nil || r.Expired == nil {
		t.Errorf("of nothing: %+v", r)
	}
	if out := ok(t, env, "audit"); !strings.Contains(out, "0 pages") || !strings.HasSuffix(out, "nothing found\n") {
		t.Errorf("of nothing: %q", out)
	}
	talk(t, connect(t, env))
	found := chatlake(t, env, "audit", "--output", "json")
	if err := json.Unmarshal([]byte(found.stdout), &r); err != nil || found.code != 4 {
		t.Fatalf("exit %d: %v in %s %s", found.code, err, found.stdout, found.stderr)
	}
	if *r.OK || len(r.Findings) != 6 || *r.Messages != 6 {
		t.Errorf("of six orphans: %s", found.stdout)
	}
	for _, f := range r.Findings {
		keys := []string{"container_key", "detail", "epoch", "kind", "page", "page_id", "record_id"}
		for _, key := range keys {
			if _, there := f[key]; !there || len(f) != len(keys) {
				t.Errorf("keys of %v", f)
			}
		}
		if f["kind"] != "orphan" || f["page_id"] != "p" || f["container_key"] != nil || !strings.HasPrefix(f["record_id"].(string), "feishu/cli_test/om_") {
			t.Errorf("%v", f)
		}
	}
	found = chatlake(t, env, "audit")
	if lines := strings.Split(found.stdout, "\n"); found.code != 4 || !slices.Contains(lines, "found: 6 orphan") || !strings.Contains(found.stderr, "NORMALIZER_GROUP") {
		t.Errorf("exit %d, %q, %q", found.code, found.stdout, found.stderr)
	}
}

// TestAuditSaysWhatIsWrong where it cannot be done.
func TestAuditSaysWhatIsWrong(t *testing.T) {
	oneLine(t, chatlake(t, append(installation(t), "TOPIC_PREFIX=never"), "audit"), 1, "never.", "topics create")
	oneLine(t, chatlake(t, nil, "audit", "everything"), 2, `"everything"`, "audit --help")
	oneLine(t, chatlake(t, []string{"NORMALIZER_GROUPS=x"}, "audit"), 2, "NORMALIZER_GROUPS")
}
