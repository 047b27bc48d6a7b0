package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"chatlake/kafka"
	"chatlake/pipeline/checkup"
	"chatlake/schemas"
)

// cluster tries the broker, then what lies behind it.
func (r *checkRun) cluster(ctx context.Context) {
	c := &r.with.Tool.Cluster
	subject := strings.Join(c.Brokers, ",")
	if s := r.with.Broken("KAFKA_"); s != "" {
		r.skip(subject, broken(s), checkup.Broker, checkup.Rights, checkup.Topics)
		return
	}
	client, err := c.Kafka(r.log)
	if err == nil {
		first, cancel := context.WithTimeout(ctx, firstTime)
		began := time.Now()
		err = client.Ping(first)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no Kafka broker answers within %v", firstTime)
		}
		cancel()
		if err == nil {
			r.report.Add(checkup.Good(checkup.Broker, subject, fmt.Sprintf("it answers in %v", time.Since(began).Round(time.Millisecond))))
		}
	}
	if err != nil {
		r.report.Add(checkup.Bad(checkup.Broker, subject, err.Error(), brokerRemedy(err)))
		r.skip(subject, "no broker answers", checkup.Rights, checkup.Topics)
		return
	}
	r.client = client
	rest, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	if s := r.with.Broken("TOPIC_", "NORMALIZER_OUTPUT"); s != "" {
		r.skip(c.Prefix, broken(s), checkup.Rights, checkup.Topics)
		return
	}
	r.topics(rest)
	r.rights(rest)
}

func brokerRemedy(err error) string {
	var elsewhere *kafka.Unreached
	if errors.As(err, &elsewhere) {
		return "set advertised.listeners of the brokers to addresses that this machine can reach"
	}
	return "check KAFKA_BROKERS, KAFKA_TLS and KAFKA_SASL_MECHANISM with its credentials, and that the broker runs"
}

// topicsRemedy makes topics and schemas.
const topicsRemedy = "run 'chatlake topics create' with the same TOPIC_PREFIX and NORMALIZER_OUTPUT"

// topics compares each topic with what it should be.
func (r *checkRun) topics(ctx context.Context) {
	wanted := r.with.Tool.Wanted(r.with.Normalizer.Output)
	alike, sound := map[int][]string{}, true
	for _, topic := range wanted {
		total, warnings, err := r.client.VerifyTopics(ctx, []kafka.Topic{topic})
		switch {
		case err != nil:
			sound = false
			remedy := "mend the topic's configuration, with kafka-configs for instance"
			if strings.Contains(err.Error(), "topics create") || ctx.Err() != nil {
				remedy = topicsRemedy
			}
			r.report.Add(checkup.Bad(checkup.Topics, topic.Name, err.Error(), remedy))
			continue
		case len(warnings) > 0:
			r.report.Add(checkup.Odd(checkup.Topics, topic.Name, strings.Join(warnings, "; "), "set what is advised, with kafka-configs for instance, where the cluster allows it"))
		default:
			r.report.Add(checkup.Good(checkup.Topics, topic.Name, fmt.Sprintf("%d partitions, set up as it should be", total)))
		}
		alike[total] = append(alike[total], topic.Name)
	}
	if len(alike) > 1 {
		sound = false
		var parts []string
		for _, n := range slices.Sorted(maps.Keys(alike)) {
			parts = append(parts, fmt.Sprintf("%d: %s", n, strings.Join(alike[n], ", ")))
		}
		r.report.Add(checkup.Bad(checkup.Topics, r.with.Tool.Prefix, "the topics have different numbers of partitions: "+strings.Join(parts, "; "),
			"all must have the same number, for ever: make the prefix's topics again under another TOPIC_PREFIX, or delete those that hold nothing and run 'chatlake topics create'"))
	}
	if sound {
		r.partitions = slices.Collect(maps.Keys(alike))[0]
	}
}

// need is what a program needs of a resource.
type need struct {
	kafka.Resource
	operations []string
	of         string // who needs it
}

