package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chatlake/schemas"
	"chatlake/simulator"
)

// bothPlatforms is the word of --platform for all that are there.
const bothPlatforms = "both"

// worldOptions are the flags of what is simulated.
type worldOptions struct {
	platform             string
	seed                 int64
	chats, messages      int
	perMinute, perSecond int
	corpus               string
}

// flags adds the flags; what o holds already are the defaults.
func (o *worldOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.platform, "platform", o.platform, "feishu, yunxin or both")
	f.Int64Var(&o.seed, "seed", o.seed, "the same seed gives the same chats")
	f.IntVar(&o.chats, "chats", o.chats, "how many chats each platform has (0: all of the corpus)")
	f.IntVar(&o.messages, "messages", 0, "how many lines of the corpus each platform has, over all chats (0: all of them)")
	f.IntVar(&o.perMinute, "quota-per-minute", o.perMinute, "calls that each API of Feishu allows in a minute (0: any number)")
	f.IntVar(&o.perSecond, "quota-per-second", o.perSecond, "calls that each API allows in a second (0: any number)")
	f.StringVar(&o.corpus, "corpus", "", "a corpus of your own, gzipped JSON lines (default: the one that is built in)")
}

func (o *worldOptions) check() error {
	if !slices.Contains([]string{schemas.Feishu, schemas.Yunxin, bothPlatforms}, o.platform) {
		return usagef("--platform %q is none of feishu, yunxin, both", o.platform)
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"chats", o.chats}, {"messages", o.messages}, {"quota-per-minute", o.perMinute}, {"quota-per-second", o.perSecond}} {
		if n.value < 0 {
			return usagef("--%s %d is less than 0", n.flag, n.value)
		}
	}
	return nil
}

// simulates reports whether a platform is wanted.
func (o *worldOptions) simulates(platform string) bool {
	return o.platform == platform || o.platform == bothPlatforms
}

// worlds makes what is simulated; a world that is not wanted is nil. Of two, the second takes the lines of the corpus that
// the first has left, so that no text shows twice, where any are.
func (o *worldOptions) worlds() (f *simulator.World, y *simulator.YunxinWorld, err error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	taken := 0
	if o.simulates(schemas.Feishu) {
		f, err = simulator.NewWorld(simulator.Options{Seed: o.seed, Chats: o.chats, Messages: o.messages, CorpusFile: o.corpus})
		if err != nil {
			return nil, nil, err
		}
		taken = f.Days()
	}
	if !o.simulates(schemas.Yunxin) {
		return f, nil, nil
	}
	yo := simulator.YunxinOptions{Seed: o.seed, Conversations: o.chats, Messages: o.messages, CorpusFile: o.corpus, Skip: taken}
	if y, err = simulator.NewYunxinWorld(yo); err != nil && taken > 0 {
		yo.Skip = 0
		y, err = simulator.NewYunxinWorld(yo)
	}
	return f, y, err
}

// simulateOptions are the flags of simulate.
type simulateOptions struct {
	worldOptions
	listen, yunxinListen, containersOut string
	faults                              []string
}

func (t *tool) simulateCommand() *cobra.Command {
	o := simulateOptions{worldOptions: worldOptions{platform: schemas.Feishu, seed: 1, perMinute: 1000, perSecond: 50}}
	c := t.command(&cobra.Command{
		Use:   "simulate",
		Short: "Serve simulated platforms over a corpus of real chats",
		Long: "Serve the HTTP APIs of Feishu and Yunxin over a corpus of real public chats, with their quotas, until a signal.\n\n" +
			"--fault has calls go wrong, as often as it is given: comma-separated key=value with\n  " + faultKeys + "\n" +
			"Actions: " + joined(actions[:9]) + ",\n  " + joined(actions[9:]) + ";\n  of Feishu alone: " + joined(feishuActions) + "; of Yunxin alone: " + joined(yunxinActions) +
			".\nA fault acts on both platforms where neither its api nor its action is of one alone.\nAPIs of Feishu: " +
			joined(feishuAPIs) + "\nAPIs of Yunxin: " + joined(yunxinAPIs),
		Example: "  chatlake simulate --chats 10 --containers-out chats.jsonl\n" +
			"  chatlake simulate --platform both --chats 10\n" +
			"  chatlake simulate --fault action=reset,every=50 --fault action=answer,status=503,from=10,times=3\n" +
			"  chatlake simulate --platform yunxin --fault 'api=im.v2.messages.batch,action=fail items,code=107404,every=2'",
	}, nil, func(ctx context.Context) error { return t.simulate(ctx, o) })
	f := c.Flags()
	o.flags(f)
	f.StringVar(&o.listen, "listen", "127.0.0.1:9490", "where Feishu listens, host:port; Yunxin too, where it is alone")
	f.StringVar(&o.yunxinListen, "yunxin-listen", "127.0.0.1:9491", "where Yunxin listens beside Feishu, host:port")
	f.StringVar(&o.containersOut, "containers-out", "", "write the chats to this file, for 'chatlake containers add --file'")
	f.StringArrayVar(&o.faults, "fault", nil, "have calls go wrong, see below")
	return c
}

