package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"chatlake/simulator"
)

// attribution names the chats that are simulated, as their licence asks.
const attribution = "Chats: jkkummerfeld/irc-disentanglement (Kummerfeld et al., ACL 2019), CC BY 4.0, changed: people, ids, types, edits and recalls are invented."

// demoSummary is the result of the demo.
type demoSummary struct {
	Dir         string `json:"data"`
	Log         string `json:"log"`
	Brokers     string `json:"kafka_brokers"`
	RegistryURL string `json:"schema_registry_url"`
	Attribution string `json:"attribution"`

	Chats              int `json:"chats"`
	Containers         int `json:"containers"`
	ContainersComplete int `json:"containers_complete"`
	ContainersFailed   int `json:"containers_failed"`

	RawPages int `json:"raw_pages"`
	RawBytes int `json:"raw_bytes"`
	Messages int `json:"messages"`           // canonical, each counted once
	Versions int `json:"message_versions"`   // all of them
	Children int `json:"forwarded_messages"` // within merged forwards
	Served   int `json:"served"`             // distinct messages that lists of chats and threads had to show
	Dead     int `json:"dead_letters"`

	Seconds      float64 `json:"seconds"`
	PerSecond    float64 `json:"messages_per_second"`
	Calls        int     `json:"api_calls"`
	Throttled    int     `json:"throttled_calls"`
	QuotaPercent float64 `json:"quota_percent"`

	Lost         int `json:"lost"`
	Doubled      int `json:"doubled"`
	Unexpected   int `json:"unexpected"`
	PagesDoubled int `json:"pages_doubled"`
	PagesAltered int `json:"pages_altered"`
}

func (d *demo) summary(r *demoRun, b *readBack) *demoSummary {
	s := &demoSummary{
		Dir: d.in.dir, Log: filepath.Join(d.in.dir, "demo.log"), Brokers: strings.Join(d.in.cluster.Brokers, ","),
		RegistryURL: d.in.cluster.RegistryURL, Attribution: attribution,
		Chats: len(d.platform.world.Chats()), Containers: r.containers.Containers,
		ContainersComplete: r.containers.Complete, ContainersFailed: r.containers.Failed,
		RawPages: b.rawPages, RawBytes: b.rawBytes, Messages: b.records, Versions: b.versions, Children: b.children,
		Served: len(d.expected.messages), Dead: b.deadLetters,
		Seconds: r.took.Seconds(), PerSecond: float64(b.records) / r.took.Seconds(),
		Lost: b.lost, Doubled: b.doubled, Unexpected: b.unexpected, PagesDoubled: b.pagesDoubled, PagesAltered: b.pagesAltered,
	}
	report := d.platform.api.Report()
	s.Calls = report.Calls
	for _, u := range report.APIs {
		s.Throttled += u.Throttled
	}
	lists := report.APIs[simulator.APIMessages]
	s.QuotaPercent = share(lists.Calls-lists.Throttled, d.options.perMinute, lists.Last.Sub(lists.First))
	return s
}

// verdict is an error where the promises were not kept.
func (s *demoSummary) verdict() error {
	if s.Lost+s.Doubled+s.Unexpected+s.PagesDoubled+s.PagesAltered == 0 {
		return nil
	}
	return fmt.Errorf("%d messages lost, %d doubled, %d unexpected; %d raw pages doubled, %d altered: see %s",
		s.Lost, s.Doubled, s.Unexpected, s.PagesDoubled, s.PagesAltered, s.Log)
}

// printOpen says what is about to happen, and which ports are open while it does.
func (d *demo) printOpen() error {
	if d.tool.json() {
		return nil
	}
	quota := "without a quota"
	if d.options.perMinute > 0 {
		quota = fmt.Sprintf("with its quota of %s calls a minute", grouped(int64(d.options.perMinute)))
	}
	_, err := fmt.Fprintf(d.tool.out, `Feishu           %s (simulated, %s): %d chats, %s messages
Kafka            %s
schema registry  %s
data             %s

`, d.platform.url, quota, len(d.platform.world.Chats()), grouped(int64(len(d.expected.messages))),
		strings.Join(d.in.cluster.Brokers, ","), d.in.cluster.RegistryURL, clean(d.in.dir))
	return err
}

func (d *demo) printSummary(s *demoSummary, back *readBack) error {
	if d.tool.json() {
		return printJSON(d.tool.out, s, true)
	}
	var b strings.Builder
	if piece := back.talk.excerpt(); len(piece) > 0 {
		fmt.Fprintf(&b, "\nRead back from %s.messages: %s, %s\n\n", d.in.cluster.Prefix, clean(d.chatName(piece[0].conversation)), piece[0].at.Date())
		back.talk.print(&b, piece)
	}
	b.WriteString("\n" + attribution + "\n\n")
	if err := printTable(&b, s.rows(d.options.perMinute > 0)); err != nil {
		return err
	}
	b.WriteString("\nEverything is kept in " + clean(shortPath(d.in.dir)) + " (log: demo.log). Next:\n\n")
	fmt.Fprintf(&b, "  "+self()+" up --data %s\n", clean(shortPath(d.in.dir)))
	b.WriteString("\nand, while that runs, from another shell:\n\n" +
		"  " + self() + " containers list\n" +
		"  " + self() + " tail --from-beginning\n" +
		"  kcat -b 127.0.0.1:9092 -t " + d.in.cluster.Prefix + ".raw.pages -C -o beginning -c 1 -J\n")
	_, err := d.tool.out.Write([]byte(b.String()))
	return err
}

func (d *demo) chatName(id string) string {
	for _, c := range d.platform.world.Chats() {
		if c.ID == id && c.Name != "" {
			return fmt.Sprintf("%s (%s)", c.Name, id)
		}
	}
	return id
}

func (s *demoSummary) rows(quota bool) [][]string {
	number := func(n int) string { return fmt.Sprintf("%9s", grouped(int64(n))) }
	use := "no quota"
	if quota {
		use = fmt.Sprintf("%.1f %% of the quota of message lists", s.QuotaPercent)
	}
	forwarded := "each counted once"
	if s.Children > 0 {
		forwarded += fmt.Sprintf("; %s more within merged forwards", grouped(int64(s.Children)))
	}
	return [][]string{
		{"containers", number(s.Containers), fmt.Sprintf("%d chats and their threads: %d complete, %d failed", s.Chats, s.ContainersComplete, s.ContainersFailed)},
		{"raw pages", number(s.RawPages), fmt.Sprintf("%.1f MB, %d doubled, %d altered", float64(s.RawBytes)/1e6, s.PagesDoubled, s.PagesAltered)},
		{"messages", number(s.Messages), forwarded},
		{"served", number(s.Served), "distinct messages that the simulated platform has to show"},
		{"dead letters", number(s.Dead), ""},
		{"messages/s", number(int(s.PerSecond)), fmt.Sprintf("over %.1f s", s.Seconds)},
		{"API calls", number(s.Calls), use},
		{"throttled", number(s.Throttled), ""},
		{"lost", number(s.Lost), ""},
		{"doubled", number(s.Doubled), ""},
	}
}
