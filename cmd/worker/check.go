package worker

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// topicName is what Kafka allows in a topic's name, short enough for our endings.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

func (c *Cluster) check() error {
	switch {
	case len(c.Brokers) == 0:
		return &SettingError{"KAFKA_BROKERS", "names no broker"}
	case slices.ContainsFunc(c.Brokers, notAddress):
		return &SettingError{"KAFKA_BROKERS", "is not a comma list of host:port"}
	case !topicName.MatchString(c.Prefix):
		return &SettingError{"TOPIC_PREFIX", "is not usable in a topic's name: letters, digits, '.', '_' and '-', at most 200"}
	case c.Partitions < 1 || c.Partitions > 10000:
		return &SettingError{"TOPIC_PARTITIONS", "is not between 1 and 10000"}
	case c.MaxMessage < minMessageBytes || c.MaxMessage > maxMessageBytes:
		return &SettingError{"TOPIC_MAX_MESSAGE_BYTES", fmt.Sprintf("is not between %d and %d", minMessageBytes, maxMessageBytes)}
	case c.Replication > 100:
		return &SettingError{"TOPIC_REPLICATION", "is not between 0 and 100"}
	case !slices.Contains([]string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, c.SASL):
		return &SettingError{"KAFKA_SASL_MECHANISM", "is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"}
	case c.SASL != "" && c.Username == "":
		return &SettingError{"KAFKA_SASL_USERNAME", "is missing, though KAFKA_SASL_MECHANISM is set"}
	case c.SASL != "" && c.Password == "":
		return &SettingError{"KAFKA_SASL_PASSWORD", "is missing, though KAFKA_SASL_MECHANISM is set"}
	case c.SASL == "" && c.Username != "":
		return &SettingError{"KAFKA_SASL_MECHANISM", "is missing, though KAFKA_SASL_USERNAME is set"}
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return &SettingError{"KAFKA_TLS_CERT_FILE", "and KAFKA_TLS_KEY_FILE go together"}
	case !c.TLS && (c.TLSCA != "" || c.TLSCert != ""):
		return &SettingError{"KAFKA_TLS", "is not true, though files for it are set"}
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(c.LogLevel)):
		return &SettingError{"LOG_LEVEL", "is none of debug, info, warn, error"}
	case c.LogFormat != "text" && c.LogFormat != "json":
		return &SettingError{"LOG_FORMAT", "is neither text nor json"}
	case c.LogLibraries != "off" && c.LogLibraries != "on":
		return &SettingError{"LOG_LIBRARIES", "is neither off nor on"}
	}
	return c.notes.checkURL("SCHEMA_REGISTRY_URL", c.RegistryURL)
}

// Bounds of what topics may take: below, not even small pages fit; above, no client of ours reads a batch.
const (
	minMessageBytes = 64 << 10
	maxMessageBytes = 64 << 20
)

func notAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err != nil || n == 0
}

// checkListen takes an address to listen on, whose host and port may be left out; empty is nowhere.
func checkListen(name, addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return &SettingError{name, "is not host:port or :port"}
	}
	return nil
}

// checkURL refuses what is no address of a server, and notes where others can read along.
func (n *notes) checkURL(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return &SettingError{name, "is not an http or https address"}
	}
	if u.User != nil {
		return &SettingError{name, "holds credentials: give them in settings of their own"}
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		n.note("%s is plain http, to a host that is not this one: whoever is on the way reads along, credentials included; use https", name)
	}
	return nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

func (f *Feishu) check(n *notes) error {
	switch {
	case strings.HasPrefix(string(f.AppSecret), appPrefix):
		return &SettingError{"FEISHU_APP_SECRET", "begins with " + appPrefix + " as the id of an app does: it is in the wrong variable"}
	case f.AppID == "" && f.AppSecret != "":
		return &SettingError{"FEISHU_APP_ID", "is missing, though FEISHU_APP_SECRET is set"}
	case f.AppID != "" && f.AppSecret == "":
		return &SettingError{"FEISHU_APP_SECRET", "is missing (or FEISHU_APP_SECRET_FILE)"}
	}
	return f.checkTenant(n)
}

// appPrefix begins the id of every app of Feishu.
const appPrefix = "cli_"

// checkTenant checks what needs no secret.
func (f *Feishu) checkTenant(n *notes) error {
	if f.AppID != "" && !strings.HasPrefix(f.AppID, appPrefix) {
		n.note("FEISHU_APP_ID does not begin with %s as the ids of apps do: it names the tenant in every key, so make sure that it is no secret", appPrefix)
	}
	switch {
	case f.PerMinute < 1:
		return &SettingError{"FEISHU_RATE_PER_MINUTE", "is less than 1"}
	case f.PerSecond < 1:
		return &SettingError{"FEISHU_RATE_PER_SECOND", "is less than 1"}
	}
	if f.Tenant == "" {
		f.Tenant = f.AppID
	}
	return n.checkURL("FEISHU_BASE_URL", f.BaseURL)
}

