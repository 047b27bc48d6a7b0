package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// discoverOptions are the flags of containers discover.
type discoverOptions struct {
	wish  wish // without an id
	again bool
}

// yunxinIDs says why Yunxin's conversations cannot be discovered, and where their ids are.
const yunxinIDs = "--platform yunxin: its API lists no conversations. Their ids come from the application's own database, from message callbacks or from a data-sync export; " +
	"add them by chatlake containers add --platform yunxin --kind conversation --id 'alice|1|bob', or many with --file -"

func (t *tool) containersDiscoverCommand() *cobra.Command {
	var o discoverOptions
	c := t.command(&cobra.Command{
		Use:   "discover",
		Short: "Have every chat read that the bot is in",
		Long: "Ask the platform for every chat that the bot is in, dissolved ones included, and have each read. What is there already\n" +
			"is left alone, as by 'containers add', so it may be run as often as chats come up.\n\n" +
			"Chats with a single person (p2p) are not listed by the platform, though a bot may read them: add those by their ids.\n" +
			"Yunxin lists no conversations at all.",
		Example: "  chatlake containers discover --platform feishu\n" +
			"  chatlake containers discover --platform feishu --from 2024-01-01",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersDiscover(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.wish.Platform, "platform", "", "feishu")
	f.StringVar(&o.wish.From, "from", "", "first time to read of chats that are new: a UTC date, or RFC 3339 (default: the beginning)")
	f.StringVar(&o.wish.To, "to", "", "time to read them up to: a UTC date means its first moment, or RFC 3339 (default: now)")
	f.BoolVar(&o.again, "again", false, "read all again what is there already: a new epoch")
	return c
}

// discoverReport is the result of containers discover.
type discoverReport struct {
	addReport
	Chats     int  `json:"chats"`     // that the platform listed
	Dissolved int  `json:"dissolved"` // of them
	Complete  bool `json:"complete"`  // whether the list came to its end
}

func (t *tool) containersDiscover(ctx context.Context, o discoverOptions) error {
	var odd oddities
	o.wish = odd.tidy("--", o.wish)
	t.noteOdd(&odd)
	if err := o.check(); err != nil {
		return err
	}
	s, err := load()
	if err != nil {
		return err
	}
	switch {
	case s.AppID == "":
		return &worker.SettingError{Name: "FEISHU_APP_ID", Why: "is missing: the platform is asked for the chats of its bot"}
	case s.Feishu.AppSecret == "":
		return &worker.SettingError{Name: "FEISHU_APP_SECRET", Why: "is missing (or FEISHU_APP_SECRET_FILE): the platform is asked for the chats of its bot"}
	}
	n, err := s.Connect(ctx, "", t.logger(s))
	if err != nil {
		return err
	}
	defer n.Client.Close()
	pacer := api.NewPacer(map[string]connectors.Quota{
		feishu.ChatsListAPI: {PerMinute: int(s.PerMinute), PerSecond: int(s.Feishu.PerSecond)},
	})
	r := discoverReport{}
	asked, broken := r.list(ctx, s.Feishu.Call(pacer, t.logger(s)), o, s.Tenant)
	if broken != nil && (len(asked) == 0 || ctx.Err() != nil) {
		return fmt.Errorf("the bot's chats cannot be listed: %w", broken)
	}
	added, err := addContainers(ctx, n, asked, o.again)
	if err != nil {
		return err
	}
	r.addReport, r.Complete = *added, broken == nil
	if err := t.printDiscovered(&r); err != nil {
		return err
	}
	if broken != nil {
		return fmt.Errorf("the list of chats is not whole, what came of it was added: %w", broken)
	}
	return nil
}

func (o *discoverOptions) check() error {
	switch o.wish.Platform {
	case schemas.Feishu:
	case schemas.Yunxin:
		return usagef(yunxinIDs)
	case "":
		return usagef("--platform is missing: feishu")
	default:
		return usagef("--platform %q is unknown: feishu can be asked", o.wish.Platform)
	}
	if err := o.wish.window(&schemas.Container{}); err != nil {
		return usageError{err}
	}
	return nil
}

// list asks for the chats and makes their containers. What came before an error stands.
func (r *discoverReport) list(ctx context.Context, call connectors.Call, o discoverOptions, tenant string) (asked []*schemas.Container, err error) {
	var odd error
	for chat, err := range feishu.Chats(ctx, call) {
		if err != nil {
			return asked, err
		}
		r.Chats++
		if chat.Status != "" && chat.Status != "normal" {
			r.Dissolved++
		}
		w := o.wish
		w.Kind, w.ID, w.anyID = schemas.KindChat, chat.ID, true // the platform's own
		c, err := w.feishu(tenant)
		if err != nil {
			odd = err // the others go on; the last of such ids is named
			continue
		}
		c.Cause = schemas.CauseDiscovered
		asked = append(asked, c)
	}
	return asked, odd
}

func (t *tool) printDiscovered(r *discoverReport) error {
	if t.json() {
		return printJSON(t.out, r, true)
	}
	dissolved := ""
	if r.Dissolved > 0 {
		dissolved = fmt.Sprintf(" (%d dissolved: what can still be read of them is read)", r.Dissolved)
	}
	_, err := fmt.Fprintf(t.out, "%sthe bot is in %d chats%s; chats with a single person are not listed by the platform: add them by their ids\n",
		r.text(), r.Chats, dissolved)
	return err
}
