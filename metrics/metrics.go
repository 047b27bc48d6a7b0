// Package metrics is what a process tells a monitoring system: the list of all metrics with what they mean (Families), and
// the counting and scraping of them. It is the home of the Prometheus client, and knows nothing of what is counted.
package metrics

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Type is the kind of a metric.
type Type string

// Types of metrics.
const (
	Counter   Type = "counter"   // only rises, from 0 at the start of the process
	Gauge     Type = "gauge"     // the value at the time of the scrape
	Histogram Type = "histogram" // of seconds
)

// Family is one metric: its name, what it counts, and what to do about it.
type Family struct {
	Name    string
	Type    Type
	Unit    string
	Labels  []string
	Meaning string // one sentence
	Remedy  string // what to look at, or to do, by its value
}

// Emit gives one value of a counter or gauge of Families, with the values of its labels in their order.
type Emit func(name string, value float64, labels ...string)

// Set is the metrics of one stage. Its methods may be used by several goroutines.
type Set struct {
	registry *prometheus.Registry
}

// NewSet gives an empty set.
func NewSet() *Set { return &Set{prometheus.NewRegistry()} }

// Sampled has f called at each scrape. What it does not emit is not there: no series outlives what it tells of.
func (s *Set) Sampled(f func(Emit)) { s.registry.MustRegister(sampled(f)) }

// Count adds counters that are counted as things happen.
func (s *Set) Count(name string) *Counts {
	f := family(name, Counter)
	c := &Counts{vec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Meaning}, f.Labels), seen: map[string]map[string]bool{}}
	c.bounded = slices.Index(f.Labels, "code")
	if c.bounded < 0 {
		c.bounded = slices.Index(f.Labels, "class")
	}
	s.registry.MustRegister(c.vec)
	return c
}

// Time adds histograms of seconds. Bounds are those of their buckets.
func (s *Set) Time(name string, bounds ...float64) *Times {
	f := family(name, Histogram)
	t := &Times{prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Meaning, Buckets: bounds}, f.Labels)}
	s.registry.MustRegister(t.vec)
	return t
}

// maxWords is how many values the label code or class may have beside one set of values of the other labels. The platforms'
// codes are an open list, and so is whatever a foreign record claims.
const maxWords = 64

// Other stands for what is beyond it.
const Other = "other"

// Counts are counters of one name.
type Counts struct {
	vec     *prometheus.CounterVec
	bounded int // index of the label whose values are an open list, -1: none

	mu   sync.Mutex
	seen map[string]map[string]bool // values of it, by those of the other labels
}

// Add adds n to the counter with these values of the labels. With n 0 it is there from now on: a rise from 0 can be seen, the
// appearance of a series cannot.
func (c *Counts) Add(n float64, labels ...string) {
	if c.bounded >= 0 {
		labels = c.bound(labels)
	}
	c.vec.WithLabelValues(labels...).Add(n)
}

// bound replaces a value of the open label where there are too many.
func (c *Counts) bound(labels []string) []string {
	word := labels[c.bounded]
	rest := fmt.Sprintf("%q", slices.Delete(slices.Clone(labels), c.bounded, c.bounded+1))
	c.mu.Lock()
	defer c.mu.Unlock()
	words := c.seen[rest]
	if words == nil {
		words = map[string]bool{}
		c.seen[rest] = words
	}
	if words[word] {
		return labels
	}
	if len(words) < maxWords {
		words[word] = true
		return labels
	}
	labels = slices.Clone(labels)
	labels[c.bounded] = Other
	return labels
}

// Times are histograms of one name.
type Times struct{ vec *prometheus.HistogramVec }

// Observe adds a duration in seconds.
func (t *Times) Observe(seconds float64, labels ...string) {
	t.vec.WithLabelValues(labels...).Observe(seconds)
}

// sampled is a collector without a memory.
type sampled func(Emit)

// Describe describes nothing: what there is to tell shows at the scrape. Names are checked there, too.
func (sampled) Describe(chan<- *prometheus.Desc) {}

func (f sampled) Collect(out chan<- prometheus.Metric) {
	f(func(name string, value float64, labels ...string) {
		d, found := described[name]
		if !found || d.kind == 0 {
			out <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(fmt.Errorf("%s", name)), fmt.Errorf("%s is no counter or gauge of Families", name))
			return
		}
		m, err := prometheus.NewConstMetric(d.desc, d.kind, value, labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(d.desc, err)
		}
		out <- m
	})
}

// description is what the client wants to know of a family.
type description struct {
	desc *prometheus.Desc
	kind prometheus.ValueType // 0: a histogram
}

var described = describe()

func describe() map[string]description {
	all := make(map[string]description, len(Families))
	kinds := map[Type]prometheus.ValueType{Counter: prometheus.CounterValue, Gauge: prometheus.GaugeValue}
	for i := range Families {
		f := &Families[i]
		all[f.Name] = description{prometheus.NewDesc(f.Name, f.Meaning, f.Labels, nil), kinds[f.Type]}
	}
	return all
}

// family finds one by its name. That there is none is a mistake in the code that asks.
func family(name string, t Type) *Family {
	i := slices.IndexFunc(Families, func(f Family) bool { return f.Name == name && f.Type == t })
	if i < 0 {
		panic("metrics: no " + string(t) + " " + name + " in Families")
	}
	return &Families[i]
}

// Gatherer collects what sets hold, and what Go and the operating system tell of the process.
func Gatherer(version string, sets ...*Set) prometheus.Gatherer {
	process := NewSet()
	process.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	process.Sampled(func(emit Emit) { emit("chatlake_build_info", 1, version, runtime.Version()) })
	all := prometheus.Gatherers{process.registry}
	for _, s := range sets {
		all = append(all, s.registry)
	}
	return all
}

// Handler answers scrapes. A metric that cannot be told is an answer of status 500.
func Handler(version string, sets ...*Set) http.Handler {
	return promhttp.HandlerFor(Gatherer(version, sets...), promhttp.HandlerOpts{})
}
