package audit

import (
	"context"
	"fmt"
)

// Rows are compared by their record. Entries:
//
//	record (2), dead     offset of the dead letter
//	record (2), message  offset of the message, version
//	record (2), due      raw offset of the page, group (2), pointer
const (
	rowDead uint64 = iota
	rowMessage
	rowDue
)

// compareRows looks for items that no version of their record accounts for, and for versions that do not rise.
func (p *part) compareRows(context.Context) error {
	var (
		a, b    uint64
		there   bool // the record has a message or a dead letter
		any     bool // it has a message
		version int64
	)
	return p.rows.each(func(e *entry) error {
		if e[0] != a || e[1] != b {
			a, b, there, any = e[0], e[1], false, false
		}
		at := offsetOf(e[2])
		switch kindOf(e[2]) {
		case rowDead:
			there = true
		case rowMessage:
			if v := int64(e[3]); any && v <= version {
				p.miss(miss{kind: KindVersion, from: inMessages, at: at, detail: fmt.Sprintf("version %d follows version %d", v, version)})
			} else {
				version = v
			}
			there, any = true, true
		case rowDue:
			if !there {
				p.unaccounted(e[5], e[0], at, int64(e[3]), int64(e[4]))
			}
		}
		return nil
	})
}

// unaccounted is an item for which nothing was found.
func (p *part) unaccounted(pointer, record uint64, at, first, last int64) {
	if p.bounds.dead.hidden || p.bounds.messages.hidden {
		return // it may be among what is hidden
	}
	p.miss(miss{kind: KindUnaccounted, from: inGroups, at: at, first: first, last: last, pointer: pointer, record: record})
}
