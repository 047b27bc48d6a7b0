package schemas

import "time"

// Header is one Kafka record header. Keys may repeat; chatlake never writes a key twice.
type Header struct {
	Key   string
	Value []byte
}

// Record is one Kafka record, as read or as it is to be written.
//
// A written record names its Topic and Partition itself: chatlake places records by their conversation (see
// Partition), never by hashing the record key. Offset is ignored on writing. A nil Value is a tombstone, an empty one
// is an empty value.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time
	Key       string
	Value     []byte
	Headers   []Header
}
