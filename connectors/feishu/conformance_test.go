package feishu_test

import (
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/conformance"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// conversation is a chat of four pages with a thread and merged forwards, shaped after the vendor's pages on listing
// and getting messages.
var conversation = script{
	"chat oc_1": `{"code":0,"msg":"success","data":{"chat_mode":"group","group_message_type":"chat","name":"ops","chat_status":"normal"}}`,
	"list oc_1": list("one",
		say("om_1", 1700000001000, "text", `{\"text\":\"@_user_1 the deploy is done\"}`, `"mentions":[{"key":"@_user_1","id":"ou_2","id_type":"open_id","name":"Bo"}]`),
		say("om_2", 1700000002000, "post", `{\"title\":\"Notes\",\"content\":[[{\"tag\":\"text\",\"text\":\"first line of notes\"}]]}`, `"thread_id":"omt_1"`),
		say("om_3", 1700000003000, "image", `{\"image_key\":\"img_1\"}`)),
	"list oc_1 one": list("two",
		say("om_4", 1700000004000, "merge_forward", `Merged and Forwarded Message`),
		say("om_5", 1700000005000, "text", `This message was recalled`, `"deleted":true`),
		say("om_6", 1700000006000, "text", `{\"text\":\"quoting the first one\"}`, `"parent_id":"om_1","root_id":"om_1"`),
		say("om_7", 1700000007000, "hologram", `{\"depth\":3}`)),
	"list oc_1 two": list("three"),
	"list oc_1 three": list("",
		say("om_8", 1700000008000, "text", `not JSON at all, though it should be`),
		`{"message_id":"","msg_type":"text"}`, `null`, `{"message_id":9007199254740993,"msg_type":"text","create_time":"soon"}`,
		say("om_9", 1700000009000, "merge_forward", `Merged and Forwarded Message`)),
	"get om_4": list("",
		say("om_4", 1700000004000, "merge_forward", `Merged and Forwarded Message`),
		say("om_c1", 1600000001000, "text", `{\"text\":\"said long ago elsewhere\"}`, `"upper_message_id":"om_4"`),
		say("om_c2", 1600000002000, "merge_forward", `x`, `"upper_message_id":"om_4"`),
		say("om_c3", 1600000003000, "text", `{\"text\":\"said in the inner one\"}`, `"upper_message_id":"om_c2","parent_id":"om_c1"`),
		say("om_c4", 1600000004000, "merge_forward", `x`, `"upper_message_id":"om_c2"`)),
	"get om_c4": list("",
		say("om_c4", 1600000004000, "merge_forward", `x`, `"upper_message_id":"om_c2"`),
		say("om_c5", 1600000005000, "text", `{\"text\":\"only told when asked for\"}`, `"upper_message_id":"om_c4"`),
		say("om_c6", 1600000006000, "merge_forward", `x`, `"upper_message_id":"om_c4"`)),
	"get om_c6": `400 {"code":230050,"msg":"The message is invisible"}`,
	"get om_12": `400 {"code":99992354,"msg":"ids not existed"}`,
	"get om_9":  `400 {"code":230110,"msg":"The message is deleted"}`,
	"list omt_1": list("more",
		say("om_2", 1700000002000, "post", `{\"title\":\"Notes\",\"content\":[[{\"tag\":\"text\",\"text\":\"first line of notes\"}]]}`, `"thread_id":"omt_1"`),
		say("om_10", 1700000010000, "text", `{\"text\":\"answer within the thread\"}`, `"thread_id":"omt_1","parent_id":"om_2","root_id":"om_2"`)),
	"list oc_circle":     list("A", say("om_20", 1700000001000, "text", `{\"text\":\"one\"}`)),
	"list oc_circle A":   list("B", say("om_21", 1700000002000, "text", `{\"text\":\"two\"}`)),
	"list oc_circle B":   list("A", say("om_22", 1700000003000, "text", `{\"text\":\"three\"}`)),
	"list omt_refused":   list("A", say("om_23", 1700000001000, "text", `{\"text\":\"again\"}`)),
	"list omt_refused A": `400 {"code":230001,"msg":"invalid page_token"}`,
	"list omt_1 more":    list("", say("om_11", 1700000011000, "file", `{\"file_key\":\"f\",\"file_name\":\"a.pdf\"}`, `"thread_id":"omt_1"`)),
}

// say is an item with content, which is the inside of a JSON string.
func say(id string, ms int64, kind, content string, extra ...string) string {
	return msg(id, ms, append([]string{
		`"msg_type":"` + kind + `"`, `"body":{"content":"` + content + `"}`, `"update_time":"1700000001000"`,
		`"sender":{"id":"ou_1","id_type":"open_id","sender_type":"user","tenant_key":"t"}`,
	}, extra...)...)
}

// withStale adds a chat whose pages always show the same message and always lead on.
func withStale(s script) script {
	s = maps.Clone(s)
	s["list oc_stale"] = list("p1", msg("om_24", 1700000001000))
	for i := 1; i < 60; i++ {
		s[fmt.Sprintf("list oc_stale p%d", i)] = list(fmt.Sprintf("p%d", i+1), msg("om_24", 1700000001000))
	}
	return s
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Platform{
		Start: func(t *testing.T) conformance.Running {
			var hang atomic.Bool
			var hanging atomic.Int64
			f := withStale(conversation).serve(t)
			answer := f.answer
			f.answer = func(w http.ResponseWriter, r *http.Request) {
				if hang.Load() {
					hanging.Add(1)
					defer hanging.Add(-1)
					<-r.Context().Done()
					return
				}
				answer(w, r)
			}
			return conformance.Running{
				Source: f.source(), Served: f.served, Hang: func() { hang.Store(true) }, Hanging: func() int { return int(hanging.Load()) },
			}
		},
		NewDecoder: func() connectors.Decoder { return feishu.NewDecoder() },
		Containers: []*schemas.Container{container("chat", "oc_1"), container("thread", "omt_1"), container("message", "om_4"), container("message", "om_12")},
		Failing:    []*schemas.Container{container("chat", "oc_circle"), container("thread", "omt_refused"), container("chat", "oc_stale")},
		Secrets:    []string{appSecret, "t-token"},
	})
}
