package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors/api"
)

func TestAllowanceBoundsAPageAndAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := api.NewRoom(100 << 20)
		first, second := room.Page(), room.Page()
		if err := second.Take(t.Context(), 60<<20); err != nil {
			t.Fatal(err)
		}
		if err := second.Take(t.Context(), 5<<20); !errors.Is(err, api.ErrPageFull) {
			t.Errorf("a page of 65 MiB: %v", err)
		}
		if err := first.Take(t.Context(), 60<<20); err != nil {
			t.Errorf("the oldest page waits: %v", err)
		}
		third := room.Page()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := third.Take(ctx, 1); !errors.Is(err, api.ErrNoRoom) {
			t.Errorf("120 of 100 MiB are taken, and more is given: %v", err)
		}
		done := make(chan error)
		go func() { done <- third.Take(t.Context(), 1) }()
		synctest.Wait()
		first.Release()
		first.Release()
		if err := <-done; err != nil || room.Used() != 60<<20+1 {
			t.Errorf("%v, %d bytes are taken", err, room.Used())
		}
		second.Give(10 << 20)
		second.Release()
		third.Release()
		if room.Used() != 0 {
			t.Errorf("%d bytes are left", room.Used())
		}
	})
}

// TestPagesNeverWaitForEachOther has many pages that each take more than their part, bit by bit.
func TestPagesNeverWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := api.NewRoom(10 << 20)
		most := 0
		var mu sync.Mutex
		var pages sync.WaitGroup
		for range 40 {
			a := room.Page()
			pages.Go(func() {
				defer a.Release()
				for range 30 {
					if err := a.Take(t.Context(), 1<<20); err != nil {
						t.Error(err)
					}
					mu.Lock()
					most = max(most, room.Used())
					mu.Unlock()
					time.Sleep(time.Millisecond)
				}
			})
		}
		pages.Wait()
		if most > 40<<20 {
			t.Errorf("%d MiB were held of 10 and one page", most>>20)
		}
	})
}

func TestExchangeTakesFromTheAllowance(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if r.URL.Query().Has("cut") {
			w.Header().Set("Content-Length", strconv.Itoa(n+1))
		}
		_, _ = w.Write(make([]byte, n))
	}))
	defer s.Close()
	room := api.NewRoom(256 << 20)
	page := room.Page()
	ask := func(query string) *api.Reply {
		req, err := http.NewRequestWithContext(api.WithAllowance(t.Context(), page), http.MethodGet, s.URL+"/?"+query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return api.Exchange(s.Client(), req)
	}
	const mib = 1 << 20
	for range 3 {
		if a := ask("n=" + strconv.Itoa(20*mib)); a.Err != nil || a.TooLarge || len(a.Body) != 20*mib || cap(a.Body) > 26*mib {
			t.Fatalf("%v, too large %v, %d bytes in %d", a.Err, a.TooLarge, len(a.Body), cap(a.Body))
		}
	}
	if a := ask("n=" + strconv.Itoa(20*mib)); !a.TooLarge || a.Err != nil {
		t.Errorf("the fourth body of 20 MiB: too large %v, %v", a.TooLarge, a.Err)
	}
	if a := ask("cut&n=" + strconv.Itoa(3*mib)); a.Err == nil {
		t.Error("a body that is cut short is no failure")
	}
	if room.Used() != 60*mib {
		t.Errorf("%d bytes are taken by 60 MiB", room.Used())
	}
	if a := ask("n=" + strconv.Itoa(3*mib)); a.Err != nil || a.TooLarge {
		t.Errorf("what a failure has read was not given back: %v", a.Err)
	}
	page.Release()
	if room.Used() != 0 {
		t.Errorf("%d bytes are left", room.Used())
	}
}
