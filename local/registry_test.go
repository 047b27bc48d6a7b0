package local_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"chatlake/local"
)

// alike lets a schema follow any other that has as many fields or more, and none that says "unreadable".
func alike(older, newer string) error {
	if strings.Contains(newer, "unreadable") {
		return errors.New("unreadable here")
	}
	if strings.Count(newer, `"type":"long"`) < strings.Count(older, `"type":"long"`) {
		return errors.New("a field is gone")
	}
	return nil
}

// record is a schema with fields of long.
func record(name string, fields ...string) sr.Schema {
	var list []string
	for _, f := range fields {
		list = append(list, fmt.Sprintf(`{"name":%q,"type":"long","default":0}`, f))
	}
	return sr.Schema{Schema: fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, strings.Join(list, ","))}
}

func registryClient(t *testing.T, s *local.Server) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(s.RegistryURL()))
	must(t, err)
	return cl
}

// refused wants the registry's status and error code, with a reason.
func refused(t *testing.T, err error, status, code int, reason string) {
	t.Helper()
	no := new(sr.ResponseError)
	if !errors.As(err, &no) {
		t.Errorf("%v instead of a refusal", err)
		return
	}
	if no.StatusCode != status || no.ErrorCode != code || !strings.Contains(no.Message, reason) {
		t.Errorf("refused with %d, %d, %q", no.StatusCode, no.ErrorCode, no.Message)
	}
}

func TestRegisterAndFind(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir(), Compatible: alike})
	cl, ctx := registryClient(t, s), deadline(t)
	first, err := cl.CreateSchema(ctx, "a-value", record("A", "x"))
	must(t, err)
	if first.ID != 1 || first.Version != 1 || first.Subject != "a-value" {
		t.Errorf("first: %+v", first)
	}
	spaced := sr.Schema{Schema: `{ "name": "A", "fields": [{"name":"x", "default":0, "type":"long"}], "type":"record" }`}
	if id, err := cl.RegisterSchema(ctx, "a-value", spaced, -1, -1); err != nil || id != 1 {
		t.Errorf("the same with other white space and order: %d, %v", id, err)
	}
	if id, err := cl.RegisterSchema(ctx, "b-value", record("A", "x"), -1, -1); err != nil || id != 1 {
		t.Errorf("the same under another subject: %d, %v", id, err)
	}
	if id, err := cl.RegisterSchema(ctx, "a-value", record("A", "x", "y"), -1, -1); err != nil || id != 2 {
		t.Errorf("second version: %d, %v", id, err)
	}
	found, err := cl.LookupSchema(ctx, "a-value", spaced)
	if err != nil || found.ID != 1 || found.Version != 1 {
		t.Errorf("looked up: %+v, %v", found, err)
	}
	text, err := cl.SchemaTextByID(ctx, 2)
	if err != nil || text != record("A", "x", "y").Schema {
		t.Errorf("text of 2: %q, %v", text, err)
	}
	usage, err := cl.SchemaUsagesByID(ctx, 1)
	if err != nil || len(usage) != 2 || usage[0].Subject != "a-value" || usage[1].Subject != "b-value" {
		t.Errorf("usage of 1: %+v, %v", usage, err)
	}
	subjects, err := cl.Subjects(ctx)
	if err != nil || fmt.Sprint(subjects) != "[a-value b-value]" {
		t.Errorf("subjects: %v, %v", subjects, err)
	}
	versions, err := cl.SubjectVersions(ctx, "a-value")
	if err != nil || fmt.Sprint(versions) != "[1 2]" {
		t.Errorf("versions: %v, %v", versions, err)
	}
	all, err := cl.AllSchemas(ctx)
	if err != nil || len(all) != 3 {
		t.Errorf("all: %+v, %v", all, err)
	}
	if types, err := cl.SupportedTypes(ctx); err != nil || len(types) != 1 || types[0] != sr.TypeAvro {
		t.Errorf("types: %v, %v", types, err)
	}
	if m := cl.Mode(ctx, "a-value")[0]; m.Err != nil || m.Mode != sr.ModeReadWrite {
		t.Errorf("mode: %+v", m)
	}
}

func TestNotFound(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir(), Compatible: alike})
	cl, ctx := registryClient(t, s), deadline(t)
	_, err := cl.LookupSchema(ctx, "a", record("A"))
	refused(t, err, 404, 40401, "'a'")
	_, err = cl.RegisterSchema(ctx, "a", record("A"), -1, -1)
	must(t, err)
	_, err = cl.LookupSchema(ctx, "a", record("B"))
	refused(t, err, 404, 40403, "not found")
	_, err = cl.SchemaByID(ctx, 7)
	refused(t, err, 404, 40403, "7")
	_, err = cl.SchemaByVersion(ctx, "a", 2)
	refused(t, err, 404, 40402, "2")
	_, err = cl.SubjectVersions(ctx, "b")
	refused(t, err, 404, 40401, "'b'")
	refused(t, cl.Compatibility(ctx, "a")[0].Err, 404, 40408, "'a'")
	_, err = cl.DeleteSubject(ctx, "a", sr.SoftDelete)
	refused(t, err, 405, 405, "never deleted")
	_, err = cl.Contexts(ctx)
	refused(t, err, 404, 404, "contexts")
}

