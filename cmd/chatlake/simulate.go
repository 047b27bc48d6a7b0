package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chatlake/schemas"
	"chatlake/simulator"
)

// worldOptions are the flags of what is simulated.
type worldOptions struct {
	seed                 int64
	chats, messages      int
	perMinute, perSecond int
	corpus               string
}

// flags adds the flags; what o holds already are the defaults.
func (o *worldOptions) flags(f *pflag.FlagSet) {
	f.Int64Var(&o.seed, "seed", o.seed, "the same seed gives the same chats")
	f.IntVar(&o.chats, "chats", o.chats, "how many chats (0: all of the corpus)")
	f.IntVar(&o.messages, "messages", 0, "how many lines of the corpus, over all chats (0: all of them)")
	f.IntVar(&o.perMinute, "quota-per-minute", o.perMinute, "calls that each API allows in a minute (0: any number)")
	f.IntVar(&o.perSecond, "quota-per-second", o.perSecond, "calls that each API allows in a second (0: any number)")
	f.StringVar(&o.corpus, "corpus", "", "a corpus of your own, gzipped JSON lines (default: the one that is built in)")
}

func (o *worldOptions) world() (*simulator.World, error) {
	for _, n := range []struct {
		flag  string
		value int
	}{{"chats", o.chats}, {"messages", o.messages}, {"quota-per-minute", o.perMinute}, {"quota-per-second", o.perSecond}} {
		if n.value < 0 {
			return nil, usagef("--%s %d is less than 0", n.flag, n.value)
		}
	}
	return simulator.NewWorld(simulator.Options{Seed: o.seed, Chats: o.chats, Messages: o.messages, CorpusFile: o.corpus})
}

// simulateOptions are the flags of simulate.
type simulateOptions struct {
	worldOptions
	listen, containersOut string
	faults                []string
}

func (t *tool) simulateCommand() *cobra.Command {
	o := simulateOptions{worldOptions: worldOptions{seed: 1, perMinute: 1000, perSecond: 50}}
	c := t.command(&cobra.Command{
		Use:   "simulate",
		Short: "Serve a simulated Feishu over a corpus of real chats",
		Long: "Serve Feishu's HTTP API over a corpus of real public chats, with its quota, until a signal.\n\n" +
			"--fault has calls go wrong, as often as it is given: comma-separated key=value with\n  " + faultKeys + "\n" +
			"Actions: " + faultActions(),
		Example: "  chatlake simulate --chats 10 --containers-out chats.jsonl\n" +
			"  chatlake simulate --fault action=reset,every=50 --fault action=answer,status=503,from=10,times=3",
	}, nil, func(ctx context.Context) error { return t.simulate(ctx, o) })
	f := c.Flags()
	o.flags(f)
	f.StringVar(&o.listen, "listen", "127.0.0.1:9490", "where to listen, host:port")
	f.StringVar(&o.containersOut, "containers-out", "", "write the chats to this file, for 'chatlake containers add --file'")
	f.StringArrayVar(&o.faults, "fault", nil, "have calls go wrong, see above")
	return c
}

// platform is a simulated platform that listens.
type platform struct {
	world  *simulator.World
	api    *simulator.Feishu
	url    string
	server *http.Server
	done   chan struct{}
}

// openPlatform serves a world at an address.
func openPlatform(ctx context.Context, addr string, w *simulator.World, c simulator.FeishuConfig) (*platform, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another process: choose another address with --listen", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: choose another address with --listen: %w", addr, err)
	}
	p := &platform{
		world: w, api: simulator.NewFeishu(w, c), url: "http://" + l.Addr().String(), done: make(chan struct{}),
	}
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // connections that faults cut are meant to be cut
	p.server = &http.Server{Handler: p.api, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l) // ends with close; a listener that breaks shows in every call
	}()
	return p, nil
}

// close ends all calls that are under way: one that hangs by a fault would never end.
func (p *platform) close() {
	_ = p.server.Close()
	<-p.done
}

// containers gives the chats as lines for containers add.
func (p *platform) containers() ([]byte, error) {
	var b bytes.Buffer
	for _, c := range p.world.Chats() {
		if err := printJSON(&b, wish{Platform: schemas.Feishu, Kind: schemas.KindChat, ID: c.ID}, false); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (t *tool) simulate(ctx context.Context, o simulateOptions) error {
	faults, err := parseFaults(o.faults)
	if err != nil {
		return err
	}
	w, err := o.world()
	if err != nil {
		return err
	}
	p, err := openPlatform(ctx, o.listen, w, simulator.FeishuConfig{
		Limits: simulator.Limits{PerMinute: o.perMinute, PerSecond: o.perSecond}, Faults: faults,
	})
	if err != nil {
		return err
	}
	defer p.close()
	if o.containersOut != "" {
		lines, err := p.containers()
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.containersOut, lines, 0o600); err != nil {
			return fmt.Errorf("--containers-out: %w", err)
		}
	}
	if err := t.printSimulated(p, o); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// simulated is what programs are told of a simulated platform.
type simulated struct {
	BaseURL   string   `json:"base_url"`
	AppID     string   `json:"app_id"`
	AppSecret string   `json:"app_secret"`
	TenantKey string   `json:"tenant_key"`
	Messages  int      `json:"messages"`
	Chats     []string `json:"chats"`
}

func (t *tool) printSimulated(p *platform, o simulateOptions) error {
	s := simulated{BaseURL: p.url, Chats: []string{}}
	s.AppID, s.AppSecret, s.TenantKey = p.world.App()
	for _, c := range p.world.Chats() {
		s.Chats = append(s.Chats, c.ID)
		s.Messages += len(p.world.Messages(c.ID))
	}
	if t.json() {
		return printJSON(t.out, s, true)
	}
	add := fmt.Sprintf("chatlake containers add --platform feishu --kind chat --id %s", s.Chats[0])
	if o.containersOut != "" {
		add = "chatlake containers add --file " + o.containersOut
	}
	_, err := fmt.Fprintf(t.out, `Feishu is simulated at %s: %d chats with %d messages in their lists. Stop with Ctrl-C.

export FEISHU_BASE_URL=%s
export FEISHU_APP_ID=%s
export FEISHU_APP_SECRET=%s

%s
`, s.BaseURL, len(s.Chats), s.Messages, s.BaseURL, s.AppID, s.AppSecret, clean(add))
	return err
}