// needs lists what both workers need, as far as their settings can be used.
func (r *checkRun) needs() []need {
	own, out := schemas.NewTopics(r.with.Tool.Prefix, ""), schemas.NewTopics(r.with.Tool.Prefix, r.with.Normalizer.Output)
	topic := func(name, of string, operations ...string) need {
		return need{kafka.Resource{Kind: kafka.KindTopic, Name: name}, append([]string{"Describe"}, operations...), of}
	}
	all := []need{
		topic(own.Containers, "extractor and normalizer", "Read", "Write"),
		topic(own.Checkpoints, "extractor", "Read", "Write"),
		topic(own.RawPages, "extractor (Write) and normalizer (Read)", "Read", "Write"),
		topic(out.Messages, "normalizer", "Read", "Write"),
		topic(own.DeadLetters, "extractor and normalizer", "Write"),
	}
	if out.DeadLetters != own.DeadLetters {
		all = append(all, topic(out.DeadLetters, "normalizer", "Write"))
	}
	group := func(name, of string) {
		all = append(all, need{kafka.Resource{Kind: kafka.KindGroup, Name: name}, []string{"Describe", "Read"}, of},
			need{kafka.Resource{Kind: kafka.KindTransactionalID, Name: name + "-0"}, []string{"Describe", "Write"}, of})
	}
	if r.with.Broken("EXTRACTOR_") == "" && r.with.Extractor.Group != "" {
		group(r.with.Extractor.Group, "extractor")
	}
	if r.with.Broken("NORMALIZER_") == "" && r.with.Normalizer.Group != "" {
		group(r.with.Normalizer.Group, "normalizer")
	}
	return all
}

// rights looks at what this user may do on topics, groups and transactional ids.
func (r *checkRun) rights(ctx context.Context) {
	for _, n := range r.needs() {
		subject := n.String()
		lacking, told, err := r.client.Lacking(ctx, n.Resource, n.operations...)
		switch {
		case errors.Is(err, kafka.ErrNoTopic):
			r.skip(subject, "the topic is missing", checkup.Rights)
		case err != nil:
			r.report.Add(checkup.Bad(checkup.Rights, subject, err.Error(), "run the check again; if it stays so, look into the broker's log"))
		case !told:
			r.report.Add(checkup.Odd(checkup.Rights, subject, "the cluster does not tell what this user may do", "make sure that the user of the "+n.of+" may "+strings.Join(n.operations, ", ")))
		case len(lacking) > 0:
			r.report.Add(checkup.Bad(checkup.Rights, subject, "this user lacks "+strings.Join(lacking, ", ")+", which the "+n.of+" needs", grant(n.Resource, lacking)))
		default:
			r.report.Add(checkup.Good(checkup.Rights, subject, strings.Join(n.operations, ", ")))
		}
	}
}

// grant is the command that gives rights. Every partition has a transactional id of its own.
func grant(on kafka.Resource, operations []string) string {
	name := on.Name
	if on.Kind == kafka.KindTransactionalID {
		name = strings.TrimSuffix(name, "0") + " --resource-pattern-type prefixed"
	}
	return fmt.Sprintf("grant it to the user of the program: kafka-acls --add --allow-principal User:… --operation %s --%s %s",
		strings.Join(operations, " --operation "), on.Kind, name)
}

// checkSchemas looks each schema up under its subject; down is the error of a registry that does not answer.
func checkSchemas(ctx context.Context, registry *schemas.Registry, subjects map[string]*schemas.Schema) (found []checkup.Check, down error) {
	for _, topic := range slices.Sorted(maps.Keys(subjects)) {
		subject := schemas.Subject(topic)
		id, err := registry.ID(ctx, subject, subjects[topic])
		switch {
		case errors.Is(err, schemas.ErrNotRegistered):
			found = append(found, checkup.Bad(checkup.Schemas, subject, err.Error(), topicsRemedy))
		case err != nil:
			return nil, err
		default:
			found = append(found, checkLevel(ctx, registry, subject, fmt.Sprintf("registered with id %d", id)))
		}
	}
	return found, nil
}

// checkLevel judges the compatibility of a subject whose schema is registered: programs go on with any, but another writer may
// then register what readers of this stream cannot read.
func checkLevel(ctx context.Context, registry *schemas.Registry, subject, registered string) checkup.Check {
	level, err := registry.Level(ctx, subject)
	switch {
	case err != nil:
		return checkup.Odd(checkup.Schemas, subject, registered+"; its compatibility cannot be read: "+err.Error(),
			"make sure that it is "+schemas.Compatibility+", and that this user may read it (GET /config)")
	case level != schemas.Compatibility:
		return checkup.Odd(checkup.Schemas, subject, registered+"; its compatibility is "+level+", not "+schemas.Compatibility,
			"set it: run 'chatlake topics create' with the same TOPIC_PREFIX and NORMALIZER_OUTPUT")
	}
	return checkup.Good(checkup.Schemas, subject, registered+", "+level)
}
