package yunxin_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

const badParameter = `{"code":414,"msg":"parameter error","data":{}}`

// A wrong secret or clock holds the platform up before a page is lost, though its code is that of a bad parameter too.
func TestSignatureThatIsNeverTakenIsTheApps(t *testing.T) {
	for name, body := range map[string]string{
		"in doubt":       badParameter,
		"403 in doubt":   `{"code":403,"msg":"forbidden"}`,
		"in clear words": `{"code":414,"msg":"invalid CurTime"}`,
	} {
		for _, c := range []*schemas.Container{conversation("alice|1|bob"), list("alice|1|bob", "1", "2", "3")} {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Date", time.Now().Add(-12*time.Minute).UTC().Format(http.TimeFormat))
					io.WriteString(w, body)
				})
				pages, err := readAll(t, f.source(), c, connectors.Position{})
				var e *connectors.Error
				if len(pages) != 0 || !errors.As(err, &e) || e.Class != connectors.ClassFatal {
					t.Fatalf("%s: %d pages, %v", name, len(pages), err)
				}
				for _, want := range []string{"YUNXIN_APP_SECRET", "clock", "12m0s ahead of the platform's"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: error %v does not say %q", name, err, want)
					}
				}
				if n := len(f.requests()); n > 8 {
					t.Errorf("%s: %d calls", name, n)
				}
			})
		}
	}
}

// The first container of a run, and the only one, is refused with a code that may be about the signature: a stranger tells
// that it is about the container.
func TestRefusalOfTheFirstContainerIsItsOwn(t *testing.T) {
	for _, stranger := range []string{`{"code":102404,"data":{}}`, fineBody, `{"code":414,"msg":"limit"}`} {
		for refusal, code := range map[string]string{badParameter: "414", `{"code":403,"msg":"forbidden"}`: "403"} {
			for _, c := range []*schemas.Container{conversation("mallory|1|bob"), list("mallory|1|bob", "1")} {
				f := newFake(nil)
				f.answer = func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "mallory") {
						f.send(w, refusal)
						return
					}
					f.send(w, stranger)
				}
				pages, err := readAll(t, f.source(), c, connectors.Position{})
				if err != nil || len(pages) != 1 || string(pages[0].Body) != refusal || pages[0].Code != code || pages[0].Error != "" {
					t.Fatalf("%s: %d pages, %v", refusal, len(pages), err)
				}
				wantCalls(t, pages, f)
				p := pages[0]
				if c.Kind == schemas.KindMessages && code == "414" {
					if p.Failed != nil || len(p.Missing) != 1 || p.Missing[0].Class != "414" {
						t.Errorf("%s of a message: %+v, missing %+v", refusal, p.Failed, p.Missing)
					}
				} else if p.Failed == nil || p.Failed.Code != code || !p.Failed.Wide {
					t.Errorf("%s of a %s: failed %+v", refusal, c.Kind, p.Failed)
				}
				for _, line := range f.requests() {
					if !strings.Contains(line, "mallory") && !strings.Contains(line, "chatlake-asks-for-nobody%7C1%7Cchatlake-asks-for-nobody/messages?begin_time=0&end_time=1&limit=1") {
						t.Errorf("asked for %s", line)
					}
				}
			}
		}
	}
}

// A signature that was taken and is refused for some seconds, of everybody: nothing is charged to a container.
func TestSignatureRefusedForSecondsCostsNothing(t *testing.T) {
	for _, refusal := range []string{badParameter, `{"code":403}`, `{"code":414,"msg":"checksum"}`} {
		synctest.Test(t, func(t *testing.T) {
			bad := false
			f := newFake(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, map[bool]string{true: refusal, false: fineBody}[bad])
			})
			source := f.source()
			for i, bads := range []bool{false, true, false} {
				time.Sleep(time.Second)
				bad = bads
				pages, err := readAll(t, source, conversation("alice|1|bob"), connectors.Position{})
				var e *connectors.Error
				if bads && (!errors.As(err, &e) || e.Class != connectors.ClassFatal && e.Class != connectors.ClassUnavailable || len(pages) != 0) || !bads && err != nil {
					t.Errorf("%s, %d: %d pages, %v", refusal, i, len(pages), err)
				}
			}
		})
	}
}

// Only some codes are about one conversation for sure.
func TestRefusalsThatMayBeTheApps(t *testing.T) {
	for body, wide := range map[string]bool{
		`{"code":102404}`: false, `{"code":108404}`: false, `{"code":109404}`: false, `{"code":102422}`: true, `{"code":108302}`: true, `{"code":4711}`: true,
	} {
		for _, c := range []*schemas.Container{conversation("alice|1|bob"), list("alice|1|bob", "1")} {
			f := newFake(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
			pages, err := readAll(t, f.source(), c, connectors.Position{})
			if err != nil || len(pages) != 1 || pages[0].Failed == nil || pages[0].Failed.Wide != wide {
				t.Errorf("%s of a %s: %v, %+v", body, c.Kind, err, pages)
			}
		}
	}
}

// refusing answers one conversation with a refusal that may be about the signature, and others as they are.
func refusing(which string, refusal *string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if which == "" || strings.Contains(r.URL.Path, which) {
			io.WriteString(w, *refusal)
			return
		}
		io.WriteString(w, fineBody)
	}
}

