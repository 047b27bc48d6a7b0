package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"chatlake/cmd/worker"
	"chatlake/schemas"
	"chatlake/simulator"
)

// served is what every simulated API tells of itself.
type served interface {
	http.Handler
	Exchanges() []simulator.Exchange
	Shown() []string
}

// platform is a simulated platform that listens.
type platform struct {
	name, title            string // feishu, Feishu
	app, secret, tenantKey string // the app's id also names the tenant in keys
	url                    string
	env                    [][2]string       // settings that lead to it
	wishes                 []wish            // a container for each conversation
	titles                 map[string]string // of conversations, by the ids that keys have
	listed                 int               // messages in lists of conversations
	lists                  simulator.API     // of messages
	api                    served
	traffic                func() simulator.Traffic
	expect                 func() *expectation
	configure              func(*worker.ExtractorSettings)
	expected               *expectation // filled in where it is to be compared with
	server                 *http.Server
	done                   chan struct{}
}

// platforms are those that are simulated, in the order in which people are told of them.
type platforms []*platform

func (all platforms) close() {
	for _, p := range all {
		p.close()
	}
}

// openFeishu serves a world of Feishu at an address.
func openFeishu(ctx context.Context, addr string, w *simulator.World, c simulator.FeishuConfig) (*platform, error) {
	api := simulator.NewFeishu(w, c)
	p := &platform{
		name: schemas.Feishu, title: "Feishu", titles: map[string]string{}, lists: simulator.APIMessages, api: api,
		traffic: func() simulator.Traffic { return api.Report().Traffic },
		expect:  func() *expectation { return expectFeishu(w) },
	}
	p.app, p.secret, p.tenantKey = w.App()
	for _, c := range w.Chats() {
		p.wishes = append(p.wishes, wish{Platform: schemas.Feishu, Kind: schemas.KindChat, ID: c.ID})
		p.titles[c.ID] = c.Name
		p.listed += len(w.Messages(c.ID))
	}
	if err := p.listen(ctx, addr, "--listen"); err != nil {
		return nil, err
	}
	p.env = [][2]string{{"FEISHU_BASE_URL", p.url}, {"FEISHU_APP_ID", p.app}, {"FEISHU_APP_SECRET", p.secret}}
	p.configure = func(s *worker.ExtractorSettings) {
		s.Feishu = worker.Feishu{
			AppID: p.app, AppSecret: worker.Secret(p.secret), Tenant: p.app, BaseURL: p.url,
			PerMinute: worker.Count(c.Limits.PerMinute), PerSecond: worker.Count(c.Limits.PerSecond),
		}
	}
	return p, nil
}

// openYunxin serves a world of Yunxin at an address, merged files included.
func openYunxin(ctx context.Context, addr string, w *simulator.YunxinWorld, c simulator.YunxinConfig) (*platform, error) {
	api := simulator.NewYunxin(w, c)
	p := &platform{
		name: schemas.Yunxin, title: "Yunxin", titles: map[string]string{}, lists: simulator.APIHistory, api: api,
		traffic: func() simulator.Traffic { return api.Report().Traffic },
		expect:  func() *expectation { return expectYunxin(w) },
	}
	p.app, p.secret = w.App()
	for _, c := range w.Conversations() {
		p.wishes = append(p.wishes, wish{Platform: schemas.Yunxin, Kind: schemas.KindConversation, ID: c.APIID})
		p.titles[c.ID] = c.Name
		p.listed += len(w.Messages(c.ID, true))
	}
	if err := p.listen(ctx, addr, "--yunxin-listen (--listen, where it is alone)"); err != nil {
		return nil, err
	}
	p.env = [][2]string{{"YUNXIN_BASE_URL", p.url}, {"YUNXIN_APP_KEY", p.app}, {"YUNXIN_APP_SECRET", p.secret}, {"YUNXIN_FILE_HOSTS", p.url}}
	p.configure = func(s *worker.ExtractorSettings) {
		s.Yunxin = worker.Yunxin{
			AppKey: p.app, AppSecret: worker.Secret(p.secret), BaseURL: p.url, APIVersion: "v2", FileHosts: worker.List{p.url},
			PerSecond: worker.Count(c.Limits.PerSecond * yunxinPace / 100),
		}
		if c.Limits.PerSecond > 0 {
			s.Yunxin.PerSecond = max(1, s.Yunxin.PerSecond)
		}
	}
	return p, nil
}

// yunxinPace is how much of a simulated Yunxin's quota is asked of it, in per cent. Who passes it is shut out for a minute,
// so on a machine where everything runs in one process some of it is left to chance.
const yunxinPace = 80

// listen serves the platform at an address, which flag names.
func (p *platform) listen(ctx context.Context, addr, flag string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken by another process: choose another address for %s with %s", addr, p.title, flag)
	}
	if err != nil {
		return fmt.Errorf("cannot listen on %s: choose another address for %s with %s: %w", addr, p.title, flag, err)
	}
	p.url, p.done = "http://"+l.Addr().String(), make(chan struct{})
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // connections that faults cut are meant to be cut
	p.server = &http.Server{
		Handler: p.api, ErrorLog: quiet, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		WriteTimeout: 10 * time.Minute, // above every delay that a fault is worth asking for
	}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l) // ends with close; a listener that breaks shows in every call
	}()
	return nil
}

// close ends all calls that are under way: one that hangs by a fault would never end.
func (p *platform) close() {
	_ = p.server.Close()
	<-p.done
}

// ids lists the ids of conversations, as calls spell them.
func (p *platform) ids() []string {
	ids := make([]string, len(p.wishes))
	for i, w := range p.wishes {
		ids[i] = w.ID
	}
	return ids
}

// containers are those of all conversations.
func (p *platform) containers() ([]*schemas.Container, error) {
	var all []*schemas.Container
	for _, w := range p.wishes {
		c, err := w.containers(map[string]string{p.name: p.app}, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, c...)
	}
	return all, nil
}

// quotaWords says what a quota allows.
func quotaWords(limits simulator.Limits) string {
	switch {
	case limits.PerMinute > 0:
		return grouped(int64(limits.PerMinute)) + " calls a minute"
	case limits.PerSecond > 0:
		return strconv.Itoa(limits.PerSecond) + " calls a second"
	}
	return "no quota"
}
