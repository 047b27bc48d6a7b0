package schemas_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"chatlake/schemas"
)

// doubling is a schema of some hundred bytes a level, in which each level is used twice in the next.
func doubling(name string, levels int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"record","name":%q,"namespace":"chatlake.v1","fields":[{"name":"x","type":`, name)
	for i := range levels {
		fmt.Fprintf(&b, `{"type":"record","name":"r%d","namespace":"n","fields":[{"name":"a","type":`, i)
	}
	b.WriteString(`"null"`)
	for i := levels - 1; i >= 0; i-- {
		if i == levels-1 {
			b.WriteString(`}]}`)
			continue
		}
		fmt.Fprintf(&b, `},{"name":"b","type":"n.r%d"}]}`, i+1)
	}
	b.WriteString(`}]}`)
	return b.String()
}

// allocated runs work and tells how many bytes it allocated.
func allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// short fails for an error that does not fit into one line of a log.
func short(t *testing.T, err error) {
	t.Helper()
	if err != nil && len(err.Error()) > 2000 {
		t.Errorf("the error has %d bytes: %.200s", len(err.Error()), err.Error())
	}
}

// TestSchemaThatUnfolds: what a few bytes describe may be millions of types.
func TestSchemaThatUnfolds(t *testing.T) {
	for _, name := range []string{"container", "Container"} {
		for _, levels := range []int{10, 16, 20, 22, 28} {
			text := doubling(name, levels)
			d := schemas.NewDecoder(schemas.ContainerSchema, func(context.Context, int) (string, error) { return text, nil })
			var err error
			if size := allocated(func() { err = d.Decode(t.Context(), []byte{0, 0, 0, 0, 9, 0}, new(schemas.Container)) }); size > 16<<20 {
				t.Errorf("%d bytes of schema %s cost %d MiB", len(text), name, size>>20)
			}
			if err == nil || levels > 12 && !errors.Is(err, schemas.ErrSchema) || errors.Is(err, schemas.ErrNoAnswer) {
				t.Errorf("%d levels of %s: %v", levels, name, err)
			}
			short(t, err)
		}
	}
}

// TestSchemaBeyondLimits refuses what would cost more than its bytes, by name, and asks for it once.
func TestSchemaBeyondLimits(t *testing.T) {
	nested := strings.Repeat(`{"type":"array","items":`, 5000) + `"null"` + strings.Repeat("}", 5000)
	for name, text := range map[string]string{
		"long":      `{"type":"record","name":"Container","namespace":"chatlake.v1","doc":"` + strings.Repeat("x", 1<<20) + `","fields":[]}`,
		"deep":      `{"type":"record","name":"Container","namespace":"chatlake.v1","fields":[{"name":"x","type":` + nested + `}]}`,
		"recursive": `{"type":"record","name":"Container","namespace":"chatlake.v1","fields":[{"name":"x","type":["null","Container"]}]}`,
	} {
		asked := 0
		d := schemas.NewDecoder(schemas.ContainerSchema, func(context.Context, int) (string, error) { asked++; return text, nil })
		for range 3 {
			var err error
			if size := allocated(func() { err = d.Decode(t.Context(), []byte{0, 0, 0, 0, 9, 0}, new(schemas.Container)) }); size > 64<<20 {
				t.Errorf("%s: %d MiB", name, size>>20)
			}
			if !errors.Is(err, schemas.ErrSchema) {
				t.Errorf("%s: %v", name, err)
			}
			short(t, err)
		}
		if asked != 1 {
			t.Errorf("%s: the registry was asked %d times", name, asked)
		}
	}
}

// TestValuesWithoutBytes: an array whose items take no bytes costs no more than its body warrants.
func TestValuesWithoutBytes(t *testing.T) {
	nulls := make([]string, 3000)
	for i := range nulls {
		nulls[i] = fmt.Sprintf(`{"name":"n%d","type":"null"}`, i)
	}
	empty := `{"type":"record","name":"E","fields":[` + strings.Join(nulls, ",") + `]}`
	text := edit(t, schemas.ContainerSchema.Text, with("cause", `{"name":"x","type":{"type":"array","items":{"type":"array","items":`+empty+`}},"default":[]}`))
	d := schemas.NewDecoder(schemas.ContainerSchema, fixed(text))
	inner := []byte{0xfe, 0xff, 0x0f, 0}           // 131071 items without a byte, then the end of the array
	body := append(make([]byte, 5+12), 0xd0, 0x0f) // the frame, twelve empty fields before x, 1000 arrays
	for range 1000 {
		body = append(body, inner...)
	}
	if err := d.Decode(t.Context(), append(body, 0), new(schemas.Container)); err == nil || !strings.Contains(err.Error(), "more values than") {
		t.Errorf("131 million records in %d bytes: %v", len(body), err)
	}
}
