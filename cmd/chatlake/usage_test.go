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
	key := []string{"YUNXIN_APP_KEY=key"}
	conversation := []string{"containers", "add", "--platform", "yunxin", "--kind", "conversation", "--id", "a|1|b"}
	messages := []string{"containers", "add", "--platform", "yunxin", "--kind", "messages", "--id", "a|1|b"}
	refs := filepath.Join(t.TempDir(), "refs.jsonl")
	if err := os.WriteFile(refs, []byte(`{"message_id":"1","created_at":1700000000000}`), 0o600); err != nil {
		t.Fatal(err)
	}
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
		"another platform":       {app, []string{"containers", "add", "--platform", "slack", "--kind", "chat", "--id", "C1"}, []string{"slack", "feishu and yunxin"}},
		"yunxin without a key":   {app, conversation, []string{"YUNXIN_APP_KEY"}},
		"yunxin without owner":   {key, append(conversation[:7:7], "team:4711"), []string{"team:4711", "owner|type|other"}},
		"yunxin, no such type":   {key, append(conversation[:7:7], "a|4|b"), []string{`"4"`, "super team"}},
		"yunxin, blank in id":    {key, append(conversation[:7:7], "a|1|b c"), []string{"blank"}},
		"yunxin, no kind":        {key, []string{"containers", "add", "--platform", "yunxin", "--id", "a|1|b"}, []string{"kind", "conversation or messages"}},
		"yunxin, a chat":         {key, []string{"containers", "add", "--platform", "yunxin", "--kind", "chat", "--id", "a|1|b"}, []string{"chat", "conversation or messages"}},
		"yunxin, another's":      {key, append(conversation[:8:8], "--conversation", "team:1"), []string{"team:1"}},
		"messages without refs":  {key, messages, []string{"--refs", "message_id"}},
		"messages in a window":   {key, append(messages[:8:8], "--refs", refs, "--from", "2024-01-01"), []string{"window"}},
		"refs of a conversation": {key, append(conversation[:8:8], "--refs", refs), []string{"--refs", "messages"}},
		"refs beside a file":     {key, []string{"containers", "add", "--file", "-", "--refs", refs}, []string{"--file", "--refs"}},
		"no such refs":           {key, append(messages[:8:8], "--refs", refs+"x"), []string{refs + "x"}},
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
		"fault on no such API":   {nil, []string{"simulate", "--fault", "action=reset,api=im.v9"}, []string{"im.v9", "im.v2.messages.batch"}},
		"simulate no such":       {nil, []string{"simulate", "--platform", "slack"}, []string{"--platform", "slack"}},
		"demo of no such":        {nil, []string{"demo", "--platform", "slack"}, []string{"--platform", "slack"}},
		"yunxin without secret":  {key, []string{"up"}, []string{"YUNXIN_APP_SECRET"}},
		"tail in no zone":        {nil, []string{"tail", "--tz", "Moon/Sea"}, []string{"--tz", "Moon/Sea", "Asia/Shanghai"}},
		"tail, broken pattern":   {nil, []string{"tail", "--grep", "(x"}, []string{"--grep", "(x"}},
		"tail, broken time":      {nil, []string{"tail", "--since", "yesterday"}, []string{"--since", "yesterday", "7d"}},
		"tail, tree of pages":    {nil, []string{"tail", "--tree", "--topic", "raw"}, []string{"--tree", "--topic raw"}},
		"letters of no stage":    {nil, []string{"deadletters", "list", "--stage", "gossip"}, []string{"--stage", "gossip", "normalize"}},
		"letters of no platform": {nil, []string{"deadletters", "list", "--platform", "slack"}, []string{"--platform", "slack"}},
		"letters of no time":     {nil, []string{"deadletters", "redrive", "--since", "-3h"}, []string{"--since", "-3h"}},
		"show nothing":           {nil, []string{"deadletters", "show"}, []string{"id", "show --help"}},
		"show two":               {nil, []string{"deadletters", "show", "a", "b"}, []string{`"b"`}},
		"redrive id and class":   {nil, []string{"deadletters", "redrive", "--class", "x", "a"}, []string{"--class"}},
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
			r := chatlake(t, tt.env, tt.args...)
			oneLine(t, r, 1, tt.words...)
			for _, name := range []string{"local: ", "kafka: ", "worker: "} {
				if strings.Contains(r.stderr, name) {
					t.Errorf("names a package of ours: %q", r.stderr)
				}
			}
		})
	}
}

