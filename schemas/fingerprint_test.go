package schemas_test

import (
	"reflect"
	"regexp"
	"testing"

	"chatlake/schemas"
)

// noDifference are the fields that make no new version.
var noDifference = regexp.MustCompile(`^m\.(version|change|conversation_kind|sender\.name|attachments\[\d\]\.url|provenance\..*)$`)

func fingerprint(t *testing.T, m *schemas.Message) uint64 {
	t.Helper()
	return m.Fingerprint()
}

// alter gives a leaf another value.
func alter(leaf reflect.Value) {
	switch leaf.Kind() {
	case reflect.Pointer:
		if leaf.IsNil() {
			leaf.Set(reflect.New(leaf.Type().Elem()))
			return
		}
		// What it points to may be shared with the message that this one is compared to.
		other := reflect.New(leaf.Type().Elem())
		other.Elem().Set(leaf.Elem())
		alter(other.Elem())
		leaf.Set(other)
	case reflect.String:
		leaf.SetString(leaf.String() + "x")
	case reflect.Int64:
		leaf.SetInt(leaf.Int() + 1)
	case reflect.Bool:
		leaf.SetBool(!leaf.Bool())
	case reflect.Slice:
		leaf.Set(reflect.Append(leaf, reflect.Zero(leaf.Type().Elem())))
	default:
		panic("no way to alter " + leaf.Type().String())
	}
}

// TestFingerprint changes each field of a full and of a minimal message.
func TestFingerprint(t *testing.T) {
	for _, build := range []func() *schemas.Message{fullMessage, minimalMessage} {
		want := fingerprint(t, build())
		var paths []string
		eachLeaf(reflect.ValueOf(build()).Elem(), "m", func(path string, _ reflect.Value) { paths = append(paths, path) })
		for _, path := range paths {
			for _, clear := range []bool{false, true} {
				m := build()
				changed := false
				eachLeaf(reflect.ValueOf(m).Elem(), "m", func(p string, leaf reflect.Value) {
					if p != path || clear && leaf.IsZero() {
						return
					}
					if changed = true; clear {
						leaf.SetZero()
					} else {
						alter(leaf)
					}
				})
				if !changed {
					continue
				}
				if same := fingerprint(t, m) == want; same != noDifference.MatchString(path) {
					t.Errorf("%s changed (cleared: %v): same fingerprint is %v", path, clear, same)
				}
			}
		}
	}
}

func TestFingerprintOfLists(t *testing.T) {
	want := fingerprint(t, fullMessage())
	for what, change := range map[string]func(m *schemas.Message){
		"no mentions":      func(m *schemas.Message) { m.Mentions = nil },
		"mentions swapped": func(m *schemas.Message) { m.Mentions[0], m.Mentions[1] = m.Mentions[1], m.Mentions[0] },
		"no attachments":   func(m *schemas.Message) { m.Attachments = nil },
		"no issues":        func(m *schemas.Message) { m.Issues = nil },
		"no ancestors":     func(m *schemas.Message) { m.Forward.AncestorIDs = nil },
		"no attributes":    func(m *schemas.Message) { m.Attributes = nil },
	} {
		m := fullMessage()
		if change(m); fingerprint(t, m) == want {
			t.Errorf("%s: same fingerprint", what)
		}
	}
}

// TestFingerprintKeeps pins that a fingerprint leaves the message as it is, and is the same after a round trip.
func TestFingerprintKeeps(t *testing.T) {
	for _, build := range []func() *schemas.Message{fullMessage, minimalMessage} {
		m := build()
		want := fingerprint(t, m)
		if !reflect.DeepEqual(m, build()) {
			t.Error("taking the fingerprint changed the message")
		}
		var read schemas.Message
		if err := schemas.MessageSchema.Decode(body(t, schemas.MessageSchema, m), &read); err != nil {
			t.Fatal(err)
		}
		if fingerprint(t, &read) != want {
			t.Error("the message as read has another fingerprint")
		}
	}
}
