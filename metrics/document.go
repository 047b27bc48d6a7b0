package metrics

import (
	"fmt"
	"strings"
)

// Document writes Families as docs/metrics.md has them: one table, with what to do.
func Document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	for i := range Families {
		f := &Families[i]
		labels := "-"
		if len(f.Labels) > 0 {
			labels = strings.Join(f.Labels, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", f.Name, f.Type, cell(f.Unit), labels, f.Meaning, cell(f.Remedy))
	}
	return b.String()
}

func cell(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

const documentHead = `# Metrics

Made from ` + "`metrics/families.go`" + ` by ` + "`go test ./metrics -update`" + `; a test fails where this page is stale.

Both workers answer ` + "`/metrics`" + ` at HTTP_ADDR (extractor 127.0.0.1:9480, normalizer 127.0.0.1:9481, ` + "`chatlake up`" + ` both on
127.0.0.1:9480), beside the usual ` + "`go_*` and `process_*`" + ` metrics. Counters begin at 0 with the process; gauges tell the value at
the scrape.

- **Several workers.** Each tells of the partitions that it owns, so sums over all workers are right: ` + "`sum by (state) (chatlake_containers)`" + `.
  Of timestamps take the maximum (chatlake_oldest_due_timestamp_seconds: the minimum). When a partition moves, its series end at
  one worker and begin at the next. A worker that is still reading a partition's state does not count its containers yet.
- **Labels are bounded.** platform and api are those of this program; code and class have at most 64 values, what is beyond is
  ` + "`other`" + `. No label holds the id of a chat, a message or a person.
- **Not here**, because it cannot be known before containers are followed: overdue containers and the stretch of intervals.
  Ages are timestamps: ` + "`time() - max(chatlake_newest_message_timestamp_seconds)`" + ` is the age of the newest message.
- **Unread containers** are those in state PENDING, RUNNING or WAITING of chatlake_containers.

Alert rules, a dashboard and Prometheus's configuration are in ` + "`deploy/monitoring`" + `.

| name | type | unit | labels | meaning | what to do |
|---|---|---|---|---|---|
`