func (t *tool) simulate(ctx context.Context, o simulateOptions) error {
	faults, err := parseFaults(o.faults)
	if err != nil {
		return err
	}
	f, y, err := o.worlds()
	if err != nil {
		return err
	}
	var all platforms
	defer func() { all.close() }()
	if f != nil {
		p, err := openFeishu(ctx, o.listen, f, simulator.FeishuConfig{
			Limits: simulator.Limits{PerMinute: o.perMinute, PerSecond: o.perSecond}, Faults: faultsOf(schemas.Feishu, faults),
		})
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if y != nil {
		listen := o.yunxinListen
		if f == nil {
			listen = o.listen
		}
		p, err := openYunxin(ctx, listen, y, simulator.YunxinConfig{
			Limits: simulator.Limits{PerSecond: o.perSecond}, Faults: faultsOf(schemas.Yunxin, faults),
		})
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if o.containersOut != "" {
		lines, err := all.containers()
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.containersOut, lines, 0o600); err != nil {
			return fmt.Errorf("--containers-out: %w", err)
		}
	}
	if err := t.printSimulated(all, o); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// containers gives the chats as lines for containers add.
func (all platforms) containers() ([]byte, error) {
	var b bytes.Buffer
	for _, p := range all {
		for _, w := range p.wishes {
			if err := printJSON(&b, w, false); err != nil {
				return nil, err
			}
		}
	}
	return b.Bytes(), nil
}

// simulatedFeishu and simulatedYunxin are what programs are told of a simulated platform.
type simulatedFeishu struct {
	BaseURL   string   `json:"base_url"`
	AppID     string   `json:"app_id"`
	AppSecret string   `json:"app_secret"`
	TenantKey string   `json:"tenant_key"`
	Messages  int      `json:"messages"`
	Chats     []string `json:"chats"`
}

type simulatedYunxin struct {
	BaseURL       string   `json:"base_url"`
	AppKey        string   `json:"app_key"`
	AppSecret     string   `json:"app_secret"`
	FileHosts     string   `json:"file_hosts"`
	Messages      int      `json:"messages"`
	Conversations []string `json:"conversations"`
}

// simulated is what programs are told of all: Feishu's fields on top, Yunxin's below a name of their own.
type simulated struct {
	*simulatedFeishu
	Yunxin *simulatedYunxin `json:"yunxin,omitempty"`
}

func (t *tool) printSimulated(all platforms, o simulateOptions) error {
	var s simulated
	var said, exports strings.Builder
	for _, p := range all {
		said.WriteString(fmt.Sprintf("%s is simulated at %s: %d chats with %s messages in their lists.\n", p.title, p.url, len(p.wishes), grouped(int64(p.listed))))
		for _, kv := range p.env {
			exports.WriteString("export " + kv[0] + "=" + kv[1] + "\n")
		}
		switch ids := p.ids(); p.name {
		case schemas.Feishu:
			s.simulatedFeishu = &simulatedFeishu{
				BaseURL: p.url, AppID: p.app, AppSecret: p.secret, TenantKey: p.tenantKey, Messages: p.listed, Chats: ids,
			}
		case schemas.Yunxin:
			s.Yunxin = &simulatedYunxin{
				BaseURL: p.url, AppKey: p.app, AppSecret: p.secret, FileHosts: p.url, Messages: p.listed, Conversations: ids,
			}
		}
	}
	if t.json() {
		return printJSON(t.out, s, true)
	}
	var add []string
	for _, p := range all {
		w := p.wishes[0]
		add = append(add, clean(fmt.Sprintf("%s containers add --platform %s --kind %s --id '%s'", self(), w.Platform, w.Kind, w.ID)))
	}
	if o.containersOut != "" {
		add = []string{self() + " containers add --file " + clean(o.containersOut)}
	}
	_, err := fmt.Fprintf(t.out, "%sStop with Ctrl-C.\n\n%s\n%s\n", said.String(), exports.String(), strings.Join(add, "\n"))
	return err
}
