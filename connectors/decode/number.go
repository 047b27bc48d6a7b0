package decode

import (
	"strconv"
	"strings"

	"chatlake/schemas"
)

// maxDigits is the longest text, in bytes, that is read as a number.
const maxDigits = 64

// Why a number counts as repaired.
const (
	spelledBlanks   = "has blanks around it"
	spelledDecimal  = "is not written as a whole number"
	spelledFraction = "is not a whole number, rounded"
	spelledSeconds  = "is in seconds"
)

// number is a number as a platform wrote it: in JSON or in a string, with blanks around it, a fraction or an exponent.
type number struct {
	whole    int64  // rounded towards zero
	thousand int64  // thousandths beyond whole
	round    int64  // whole, rounded to the nearest
	spelled  string // why it counts as repaired, "" where it is digits alone
}

// numberOf reads a number; ok is false for a value that is none or does not fit. Large ones lose no digit.
func numberOf(v JSON) (n number, ok bool) {
	if i, plain := v.Int(); plain {
		return number{whole: i, round: i}, true
	}
	s, text := v.Str()
	switch {
	case text:
		if cut := strings.TrimSpace(s); len(cut) < len(s) {
			n.spelled, s = spelledBlanks, cut
		}
	case v.Kind() == Number:
		s = string(v.AppendRaw(nil))
	}
	if s == "" || len(s) > maxDigits {
		return n, false
	}
	return n, n.parse(s)
}

// parse reads an optional sign, digits with a point, and an exponent.
func (n *number) parse(s string) bool {
	mantissa, power, hasPower := strings.Cut(strings.ToLower(s), "e")
	exponent := 0
	if hasPower {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > maxDigits || exponent < -maxDigits {
			return false
		}
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	before, after, point := strings.Cut(mantissa, ".")
	if before == "" || !allDigits(before) || !allDigits(after) || point && after == "" {
		return false
	}
	if point || hasPower {
		n.spelled = spelledDecimal
	}
	digits := before + after + strings.Repeat("0", max(0, exponent)+3)
	at := len(before) + exponent
	if at < 0 {
		digits, at = strings.Repeat("0", -at)+digits, 0
	}
	return n.split(sign, digits, at)
}

// split takes the digits before at as the whole part, and three of the rest as thousandths.
func (n *number) split(sign, digits string, at int) bool {
	var err error
	if n.whole, err = strconv.ParseInt(sign+"0"+digits[:at], 10, 64); err != nil {
		return false
	}
	n.thousand, _ = strconv.ParseInt(digits[at:at+3], 10, 64)
	n.round = n.whole
	if strings.Trim(digits[at:], "0") != "" {
		n.spelled = spelledFraction
	}
	step := int64(1)
	if sign != "" {
		step, n.thousand = -1, -n.thousand
	}
	if digits[at] >= '5' && n.round+step != 0 && (n.round+step > n.round) == (step > 0) {
		n.round += step
	}
	return true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Number reads a whole number, written as a JSON number or in a string. One with blanks around it, zeros after a point or an
// exponent has an issue COERCED; ok is false, without an issue, for all else.
func (d *Draft) Number(v JSON, field string) (n int64, ok bool) {
	num, ok := numberOf(v)
	if !ok || num.spelled == spelledFraction {
		return 0, false
	}
	if num.spelled != "" {
		d.Issue(field, schemas.IssueCoerced, num.spelled)
	}
	return num.whole, true
}

// Time reads an instant in milliseconds, present as a number or as digits; one in seconds, which no instant in milliseconds
// within the accepted span can be taken for, has an issue COERCED. action says what becomes of the field where the value is
// no instant, which then counts as absent; a field that is DEFAULTED must be there.
func (d *Draft) Time(v JSON, field, action string) (t schemas.Millis, told bool) {
	if n, ok := v.Int(); ok && schemas.Millis(n) >= MinTime && schemas.Millis(n) < MaxTime {
		return schemas.Millis(n), true // nearly all are
	}
	if absent(v) {
		if action == schemas.IssueDefaulted {
			d.Issue(field, action, "is not told")
		}
		return 0, false
	}
	n, ok := numberOf(v)
	t = schemas.Millis(n.round)
	if seconds := schemas.Millis(n.whole); ok && seconds >= MinTime/1000 && seconds < MaxTime/1000 {
		t, n.spelled = seconds*1000+schemas.Millis(n.thousand), spelledSeconds
	}
	switch {
	case !ok:
		d.Issue(field, action, "is not a whole number of milliseconds")
	case t < MinTime || t >= MaxTime:
		d.Issue(field, action, "is not between 2000 and 2100")
	case n.spelled != "":
		d.Issue(field, schemas.IssueCoerced, n.spelled)
		return t, true
	default:
		return t, true
	}
	return 0, false
}

// Whole reads a whole number, see Number.
func (d *Draft) Whole(v JSON, field string) *int64 {
	if n, ok := v.Int(); ok {
		return d.Int(n)
	}
	if absent(v) {
		return nil
	}
	n, ok := d.Number(v, field)
	if !ok {
		d.Issue(field, schemas.IssueNulled, "is not a whole number")
		return nil
	}
	return d.Int(n)
}

// Size reads a measure: a whole number, one with a fraction rounded to the nearest, which cannot be negative.
func (d *Draft) Size(v JSON, field string) *int64 {
	n, ok := numberOf(v)
	switch {
	case !ok || n.spelled != spelledFraction:
		w := d.Whole(v, field)
		if w == nil || *w >= 0 {
			return w
		}
	case n.round >= 0:
		d.Issue(field, schemas.IssueCoerced, n.spelled)
		return d.Int(n.round)
	}
	d.Issue(field, schemas.IssueNulled, "is negative")
	return nil
}

// absent reports whether v is Blank or a string of blanks.
func absent(v JSON) bool {
	if s, text := v.Str(); text {
		return strings.TrimSpace(s) == ""
	}
	return !v.Told()
}
