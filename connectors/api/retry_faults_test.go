package api_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

// stuckCall fails about the subjects that fail names, and answers all others.
func stuckCall(fail map[string]*connectors.Error) connectors.Call {
	return func(_ context.Context, r connectors.Request) (*connectors.Response, error) {
		if e := fail[r.Subject]; e != nil {
			failed := *e
			failed.API, failed.Calls = r.API, 1
			return nil, &failed
		}
		return &connectors.Response{Calls: 1}, nil
	}
}

func about(subject string) connectors.Request {
	return connectors.Request{API: getAPI, Method: "GET", Path: "/m/" + subject, Subject: subject}
}

// ask makes a call and gives the error's class, 0 where it is answered.
func ask(t *testing.T, call connectors.Call, r connectors.Request) (connectors.Class, *connectors.Error) {
	t.Helper()
	_, err := call(t.Context(), r)
	var e *connectors.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e == nil {
		return 0, nil
	}
	return e.Class, e
}

// TestRetryStuck: an internal error is an item's only once something else of its API was answered since its first try, be
// it long after the tries.
func TestRetryStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sticky := &connectors.Error{Class: connectors.ClassSticky, Code: "2200"}
		call := api.Retry(stuckCall(map[string]*connectors.Error{"a": sticky, "b": sticky}), api.Policy{})
		if class, e := ask(t, call, about("a")); class != connectors.ClassUnavailable || !e.Sticky || e.Calls != 5 {
			t.Fatalf("alone: %v after %d calls", class, e.Calls)
		}
		if class, _ := ask(t, call, about("b")); class != connectors.ClassUnavailable {
			t.Errorf("another that fails tells: %v", class)
		}
		if class, _ := ask(t, call, connectors.Request{API: listAPI, Path: "/list"}); class != 0 {
			t.Fatal(class)
		}
		if class, _ := ask(t, call, about("a")); class != connectors.ClassUnavailable {
			t.Errorf("another API tells: %v", class)
		}
		if class, _ := ask(t, call, about("c")); class != 0 {
			t.Fatal(class)
		}
		class, e := ask(t, call, about("a"))
		if class != connectors.ClassSticky || e.Calls != 1 {
			t.Errorf("after another message was answered: %v after %d calls, want it given up at the first", class, e.Calls)
		}
		// A file's scope is its host.
		file := func(host, id string) connectors.Request {
			return connectors.Request{API: getAPI, Path: "https://" + host + "/" + id, Subject: id}
		}
		call = api.Retry(stuckCall(map[string]*connectors.Error{"f": sticky}), api.Policy{})
		_, _ = ask(t, call, file("one.test", "f"))
		_, _ = ask(t, call, file("two.test", "g"))
		if class, _ := ask(t, call, file("one.test", "f")); class != connectors.ClassUnavailable {
			t.Errorf("another host tells: %v", class)
		}
		_, _ = ask(t, call, file("one.test", "g"))
		if class, _ := ask(t, call, file("one.test", "f")); class != connectors.ClassSticky {
			t.Errorf("the same host has answered: %v", class)
		}
	})
}

// TestRetryGivesUpAfterADay: a time-out or a bare HTTP 5xx is about a message once it has lasted for a day in which others
// were answered. A day in which nobody was says nothing, nor does one without tries.
func TestRetryGivesUpAfterADay(t *testing.T) {
	for _, code := range []string{connectors.CodeTimeout, "http_500"} {
		synctest.Test(t, func(t *testing.T) {
			e := &connectors.Error{Class: connectors.ClassUnavailable, Code: code, Response: &connectors.Response{Body: []byte("<html>")}}
			call := api.Retry(stuckCall(map[string]*connectors.Error{"a": e}), api.Policy{})
			tries := func(hours int, others bool) (gave int) {
				for i := range 30 * hours {
					if class, e := ask(t, call, about("a")); class == connectors.ClassItem {
						if e.Code != code || e.Response.Error != code || string(e.Response.Body) != "<html>" {
							t.Errorf("given up as %+v", e)
						}
						return i
					}
					if others {
						_, _ = ask(t, call, about(fmt.Sprint("other", i)))
					}
					time.Sleep(2 * time.Minute)
				}
				return -1
			}
			if n := tries(30, false); n >= 0 {
				t.Errorf("given up after %d tries while nothing else was answered", n)
			}
			if n := tries(20, true); n >= 0 {
				t.Errorf("given up after %d tries, less than a day", n)
			}
			_, _ = ask(t, call, about("other"))
			time.Sleep(100 * time.Hour)
			if n := tries(2, true); n >= 0 {
				t.Errorf("more than an hour of a rest counts: given up after %d tries", n)
			}
			if n := tries(2, true); n < 0 {
				t.Error("it is never given up")
			}
			list := api.Retry(func(context.Context, connectors.Request) (*connectors.Response, error) {
				failed := *e
				return nil, &failed
			}, api.Policy{})
			for range 800 {
				if class, _ := ask(t, list, connectors.Request{API: listAPI, Path: "/list"}); class != connectors.ClassUnavailable {
					t.Fatalf("a list is given up: %v", class)
				}
				time.Sleep(2 * time.Minute)
			}
		})
	}
}
