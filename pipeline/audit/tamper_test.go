package audit_test

import (
	"fmt"
	"slices"
	"testing"

	"chatlake/pipeline/audit"
	"chatlake/schemas"
)

// pick finds a record of a topic, with its place.
func pick(t *testing.T, c *copied, topic string, fits func(*schemas.Record) bool) (list string, i int) {
	t.Helper()
	for p := range int32(partitions) {
		list = at(topic, p)
		if i := slices.IndexFunc(c.records[list], func(r schemas.Record) bool { return fits(&r) }); i >= 0 {
			return list, i
		}
	}
	t.Fatalf("%s has no such record", topic)
	return "", 0
}

// link picks a page of the chain of a chat that was read in one epoch.
func link(t *testing.T, c *copied, number int64) (list string, i int, page schemas.Page) {
	t.Helper()
	list, i = pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
		p, err := schemas.ParsePage(r)
		return err == nil && p.Type == schemas.FeishuMessagesList && p.Number == number && string(p.Container) == once.s.chat(3, 1).Key
	})
	page, _ = schemas.ParsePage(&c.records[list][i])
	return list, i, page
}

// header gives a record with another header.
func header(r schemas.Record, key, value string) schemas.Record {
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
		}
	}
	return r
}

// without drops a header.
func without(r schemas.Record, key string) schemas.Record {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h schemas.Header) bool { return h.Key == key })
	return r
}

// again appends a record to its partition.
func (c *copied) again(list string, r schemas.Record) {
	r.Offset = c.end[list]
	c.records[list] = append(c.records[list], r)
	c.end[list]++
}

func (c *copied) remove(list string, i int) { c.records[list] = slices.Delete(c.records[list], i, i+1) }

// message decodes and encodes a message again.
func (c *copied) message(t *testing.T, list string, i int, change func(*schemas.Message)) {
	t.Helper()
	var m schemas.Message
	_, body, err := schemas.Frame(c.records[list][i].Value)
	if err == nil {
		err = schemas.MessageSchema.Decode(body, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(&m)
	c.records[list][i].Value = encoded(t, topics.Messages, &m)
}

// single gives a message that has one version, which comes from a list page.
func single(t *testing.T, c *copied) (list string, i int, m schemas.Message) {
	t.Helper()
	for p := range int32(partitions) {
		list, count := at(topics.Messages, p), map[string]int{}
		for _, r := range c.records[list] {
			count[r.Key]++
		}
		for i, r := range c.records[list] {
			var m schemas.Message
			_, body, _ := schemas.Frame(r.Value)
			if err := schemas.MessageSchema.Decode(body, &m); err != nil {
				t.Fatal(err)
			}
			if count[r.Key] == 1 && m.Forward.Role == schemas.ForwardNone && m.Provenance.SourceAPI == schemas.FeishuMessagesList {
				return list, i, m
			}
		}
	}
	t.Fatal("no message has one version")
	return "", 0, schemas.Message{}
}

// names reports whether a finding says what is wanted.
func names(f, want *audit.Finding) bool {
	same := func(got, want *string) bool { return want == nil || got != nil && *got == *want }
	number := func(got, want *int64) bool { return want == nil || got != nil && *got == *want }
	return f.Kind == want.Kind && f.Detail != "" && same(f.ContainerKey, want.ContainerKey) && same(f.PageID, want.PageID) &&
		same(f.RecordID, want.RecordID) && number(f.Page, want.Page) && number(f.Epoch, want.Epoch)
}

// checkpoint gives the one in force.
func (c *copied) checkpoint(t *testing.T, list, key string) *schemas.Checkpoint {
	t.Helper()
	var v schemas.Checkpoint
	for _, r := range c.records[list] {
		if r.Key != key {
			continue
		}
		v = schemas.Checkpoint{}
		_, body, err := schemas.Frame(r.Value)
		if err == nil {
			err = schemas.CheckpointSchema.Decode(body, &v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &v
}

// shift has the messages of a page come from the items one further.
func (c *copied) shift(t *testing.T, page string) {
	t.Helper()
	for p := range int32(partitions) {
		list := at(topics.Messages, p)
		for i := range c.records[list] {
			c.message(t, list, i, func(m *schemas.Message) {
				var n int
				if _, err := fmt.Sscanf(m.Provenance.ItemPointer, "/data/items/%d", &n); err == nil && m.Provenance.PageID == page {
					m.Provenance.ItemPointer = fmt.Sprintf("/data/items/%d", n+1)
				}
			})
		}
	}
}
