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

// addOptions are the flags of containers add.
type addOptions struct {
	wish  wish
	refs  string
	file  string
	again bool
	anyID bool
}

func (t *tool) containersAddCommand() *cobra.Command {
	var o addOptions
	c := t.command(&cobra.Command{
		Use:   "add",
		Short: "Have chats, threads, conversations and messages read",
		Long: "Have chats and threads of Feishu, conversations and single messages of Yunxin read. What is there already is left\n" +
			"alone, its window too, unless --again asks to read it all again: a new epoch, within the window that is given then.\n" +
			"The app's id (FEISHU_APP_ID) or FEISHU_TENANT names the tenant, for Yunxin the app key (YUNXIN_APP_KEY); no secret\n" +
			"is needed, as no platform is called.\n\n" +
			"A conversation of Yunxin is spelled as its API wants it: owner|type|other with type 1 for two accounts, 2 for a team\n" +
			"and 3 for a super team, in whose name a member reads: 'alice|1|bob', 'alice|2|4711'.\n\n" +
			"--refs names single messages of a conversation of Yunxin, of kind messages, as JSON lines:\n" +
			`  {"message_id":"9007199254740993","created_at":1700000000000}` + "\n\n" +
			"--file takes many containers as JSON lines, - standard input:\n" +
			`  {"platform":"feishu","kind":"chat","id":"oc_…","from":"2024-01-01"}` + "\n" +
			`  {"platform":"feishu","kind":"thread","id":"omt_…","conversation":"oc_…"}` + "\n" +
			`  {"platform":"yunxin","kind":"conversation","id":"alice|1|bob"}` + "\n" +
			"A line that is wrong is named, and then nothing is added.",
		Example: "  chatlake containers add --platform feishu --kind chat --id oc_a0553eda9014c201e6969b478895c230 --from 2024-01-01\n" +
			"  chatlake containers add --platform yunxin --kind conversation --id 'alice|1|bob'\n" +
			"  chatlake containers add --platform yunxin --kind messages --id 'alice|1|bob' --refs refs.jsonl\n" +
			"  chatlake containers add --file chats.jsonl",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersAdd(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.wish.Platform, "platform", "", "feishu or yunxin")
	f.StringVar(&o.wish.Kind, "kind", "", "chat or thread of Feishu, conversation or messages of Yunxin")
	f.StringVar(&o.wish.ID, "id", "", "the platform's id: oc_… of a chat, omt_… of a thread, owner|type|other of a conversation")
	f.StringVar(&o.wish.Conversation, "conversation", "", "the chat of a thread, oc_…")
	f.StringVar(&o.wish.From, "from", "", "first time to read: a UTC date, or RFC 3339 (default: the beginning)")
	f.StringVar(&o.wish.To, "to", "", "time to read up to: a UTC date means its first moment, or RFC 3339 (default: now)")
	f.StringVar(&o.refs, "refs", "", "JSON lines of ids and times of messages, for kind messages; - reads standard input")
	f.StringVar(&o.file, "file", "", "JSON lines of containers; - reads standard input")
	f.BoolVar(&o.again, "again", false, "read all again what is there already: a new epoch")
	f.BoolVar(&o.anyID, "any-id", false, "take ids of Feishu that do not begin as those of their kind do (oc_…, omt_…)")
	return c
}

func (t *tool) containersAdd(ctx context.Context, o addOptions) error {
	s, err := load()
	if err != nil {
		return err
	}
	asked, err := t.asked(o, tenantsOf(s))
	if err != nil {
		return err
	}
	for _, c := range asked {
		if c.TenantID == "" {
			return &worker.SettingError{Name: tenantSettings[c.Platform][0], Why: "is missing: it names the tenant of the containers" + tenantSettings[c.Platform][1]}
		}
	}
	n, err := s.Connect(ctx, "", t.logger(s))
	if err != nil {
		return err
	}
	defer n.Client.Close()
	r, err := addContainers(ctx, n, asked, o.again)
	if err != nil {
		return err
	}
	if t.json() {
		return printJSON(t.out, r, true)
	}
	return t.printAdded(r)
}

// tenantSettings are the settings that name a platform's tenant: the app's, and what else may.
var tenantSettings = map[string][2]string{
	schemas.Feishu: {"FEISHU_APP_ID", " (or FEISHU_TENANT)"}, schemas.Yunxin: {"YUNXIN_APP_KEY", ""},
}

func tenantsOf(s *worker.ToolSettings) map[string]string {
	return map[string]string{schemas.Feishu: s.Tenant, schemas.Yunxin: s.AppKey}
}

// asked gives the containers asked for, each once. A tenant may be empty: then it only checks them.
func (t *tool) asked(o addOptions, tenants map[string]string) ([]*schemas.Container, error) {
	find := t.askedByFlags
	if o.file != "" {
		find = t.askedByFile
	}
	var odd oddities
	all, err := find(o, tenants, &odd)
	if err != nil {
		return nil, err
	}
	t.noteOdd(&odd)
	return t.each(all), nil
}

func (t *tool) askedByFlags(o addOptions, tenants map[string]string, odd *oddities) ([]*schemas.Container, error) {
	o.wish = odd.tidy("--", o.wish)
	refs, err := t.refs(o)
	if err != nil {
		return nil, err
	}
	o.wish.anyID = o.anyID
	all, err := o.wish.containers(tenants, refs)
	if err != nil {
		return nil, usageError{err}
	}
	return all, nil
}

func (t *tool) askedByFile(o addOptions, tenants map[string]string, odd *oddities) ([]*schemas.Container, error) {
	if o.wish != (wish{}) || o.refs != "" {
		return nil, usagef("--file names the containers itself: leave out --platform, --kind, --id, --conversation, --refs, --from and --to")
	}
	file := lineFile{"--file", o.file, t.stdin}
	lines, wishes, err := readWishes(file)
	if err != nil {
		return nil, err
	}
	if len(wishes) == 0 {
		return nil, usagef("--file %s names no container", o.file)
	}
	var all []*schemas.Container
	for i, w := range wishes {
		w = odd.tidy(fmt.Sprintf("%s line %d: ", file.name(), lines[i]), w)
		w.anyID = o.anyID
		c, err := w.containers(tenants, nil)
		if err != nil {
			return nil, usagef("%s line %d: %w; nothing was added", file.name(), lines[i], err)
		}
		all = append(all, c...)
	}
	return all, nil
}

// refs reads the messages that --refs names, none where it is not given.
func (t *tool) refs(o addOptions) ([]schemas.MessageRef, error) {
	if o.refs == "" {
		return nil, nil
	}
	if o.wish.Platform != schemas.Yunxin || o.wish.Kind != schemas.KindMessages {
		return nil, usagef("--refs goes with --platform yunxin --kind messages")
	}
	refs, err := readRefs(lineFile{"--refs", o.refs, t.stdin})
	if err == nil && len(refs) == 0 {
		err = usagef("--refs %s names no message", o.refs)
	}
	return refs, err
}

// each gives each container once, and says where their ids are unusual.
func (t *tool) each(all []*schemas.Container) []*schemas.Container {
	seen := map[string]bool{}
	var once []*schemas.Container
	odd, first := 0, ""
	for _, c := range all {
		if seen[c.Key] {
			continue // the first stands, as in the topic
		}
		seen[c.Key] = true
		once = append(once, c)
		if why := unusual(c); why != "" {
			if odd++; odd == 1 {
				first = why
			}
		}
	}
	if odd > 0 {
		t.note("unusual ids (%d): %s", odd, first)
	}
	return once
}

// addContainers writes those that are not there yet; with again, all, in a new epoch where they are.
func addContainers(ctx context.Context, n *worker.Connection, asked []*schemas.Container, again bool) (*addReport, error) {
	var concerned []int32
	for _, c := range asked {
		if p := partitionOf(n, c); !slices.Contains(concerned, p) {
			concerned = append(concerned, p)
		}
	}
	known, err := readLedger(ctx, n, concerned)
	if err != nil {
		return nil, err
	}
	r := &addReport{Added: []outcome{}, Existing: []outcome{}}
	now := time.Now()
	var written []*schemas.Container
	for _, c := range asked {
		key := schemas.ContainerKey(c.Key)
		epoch, old := known.inForce(key), known.containers[key]
		if epoch > 0 && !again {
			r.Existing = append(r.Existing, outcome{c.Key, epoch, keptWindow(old, c)})
			continue
		}
		c.Epoch, c.RequestedAt = epoch+1, schemas.MillisOf(now)
		written = append(written, c)
		r.Added = append(r.Added, outcome{c.Key, c.Epoch, droppedWindow(old, c)})
	}
	return r, writeContainers(ctx, n, written)
}
