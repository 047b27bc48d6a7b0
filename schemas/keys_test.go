package schemas_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"testing"

	"github.com/segmentio/kafka-go"

	"chatlake/schemas"
)

// sha is hex SHA-256 over parts, each followed by a zero byte.
func sha(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%s\x00", p)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestPart(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "oc_1": "oc_1", "p2p:a:b": "p2p:a:b", "a/b": "a%2Fb", "100%": "100%25", "a!b": "a%21b", "a#2": "a%232",
		"%2F": "%252F", "\x00": "%00", "a\nb\tc": "a%0Ab%09c", "\x1f\x7f": "%1F%7F", "群聊 é😀": "群聊 é😀", "|&?=+ ~\"\\": "|&?=+ ~\"\\",
		"///": "%2F%2F%2F", "@/1": "@%2F1",
	} {
		if got := schemas.Part(in); got != want {
			t.Errorf("Part(%q) is %q, not %q", in, got, want)
		}
	}
}

func TestUnpart(t *testing.T) {
	for _, s := range []string{"", "oc_1", "a/b%c!d#e", "%2F", "\x00\x1f\x7f", "日本"} {
		if got := schemas.Unpart(schemas.Part(s)); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
	}
	for in, want := range map[string]string{"%": "%", "a%2": "a%2", "%zz": "%zz", "%+1": "%+1", "%41": "A"} {
		if got := schemas.Unpart(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	for want, got := range map[string]string{
		"feishu/t%2F1/oc_1":             string(schemas.NewConversationKey("feishu", "t/1", "oc_1")),
		"yunxin/app/p2p:alice:b%21b":    string(schemas.NewConversationKey("yunxin", "app", "p2p:alice:b!b")),
		"feishu/t/chat/oc%231":          string(schemas.NewContainerKey("feishu", "t", schemas.KindChat, "oc#1")),
		"feishu/t/message/oc_1!om_1":    string(schemas.MessageContainerKey("feishu", "t", "oc_1", "om_1")),
		"feishu/t/message/o%21c!o%2Fm":  string(schemas.MessageContainerKey("feishu", "t", "o!c", "o/m")),
		"yunxin/app/9007199254740993":   string(schemas.NewRecordID("yunxin", "app", "9007199254740993")),
		"feishu/t/om%232":               string(schemas.NewRecordID("feishu", "t", "om#2")),
		sha("c", "1", "2", "GET /", ""): schemas.PageID("c", 1, 2, "GET /", ""),
		sha("c", "1", "2", "", "GET /"): schemas.PageID("c", 1, 2, "", "GET /"),
		sha("d", "p", "/0", "", "gone"): schemas.DeadLetterID("d", "p", "/0", "", "gone"),
		// printf 'c\0001\0002\000r\000s\000' | sha256sum
		"815a005c6ef360aaaf369394c147d0b24a5459e8334039914a691ed3ac107083": schemas.PageID("c", 1, 2, "r", "s"),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// TestPartition holds the hash to the vectors of Apache Kafka's own UtilsTest.testMurmur2 and to another implementation.
func TestPartition(t *testing.T) {
	const partitions = math.MaxInt32 // as good as all 31 bits that are left of the hash
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := schemas.Partition(schemas.ConversationKey(key), partitions); got != (hash&0x7fffffff)%partitions {
			t.Errorf("%q is at %d", key, got)
		}
	}
	all := make([]int, 12)
	for i := range all {
		all[i] = i
	}
	balancer := kafka.Murmur2Balancer{Consistent: true}
	used := map[int32]bool{}
	for i := range 500 {
		key := schemas.NewConversationKey("feishu", "租户", fmt.Sprintf("oc_%0*d", i%9, i*7919))
		got, want := schemas.Partition(key, 12), balancer.Balance(kafka.Message{Key: []byte(key)}, all...)
		if int(got) != want {
			t.Fatalf("%s is at %d, kafka-go says %d", key, got, want)
		}
		used[got] = true
	}
	if len(used) != 12 {
		t.Errorf("500 keys lie in %d partitions", len(used))
	}
}

func TestTopics(t *testing.T) {
	got := schemas.NewTopics("im", "")
	want := schemas.Topics{
		Containers: "im.containers", Checkpoints: "im.checkpoints", RawPages: "im.raw.pages", Messages: "im.messages", DeadLetters: "im.deadletters",
	}
	if got != want || schemas.NewTopics("im", "im.messages") != want {
		t.Errorf("topics are %+v", got)
	}
	want.Messages, want.DeadLetters = "again", "again.deadletters"
	if got := schemas.NewTopics("im", "again"); got != want {
		t.Errorf("topics of another output are %+v", got)
	}
	bySubject := map[string]*schemas.Schema{
		"im.containers-value": schemas.ContainerSchema, "im.checkpoints-value": schemas.CheckpointSchema,
		"im.messages-value": schemas.MessageSchema, "im.deadletters-value": schemas.DeadLetterSchema,
	}
	list := schemas.NewTopics("im", "").Schemas()
	for topic, s := range list {
		if bySubject[schemas.Subject(topic)] != s {
			t.Errorf("%s has %s", schemas.Subject(topic), s.Name)
		}
	}
	if len(list) != len(bySubject) {
		t.Errorf("%d topics have schemas", len(list))
	}
}
