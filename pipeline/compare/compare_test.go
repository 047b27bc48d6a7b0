package compare

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"chatlake/schemas"
)

// told is a version of a message of conversation "oc".
func told(id string, version int64, change func(*schemas.Message)) schemas.Record {
	at := schemas.Millis(1_700_000_000_000)
	none := schemas.Link{Status: schemas.LinkNone}
	m := schemas.Message{
		RecordID: "feishu/t/" + id, Version: version, Change: schemas.ChangeCreated, Platform: "feishu", TenantID: "t", ConversationID: "oc",
		ConversationKind: schemas.ConversationGroup, MessageID: id, MessageType: "text", ContentKind: schemas.ContentText, CreatedAt: at,
		OccurredAt: at, EventDate: at.Date(), State: schemas.MessageNormal, Sender: schemas.Sender{ID: "ou_a", Kind: "user"}, Parent: none, Root: none,
		Forward:    schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable},
		Provenance: schemas.Provenance{PageID: fmt.Sprint(version), SourceAPI: "api", RawTopic: "raw", ItemPointer: "/0", ConnectorVersion: "c", NormalizerVersion: fmt.Sprint(version)},
	}
	if change != nil {
		change(&m)
	}
	value, err := schemas.MessageSchema.Append(nil, 3, &m)
	if err != nil {
		panic(err)
	}
	return schemas.Record{Topic: "out", Key: m.RecordID, Value: value}
}

