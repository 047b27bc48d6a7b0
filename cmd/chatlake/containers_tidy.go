package main

import "chatlake/cmd/worker"

// oddities counts what was mended in what was asked for, to be said once.
type oddities struct {
	n     int
	first string
}

// tidy cuts blanks and invisible characters off the ends of what was asked for; where says in which line, or how flags begin.
func (o *oddities) tidy(where string, w wish) wish {
	for _, f := range []struct {
		name  string
		value *string
	}{
		{"platform", &w.Platform}, {"kind", &w.Kind}, {"id", &w.ID}, {"conversation", &w.Conversation}, {"from", &w.From}, {"to", &w.To},
	} {
		cut, what := worker.Cut(*f.value)
		if what == "" {
			continue
		}
		*f.value = cut
		if o.n++; o.n == 1 {
			o.first = where + f.name + " (" + what + ")"
		}
	}
	return w
}

func (t *tool) noteOdd(o *oddities) {
	switch {
	case o.n == 1:
		t.note("blanks or invisible characters at the ends were cut off: %s", o.first)
	case o.n > 1:
		t.note("blanks or invisible characters at the ends were cut off in %d places, first %s", o.n, o.first)
	}
}
