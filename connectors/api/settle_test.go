package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

func errorIn(class connectors.Class, with func(*connectors.Error)) *connectors.Error {
	e := &connectors.Error{Class: class, API: "api", Code: class.String(), Calls: 1}
	if with != nil {
		with(e)
	}
	return e
}

func TestSettled(t *testing.T) {
	r := connectors.Request{API: "api", Method: "GET", Path: "/m", Subject: "m"}
	for class, reason := range map[connectors.Class]string{
		connectors.ClassItem: "", connectors.ClassContainer: "", connectors.ClassSticky: "internal_error", connectors.ClassUnknown: "unknown_code",
	} {
		e := errorIn(class, func(e *connectors.Error) { e.Response, e.Calls = &connectors.Response{Body: []byte("{}"), Calls: 1}, 3 })
		if resp := api.Settled(&r, e); resp == nil || resp.Error != reason || string(resp.Body) != "{}" || resp.Calls != 3 || e.Response.Error != "" {
			t.Errorf("%s: %+v", class, resp)
		}
	}
	for _, class := range []connectors.Class{connectors.ClassThrottled, connectors.ClassUnavailable, connectors.ClassToken, connectors.ClassCursor, connectors.ClassFatal} {
		if resp := api.Settled(&r, errorIn(class, nil)); resp != nil {
			t.Errorf("%s: %+v", class, resp)
		}
	}
	resp := api.Settled(&r, errorIn(connectors.ClassItem, nil))
	if resp == nil || resp.Type != "api" || resp.Request != "GET /m" || resp.Subject != "m" || resp.Error != "item refused" || resp.Time.IsZero() {
		t.Errorf("without a response: %+v", resp)
	}
}

// outcomesOf makes calls that end as said, in turn: nil is an answer.
type outcomesOf struct {
	outcomes []error
	asked    []string
}

func (s *outcomesOf) call(_ context.Context, r connectors.Request) (*connectors.Response, error) {
	err := s.outcomes[len(s.asked)]
	s.asked = append(s.asked, r.Subject)
	if err != nil {
		return nil, err
	}
	return &connectors.Response{Subject: r.Subject, Calls: 1}, nil
}

func TestContrast(t *testing.T) {
	sticky := func(e *connectors.Error) { e.Sticky, e.Message = true, "internal error" }
	stuck := errorIn(connectors.ClassUnavailable, sticky)
	plain := errorIn(connectors.ClassUnavailable, nil)
	item, fatal := errorIn(connectors.ClassItem, nil), errorIn(connectors.ClassFatal, nil)
	lost := errors.New("ctx")
	for i, c := range []struct {
		outcomes []error
		asked    string
		class    connectors.Class // 0: answered
		calls    int
	}{
		{[]error{nil}, "m", 0, 1},
		{[]error{plain}, "m", connectors.ClassUnavailable, 1},
		{[]error{item}, "m", connectors.ClassItem, 1},
		{[]error{stuck, nil, nil}, "m other m", 0, 3},
		{[]error{stuck, nil, item}, "m other m", connectors.ClassItem, 3},
		{[]error{stuck, item, nil}, "m other m", 0, 3},
		{[]error{stuck, stuck}, "m other", connectors.ClassUnavailable, 2},
		{[]error{stuck, fatal}, "m other", connectors.ClassFatal, 2},
		{[]error{errorIn(connectors.ClassUnavailable, func(e *connectors.Error) { e.Out = true }), nil, nil}, "m other m", 0, 3},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := &outcomesOf{outcomes: c.outcomes}
			resp, err := api.Contrast(t.Context(), s.call, connectors.Request{API: "api", Path: "/m", Subject: "m"}, func() (connectors.Request, bool) {
				return connectors.Request{API: "api", Path: "/other", Subject: "other"}, true
			})
			if asked := strings.Join(s.asked, " "); asked != c.asked {
				t.Errorf("asked for %q", asked)
			}
			switch e := connectors.ErrorOf(err); {
			case c.class == 0 && (err != nil || resp.Calls != c.calls || resp.Subject != "m"):
				t.Errorf("%+v, %v", resp, err)
			case c.class != 0 && (e == nil || e.Class != c.class || e.Calls != c.calls || len(c.outcomes) == 2 && e.Sticky):
				t.Errorf("%+v", e)
			}
		})
	}
	if stuck.Calls != 1 || !stuck.Sticky {
		t.Errorf("an error that others hold has changed: %+v", stuck)
	}
	s := &outcomesOf{outcomes: []error{stuck, lost}}
	other := func() (connectors.Request, bool) { return connectors.Request{}, true }
	if _, err := api.Contrast(t.Context(), s.call, connectors.Request{Subject: "m"}, other); !errors.Is(err, lost) {
		t.Error(err)
	}
	s = &outcomesOf{outcomes: []error{stuck}}
	nothing := func() (connectors.Request, bool) { return connectors.Request{}, false }
	if _, err := api.Contrast(t.Context(), s.call, connectors.Request{Subject: "m"}, nothing); !errors.Is(err, stuck) || !slices.Equal(s.asked, []string{"m"}) {
		t.Errorf("without anything else to ask for: %v, asked for %v", err, s.asked)
	}
}

func TestDropReturnsRoom(t *testing.T) {
	room := api.NewRoom(100)
	a := room.Page()
	ctx := api.WithAllowance(t.Context(), a)
	if err := a.Take(ctx, 60); err != nil {
		t.Fatal(err)
	}
	api.Drop(ctx, &connectors.Response{Body: make([]byte, 40)})
	api.Drop(ctx, nil)
	if room.Used() != 20 {
		t.Errorf("%d bytes are taken", room.Used())
	}
}
