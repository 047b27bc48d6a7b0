package schemas

// Topics names the topics of one installation.
type Topics struct {
	Containers, Checkpoints, RawPages, Messages, DeadLetters string
}

// NewTopics gives the names under a prefix; output, where not "", is another topic of messages, for a side-by-side
// replay, with dead letters of its own.
func NewTopics(prefix, output string) Topics {
	t := Topics{
		Containers: prefix + ".containers", Checkpoints: prefix + ".checkpoints", RawPages: prefix + ".raw.pages",
		Messages: prefix + ".messages", DeadLetters: prefix + ".deadletters",
	}
	if output != "" && output != t.Messages {
		t.Messages, t.DeadLetters = output, output+".deadletters"
	}
	return t
}

// Subject is the registry's name for the values of a topic.
func Subject(topic string) string { return topic + "-value" }

// Schemas gives the record type of each topic whose values are Avro.
func (t Topics) Schemas() map[string]*Schema {
	return map[string]*Schema{
		t.Containers: ContainerSchema, t.Checkpoints: CheckpointSchema,
		t.Messages: MessageSchema, t.DeadLetters: DeadLetterSchema,
	}
}
