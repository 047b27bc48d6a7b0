package tree_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"chatlake/pipeline/tree"
	"chatlake/schemas"
)

func said(id, text string, at int64) *schemas.Message {
	return &schemas.Message{
		RecordID: "feishu/t/" + id, Version: 1, Change: schemas.ChangeCreated, Platform: "feishu", TenantID: "t", ConversationID: "oc_1", MessageID: id,
		OccurredAt: schemas.Millis(at), Text: &text, State: schemas.MessageNormal,
		Parent: schemas.Link{Status: schemas.LinkNone}, Root: schemas.Link{Status: schemas.LinkNone}, Forward: schemas.Forward{Role: schemas.ForwardNone},
	}
}

func answer(m *schemas.Message, to string) *schemas.Message {
	m.Parent = schemas.Link{Status: schemas.LinkPending, MessageID: &to}
	return m
}

func child(m *schemas.Message, under, path, role string) *schemas.Message {
	parent, outermost := "feishu/t/"+under, "feishu/t/"+strings.Split(under, "/")[0]
	m.RecordID = parent + "/" + m.MessageID
	m.Forward = schemas.Forward{Role: role, ParentRecordID: &parent, ContainerRecordID: &outermost, Path: &path}
	return m
}

// drawn gives the tree as lines of depth and text.
func drawn(t *tree.Tree) string {
	var b strings.Builder
	for l := range t.Lines() {
		earlier := ""
		if l.Earlier {
			earlier = "~"
		}
		fmt.Fprintf(&b, "%s%s%s%s\n", strings.Repeat(".", l.Depth), [...]string{"", "r", "t", "f"}[l.Kind], earlier, *l.Text)
	}
	return b.String()
}

func TestATreeReadsAsPeopleDo(t *testing.T) {
	thread := "omt_1"
	root := said("om_root", "root", 5)
	root.ThreadID, root.IsThreadRoot = &thread, true
	inThread := said("om_t", "in thread", 6)
	inThread.ThreadID = &thread
	copied := said("om_copy", "copy", 7)
	copied.ThreadID, copied.CopyOfMessageID = &thread, &inThread.MessageID
	other := answer(said("om_x", "elsewhere", 8), "om_1")
	other.ConversationID = "oc_2"
	edited := said("om_1", "hello, all", 1)
	edited.Version, edited.Change = 2, schemas.ChangeEdited
	relinked := said("om_1", "hello, all", 1)
	relinked.Version, relinked.Change = 3, schemas.ChangeRelinked

	var all tree.Tree
	for _, m := range []*schemas.Message{
		answer(said("om_3", "second answer", 4), "om_1"), inThread, copied, root, relinked, other,
		answer(said("om_4", "to the answer", 9), "om_2"), said("om_1", "hello", 1), edited, edited,
		answer(said("om_2", "first answer", 2), "om_1"), answer(said("om_5", "to nobody here", 10), "om_gone"),
		said("om_f", "forward", 3), answer(said("om_fa", "about the forward", 3), "om_f"),
		child(said("om_f2", "second within", 3), "om_f", "00002", schemas.ForwardChild),
		child(said("om_f1", "first within", 3), "om_f", "00001", schemas.ForwardChildContainer),
		child(answer(said("om_1", "a snapshot", 3), "om_f2"), "om_f/om_f1", "00001.00001", schemas.ForwardChild),
		answer(said("om_a", "a circle", 11), "om_b"), answer(said("om_b", "of two", 12), "om_a"), answer(said("om_self", "itself", 13), "om_self"),
	} {
		all.Add(m)
	}
	want := `hello, all
~hello
.rfirst answer
..rto the answer
.rsecond answer
forward
.ffirst within
..fa snapshot
.fsecond within
.rabout the forward
root
.tin thread
copy
to nobody here
a circle
.rof two
itself
elsewhere
`
	for range 2 { // it can be drawn again
		if got := drawn(&all); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
	all.Clear()
	if got := drawn(&all); got != "" || !all.Empty() {
		t.Errorf("cleared, it holds\n%s", got)
	}
}

func TestWholeTreesKeepEveryVersion(t *testing.T) {
	all := tree.Tree{Whole: true}
	content := `{"text":"x"}`
	for v := range int64(3) {
		m := said("om_1", "x", 1)
		m.Version, m.Change, m.ContentJSON = v+1, schemas.ChangeRelinked, &content
		all.Add(m)
	}
	n := 0
	for l := range all.Lines() {
		if n++; l.ContentJSON == nil || l.Earlier != (n > 1) || l.Version != int64(4-n) {
			t.Errorf("line %d: %+v", n, l)
		}
	}
	if n != 3 {
		t.Errorf("%d versions", n)
	}
}

// TestAFullTreeIsBounded: what it holds before it says that it is full stays within its limits, of short and of long texts.
func TestAFullTreeIsBounded(t *testing.T) {
	for name, text := range map[string]string{"short": "yes", "long": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var all tree.Tree
			n := 0
			for ; !all.Full(); n++ {
				all.Add(answer(said(fmt.Sprintf("om_%d", n), text, int64(n)), fmt.Sprintf("om_%d", n-1)))
			}
			depth := 0
			for l := range all.Lines() {
				depth = l.Depth
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
			t.Logf("%d messages, %d MiB", n, used>>20)
			if n > tree.MaxVersions || depth != n-1 || used > 2*tree.MaxBytes {
				t.Errorf("%d messages, %d deep, take %d MiB", n, depth, used>>20)
			}
			runtime.KeepAlive(&all)
		})
	}
}
