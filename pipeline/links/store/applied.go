package store

import "encoding/binary"

// Applied is how far a partition's index has come: the offset after the last raw record that it holds, and the page in the
// last one that had any, so that another topic of the same name is recognised. A page's id alone is not enough: a container
// that is read again from its start has the same ids.
type Applied struct {
	Offset     int64
	PageOffset int64 // offset of the page named, -1: none yet
	PageID     string
	PageTime   int64 // ce_time in milliseconds
	Output     int64 // every message before this offset of the output is in the index; it may hold later ones
}

// appliedSize is the length of what precedes the page's id: two offsets, the number of conversations, the page's time, the
// offset of the output.
const appliedSize = 36

// append appends the value of keyApplied, which also holds how many conversations have a number.
func (a *Applied) append(b []byte, conversations uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(a.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(a.PageOffset))
	b = binary.BigEndian.AppendUint32(b, conversations)
	b = binary.BigEndian.AppendUint64(b, uint64(a.PageTime))
	b = binary.BigEndian.AppendUint64(b, uint64(a.Output))
	return append(b, a.PageID...)
}

// applied reads how far the index has come; false where nothing was applied.
func (t *table) applied() (a Applied, conversations uint32, ok bool, err error) {
	v, err := t.get(t.at(keyApplied))
	if err != nil || len(v) < appliedSize {
		return a, 0, false, err
	}
	return Applied{
		Offset: int64(binary.BigEndian.Uint64(v)), PageOffset: int64(binary.BigEndian.Uint64(v[8:])),
		PageTime: int64(binary.BigEndian.Uint64(v[20:])), Output: int64(binary.BigEndian.Uint64(v[28:])), PageID: string(v[appliedSize:]),
	}, binary.BigEndian.Uint32(v[16:]), true, nil
}