func TestInvalidSchemas(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir(), Compatible: alike})
	cl, ctx := registryClient(t, s), deadline(t)
	for _, text := range []string{
		``, `{`, `{} {}`, `7`, `null`, `"recrd"`, `{"type":"recrd"}`, `{"name":"A"}`, `{"type":"array"}`, `{"type":"map","values":"x"}`,
		`{"type":"record","name":"A"}`, `{"type":"record","fields":[]}`, `{"type":"record","name":"A-B","fields":[]}`,
		`{"type":"record","name":"A","fields":{}}`, `{"type":"record","name":"A","fields":["x"]}`,
		`{"type":"record","name":"A","fields":[{"name":"x"}]}`, `{"type":"record","name":"A","fields":[{"type":"long"}]}`,
		`{"type":"record","name":"A","fields":[{"name":"x","type":"long"},{"name":"x","type":"long"}]}`,
		`{"type":"record","name":"A","fields":[{"name":"x","type":{"type":"record","name":"A","fields":[]}}]}`,
		`{"type":"record","name":"A","namespace":"n..m","fields":[]}`, `{"type":"enum","name":"E","symbols":["A","A"]}`,
		`{"type":"enum","name":"E"}`, `{"type":"fixed","name":"F"}`, `{"type":"fixed","name":"F","size":-1}`,
		`["null","null"]`, `["null",["long"]]`, `["null","nil"]`, `{"type":"record","name":"unreadable","fields":[]}`,
	} {
		_, err := cl.RegisterSchema(ctx, "a", sr.Schema{Schema: text}, -1, -1)
		refused(t, err, 422, 42201, "Invalid schema")
	}
	_, err := cl.RegisterSchema(ctx, "a", sr.Schema{Schema: `"string"`, Type: sr.TypeProtobuf}, -1, -1)
	refused(t, err, 422, 42201, "PROTOBUF")
	_, err = cl.RegisterSchema(ctx, "a", sr.Schema{Schema: `"string"`, References: []sr.SchemaReference{{Name: "x"}}}, -1, -1)
	refused(t, err, 422, 42201, "references")
	_, err = cl.RegisterSchema(ctx, "a", record("A"), 9, 1)
	refused(t, err, 422, 42205, "import")
	if list, err := cl.Subjects(ctx); err != nil || len(list) != 0 {
		t.Errorf("what was refused left subjects %v, %v", list, err)
	}
	for i, text := range []string{
		`"string"`, `["null","long"]`, `{"type":"string"}`, `{"type":{"type":"long"}}`, `{"type":"array","items":["null","string"]}`,
		`{"type":"long","logicalType":"timestamp-millis"}`, `{"type":"fixed","name":"n.F","size":16}`,
		`{"type":"record","name":"n.A","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["U","V"],"default":"U"}},` +
			`{"name":"y","type":["null","E","n.E2"]}]}`,
		`{"type":"record","name":"A","namespace":"n","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["U","V"]}},` +
			`{"name":"y","type":["null","n.E"]},{"name":"z","type":{"type":"map","values":"E"}},{"name":"self","type":["null","A"]}]}`,
	} {
		_, err := cl.RegisterSchema(ctx, fmt.Sprint("ok", i), sr.Schema{Schema: text}, -1, -1)
		if strings.Contains(text, "E2") {
			refused(t, err, 422, 42201, "n.E2")
		} else if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCompatibility(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir, Compatible: alike})
	cl, ctx := registryClient(t, s), deadline(t)
	if l := cl.Compatibility(ctx)[0]; l.Err != nil || l.Level != sr.CompatFullTransitive {
		t.Errorf("global level: %+v", l)
	}
	for _, r := range cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, "a") {
		if r.Err != nil || r.Level != sr.CompatFullTransitive {
			t.Errorf("set: %+v", r)
		}
	}
	for _, v := range []sr.Schema{record("A", "x", "y"), record("A", "x", "y", "z")} {
		_, err := cl.RegisterSchema(ctx, "a", v, -1, -1)
		must(t, err)
	}
	_, err := cl.RegisterSchema(ctx, "a", record("A", "x"), -1, -1)
	refused(t, err, 409, 409, "version 1 (FULL_TRANSITIVE): a field is gone")
	_, err = cl.RegisterSchema(ctx, "a", record("A", "v", "w"), -1, -1) // as version 1 allows, but not version 2
	refused(t, err, 409, 409, "version 2")
	check, err := cl.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "a", -2, record("A", "x"))
	if err != nil || check.Is || len(check.Messages) != 2 {
		t.Errorf("check against all: %+v, %v", check, err)
	}
	check, err = cl.CheckCompatibility(ctx, "a", 1, record("A", "v", "w"))
	if err != nil || !check.Is {
		t.Errorf("check against 1: %+v, %v", check, err)
	}
	refused(t, cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatBackward}, "a")[0].Err, 422, 42203, "FULL_TRANSITIVE")
	must(t, cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, "a")[0].Err)
	must(t, cl.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull})[0].Err)
	must(t, s.Close())

	s = start(t, local.Config{Dir: dir, Compatible: alike})
	cl = registryClient(t, s)
	if l := cl.Compatibility(ctx, "a")[0]; l.Err != nil || l.Level != sr.CompatNone {
		t.Errorf("level after a restart: %+v", l)
	}
	if id, err := cl.RegisterSchema(ctx, "a", record("A", "x"), -1, -1); err != nil || id != 3 {
		t.Errorf("with NONE: %d, %v", id, err)
	}
	must(t, cl.ResetCompatibility(ctx, "a")[0].Err)
	if l := cl.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), "a")[0]; l.Err != nil || l.Level != sr.CompatFull {
		t.Errorf("level after a reset: %+v", l)
	}
	if id, err := cl.RegisterSchema(ctx, "a", record("A", "v", "w"), -1, -1); err != nil || id != 4 {
		t.Errorf("with FULL, as the latest allows: %d, %v", id, err)
	}
}

