package audit_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"chatlake/pipeline/audit"
	"chatlake/schemas"
)

// TestWhatIsPlantedIsFound tampers with one thing at a time.
func TestWhatIsPlantedIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		want  string // kinds, each once or more, in alphabetical order
		plant func(*testing.T, *copied) (want audit.Finding)
	}{
		"gap": {"checkpoint gap orphan", func(t *testing.T, c *copied) audit.Finding {
			_, _, behind := link(t, c, 3)
			list, i, page := link(t, c, 2)
			c.remove(list, i)
			key, n := string(page.Container), int64(2)
			return audit.Finding{Kind: audit.KindGap, ContainerKey: &key, Page: &n, PageID: &behind.ID, Epoch: &page.Epoch}
		}},
		"first page": {"checkpoint gap orphan", func(t *testing.T, c *copied) audit.Finding {
			_, _, behind := link(t, c, 2)
			list, i, _ := link(t, c, 1)
			c.remove(list, i)
			n := int64(1)
			return audit.Finding{Kind: audit.KindGap, Page: &n, PageID: &behind.ID}
		}},
		"broken link": {"gap", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 3)
			c.records[list][i] = header(c.records[list][i], "ce_prev", strings.Repeat("0", 64))
			return audit.Finding{Kind: audit.KindGap, PageID: &page.ID}
		}},
		"no link": {"gap", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 3)
			c.records[list][i] = without(c.records[list][i], "ce_prev")
			return audit.Finding{Kind: audit.KindGap, PageID: &page.ID}
		}},
		"fork of a number": {"fork", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			request := page.Request + "&other=1"
			id := schemas.PageID(page.Container, page.Epoch, page.Number, request, page.Subject)
			r := header(header(c.records[list][i], "ce_request", request), "ce_id", id)
			c.again(list, r)
			return audit.Finding{Kind: audit.KindFork, PageID: &id}
		}},
		"fork of a link": {"fork", func(t *testing.T, c *copied) audit.Finding {
			_, _, second := link(t, c, 2)
			list, i, page := link(t, c, 3)
			c.records[list][i] = header(c.records[list][i], "ce_prev", second.Prev)
			return audit.Finding{Kind: audit.KindFork, PageID: &page.ID}
		}},
		"repeat": {"repeat", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			c.again(list, c.records[list][i])
			return audit.Finding{Kind: audit.KindRepeat, PageID: &page.ID}
		}},
		"repeated expansion": {"repeat", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
				p, _ := schemas.ParsePage(r)
				return p.Expansion()
			})
			page, _ := schemas.ParsePage(&c.records[list][i])
			c.again(list, c.records[list][i])
			return audit.Finding{Kind: audit.KindRepeat, PageID: &page.ID}
		}},
		"no final": {"no_final", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
				p, _ := schemas.ParsePage(r)
				return p.Final && string(p.Container) == once.s.chat(3, 1).Key
			})
			page, _ := schemas.ParsePage(&c.records[list][i])
			c.records[list][i] = without(c.records[list][i], "ce_final")
			return audit.Finding{Kind: audit.KindNoFinal, PageID: &page.ID, Epoch: &page.Epoch}
		}},
		"no final of an earlier epoch": {"no_final", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.RawPages, func(r *schemas.Record) bool {
				p, _ := schemas.ParsePage(r)
				return p.Error == "superseded" && p.Number > 1
			})
			page, _ := schemas.ParsePage(&c.records[list][i])
			c.remove(list, i)
			return audit.Finding{Kind: audit.KindNoFinal, PageID: &page.Prev, Epoch: &page.Epoch}
		}},
		"bad id": {"bad_id", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			c.records[list][i] = header(c.records[list][i], "ce_request", "GET /elsewhere")
			return audit.Finding{Kind: audit.KindBadID, PageID: &page.ID, Page: &page.Number}
		}},
		"order": {"order orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 3)
			_, j, _ := link(t, c, 2)
			a, b := &c.records[list][i], &c.records[list][j]
			*a, *b = *b, *a
			a.Offset, b.Offset = b.Offset, a.Offset
			return audit.Finding{Kind: audit.KindOrder, PageID: &page.ID}
		}},
		"checkpoint without its page": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool { return strings.Contains(r.Key, "/chat/") })
			key := c.records[list][i].Key
			v := c.checkpoint(t, list, key)
			id := strings.Repeat("ab", 32)
			v.LastPageID = &id
			c.again(list, schemas.Record{Topic: topics.Checkpoints, Key: key, Value: encoded(t, topics.Checkpoints, v)})
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key, PageID: &id}
		}},
		"checkpoint that counts more": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool { return strings.Contains(r.Key, "/thread/") })
			key := c.records[list][i].Key
			v := c.checkpoint(t, list, key)
			v.Pages++
			c.again(list, schemas.Record{Topic: topics.Checkpoints, Key: key, Value: encoded(t, topics.Checkpoints, v)})
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key, Page: &v.Pages}
		}},
		"no checkpoint": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool { return strings.Contains(r.Key, "/thread/") })
			key := c.records[list][i].Key
			c.records[list] = slices.DeleteFunc(c.records[list], func(r schemas.Record) bool { return r.Key == key })
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key}
		}},
		"an older checkpoint": {"checkpoint", func(t *testing.T, c *copied) audit.Finding {
			_, _, page := link(t, c, 2)
			list, i := pick(t, c, topics.Checkpoints, func(r *schemas.Record) bool {
				var v schemas.Checkpoint
				_, body, _ := schemas.Frame(r.Value)
				return schemas.CheckpointSchema.Decode(body, &v) == nil && v.ContainerKey == string(page.Container) && v.Pages == 1
			})
			c.again(list, c.records[list][i])
			key := string(page.Container)
			return audit.Finding{Kind: audit.KindCheckpoint, ContainerKey: &key, PageID: &page.ID}
		}},
		"unaccounted": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.remove(list, i)
			return audit.Finding{Kind: audit.KindUnaccounted, RecordID: &m.RecordID, PageID: &m.Provenance.PageID}
		}},
		"unaccounted child": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Messages, func(r *schemas.Record) bool { return strings.Count(r.Key, "/") == 3 })
			key := c.records[list][i].Key
			c.records[list] = slices.DeleteFunc(c.records[list], func(r schemas.Record) bool { return r.Key == key })
			return audit.Finding{Kind: audit.KindUnaccounted, RecordID: &key}
		}},
		"unaccounted of Yunxin's file": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i := pick(t, c, topics.Messages, func(r *schemas.Record) bool {
				return strings.HasPrefix(r.Key, "yunxin/") && strings.Count(r.Key, "/") == 3
			})
			key := c.records[list][i].Key
			c.records[list] = slices.DeleteFunc(c.records[list], func(r schemas.Record) bool { return r.Key == key })
			return audit.Finding{Kind: audit.KindUnaccounted, RecordID: &key}
		}},
		"item that is no object": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list, i, page := link(t, c, 2)
			r := &c.records[list][i]
			r.Value = bytes.Replace(r.Value, []byte(`"items":[`), []byte(`"items":[7,`), 1)
			c.shift(t, page.ID)
			return audit.Finding{Kind: audit.KindUnaccounted, PageID: &page.ID}
		}},
		"page that is none": {"unaccounted", func(t *testing.T, c *copied) audit.Finding {
			list := at(topics.RawPages, 0)
			c.again(list, schemas.Record{Topic: topics.RawPages, Key: "feishu/x/y", Value: []byte("{}")})
			c.committed[0] = c.end[list]
			return audit.Finding{Kind: audit.KindUnaccounted}
		}},
		"orphan without an item": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.ItemPointer = "/data/items/4711" })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID, PageID: &m.Provenance.PageID}
		}},
		"orphan without a page": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			id := strings.Repeat("ab", 32)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.PageID = id })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID, PageID: &id}
		}},
		"orphan at another offset": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.RawOffset++ })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID}
		}},
		"orphan in another partition": {"orphan", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.message(t, list, i, func(m *schemas.Message) { m.Provenance.RawPartition++ })
			return audit.Finding{Kind: audit.KindOrphan, RecordID: &m.RecordID}
		}},
		"version twice": {"version", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.again(list, c.records[list][i])
			return audit.Finding{Kind: audit.KindVersion, RecordID: &m.RecordID}
		}},
		"version that falls": {"version", func(t *testing.T, c *copied) audit.Finding {
			list, i, m := single(t, c)
			c.again(list, c.records[list][i])
			c.message(t, list, len(c.records[list])-1, func(m *schemas.Message) { m.Version-- })
			return audit.Finding{Kind: audit.KindVersion, RecordID: &m.RecordID}
		}},
		"unreadable message": {"unreadable", func(t *testing.T, c *copied) audit.Finding {
			c.again(at(topics.Messages, 1), schemas.Record{Topic: topics.Messages, Value: []byte("gibberish")})
			return audit.Finding{Kind: audit.KindUnreadable}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := sample(t)
			want := tt.plant(t, c)
			r := c.audit(t)
			var kinds []string
			for kind := range r.Counts {
				kinds = append(kinds, kind)
			}
			slices.Sort(kinds)
			if got := strings.Join(kinds, " "); r.OK || got != tt.want || r.Found() != int64(len(r.Findings)) {
				t.Errorf("found %v, want %s%s", r.Counts, tt.want, listed(r))
			}
			if !slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return names(&f, &want) }) {
				t.Errorf("no finding is %s%s", listed(&audit.Report{Findings: []audit.Finding{want}}), listed(r))
			}
		})
	}
}
