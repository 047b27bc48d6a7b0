package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chatlake/cmd/worker"
	"chatlake/pipeline/deadletters"
	"chatlake/pipeline/overview"
	"chatlake/schemas"
)

// completionTime is the longest that a shell waits for words that the topics hold.
const completionTime = 2 * time.Second

// words are what flags of a name take, whichever command they belong to, unless it is in wordsOf.
var words = map[string][]string{
	"output": {"table", "json"}, "platform": {schemas.Feishu, schemas.Yunxin}, "state": states, "kind": kinds, "sort": overview.Orders,
	"stage": deadletters.Stages, "topic": tailTopics, "format": {"text", "json"}, "tz": {"UTC", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo"},
}

// wordsOf are what flags take in one command alone.
var wordsOf = map[string][]string{
	"tail --kind": schemas.ContentKinds, "retry --state": retryable, "simulate --platform": {schemas.Feishu, schemas.Yunxin, "both"},
	"discover --platform": {schemas.Feishu},
}

// files are flags that name a file or directory, which the shell knows best.
var files = []string{"file", "refs", "data", "corpus", "containers-out"}

// complete has every flag of a command and of those below it complete to what it takes.
func (t *tool) complete(c *cobra.Command) {
	each := func(f *pflag.Flag) {
		if slices.Contains(files, f.Name) || f.Value.Type() == "bool" {
			return
		}
		var of cobra.CompletionFunc = cobra.NoFileCompletions
		if list, ok := wordsOf[c.Name()+" --"+f.Name]; ok {
			of = fixed(list)
		} else if list, ok := words[f.Name]; ok {
			of = fixed(list)
		} else if f.Name == "key" {
			of = t.completeKeys
		}
		_ = c.RegisterFlagCompletionFunc(f.Name, of) // fails only for a flag that does not exist, or twice
	}
	c.LocalNonPersistentFlags().VisitAll(each)
	c.PersistentFlags().VisitAll(each)
	if c.Name() == "retry" {
		c.ValidArgsFunction = t.completeKeys
	}
	for _, below := range c.Commands() {
		t.complete(below)
	}
}

func fixed(list []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		other := func(word string) bool { return !strings.HasPrefix(word, begun) }
		return slices.DeleteFunc(slices.Clone(list), other), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeKeys gives the keys of containers that begin as what was typed: all, or for retry those that can go on. Where the
// topics do not answer at once it gives none, and says nothing: a shell is in the middle of a line.
func (t *tool) completeKeys(c *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	var s worker.ToolSettings
	if worker.Load(&s) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	n, err := s.Connect(ctx, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer n.Client.Close()
	known, err := readLedger(ctx, n, allPartitions(n.Partitions))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var keys []string
	for _, r := range known.list() {
		if strings.HasPrefix(r.Key, begun) && !slices.Contains(given, r.Key) && (c.Name() != "retry" || slices.Contains(retryable, r.State)) {
			keys = append(keys, r.Key)
		}
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}
