package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Keys of records. All are UTF-8 strings.
type (
	// ConversationKey is platform/tenant/conversation id. It decides the partition of everything in the conversation.
	ConversationKey string
	// ContainerKey is platform/tenant/kind/id.
	ContainerKey string
	// RecordID is platform/tenant/message id, with the ids of the merged forwards around it between.
	RecordID string
)

const hexUpper = "0123456789ABCDEF"

// Part escapes one part of a key: '/', '%', '!', '#' and control characters become '%' and two upper-case hex digits,
// nothing else.
func Part(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if escapes(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; escapes(c) {
			b.WriteByte('%')
			b.WriteByte(hexUpper[c>>4])
			b.WriteByte(hexUpper[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unpart undoes Part. A '%' that starts no escape stands for itself.
func Unpart(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// escapes says which bytes do not stand for themselves: the separators of keys, C0 controls and DEL. Bytes of longer
// UTF-8 sequences stand as they are.
func escapes(c byte) bool {
	return c < 0x20 || c == 0x7f || c == '/' || c == '%' || c == '!' || c == '#'
}

// NewConversationKey joins the parts of a conversation key.
func NewConversationKey(platform, tenant, conversation string) ConversationKey {
	return ConversationKey(Part(platform) + "/" + Part(tenant) + "/" + Part(conversation))
}

// NewContainerKey joins the parts of a container key. For kinds message and messages, see MessageContainerKey.
func NewContainerKey(platform, tenant, kind, id string) ContainerKey {
	return ContainerKey(Part(platform) + "/" + Part(tenant) + "/" + Part(kind) + "/" + Part(id))
}

// MessageContainerKey is the key of a container that fetches one message by its id; it ends in
// <conversation id>!<message id>.
func MessageContainerKey(platform, tenant, conversation, message string) ContainerKey {
	return NewContainerKey(platform, tenant, KindMessage, conversation) + ContainerKey("!"+Part(message))
}

// MessagesContainerKey is the key of a container that fetches some messages by their ids; it ends in
// <conversation id>!<first 16 hex digits of SHA-256 over the ids, sorted, each followed by a zero byte>.
func MessagesContainerKey(platform, tenant, conversation string, messages []string) ContainerKey {
	messages = slices.Clone(messages)
	slices.Sort(messages)
	return NewContainerKey(platform, tenant, KindMessages, conversation) + ContainerKey("!"+digest(messages...)[:16])
}

// NewRecordID is the record_id of a message that stands in no merged forward.
func NewRecordID(platform, tenant, message string) RecordID {
	return RecordID(Part(platform) + "/" + Part(tenant) + "/" + Part(message))
}

// Partition is where everything of a conversation lies in each topic: the Java client's murmur2 of the key, made
// positive, modulo the number of partitions.
func Partition(key ConversationKey, partitions int) int32 {
	return int32((murmur2(string(key)) & 0x7fffffff) % uint32(partitions))
}

// murmur2 is the hash that Apache Kafka's Java client places keyed records by (org.apache.kafka.common.utils.Utils).
func murmur2(data string) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(data))
	i := 0
	for ; i+4 <= len(data); i += 4 {
		k := uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16 | uint32(data[i+3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(data) - i {
	case 3:
		h ^= uint32(data[i+2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[i+1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[i])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// digest is hex SHA-256 over parts, each followed by a zero byte, so that no two lists of parts run together.
func digest(parts ...string) string {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
		b = append(b, 0)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// PageID is the id of a raw page (ce_id).
func PageID(container ContainerKey, epoch, page int64, request, subject string) string {
	return digest(string(container), strconv.FormatInt(epoch, 10), strconv.FormatInt(page, 10), request, subject)
}

// DeadLetterID is the id of a dead letter: the same fault found again gives the same id.
func DeadLetterID(stage, pageID, itemPointer, recordID, errorClass string) string {
	return digest(stage, pageID, itemPointer, recordID, errorClass)
}