// TestWhatDoesNotAnswerIsWaitedFor: a broker or registry that may be starting is asked for half a minute, which is said at
// once, and then named with the remedy.
func TestWhatDoesNotAnswerIsWaitedFor(t *testing.T) {
	t.Parallel()
	up := installation(t)
	for name, tt := range map[string]struct {
		env, args []string
		setting   string
	}{
		"no broker":            {[]string{"KAFKA_BROKERS=127.0.0.1:1"}, []string{"containers", "list"}, "KAFKA_BROKERS"},
		"no broker for topics": {[]string{"KAFKA_BROKERS=127.0.0.1:1"}, []string{"topics", "create"}, "KAFKA_BROKERS"},
		"no registry":          {append(up[:1:1], "SCHEMA_REGISTRY_URL=http://127.0.0.1:1"), []string{"tail"}, "SCHEMA_REGISTRY_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := chatlake(t, tt.env, tt.args...)
			said, last, _ := strings.Cut(r.stderr, "\n")
			if !strings.Contains(said, "level=WARN") || !strings.Contains(said, "asked again") || !strings.Contains(said, "127.0.0.1:1") {
				t.Errorf("waits without a word: %q", r.stderr)
			}
			r.stderr = last
			oneLine(t, r, 1, "127.0.0.1:1", tt.setting)
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

func TestUpLeavesForeignFilesAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "b.txt", "c.txt", "d.txt", "lock"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := chatlake(t, nil, "up", "--data", dir, "--kafka-port", "0", "--registry-port", "0")
	oneLine(t, r, 2, dir, "a.txt, b.txt, c.txt, …", "--data")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 5 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

// TestHelpOfUpListsWhatHolds: the embedded broker is where it is.
func TestHelpOfUpListsWhatHolds(t *testing.T) {
	settings := ok(t, nil, "up", "--help-settings")
	for _, want := range []string{"FEISHU_APP_ID", "YUNXIN_APP_KEY", "YUNXIN_FILE_HOSTS", "EXTRACTOR_WORKERS", "NORMALIZER_COMMIT_INTERVAL", "TOPIC_PARTITIONS"} {
		if strings.Count(settings, "  "+want) != 1 {
			t.Errorf("%s stands %d times", want, strings.Count(settings, want))
		}
	}
	for _, not := range []string{"KAFKA_", "SCHEMA_REGISTRY_", "NORMALIZER_STATE_DIR", "TOPIC_REPLICATION"} {
		if strings.Contains(settings, "  "+not) {
			t.Errorf("%s… does not hold there", not)
		}
	}
}

func TestHelpListsSettings(t *testing.T) {
	for page, words := range map[string][]string{
		"--help-settings": {"KAFKA_BROKERS", "FEISHU_APP_ID", "TOPIC_PREFIX"},
		"--help":          {"--again", `"kind":"thread"`},
	} {
		out := ok(t, nil, "containers", "add", page)
		for _, want := range words {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not name %s", page, want)
			}
		}
	}
	if out := ok(t, nil, "--version"); !strings.HasPrefix(out, "chatlake ") || strings.Count(out, "\n") != 1 {
		t.Errorf("version: %q", out)
	}
	if out := ok(t, nil); !strings.Contains(out, "demo") {
		t.Errorf("without arguments: %q", out)
	}
}
