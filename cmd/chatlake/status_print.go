package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"chatlake/pipeline/overview"
)

// statusText is a status for people.
func statusText(d *statusDocument, z timezone) string {
	var b strings.Builder
	at := d.At
	fmt.Fprintf(&b, "%s (%s)\n", z.brief(&at), z.name)
	for i := range d.Platforms {
		p := &d.Platforms[i]
		fmt.Fprintf(&b, "\n%s, tenant %s\n", p.Platform, clean(p.TenantID))
		fmt.Fprintf(&b, "  containers      %s\n", stateWords(p.Containers))
		fmt.Fprintf(&b, "  read            %s pages, %s messages, %s calls; newest message %s\n",
			grouped(p.Pages), grouped(p.Items), grouped(p.Calls), z.brief(p.NewestMessageAt))
		fmt.Fprintf(&b, "  calls a minute  %s\n", callWords(p))
		if p.Overdue > 0 {
			fmt.Fprintf(&b, "  overdue         %d\n", p.Overdue)
		}
		fmt.Fprintf(&b, "  left            %s\n", leftWords(p))
	}
	if len(d.Platforms) == 0 {
		fmt.Fprintf(&b, "\nno containers: add some with 'chatlake containers add'\n")
	}
	fmt.Fprintf(&b, "\nnormalizer of %s: %s\ndead letters: %s\n", d.Normalizer.Output, lagWords(&d.Normalizer), grouped(int64(d.DeadLetters)))
	return b.String()
}

// statusLine is a status in one line.
func statusLine(d *statusDocument, z timezone) string {
	at := d.At
	parts := []string{z.brief(&at)}
	for i := range d.Platforms {
		p := &d.Platforms[i]
		parts = append(parts, fmt.Sprintf("%s %s: %s; %s pages, %s messages; left %s", p.Platform, clean(p.TenantID), stateWords(p.Containers),
			grouped(p.Pages), grouped(p.Items), leftWords(p)))
	}
	parts = append(parts, "normalizer "+lagWords(&d.Normalizer), fmt.Sprintf("%d dead letters", d.DeadLetters))
	return strings.Join(parts, " | ") + "\n"
}

func callWords(p *overview.Platform) string {
	if p.CallsLastMinute == nil {
		return "not known: no extractor has told it"
	}
	var parts []string
	for _, api := range slices.Sorted(maps.Keys(p.CallsLastMinute)) {
		if n := p.CallsLastMinute[api]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", grouped(int64(n)), clean(strings.TrimPrefix(api, p.Platform+"."))))
		}
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

func leftWords(p *overview.Platform) string {
	switch {
	case p.ETASeconds == nil:
		return "not known ('chatlake plan' asks the platform)"
	case *p.ETASeconds == 0:
		return "nothing"
	}
	return "about " + (time.Duration(*p.ETASeconds) * time.Second).String()
}

func lagWords(n *normalizerStatus) string {
	hidden := int64(0)
	for _, p := range n.Partitions {
		hidden += p.Hidden
	}
	words := "all pages are normalized"
	if n.LagPages > 0 {
		words = fmt.Sprintf("%s pages behind, the oldest for %v", grouped(n.LagPages), time.Duration(n.LagSeconds)*time.Second)
	}
	if hidden > 0 {
		words += fmt.Sprintf(" (%d offsets are in open transactions)", hidden)
	}
	return words
}
