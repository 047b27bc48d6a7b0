package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/kafka"
	"chatlake/schemas"
)

// Inspection is what the settings of all programs come to, with what of them cannot be used.
type Inspection struct {
	Tool       ToolSettings
	Extractor  ExtractorSettings
	Normalizer NormalizerSettings
	Faults     []*SettingError // the first of each name
	Notes      []string
}

// mostFaults bounds how many faults are looked for in the settings of one program.
const mostFaults = 32

// Inspect reads the settings of all programs, and goes on behind each that cannot be used as if it were not set: an operator
// who mends them wants to know all. An extractor without any platform is no fault here.
func Inspect() *Inspection {
	i := new(Inspection)
	var said notes
	for _, p := range programs() {
		for _, f := range Fields(p) {
			_ = said.tidy(f) // what it refuses is refused again below, by name
		}
	}
	i.Notes = said
	i.load(func() any { i.Tool = ToolSettings{}; return &i.Tool }, func() notes { return i.Tool.notes })
	i.load(func() any { i.Normalizer = NormalizerSettings{}; return &i.Normalizer }, func() notes { return i.Normalizer.notes })
	i.load(func() any { i.Extractor = ExtractorSettings{}; return &i.Extractor }, func() notes { return i.Extractor.notes })
	return i
}

func (i *Inspection) load(fresh func() any, said func() notes) {
	for range mostFaults {
		err := Load(fresh())
		var fault *SettingError
		if !errors.As(err, &fault) || errors.Is(err, errNothingToExtract) {
			break
		}
		if !slices.ContainsFunc(i.Faults, func(f *SettingError) bool { return f.Name == fault.Name }) {
			i.Faults = append(i.Faults, fault)
		}
		if os.Getenv(fault.Name) == "" { // it is missing, or not a name
			break
		}
		if os.Unsetenv(fault.Name) != nil {
			break
		}
	}
	for _, n := range said() {
		if !slices.Contains(i.Notes, n) {
			i.Notes = append(i.Notes, n)
		}
	}
}

// Broken names a setting under one of some prefixes that cannot be used, "" where all can.
func (i *Inspection) Broken(prefixes ...string) string {
	for _, f := range i.Faults {
		for _, p := range prefixes {
			if strings.HasPrefix(f.Name, p) {
				return f.Name
			}
		}
	}
	return ""
}

// Wanted is what must exist of topics.
func (c *Cluster) Wanted(output string) []kafka.Topic { return c.topics(output, true) }

// RegistryOnce makes a client of the schema registry that asks once.
func (c *Cluster) RegistryOnce() (*schemas.Registry, error) {
	return c.registry(schemas.RegistryConfig{})
}

// Probe is one platform, to be asked a few times: a call that is not repeated, and what its answers tell of the time.
type Probe struct {
	Call  connectors.Call // each one attempt, paced by the app's quota
	Clock *Dated
}

// Probe makes calls of the app's quota, each one attempt.
func (f *Feishu) Probe(logger *slog.Logger) (feishu.Config, Probe) {
	c := f.config(logger)
	dated := &Dated{next: api.TrustingTransport(f.roots)}
	c.Client = &http.Client{Transport: dated}
	quota := connectors.Quota{PerMinute: int(f.PerMinute), PerSecond: int(f.PerSecond)}
	pacer := api.NewPacer(map[string]connectors.Quota{
		schemas.FeishuMessagesList: quota, schemas.FeishuMessagesGet: quota, feishu.ChatsListAPI: quota,
	})
	return c, Probe{Call: api.Pace(feishu.NewCall(c), pacer), Clock: dated}
}

// Probe makes calls of the app's quota, each one attempt.
func (y *Yunxin) Probe(logger *slog.Logger) Probe {
	c := y.config(logger)
	dated := &Dated{next: api.TrustingTransport(y.roots)}
	c.Client = &http.Client{Transport: dated}
	quota := connectors.Quota{PerSecond: int(y.PerSecond)}
	pacer := api.NewPacer(map[string]connectors.Quota{schemas.YunxinMessagesList: quota, schemas.YunxinMessagesBatch: quota})
	return Probe{Call: api.Pace(yunxin.NewCall(c), pacer), Clock: dated}
}

// Dated notes what the answers that pass through it tell of the time.
type Dated struct {
	next http.RoundTripper

	mu    sync.Mutex
	known bool
	took  time.Duration // of the quickest exchange, which tells most
	ahead time.Duration // our clock, of theirs
}

// RoundTrip implements http.RoundTripper.
func (d *Dated) RoundTrip(q *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := d.next.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	if theirs, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.note(began.Add(took/2).Sub(theirs.Add(time.Second/2)), took) // a Date has whole seconds
	}
	return resp, nil
}

func (d *Dated) note(ahead, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.known || took < d.took {
		d.known, d.took, d.ahead = true, took, ahead
	}
}

// Ahead is how far this machine's clock is ahead of the platform's; false where no answer told the time.
func (d *Dated) Ahead() (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ahead, d.known
}
