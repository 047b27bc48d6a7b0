package main_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHelpOfEveryCommand: usage, examples and flags come first, and settings have a page of their own.
func TestHelpOfEveryCommand(t *testing.T) {
	listed := regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`)
	var walk func(path ...string)
	seen := 0
	walk = func(path ...string) {
		seen++
		out := ok(t, nil, append(slices.Clone(path), "--help")...)
		name := strings.Join(append([]string{"chatlake"}, path...), " ")
		if !strings.HasPrefix(out, "Usage:\n  "+name) {
			t.Errorf("%s: help begins with %.60q", name, out)
		}
		last := -1
		for _, head := range []string{"Usage:", "\nExamples:", "\nFlags:", name + " --help-settings"} {
			at := strings.Index(out, head)
			if at < 0 && head == "\nExamples:" {
				continue
			}
			if at <= last {
				t.Errorf("%s: %q is missing or comes too early", name, head)
			}
			last = at
		}
		if strings.Contains(out, "KAFKA_SASL_PASSWORD") {
			t.Errorf("%s: help lists settings", name)
		}
		if settings := ok(t, nil, append(slices.Clone(path), "--help-settings")...); !strings.Contains(settings, name) ||
			!strings.Contains(settings, "LOG_LEVEL") && !strings.Contains(settings, "reads no settings") {
			t.Errorf("%s: settings: %.80q", name, settings)
		}
		_, commands, _ := strings.Cut(out, "Available Commands:\n")
		commands, _, _ = strings.Cut(commands, "\n\n")
		for _, m := range listed.FindAllStringSubmatch(commands, -1) {
			if m[1] != "help" {
				walk(append(slices.Clone(path), m[1])...)
			}
		}
	}
	walk()
	if seen < 10 {
		t.Errorf("only %d commands were seen", seen)
	}
}

// TestHelpSettingsWins: whatever else is on the command line, as with --help; one that is not wanted changes nothing.
func TestHelpSettingsWins(t *testing.T) {
	if out := ok(t, []string{"TOPIC_PARTITIONS=many"}, "tail", "--help-settings", "--levitate"); !strings.Contains(out, "KAFKA_BROKERS") {
		t.Errorf("got %q", out)
	}
	oneLine(t, chatlake(t, nil, "tail", "--help-settings=false", "--topic", "gossip"), 2, "--topic")
}
