package e2e_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// talkStage is a stage with Yunxin's source and the simulated API.
type talkStage struct {
	*stage
	app    *simulator.YunxinWorld
	yunxin *simulator.Yunxin
}

const yunxinOrigin = "http://yunxin.test"

func newTalkStage(t testing.TB, w *simulator.YunxinWorld, c simulator.YunxinConfig, f memlog.Faults) *talkStage {
	tenant, _ := w.App()
	c.Record = true
	s := &talkStage{app: w, yunxin: simulator.NewYunxin(w, c)}
	s.stage = &stage{t: t, log: memlog.New(1, f), platform: schemas.Yunxin, tenant: tenant, source: s.fresh, letters: true, answers: func() []simulator.Exchange {
		all := s.yunxin.Exchanges()
		for i := range all {
			all[i].Request = toldRequest(&all[i], yunxinOrigin)
		}
		return all
	}}
	return s
}

func (s *talkStage) fresh() connectors.Source {
	key, secret := s.app.App()
	road := wire{s.yunxin}
	cfg := yunxin.Config{
		AppKey: key, AppSecret: secret, BaseURL: yunxinOrigin, FileHosts: []string{yunxinOrigin}, Client: &http.Client{Transport: road},
		Transport: &http.Transport{DialContext: road.dial, DisableKeepAlives: true},
	}
	return yunxin.NewSource(yunxin.SourceConfig{
		Call: api.Retry(yunxin.NewCall(cfg), api.Policy{}), Fetch: api.Retry(yunxin.NewFetch(cfg), api.Policy{}), AppKey: key,
	})
}

// dial gives a connection on which one request is answered, for clients that make connections of their own.
func (w wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		r, err := http.ReadRequest(bufio.NewReader(far))
		if err != nil {
			return // the client went away
		}
		// A server sees that its client goes away: nothing more is to be read then.
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			defer leave()
			_, _ = far.Read(make([]byte, 1)) // ends with the connection
		}()
		r.URL.Scheme, r.URL.Host = "http", r.Host
		resp, err := w.RoundTrip(r.WithContext(ctx))
		if err == nil {
			_ = resp.Write(far) // one that is broken off ends early, as it should
			_ = resp.Body.Close()
		}
		far.Close()
		<-gone
	}()
	return near, nil
}