func (y *Yunxin) check(n *notes) error {
	switch {
	case y.AppKey == "" && y.AppSecret != "":
		return &SettingError{"YUNXIN_APP_KEY", "is missing, though YUNXIN_APP_SECRET is set"}
	case y.AppKey != "" && y.AppSecret == "":
		return &SettingError{"YUNXIN_APP_SECRET", "is missing (or YUNXIN_APP_SECRET_FILE)"}
	}
	return y.checkTenant(n)
}

// checkTenant checks what needs no secret.
func (y *Yunxin) checkTenant(n *notes) error {
	if err := n.checkURL("YUNXIN_BASE_URL", y.BaseURL); err != nil {
		return err
	}
	if y.PerSecond < 1 {
		return &SettingError{"YUNXIN_RATE_PER_SECOND", "is less than 1"}
	}
	c := y.config(nil)
	c.AppKey, c.AppSecret = cmp.Or(c.AppKey, "none"), cmp.Or(c.AppSecret, "none") // whether they are needed is the program's to say
	if err := c.Validate(); err != nil {
		name, why, _ := strings.Cut(err.Error(), " ")
		return &SettingError{name, why}
	}
	return nil
}

func (s *ExtractorSettings) check() error {
	if err := s.Cluster.check(); err != nil {
		return err
	}
	s.derive()
	switch {
	case s.Workers < 1:
		return &SettingError{"EXTRACTOR_WORKERS", "is less than 1"}
	case s.Patience <= 0:
		return &SettingError{"EXTRACTOR_PATIENCE", "is not above 0"}
	}
	if err := checkListen("HTTP_ADDR", s.HTTPAddr); err != nil {
		return err
	}
	if err := s.Platforms.check(); err != nil {
		return err
	}
	s.Feishu.roots, s.Yunxin.roots = s.Platforms.roots, s.Platforms.roots
	if err := s.Feishu.check(&s.notes); err != nil {
		return err
	}
	if err := s.Yunxin.check(&s.notes); err != nil {
		return err
	}
	if s.AppID == "" && s.AppKey == "" {
		return errNothingToExtract
	}
	return nil
}

// derive fills in defaults that follow from other settings.
func (s *ExtractorSettings) derive() {
	if s.Group == "" {
		s.Group = s.Prefix + "-extractor"
	}
}

// errNothingToExtract is the last thing that can be wrong with an extractor's settings.
var errNothingToExtract = &SettingError{"FEISHU_APP_ID", "and YUNXIN_APP_KEY are both missing, so there is nothing to extract: set FEISHU_APP_ID and " +
	"FEISHU_APP_SECRET, or YUNXIN_APP_KEY and YUNXIN_APP_SECRET, or all four"}

// otherTopics are the prefix's topics that are not for messages, and the names that are kept for later.
var otherTopics = []string{"containers", "checkpoints", "raw.pages", "deadletters", "conversations", "hints", "users", "reactions"}

// checkOutput refuses a topic of the prefix that is not for messages. The registry would refuse most of them, but not the
// raw pages, which have no schema: messages in it would be there for good. The prefix itself would share its dead letters.
func checkOutput(prefix, output string) error {
	if output != "" && !topicName.MatchString(output) {
		return &SettingError{"NORMALIZER_OUTPUT", "is not usable as a topic's name: letters, digits, '.', '_' and '-', at most 200"}
	}
	if name, ok := strings.CutPrefix(output, prefix+"."); output == prefix || ok && slices.Contains(otherTopics, name) {
		return &SettingError{"NORMALIZER_OUTPUT", "is a topic of TOPIC_PREFIX that is not for messages: choose a name of its own, such as " + prefix + ".messages2"}
	}
	return nil
}

func (s *NormalizerSettings) check() error {
	if err := s.Cluster.check(); err != nil {
		return err
	}
	if err := checkOutput(s.Prefix, s.Output); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{"", "true", "false"}, s.Lookups):
		return &SettingError{"NORMALIZER_LOOKUPS", "is neither true nor false"}
	case s.Interval <= 0 || s.Interval > 10*time.Second:
		return &SettingError{"NORMALIZER_COMMIT_INTERVAL", "is not between 1ns and 10s"}
	}
	if s.Output == "" {
		s.Output = s.Prefix + ".messages"
	}
	if s.Group == "" {
		s.Group = s.Output + "-normalizer"
	}
	if err := checkListen("HTTP_ADDR", s.HTTPAddr); err != nil {
		return err
	}
	if strings.ContainsAny(s.Group, `/\`) || s.Group == "." || s.Group == ".." {
		return &SettingError{"NORMALIZER_GROUP", "cannot name a directory: its state lies in <NORMALIZER_STATE_DIR>/<group>"}
	}
	return nil
}

func (s *ToolSettings) check() error {
	if err := s.Cluster.check(); err != nil {
		return err
	}
	if err := checkOutput(s.Prefix, s.Output); err != nil {
		return err
	}
	// Most commands call no platform: what names the tenant is enough.
	if err := s.Platforms.check(); err != nil {
		return err
	}
	s.Feishu.roots, s.Yunxin.roots = s.Platforms.roots, s.Platforms.roots
	if err := s.Feishu.checkTenant(&s.notes); err != nil {
		return err
	}
	return s.Yunxin.checkTenant(&s.notes)
}
