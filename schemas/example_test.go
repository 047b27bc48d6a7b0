package schemas_test

import (
	"context"
	"fmt"
	"time"

	"chatlake/schemas"
)

// A value of the topic of messages is decoded with the schema that its writer registered; lookup usually asks the registry.
func ExampleDecoder() {
	text := "hello"
	m := minimalMessage()
	m.RecordID, m.Text = "feishu/cli_a1b2/om_42", &text
	value, err := schemas.MessageSchema.Append(nil, 7, m)
	if err != nil {
		fmt.Println(err)
		return
	}
	lookup := func(_ context.Context, id int) (string, error) {
		fmt.Println("schema", id)
		return schemas.MessageSchema.Text, nil
	}
	var got schemas.Message
	if err := schemas.NewDecoder(schemas.MessageSchema, lookup).Decode(context.Background(), value, &got); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.RecordID, *got.Text)
	// Output:
	// schema 7
	// feishu/cli_a1b2/om_42 hello
}

// A conversation's records are in the same partition of every topic.
func ExamplePartition() {
	key := schemas.NewConversationKey(schemas.Feishu, "cli_a1b2", "oc_7d1f")
	fmt.Println(key, schemas.Partition(key, 12))
	// Output: feishu/cli_a1b2/oc_7d1f 11
}

func ExampleParsePage() {
	written := schemas.Page{
		Container: "feishu/cli_a1b2/chat/oc_7d1f", Conversation: "feishu/cli_a1b2/oc_7d1f", Type: schemas.FeishuMessagesList,
		Time: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), Epoch: 1, Number: 3, Final: true, Body: []byte(`{"code":0}`),
	}
	record := written.Record("im.raw.pages", 12)
	page, err := schemas.ParsePage(&record)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(page.Container, page.Number, page.Final, string(page.Body))
	// Output: feishu/cli_a1b2/chat/oc_7d1f 3 true {"code":0}
}
