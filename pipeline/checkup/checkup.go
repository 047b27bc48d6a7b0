// Package checkup judges what was found of an installation: clocks, refusals, containers worth asking about. It asks nobody
// itself, and knows neither how a finding is printed nor where one was looked for.
package checkup

import (
	"slices"
	"strings"
	"sync"
)

// Statuses of a check.
const (
	OK      = "ok"
	Warn    = "warn"
	Fail    = "fail"
	Skipped = "skipped" // what it depends on failed, or is not set up
)

// Names of checks, in the order of a report.
const (
	Settings    = "settings"
	Clock       = "clock"
	Broker      = "broker"
	Rights      = "rights"
	Topics      = "topics"
	Registry    = "registry"
	Schemas     = "schemas"
	Credentials = "credentials"
	Scopes      = "scopes"
	Container   = "container"
	State       = "state"
)

// Names lists them.
var Names = []string{Settings, Clock, Broker, Rights, Topics, Registry, Schemas, Credentials, Scopes, Container, State}

// Check is what was found of one thing.
type Check struct {
	Name    string `json:"name"`    // one of Names
	Subject string `json:"subject"` // what was looked at
	Status  string `json:"status"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy"` // what to do; empty for OK and Skipped only
}

// Report collects checks. It is safe for concurrent use.
type Report struct {
	mu     sync.Mutex
	checks []Check
}

// Add takes checks in. Those of one name keep their order.
func (r *Report) Add(checks ...Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range checks {
		c.Detail, c.Remedy = line(c.Detail), line(c.Remedy)
		switch c.Status {
		case OK, Skipped:
			c.Remedy = ""
		default:
			if c.Remedy == "" {
				c.Remedy = "see what the detail says"
			}
		}
		r.checks = append(r.checks, c)
	}
}

// line is text without line breaks.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// byPlatform are the names whose checks are made at the same time for all platforms.
var byPlatform = []string{Clock, Credentials, Scopes}

// Checks gives all checks, by name in the order of Names; those of platforms by platform, others as they were added.
func (r *Report) Checks() []Check {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := append([]Check{}, r.checks...)
	slices.SortStableFunc(out, func(a, b Check) int {
		if a.Name == b.Name && slices.Contains(byPlatform, a.Name) {
			return strings.Compare(a.Subject, b.Subject)
		}
		return slices.Index(Names, a.Name) - slices.Index(Names, b.Name)
	})
	return out
}

// Failed reports whether any check failed.
func (r *Report) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.checks, func(c Check) bool { return c.Status == Fail })
}

// Good is a check that found nothing wrong.
func Good(name, subject, detail string) Check { return Check{name, subject, OK, detail, ""} }

// Odd is a check that found what an operator should know.
func Odd(name, subject, detail, remedy string) Check {
	return Check{name, subject, Warn, detail, remedy}
}

// Bad is a check that failed.
func Bad(name, subject, detail, remedy string) Check {
	return Check{name, subject, Fail, detail, remedy}
}

// Skip is a check that was not made.
func Skip(name, subject, why string) Check { return Check{name, subject, Skipped, why, ""} }
