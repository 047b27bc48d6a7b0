package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpTemplate shows how a command is called before what it is about. Its settings are many, and have a page of their own.
const helpTemplate = `{{.UsageString}}
{{or .Long .Short | trimTrailingWhitespaces}}

Settings are environment variables: see {{.CommandPath}} --help-settings
`

// helpFlag asks for the page of settings, as --help asks for the other one: whatever else is on the command line.
type helpFlag struct{ asked bool }

var _ pflag.Value = (*helpFlag)(nil)

// errHelpSettings ends the reading of flags.
var errHelpSettings = errors.New("the settings are asked for")

// String implements pflag.Value.
func (h *helpFlag) String() string { return "false" }

// Type implements pflag.Value; of a bool, the usage shows no value.
func (h *helpFlag) Type() string { return "bool" }

// Set implements pflag.Value.
func (h *helpFlag) Set(value string) error {
	if value == "false" {
		return nil
	}
	h.asked = true
	return errHelpSettings
}

// helpOf gives the commands below root their two pages of help.
func (t *tool) helpOf(root *cobra.Command) {
	root.SetHelpTemplate(helpTemplate)
	f := root.PersistentFlags().VarPF(&t.helpSettings, "help-settings", "", "list the settings that the command reads from the environment")
	f.NoOptDefVal = "true"
	usual := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if !t.helpSettings.asked {
			usual(c, args)
			return
		}
		t.printHelpSettings(c)
	})
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if t.helpSettings.asked {
			return pflag.ErrHelp
		}
		return fmt.Errorf("%w: see %s --help", err, c.CommandPath())
	})
}

// reads notes what a command's page of settings shows.
func (t *tool) reads(c *cobra.Command, settings func(io.Writer)) {
	if t.settings == nil {
		t.settings = map[*cobra.Command]func(io.Writer){}
	}
	t.settings[c] = settings
}

// printHelpSettings lists the settings of a command; of one that only holds others, those of all programs.
func (t *tool) printHelpSettings(c *cobra.Command) {
	list, ok := t.settings[c]
	switch {
	case ok:
	case c.HasSubCommands():
		list = allSettings
	default:
		fmt.Fprintf(t.out, "%s reads no settings from the environment.\n", c.CommandPath())
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Settings (environment) of %s; 'chatlake config' shows what they are:\n\n", c.CommandPath())
	list(&b)
	fmt.Fprint(t.out, b.String())
}
