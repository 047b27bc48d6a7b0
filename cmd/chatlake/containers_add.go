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
	file  string
	again bool
}

func (t *tool) containersAddCommand() *cobra.Command {
	var o addOptions
	c := t.command(&cobra.Command{
		Use:   "add",
		Short: "Have chats and threads read",
		Long: "Have chats and threads read. What is there already is left alone, its window too, unless --again asks to read it all\n" +
			"again: a new epoch, within the window that is given then. The app's id (FEISHU_APP_ID) or FEISHU_TENANT names the\n" +
			"tenant; no secret is needed, as no platform is called.\n\n" +
			"--file takes many containers as JSON lines, - standard input:\n" +
			`  {"platform":"feishu","kind":"chat","id":"oc_…","from":"2024-01-01"}` + "\n" +
			`  {"platform":"feishu","kind":"thread","id":"omt_…","conversation":"oc_…"}` + "\n" +
			"A line that is wrong is named, and then nothing is added.",
		Example: "  chatlake containers add --platform feishu --kind chat --id oc_a0553eda9014c201e6969b478895c230 --from 2024-01-01\n" +
			"  chatlake containers add --file chats.jsonl",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersAdd(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.wish.Platform, "platform", "", "feishu")
	f.StringVar(&o.wish.Kind, "kind", "", "chat or thread")
	f.StringVar(&o.wish.ID, "id", "", "the platform's id: oc_… of a chat, omt_… of a thread")
	f.StringVar(&o.wish.Conversation, "conversation", "", "the chat of a thread, oc_…")
	f.StringVar(&o.wish.From, "from", "", "first time to read: a UTC date, or RFC 3339 (default: the beginning)")
	f.StringVar(&o.wish.To, "to", "", "time to read up to: a UTC date means its first moment, or RFC 3339 (default: now)")
	f.StringVar(&o.file, "file", "", "JSON lines of containers; - reads standard input")
	f.BoolVar(&o.again, "again", false, "read all again what is there already: a new epoch")
	return c
}

func (t *tool) containersAdd(ctx context.Context, o addOptions) error {
	s, err := load()
	if err != nil {
		return err
	}
	asked, err := t.asked(o, s.Tenant)
	if err != nil {
		return err
	}
	if s.Tenant == "" {
		return &worker.SettingError{Name: "FEISHU_APP_ID", Why: "is missing: it names the tenant of the containers (or FEISHU_TENANT)"}
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

// asked gives the containers asked for, each once. Tenant may be empty: then it only checks them.
func (t *tool) asked(o addOptions, tenant string) ([]*schemas.Container, error) {
	lines, wishes := []int{0}, []wish{o.wish}
	if o.file != "" {
		if o.wish != (wish{}) {
			return nil, usagef("--file names the containers itself: leave out --platform, --kind, --id, --conversation, --from and --to")
		}
		var err error
		if lines, wishes, err = readWishes(o.file, t.stdin); err != nil {
			return nil, err
		}
		if len(wishes) == 0 {
			return nil, usagef("--file %s names no container", o.file)
		}
	}
	seen := map[string]bool{}
	var asked []*schemas.Container
	odd, first := 0, ""
	for i, w := range wishes {
		c, err := w.container(tenant)
		if err != nil && o.file != "" {
			return nil, usagef("%s line %d: %w; nothing was added", o.file, lines[i], err)
		}
		if err != nil {
			return nil, usageError{err}
		}
		if seen[c.Key] {
			continue // the first stands, as in the topic
		}
		seen[c.Key] = true
		asked = append(asked, c)
		if why := unusual(c); why != "" {
			if odd++; odd == 1 {
				first = why
			}
		}
	}
	if odd > 0 {
		t.note("unusual ids (%d): %s", odd, first)
	}
	return asked, nil
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
	var records []schemas.Record
	for _, c := range asked {
		key := schemas.ContainerKey(c.Key)
		epoch, old := known.inForce(key), known.containers[key]
		if epoch > 0 && !again {
			r.Existing = append(r.Existing, outcome{c.Key, epoch, keptWindow(old, c)})
			continue
		}
		c.Epoch, c.RequestedAt = epoch+1, schemas.MillisOf(now)
		rec, err := containerRecord(n, c)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
		r.Added = append(r.Added, outcome{c.Key, c.Epoch, droppedWindow(old, c)})
	}
	if len(records) == 0 {
		return r, nil
	}
	return r, n.Client.Produce(ctx, records)
}

// containerRecord makes a container's record, at the time at which it was asked for.
func containerRecord(n *worker.Connection, c *schemas.Container) (schemas.Record, error) {
	value, err := schemas.ContainerSchema.Append(nil, n.IDs[n.Topics.Containers], c)
	if err != nil {
		return schemas.Record{}, fmt.Errorf("container %s: %w", c.Key, err)
	}
	return schemas.Record{
		Topic: n.Topics.Containers, Partition: partitionOf(n, c), Time: c.RequestedAt.Time(), Key: c.Key, Value: value,
	}, nil
}

func partitionOf(n *worker.Connection, c *schemas.Container) int32 {
	return schemas.Partition(schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID), n.Partitions)
}
