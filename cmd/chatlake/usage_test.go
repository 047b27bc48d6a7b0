package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oneLine fails unless a failed run said one line that names the thing.
func oneLine(t *testing.T, r result, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit %d, want %d: %s", r.code, code, r.stderr)
	}
	line := strings.TrimSuffix(r.stderr, "\n")
	if !strings.HasPrefix(line, "chatlake: ") || strings.Contains(line, "\n") {
		t.Errorf("not one line of ours: %q", r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(line, w) {
			t.Errorf("%q does not name %q", line, w)
		}
	}
	if r.stdout != "" {
		t.Errorf("a failure wrote to standard output: %q", r.stdout)
	}
}

func TestWrongArgumentsAndSettingsEndWithTwo(t *testing.T) {
	chat := []string{"containers", "add", "--platform", "feishu", "--kind", "chat", "--id", "oc_1"}
	app := []string{"FEISHU_APP_ID=cli_test"}
	for name, tt := range map[string]struct {
		env, args, words []string
	}{
		"unknown command":        {nil, []string{"levitate"}, []string{`"levitate"`, "--help"}},
		"unknown subcommand":     {nil, []string{"containers", "levitate"}, []string{`"levitate"`, "containers --help"}},
		"unknown flag":           {nil, []string{"up", "--levitate"}, []string{"--levitate", "up --help"}},
		"unparsable flag":        {nil, []string{"tail", "--count", "many"}, []string{"--count", "many"}},
		"unexpected argument":    {nil, []string{"tail", "messages"}, []string{`"messages"`}},
		"output format":          {nil, []string{"containers", "list", "--output", "xml"}, []string{"--output", "xml"}},
		"tail format":            {nil, []string{"tail", "--format", "xml"}, []string{"--format", "xml"}},
		"tail topic":             {nil, []string{"tail", "--topic", "gossip"}, []string{"--topic", "gossip"}},
		"unknown state":          {nil, []string{"containers", "list", "--state", "ASLEEP"}, []string{"--state", "ASLEEP"}},
		"unknown kind":           {nil, []string{"containers", "list", "--kind", "gossip"}, []string{"--kind", "gossip"}},
		"cancel nothing":         {nil, []string{"containers", "cancel"}, []string{"--id", "--key", "--conversation"}},
		"cancel a platform":      {nil, []string{"containers", "cancel", "--platform", "feishu"}, []string{"--id", "--key", "--conversation"}},
		"cancel without kind":    {nil, []string{"containers", "cancel", "--id", "oc_1"}, []string{"--kind", "oc_1"}},
		"cancel by key and id":   {nil, []string{"containers", "cancel", "--key", "a", "--kind", "chat", "--id", "oc_1"}, []string{"--key"}},
		"cancel no such kind":    {nil, []string{"containers", "cancel", "--kind", "gossip", "--id", "x"}, []string{"--kind", "gossip"}},
		"unknown setting":        {[]string{"FEISHU_APPID=x"}, []string{"containers", "list"}, []string{"FEISHU_APPID"}},
		"unparsable setting":     {[]string{"TOPIC_PARTITIONS=many"}, []string{"topics", "create"}, []string{"TOPIC_PARTITIONS"}},
		"broken output name":     {[]string{"NORMALIZER_OUTPUT=a b"}, []string{"topics", "create"}, []string{"NORMALIZER_OUTPUT"}},
		"no tenant":              {nil, chat, []string{"FEISHU_APP_ID", "FEISHU_TENANT"}},
		"no secret":              {app, []string{"up"}, []string{"FEISHU_APP_SECRET"}},
		"a cluster is set":       {[]string{"KAFKA_BROKERS=localhost:9092"}, []string{"up"}, []string{"KAFKA_BROKERS", "unset"}},
		"another platform":       {app, []string{"containers", "add", "--platform", "yunxin", "--kind", "conversation", "--id", "a|1|b"}, []string{"yunxin", "not in this version"}},
		"no platform":            {app, []string{"containers", "add", "--kind", "chat", "--id", "oc_1"}, []string{"platform"}},
		"no id":                  {app, chat[:6], []string{"id is missing"}},
		"blank in the id":        {app, append(chat[:7:7], "oc 1"), []string{"blank"}},
		"control in the id":      {app, append(chat[:7:7], "oc_\x1b[31m"), []string{"control"}},
		"kind":                   {app, []string{"containers", "add", "--platform", "feishu", "--kind", "message", "--id", "om_1"}, []string{"message"}},
		"thread without chat":    {app, []string{"containers", "add", "--platform", "feishu", "--kind", "thread", "--id", "omt_1"}, []string{"conversation"}},
		"broken date":            {app, append(chat[:8:8], "--from", "yesterday"), []string{"from", "yesterday"}},
		"window backwards":       {app, append(chat[:8:8], "--from", "2024-02-01", "--to", "2024-01-01"), []string{"not before"}},
		"file and id":            {app, append(chat[:8:8], "--file", "-"), []string{"--file"}},
		"no such file":           {app, []string{"containers", "add", "--file", "/nowhere/chats.jsonl"}, []string{"/nowhere/chats.jsonl"}},
		"fault without action":   {nil, []string{"simulate", "--fault", "every=2"}, []string{"--fault", "action"}},
		"fault of no such kind":  {nil, []string{"simulate", "--fault", "action=levitate"}, []string{"levitate"}},
		"fault with a bad count": {nil, []string{"simulate", "--fault", "action=reset,every=often"}, []string{"every", "often"}},
		"negative chats":         {nil, []string{"demo", "--chats", "-1"}, []string{"--chats"}},
	} {
		t.Run(name, func(t *testing.T) {
			oneLine(t, chatlake(t, tt.env, tt.args...), 2, tt.words...)
		})
	}
}

