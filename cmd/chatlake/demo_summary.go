package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"chatlake/schemas"
)

// attribution names the chats that are simulated, as their licence asks.
const attribution = "Chats: jkkummerfeld/irc-disentanglement (Kummerfeld et al., ACL 2019), CC BY 4.0, changed: people, ids, types, edits and recalls are invented."

// demoCounts are what came of one platform, or of all.
type demoCounts struct {
	Chats              int `json:"chats"`
	Containers         int `json:"containers"`
	ContainersComplete int `json:"containers_complete"`
	ContainersFailed   int `json:"containers_failed"`
	LookUps            int `json:"lookups"` // messages that were asked for by id

	RawPages       int            `json:"raw_pages"`
	RawBytes       int            `json:"raw_bytes"`
	Messages       int            `json:"messages"`           // canonical, each counted once
	Versions       int            `json:"message_versions"`   // all of them
	Served         int            `json:"served"`             // distinct messages that the simulated platform has to show
	Children       int            `json:"forwarded_messages"` // within merged forwards
	ServedChildren int            `json:"forwarded_served"`   // that the simulated platform has to show within them
	Links          map[string]int `json:"links"`              // to messages answered, by how they ended
	Dead           int            `json:"dead_letters"`

	Calls     int `json:"api_calls"`
	Throttled int `json:"throttled_calls"`

	Lost         int `json:"lost"`
	Doubled      int `json:"doubled"`
	Unexpected   int `json:"unexpected"`
	PagesDoubled int `json:"pages_doubled"`
	PagesAltered int `json:"pages_altered"`
}

// add adds another platform's counts.
func (c *demoCounts) add(o *demoCounts) {
	for to, n := range map[*int]int{
		&c.Chats: o.Chats, &c.Containers: o.Containers, &c.ContainersComplete: o.ContainersComplete, &c.ContainersFailed: o.ContainersFailed,
		&c.LookUps: o.LookUps, &c.RawPages: o.RawPages, &c.RawBytes: o.RawBytes, &c.Messages: o.Messages, &c.Versions: o.Versions,
		&c.Served: o.Served, &c.Children: o.Children, &c.ServedChildren: o.ServedChildren, &c.Dead: o.Dead, &c.Calls: o.Calls,
		&c.Throttled: o.Throttled, &c.Lost: o.Lost, &c.Doubled: o.Doubled, &c.Unexpected: o.Unexpected, &c.PagesDoubled: o.PagesDoubled,
		&c.PagesAltered: o.PagesAltered,
	} {
		*to += n
	}
	for status, n := range o.Links {
		c.Links[status] += n
	}
}

// demoSummary is the result of the demo: on top the sums over all platforms.
type demoSummary struct {
	Dir         string `json:"data"`
	Log         string `json:"log"`
	Brokers     string `json:"kafka_brokers"`
	RegistryURL string `json:"schema_registry_url"`
	Attribution string `json:"attribution"`

	demoCounts
	Seconds      float64 `json:"seconds"`
	PerSecond    float64 `json:"messages_per_second"` // those within merged forwards included
	QuotaPercent float64 `json:"quota_percent"`       // of the message lists of the first platform

	Platforms map[string]*demoCounts `json:"platforms"`
}

func (d *demo) summary(took time.Duration, b *readBack) *demoSummary {
	s := &demoSummary{
		Dir: d.in.dir, Log: filepath.Join(d.in.dir, "demo.log"), Brokers: strings.Join(d.in.cluster.Brokers, ","),
		RegistryURL: d.in.cluster.RegistryURL, Attribution: attribution,
		demoCounts: demoCounts{Links: map[string]int{}}, Seconds: took.Seconds(), Platforms: map[string]*demoCounts{},
	}
	rows := b.list()
	for i, p := range d.platforms {
		c := p.counts(b.of[p.name], rows)
		traffic, throttled, quota := p.used(d.options.perMinute)
		c.Calls, c.Throttled = traffic.Calls, throttled
		if i == 0 && p.name == schemas.Feishu {
			s.QuotaPercent = quota
		}
		s.Platforms[p.name] = c
		s.add(c)
	}
	s.PerSecond = float64(s.Messages+s.Children) / took.Seconds()
	return s
}

// counts compares what was found of a platform with what it has to show.
func (p *platform) counts(f *found, rows []listed) *demoCounts {
	c := &demoCounts{
		Chats: len(p.wishes), RawPages: f.rawPages, RawBytes: f.rawBytes, Messages: len(f.records), Versions: f.versions,
		Children: len(f.children), ServedChildren: len(p.expected.children), Links: f.links(), Dead: f.deadLetters, Doubled: f.doubled,
		PagesDoubled: f.pagesDoubled, PagesAltered: f.pagesAltered,
	}
	c.Lost, c.Unexpected = f.compare(p.expected, p.api.Shown())
	c.Served = len(p.expected.messages)
	for i := range rows {
		r := &rows[i]
		if r.Platform != p.name {
			continue
		}
		c.Containers++
		switch r.State {
		case schemas.StateComplete:
			c.ContainersComplete++
		case schemas.StateFailed:
			c.ContainersFailed++
		}
		if r.Cause == schemas.CauseLookup {
			c.LookUps += max(1, r.Refs)
		}
	}
	return c
}

// verdict is an error where the promises were not kept.
func (s *demoSummary) verdict() error {
	if s.Lost+s.Doubled+s.Unexpected+s.PagesDoubled+s.PagesAltered == 0 {
		return nil
	}
	return fmt.Errorf("%d messages lost, %d doubled, %d unexpected; %d raw pages doubled, %d altered: see %s",
		s.Lost, s.Doubled, s.Unexpected, s.PagesDoubled, s.PagesAltered, s.Log)
}
