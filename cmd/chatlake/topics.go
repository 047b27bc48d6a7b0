package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// prepareTime bounds the making of topics and the registration of schemas.
const prepareTime = 2 * time.Minute

func (t *tool) topicsCommand() *cobra.Command {
	return group("topics", "Make the topics", t.topicsCreateCommand())
}

func (t *tool) topicsCreateCommand() *cobra.Command {
	return t.command(&cobra.Command{
		Use:   "create",
		Short: "Create missing topics, verify existing ones, register the schemas",
		Long: "Create the topics of the prefix where they are missing (and NORMALIZER_OUTPUT with its dead letters), verify those\n" +
			"that exist, and register the schemas under FULL_TRANSITIVE compatibility. Running it again changes nothing.",
	}, &worker.ToolSettings{}, t.topicsCreate)
}

// topicsReport is the result of topics create.
type topicsReport struct {
	Created  []string `json:"created"`
	Existing []string `json:"existing"`
}

func (t *tool) topicsCreate(ctx context.Context) error {
	s, err := load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	created, err := s.Prepare(ctx, s.Output, true, t.logger(s))
	if err != nil {
		return err
	}
	r := topicsReport{Created: created, Existing: []string{}}
	if created == nil {
		r.Created = []string{}
	}
	for _, topic := range topicNames(s.Prefix, s.Output) {
		if !slices.Contains(created, topic) {
			r.Existing = append(r.Existing, topic)
		}
	}
	if t.json() {
		return printJSON(t.out, r, true)
	}
	rows := [][]string{{"TOPIC", "STATE"}}
	for _, topic := range r.Created {
		rows = append(rows, []string{topic, "created"})
	}
	for _, topic := range r.Existing {
		rows = append(rows, []string{topic, "exists"})
	}
	if err := printTable(t.out, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, "schemas are registered; extractor and normalizer can start")
	return err
}

// topicNames lists the topics of a prefix, and an output beside them.
func topicNames(prefix, output string) []string {
	own, other := schemas.NewTopics(prefix, ""), schemas.NewTopics(prefix, output)
	names := []string{own.Containers, own.Checkpoints, own.RawPages, own.Messages, own.DeadLetters}
	if other != own {
		names = append(names, other.Messages, other.DeadLetters)
	}
	return names
}