func of(records ...schemas.Record) Messages {
	return func(_ context.Context, fn func(*schemas.Record) error) error {
		for i := range records {
			if err := fn(&records[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func comparer(t *testing.T) *Comparer {
	return &Comparer{Dir: t.TempDir(), Decoder: schemas.NewDecoder(schemas.MessageSchema, func(context.Context, int) (string, error) {
		return schemas.MessageSchema.Text, nil
	})}
}

func text(s string) func(*schemas.Message) { return func(m *schemas.Message) { m.Text = &s } }

func compared(t *testing.T, c *Comparer, p Part) *Report {
	t.Helper()
	var r Report
	if err := c.Compare(t.Context(), p, &r); err != nil {
		t.Fatal(err)
	}
	r.Finish()
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	return &r
}

// TestWhatIsNoDifference: versions, what changed and provenance are apart, and only the newest version counts.
func TestWhatIsNoDifference(t *testing.T) {
	r := compared(t, comparer(t), Part{
		Old: of(told("a", 1, text("x")), told("a", 9, text("y")), told("a", 3, text("z"))),
		New: of(told("a", 2, text("y"))),
	})
	if r.Records != 1 || r.Same != 1 || r.Differs() || len(r.Samples) != 0 || r.Samples == nil || r.Fields == nil {
		t.Errorf("%+v", r)
	}
}

// TestEveryFieldIsCompared changes each field of a message, one after the other, and expects exactly its dotted path.
func TestEveryFieldIsCompared(t *testing.T) {
	var paths []string
	var each func(path string, v reflect.Value, change func(func(reflect.Value)) func(*schemas.Message))
	check := func(path string, change func(*schemas.Message)) {
		paths = append(paths, path)
		var a, b schemas.Message
		change(&b)
		if got := differences(&a, &b); len(got) != 1 || got[0].field != path || reflect.DeepEqual(got[0].old, got[0].fresh) {
			t.Errorf("%s: %+v", path, got)
		}
	}
	each = func(path string, v reflect.Value, at func(func(reflect.Value)) func(*schemas.Message)) {
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name = path + name; apart[name] || name == "record_id" {
				continue
			}
			field := func(set func(reflect.Value)) func(*schemas.Message) {
				return at(func(v reflect.Value) { set(v.Field(i)) })
			}
			if v.Field(i).Kind() == reflect.Struct {
				each(name+".", v.Field(i), field)
				continue
			}
			check(name, field(other))
		}
	}
	each("", reflect.ValueOf(schemas.Message{}), func(set func(reflect.Value)) func(*schemas.Message) {
		return func(m *schemas.Message) { set(reflect.ValueOf(m).Elem()) }
	})
	if len(paths) < 55 {
		t.Errorf("only %d fields: %v", len(paths), paths)
	}
}

// other gives a field another value.
func other(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	}
}

func TestMissingAddedAndMoving(t *testing.T) {
	elsewhere := func(m *schemas.Message) { m.ConversationID = "oc_moving" }
	r := compared(t, comparer(t), Part{
		Old:    of(told("a", 1, nil), told("b", 5, nil), told("m", 1, elsewhere)),
		New:    of(told("a", 1, nil), told("c", 7, nil), told("m", 2, text("later")), told("n", 1, elsewhere)),
		Moving: func(key schemas.ConversationKey) bool { return key == "feishu/t/oc_moving" },
	})
	if r.Records != 3 || r.Same != 1 || r.Missing != 1 || r.Added != 2 || r.Moving != 2 || r.Changed != 0 {
		t.Errorf("%+v", r)
	}
	if s := r.Samples[0]; s.RecordID != "feishu/t/b" || s.Field != nil || s.Old != int64(5) || s.New != nil {
		t.Errorf("missing: %+v", s)
	}
	counted := compared(t, comparer(t), Part{New: of(told("a", 1, nil), told("a", 2, nil), told("b", 1, nil))})
	if counted.Records != 2 || counted.Differs() {
		t.Errorf("counted only: %+v", counted)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	r := compared(t, comparer(t), Part{Old: of(schemas.Record{Topic: "out", Partition: 3, Offset: 7, Value: []byte("poison")}), New: of(told("a", 1, nil))})
	if r.Unreadable != 1 || !r.Differs() || len(r.Unread) != 1 || !strings.HasPrefix(r.Unread[0], "out/3 offset 7 ") {
		t.Errorf("%+v", r)
	}
	c := comparer(t)
	c.Decoder = schemas.NewDecoder(schemas.MessageSchema, func(context.Context, int) (string, error) { return "", schemas.ErrNoAnswer })
	if err := c.Compare(t.Context(), Part{New: of(told("a", 1, nil))}, &Report{}); !errors.Is(err, schemas.ErrNoAnswer) {
		t.Errorf("a registry that does not answer: %v", err)
	}
	c.Dir = c.Dir + "/none"
	if err := c.Compare(t.Context(), Part{New: of()}, &Report{}); err == nil || !strings.Contains(err.Error(), "NORMALIZER_STATE_DIR") {
		t.Errorf("no directory: %v", err)
	}
}

// TestSamplesOfAllFields: one field that differs everywhere does not hide another.
func TestSamplesOfAllFields(t *testing.T) {
	var old, fresh []schemas.Record
	for i := range 100 {
		id := fmt.Sprint(i)
		old = append(old, told(id, 1, text(strings.Repeat("long ", 1000))))
		fresh = append(fresh, told(id, 1, func(m *schemas.Message) {
			if m.Text = nil; i == 77 {
				m.IsEdited = true
			}
		}))
	}
	r := compared(t, comparer(t), Part{Old: of(old...), New: of(fresh...)})
	seen := map[string]int{}
	for _, s := range r.Samples {
		seen[*s.Field]++
		if v, ok := s.Old.(string); *s.Field == "text" && (!ok || len(v) > 1100) {
			t.Errorf("a sample shows %T", s.Old)
		}
	}
	if r.Changed != 100 || r.Fields["text"] != 100 || r.Fields["is_edited"] != 1 || seen["text"] != 19 || seen["is_edited"] != 1 {
		t.Errorf("%+v, samples %v", r.Fields, seen)
	}
}

// TestLargerThanMemory compares the same in one round, and in many of few bytes each, with the same report; and it holds no
// more than it may.
func TestLargerThanMemory(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	side := func() (all []schemas.Record) {
		for range 3000 {
			all = append(all, told(fmt.Sprint(chance.IntN(1500)), 1+chance.Int64N(1000), text(fmt.Sprint(chance.IntN(3)))))
		}
		return all
	}
	old, fresh := side(), side()
	want := compared(t, comparer(t), Part{Old: of(old...), New: of(fresh...)})
	small := comparer(t)
	small.buckets, small.memory = 3, 8<<10
	got := compared(t, small, Part{Old: of(old...), New: of(fresh...)})
	if want.Same == 0 || want.Changed == 0 || want.Missing == 0 || want.Added == 0 {
		t.Fatalf("too thin: %+v", want)
	}
	if got.Records != want.Records || got.Same != want.Same || got.Changed != want.Changed || got.Missing != want.Missing || got.Added != want.Added {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestMemory compares 256 MB of records within a tenth of that.
func TestMemory(t *testing.T) {
	long := strings.Repeat("x", 1<<14)
	many := func(_ context.Context, fn func(*schemas.Record) error) error {
		r := told("0", 1, text(long))
		var m schemas.Message
		_, body, err := schemas.Frame(r.Value)
		if err == nil {
			err = schemas.MessageSchema.Decode(body, &m)
		}
		for i := 0; i < 8<<10 && err == nil; i++ {
			m.RecordID = fmt.Sprint("feishu/t/", i)
			if r.Value, err = schemas.MessageSchema.Append(r.Value[:0], 3, &m); err == nil {
				err = fn(&r)
			}
		}
		return err
	}
	c := comparer(t)
	c.memory = 4 << 20
	var peak uint64
	watched := func(ctx context.Context, fn func(*schemas.Record) error) error {
		err := many(ctx, fn)
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		peak = max(peak, s.HeapAlloc)
		return err
	}
	r := compared(t, c, Part{Old: watched, New: watched})
	if r.Same != 8<<10 || peak > 26<<20 {
		t.Errorf("%+v with %d MiB", r, peak>>20)
	}
	t.Logf("heap %d MiB after 128 MiB of each side", peak>>20)
}
