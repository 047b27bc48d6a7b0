package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
)

func (t *tool) configCommand() *cobra.Command {
	c := t.command(&cobra.Command{
		Use:   "config",
		Short: "Show the effective settings, and where each comes from",
		Long: "Show every setting of all programs as it holds here: its value, and whether that is the default or comes from the\n" +
			"environment or a file. Of a secret it is only said that it is set. Nothing is asked; 'chatlake check' tries them.",
		Example: "  chatlake config\n  chatlake config --output json",
	}, nil, t.config)
	t.reads(c, allSettings)
	return c
}

// allSettings lists the settings of all programs.
func allSettings(w io.Writer) {
	worker.Settings(w, nil, &worker.ExtractorSettings{}, &worker.NormalizerSettings{}, &worker.ToolSettings{})
}

func (t *tool) config(context.Context) error {
	all, err := worker.EffectiveSettings()
	if err != nil {
		return err
	}
	if t.json() {
		return printJSON(t.out, map[string]any{"settings": all}, true)
	}
	rows := [][]string{{"SETTING", "VALUE", "SOURCE"}}
	for _, s := range all {
		value := s.Value
		if value == "" {
			value = "-"
		}
		rows = append(rows, []string{s.Name, value, s.Source})
	}
	return printTable(t.out, rows)
}