func TestNobodyToJudge(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	cl, ctx := registryClient(t, s), deadline(t)
	for range 2 {
		if id, err := cl.RegisterSchema(ctx, "a", record("A"), -1, -1); err != nil || id != 1 {
			t.Errorf("identical: %d, %v", id, err)
		}
	}
	_, err := cl.RegisterSchema(ctx, "a", record("A", "x"), -1, -1)
	refused(t, err, 409, 409, "no second version")
}

func TestEightAtOnceMakeOneVersion(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir(), Compatible: alike})
	cl, ctx := registryClient(t, s), deadline(t)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if id, err := cl.RegisterSchema(ctx, "a", record("A"), -1, -1); err != nil || id != 1 {
				t.Errorf("%d, %v", id, err)
			}
		})
	}
	work.Wait()
	if v, err := cl.SubjectVersions(ctx, "a"); err != nil || len(v) != 1 {
		t.Errorf("versions: %v, %v", v, err)
	}
}

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir, Compatible: alike})
	ctx := deadline(t)
	for _, v := range []sr.Schema{record("A"), record("A", "x")} {
		_, err := registryClient(t, s).RegisterSchema(ctx, "a/b c", v, -1, -1)
		must(t, err)
	}
	must(t, s.Close())
	path := filepath.Join(dir, "registry", "journal.jsonl")
	whole, err := os.ReadFile(path)
	must(t, err)

	// Cut anywhere in the last line, as a crash would: version 1 stays, version 2 gets the same id when it comes again.
	first := strings.IndexByte(string(whole), '\n') + 1
	for _, cut := range []int{first, first + 1, first + 20, len(whole) - 1} {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		s := start(t, local.Config{Dir: dir, Compatible: alike})
		cl := registryClient(t, s)
		if v, err := cl.SubjectVersions(ctx, "a/b c"); err != nil || len(v) != 1 {
			t.Errorf("cut at %d: versions %v, %v", cut, v, err)
		}
		if id, err := cl.RegisterSchema(ctx, "a/b c", record("A", "x"), -1, -1); err != nil || id != 2 {
			t.Errorf("cut at %d: id %d, %v", cut, id, err)
		}
		must(t, s.Close())
		if again, err := os.ReadFile(path); err != nil || string(again) != string(whole) {
			t.Errorf("cut at %d: the journal became %q, %v", cut, again, err)
		}
	}
	for _, bad := range []string{
		"{}\n", "x\n" + string(whole), strings.Replace(string(whole), `"id":2`, `"id":3`, 1), string(whole[first:]),
		strings.Replace(string(whole), "record", "recrd", 1),
	} {
		must(t, os.WriteFile(path, []byte(bad), 0o600))
		if _, err := local.Start(ctx, local.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), path+" line ") {
			t.Errorf("journal %q: %v", bad, err)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	for path, want := range map[string]string{"/": "{}\n", "/subjects": "[]\n", "/schemas/types": "[\"AVRO\"]\n", "/config": "{\"compatibilityLevel\":\"FULL_TRANSITIVE\"}\n"} {
		resp, err := http.Get(s.RegistryURL() + path)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || string(body) != want || resp.Header.Get("Content-Type") != "application/vnd.schemaregistry.v1+json" {
			t.Errorf("%s: %d %q", path, resp.StatusCode, body)
		}
	}
	huge := `{"schema":"` + strings.Repeat("x", 9<<20) + `"}`
	resp, err := http.Post(s.RegistryURL()+"/subjects/a/versions", "application/json", strings.NewReader(huge))
	must(t, err)
	_ = resp.Body.Close()
	if resp.StatusCode != 422 {
		t.Errorf("9 MiB of schema: %d", resp.StatusCode)
	}
}
