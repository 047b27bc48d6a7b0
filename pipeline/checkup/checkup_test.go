package checkup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/checkup"
	"chatlake/schemas"
)

func TestReportIsInOrderAndSaysWhatToDo(t *testing.T) {
	var r checkup.Report
	r.Add(checkup.Good(checkup.State, "s", "fine"), checkup.Skip(checkup.Topics, "t", "no broker"))
	r.Add(checkup.Check{Name: checkup.Broker, Subject: "b", Status: checkup.Warn, Detail: "two\nlines"}, checkup.Check{Name: checkup.Topics, Status: checkup.OK, Remedy: "none"})
	if r.Failed() {
		t.Error("failed without a failure")
	}
	got := r.Checks()
	for i, want := range []string{"broker warn", "topics skipped", "topics ok", "state ok"} {
		if c := got[i]; c.Name+" "+c.Status != want || (c.Remedy == "") != (c.Status != checkup.Warn) || strings.Contains(c.Detail, "\n") {
			t.Errorf("%d: %+v, want %s", i, c, want)
		}
	}
	r.Add(checkup.Bad(checkup.Clock, "c", "wrong", "set it"))
	if !r.Failed() || r.Checks()[0].Name != checkup.Clock {
		t.Errorf("got %+v", r.Checks())
	}
}

func TestSkew(t *testing.T) {
	for _, c := range []struct {
		platform, status string
		ahead            time.Duration
	}{
		{"feishu", checkup.OK, 400 * time.Millisecond}, {"feishu", checkup.OK, -time.Minute}, {"feishu", checkup.Warn, 61 * time.Second},
		{"feishu", checkup.Warn, -2 * time.Hour}, {"yunxin", checkup.Warn, 4 * time.Minute}, {"yunxin", checkup.Fail, -5 * time.Minute}, {"yunxin", checkup.Fail, time.Hour},
	} {
		got := checkup.Skew(c.platform, c.ahead)
		if got.Status != c.status || c.ahead < -time.Second != strings.Contains(got.Detail, "behind") {
			t.Errorf("%s %v: %+v, want %s", c.platform, c.ahead, got, c.status)
		}
	}
}

func candidate(key, state string, at schemas.Millis, code ...string) checkup.Candidate {
	c := checkup.Candidate{Container: &schemas.Container{Key: key, RequestedAt: at}}
	if state != "" {
		c.Checkpoint = &schemas.Checkpoint{State: state, UpdatedAt: at}
		for i := range code {
			c.Checkpoint.ErrorCode = &code[i]
		}
	}
	return c
}

func TestChooseBeginsWithWhatFailedLast(t *testing.T) {
	all := []checkup.Candidate{
		candidate("unread", "", 99), candidate("done", schemas.StateComplete, 70), candidate("failed early", schemas.StateFailed, 10),
		candidate("runs", schemas.StateRunning, 80), candidate("failed late", schemas.StateFailed, 20), candidate("unread before", "", 98),
	}
	var got []string
	for _, c := range checkup.Choose(all, 5) {
		got = append(got, c.Container.Key)
	}
	if s := strings.Join(got, ", "); s != "failed late, failed early, runs, done, unread" {
		t.Errorf("got %s", s)
	}
	if got := checkup.Choose(all, 9); len(got) != 6 {
		t.Errorf("%d of 6", len(got))
	}
}

func TestAsked(t *testing.T) {
	of := func(class connectors.Class, code string) error {
		return fmt.Errorf("asked: %w", &connectors.Error{Class: class, Code: code, Message: `the bot is not in the chat; add the app to it: "denied; really"`})
	}
	failed, runs := candidate("k", schemas.StateFailed, 1, "7"), candidate("k", schemas.StateRunning, 1, "7")
	for name, c := range map[string]struct {
		of           checkup.Candidate
		err          error
		status, what string
	}{
		"answers":          {failed, nil, checkup.OK, ""},
		"refused":          {runs, of(connectors.ClassContainer, "7"), checkup.Fail, "add the app to it"},
		"refused as known": {failed, of(connectors.ClassContainer, "7"), checkup.Warn, "containers retry"},
		"refused anew":     {failed, of(connectors.ClassItem, "8"), checkup.Fail, "add the app to it"},
		"unknown code":     {runs, of(connectors.ClassUnknown, "9"), checkup.Fail, "add the app to it"},
		"busy":             {runs, of(connectors.ClassThrottled, "9"), checkup.Warn, "quota"},
		"down":             {failed, of(connectors.ClassUnavailable, "7"), checkup.Fail, ""},
		"app refused":      {failed, of(connectors.ClassFatal, "7"), checkup.Fail, "add the app to it"},
		"late":             {runs, context.DeadlineExceeded, checkup.Fail, "again"},
		"strange":          {runs, errors.New("x"), checkup.Fail, "again"},
	} {
		got := checkup.Asked(c.of, c.err)
		if got.Subject != "k" || got.Status != c.status || !strings.Contains(got.Remedy, c.what) || (got.Remedy == "") != (c.status == checkup.OK) ||
			strings.Contains(got.Remedy, "denied") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