func TestFaultsAtRunTimeEndWithOne(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, taken, _ := net.SplitHostPort(l.Addr().String())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	up := installation(t)
	free := func(args ...string) []string { return append(args, "--kafka-port", "0", "--registry-port", "0") }
	for name, tt := range map[string]struct {
		env, args, words []string
	}{
		"no broker":             {[]string{"KAFKA_BROKERS=127.0.0.1:1"}, []string{"containers", "list"}, []string{"127.0.0.1:1", "KAFKA_BROKERS"}},
		"no broker for topics":  {[]string{"KAFKA_BROKERS=127.0.0.1:1"}, []string{"topics", "create"}, []string{"127.0.0.1:1", "KAFKA_BROKERS"}},
		"no registry":           {append(up[:1:1], "SCHEMA_REGISTRY_URL=http://127.0.0.1:1"), []string{"tail"}, []string{"127.0.0.1:1", "SCHEMA_REGISTRY_URL"}},
		"no topics":             {append(up, "TOPIC_PREFIX=never"), []string{"containers", "list"}, []string{"never.containers", "topics create"}},
		"simulator's port":      {nil, []string{"simulate", "--chats", "1", "--listen", "127.0.0.1:" + taken}, []string{taken, "--listen"}},
		"broker's port":         {nil, []string{"up", "--data", t.TempDir(), "--kafka-port", taken, "--registry-port", "0"}, []string{taken, "--kafka-port"}},
		"registry's port":       {nil, []string{"up", "--data", t.TempDir(), "--kafka-port", "0", "--registry-port", taken}, []string{taken, "--registry-port"}},
		"a file as directory":   {nil, free("up", "--data", file), []string{file, "--data"}},
		"demo within a file":    {nil, []string{"demo", "--data", filepath.Join(file, "demo")}, []string{file, "--data"}},
		"a directory in use":    {nil, free("up", "--data", shared.dir), []string{shared.dir, "in use"}},
		"chats to no directory": {nil, []string{"simulate", "--chats", "1", "--listen", "127.0.0.1:0", "--containers-out", filepath.Join(file, "x")}, []string{file}},
	} {
		t.Run(name, func(t *testing.T) {
			oneLine(t, chatlake(t, tt.env, tt.args...), 1, tt.words...)
		})
	}
}

func TestDemoLeavesAnArchiveAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	oneLine(t, chatlake(t, nil, "demo", "--data", dir), 2, dir, "not empty", "--data")
}

func TestHelpListsSettings(t *testing.T) {
	out := ok(t, nil, "containers", "add", "--help")
	for _, want := range []string{"KAFKA_BROKERS", "FEISHU_APP_ID", "TOPIC_PREFIX", "--again", `"kind":"thread"`} {
		if !strings.Contains(out, want) {
			t.Errorf("help does not name %s", want)
		}
	}
	if out := ok(t, nil, "--version"); !strings.HasPrefix(out, "chatlake ") || strings.Count(out, "\n") != 1 {
		t.Errorf("version: %q", out)
	}
	if out := ok(t, nil); !strings.Contains(out, "demo") {
		t.Errorf("without arguments: %q", out)
	}
}
