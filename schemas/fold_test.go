package schemas_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"chatlake/schemas"
)

func container(key string, epoch int64, cancelled bool, cause string) schemas.Container {
	c := minimalContainer()
	c.Key, c.Epoch, c.Cancelled, c.Cause = key, epoch, cancelled, cause
	return *c
}

func resumed(c schemas.Container) schemas.Container { c.Resume = true; return c }

func fold(records []schemas.Container) (schemas.Fold, int) {
	f, changes := schemas.Fold{}, 0
	for _, r := range records {
		if f.Add(&r) {
			changes++
		}
	}
	return f, changes
}

func TestFold(t *testing.T) {
	a := func(epoch int64, cancelled bool, cause string) schemas.Container {
		return container("a", epoch, cancelled, cause)
	}
	for what, c := range map[string]struct {
		records []schemas.Container
		want    schemas.Container
		changes int
	}{
		"one":                        {[]schemas.Container{a(1, false, "x")}, a(1, false, "x"), 1},
		"first stands":               {[]schemas.Container{a(1, false, "x"), a(1, false, "y")}, a(1, false, "x"), 1},
		"cancelled later":            {[]schemas.Container{a(1, false, "x"), a(1, true, "y")}, a(1, true, "x"), 2},
		"cancelled stays":            {[]schemas.Container{a(1, true, "x"), a(1, false, "y")}, a(1, true, "x"), 1},
		"cancelled twice":            {[]schemas.Container{a(1, true, "x"), a(1, true, "y")}, a(1, true, "x"), 1},
		"higher epoch":               {[]schemas.Container{a(1, true, "x"), a(2, false, "y")}, a(2, false, "y"), 2},
		"lower epoch":                {[]schemas.Container{a(2, false, "x"), a(1, false, "y")}, a(2, false, "x"), 1},
		"lower epoch cancelled":      {[]schemas.Container{a(2, false, "x"), a(1, true, "y")}, a(2, false, "x"), 1},
		"higher epoch, cancelled":    {[]schemas.Container{a(1, false, "x"), a(2, true, "y")}, a(2, true, "y"), 2},
		"resumed":                    {[]schemas.Container{a(1, false, "x"), resumed(a(2, false, "y"))}, resumed(a(2, false, "y")), 2},
		"resumed, then not":          {[]schemas.Container{resumed(a(2, false, "x")), a(2, false, "y")}, a(2, false, "x"), 2},
		"not, then resumed":          {[]schemas.Container{a(2, false, "x"), resumed(a(2, false, "y"))}, a(2, false, "x"), 1},
		"resumed, then cancelled":    {[]schemas.Container{resumed(a(2, false, "x")), resumed(a(2, true, "y"))}, resumed(a(2, true, "x")), 2},
		"both at once":               {[]schemas.Container{resumed(a(2, false, "x")), a(2, true, "y")}, a(2, true, "x"), 2},
		"a lower epoch not resumed":  {[]schemas.Container{resumed(a(2, false, "x")), a(1, false, "y")}, resumed(a(2, false, "x")), 1},
		"cancelled before it exists": {[]schemas.Container{a(2, true, "x"), a(2, false, "y"), a(1, false, "z")}, a(2, true, "x"), 1},
	} {
		f, changes := fold(c.records)
		if got := f["a"]; got == nil || !reflect.DeepEqual(*got, c.want) || changes != c.changes || len(f) != 1 {
			t.Errorf("%s: %+v after %d changes, want %+v after %d", what, got, changes, c.want, c.changes)
		}
	}
}

// TestFoldOfWriters interleaves writers, each of which writes its records in order and some again.
func TestFoldOfWriters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var log []schemas.Container
		for range 1 + rnd.IntN(8) {
			c := container([]string{"a", "b"}[rnd.IntN(2)], 1+rnd.Int64N(3), rnd.IntN(3) == 0, "")
			c.Resume = rnd.IntN(2) == 0
			log = append(log, c)
		}
		check := func(records []schemas.Container) schemas.Fold {
			f, _ := fold(records)
			for key, got := range f {
				var highest int64
				for _, r := range records {
					if r.Key == string(key) {
						highest = max(highest, r.Epoch)
					}
				}
				cancelled, resume := false, true
				for _, r := range records {
					if r.Key == string(key) && r.Epoch == highest {
						cancelled, resume = cancelled || r.Cancelled, resume && r.Resume
					}
				}
				if got.Epoch != highest || got.Cancelled != cancelled || got.Resume != resume {
					t.Fatalf("%+v: %s is %+v", records, key, *got)
				}
			}
			return f
		}
		once := check(log)
		// The records differ in nothing but epoch, cancelled and resume here, so any order gives the same, and so do repeats.
		again := append(append([]schemas.Container{}, log...), log[rnd.IntN(len(log)):]...)
		rnd.Shuffle(len(again), func(i, k int) { again[i], again[k] = again[k], again[i] })
		if other := check(again); !reflect.DeepEqual(once, other) {
			t.Fatalf("%+v in another order is folded otherwise", log)
		}
	}
}