func requestOf(id string) connectors.Request {
	r := batchRequest
	r.Path = "/im/v2/conversations/" + id + "/batch_messages"
	return r
}

// The first request of a run may be the bad one: while it waits to be repeated, another is taken.
func TestFirstRequestIsRefusedAndOthersAreTaken(t *testing.T) {
	for refusal, class := range map[string]connectors.Class{badParameter: connectors.ClassItem, `{"code":403,"msg":"?"}`: connectors.ClassContainer} {
		synctest.Test(t, func(t *testing.T) {
			call := newFake(refusing("mallory", &refusal)).call()
			_, err := call(t.Context(), requestOf("mallory"))
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Calls != 1 {
				t.Fatalf("before anything was taken: %v", err)
			}
			time.Sleep(time.Second)
			if _, err := call(t.Context(), requestOf("alice")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if _, err = call(t.Context(), requestOf("mallory")); !errors.As(err, &e) || e.Class != class || e.Calls != 2 {
				t.Errorf("after something was taken: %v, %d calls", err, e.Calls)
			}
		})
	}
}

// A secret that is changed while the run goes on, or a clock that is set wrong, must not turn into dead letters: a request
// that was taken before tells.
func TestSignatureThatIsNoLongerTakenEndsTheRun(t *testing.T) {
	tests := []struct {
		name, now string // what everybody is answered from then on
		class     connectors.Class
		code      string
		after     time.Duration
	}{
		{"in doubt", badParameter, connectors.ClassFatal, "414", 0},
		{"403", `{"code":403}`, connectors.ClassFatal, "403", 0},
		{"in clear words", `{"code":414,"msg":"checksum"}`, connectors.ClassFatal, "414", 0},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			all := fineBody
			f := newFake(refusing("", &all))
			call := f.call()
			if _, err := call(t.Context(), requestOf("alice")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			all = tt.now
			_, err := call(t.Context(), requestOf("bob"))
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != tt.class || e.Code != tt.code || e.Calls != 2 {
				t.Errorf("%s: %v, %d calls", tt.name, err, e.Calls)
			}
			if n := len(f.requests()); n != 3 {
				t.Errorf("%s: %d calls", tt.name, n)
			}
		})
	}
}

func TestDoubtIsNotSettledByAPlatformThatIsAway(t *testing.T) {
	for away, class := range map[string]connectors.Class{
		`{"code":500}`: connectors.ClassUnavailable, `{"code":416}`: connectors.ClassThrottled, `<html>`: connectors.ClassUnavailable,
	} {
		synctest.Test(t, func(t *testing.T) {
			state, refusal := fineBody, badParameter
			f := newFake(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "mallory") {
					io.WriteString(w, refusal)
					return
				}
				io.WriteString(w, state)
			})
			call := f.call()
			if _, err := call(t.Context(), requestOf("alice")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			state = away
			_, err := call(t.Context(), requestOf("mallory"))
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != class || e.Calls != 2 || class == connectors.ClassThrottled && e.RetryAfter != time.Minute {
				t.Errorf("%s: %v, after %v", away, err, e.RetryAfter)
			}
		})
	}
}

// While others are taken, a refusal costs no call more than itself.
func TestDoubtIsSettledByOthersThatAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := badParameter
		slow := make(chan struct{})
		answer := refusing("mallory", &refusal)
		f := newFake(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "mallory") {
				<-slow
			}
			answer(w, r)
		})
		call := f.call()
		refused := make(chan error)
		go func() {
			_, err := call(t.Context(), requestOf("mallory"))
			refused <- err
		}()
		synctest.Wait()
		time.Sleep(time.Second)
		if _, err := call(t.Context(), requestOf("alice")); err != nil {
			t.Fatal(err)
		}
		close(slow)
		var e *connectors.Error
		if err := <-refused; !errors.As(err, &e) || e.Class != connectors.ClassItem || e.Calls != 1 {
			t.Errorf("%v, %d calls", err, e.Calls)
		}
	})
}

// A clear word about the signature is believed the second time: a clock may just have been set.
func TestClockThatIsSetBetweenTwoAttempts(t *testing.T) {
	n := 0
	f := newFake(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			io.WriteString(w, `{"code":414,"msg":"CurTime expired"}`)
			return
		}
		io.WriteString(w, fineBody)
	})
	resp, err := f.call()(t.Context(), listRequest)
	if err != nil || resp.Calls != 2 {
		t.Errorf("%+v, %v", resp, err)
	}
}

// 416 pauses the API for a minute, for all who call it.
func TestThrottlingPausesTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := newFake(func(w http.ResponseWriter, _ *http.Request) {
			if n++; n == 1 {
				io.WriteString(w, `{"code":416,"data":{}}`)
				return
			}
			io.WriteString(w, fineBody)
		})
		pacer := api.NewPacer(map[string]connectors.Quota{schemas.YunxinMessagesList: {PerSecond: 50}})
		call := api.Retry(api.Pace(yunxin.NewCall(f.config()), pacer), api.Policy{Pacer: pacer})
		began := time.Now()
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := call(t.Context(), listRequest)
				done <- err
			}()
			time.Sleep(time.Second)
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n != 3 || f.times[1].Sub(began) < time.Minute || f.times[2].Sub(began) < time.Minute {
			t.Errorf("calls at %v, begun at %v", f.times, began)
		}
	})
}
