package metrics

import "slices"

// Families are all metrics, in the order of docs/metrics.md. Names, types and labels are kept: dashboards and alert rules of
// others use them.
var Families = slices.Concat(process, extractor, normalizer)

// process are those of both stages. stage is extractor or normalizer, but for dead letters, whose stages are those of their
// records.
var process = []Family{
	{"chatlake_build_info", Gauge, "", []string{"version", "go_version"}, "Always 1; the labels tell which build runs.", "Compare it over all workers after an upgrade."},
	{"chatlake_ready", Gauge, "", []string{"stage"}, "1 while the stage is a member of its group and broker and state answer (as /readyz), else 0.", "`curl …/readyz` says what is missing."},
	{"chatlake_broker_reachable", Gauge, "", []string{"stage"}, "1 where Kafka answered the last probe (every 10 s), else 0.", "Check the brokers, KAFKA_BROKERS and the network; work goes on by itself when they answer."},
	{"chatlake_registry_reachable", Gauge, "", []string{"stage"}, "1 where the schema registry answered the last probe (every 10 s), else 0.", "Running workers go on without it; starts, and records of a schema not yet seen, wait. Check SCHEMA_REGISTRY_URL and its credentials."},
	{"chatlake_partitions", Gauge, "partitions", []string{"stage"}, "Partitions of every topic of the prefix.", ""},
	{"chatlake_partitions_owned", Gauge, "partitions", []string{"stage"}, "Partitions that this process works on now.", "Where the sum over all workers stays below chatlake_partitions, nobody reads the rest: look at the logs of the group's members."},
	{"chatlake_transaction_duration_seconds", Histogram, "seconds", []string{"stage"}, "Time that a committed Kafka transaction took, from its first record to the answer.", "Above a second: the brokers' disks or replication are slow."},
	{"chatlake_transaction_failures_total", Counter, "transactions", []string{"stage"}, "Transactions that ended in an error; their partition begins again from what is committed.", "A few belong to rebalances and restarts of brokers. Many: the log names the reason."},
	{"chatlake_last_commit_timestamp_seconds", Gauge, "seconds since 1970", []string{"stage", "partition"}, "When the partition's last transaction was committed; when it was taken over, where there was none since.", "An old time is a fault only where there is work: see chatlake_containers and chatlake_normalizer_lag_pages."},
	{"chatlake_dead_letters_total", Counter, "dead letters", []string{"stage", "class"}, "Dead letters committed by this process.", "`chatlake deadletters list` shows them, `chatlake deadletters redrive` asks again."},
}

// extractor are those of the first stage. api is a ce_type; all stands for the platform as a whole.
var extractor = []Family{
	{"chatlake_calls_total", Counter, "calls", []string{"platform", "api", "outcome", "code"}, "Calls sent to the platform, each try for itself; outcome is ok or the class of the error, code the platform's or a word of chatlake.", "Look codes up in the platform's list; `chatlake check` tries the credentials and scopes."},
	{"chatlake_call_duration_seconds", Histogram, "seconds", []string{"platform", "api"}, "Time from sending a call to its whole answer, without the wait for quota.", "Where it rises, the platform or the way to it is slow."},
	{"chatlake_call_retries_total", Counter, "calls", []string{"platform", "api"}, "Calls that repeated one before.", "See chatlake_calls_total for what the first ones ended with."},
	{"chatlake_throttled_calls_total", Counter, "calls", []string{"platform", "api"}, "Calls that the platform refused because the quota was used up.", "Beyond 0.5 % somebody else uses the app's quota: give chatlake an app of its own, or lower FEISHU_RATE_PER_MINUTE or YUNXIN_RATE_PER_SECOND."},
	{"chatlake_last_answer_timestamp_seconds", Gauge, "seconds since 1970", []string{"platform", "api"}, "When the API last gave an answer that was fine; absent before the first.", ""},
	{"chatlake_quota_calls_per_minute", Gauge, "calls", []string{"platform", "api"}, "The app's quota, as set; of all extractors together.", "Take the maximum over workers, not the sum."},
	{"chatlake_quota_allowed_calls_per_minute", Gauge, "calls", []string{"platform", "api"}, "What this process paces at now: its share, and what others leave.", ""},
	{"chatlake_quota_used_calls_per_minute", Gauge, "calls", []string{"platform", "api"}, "Calls that were let through in the last minute.", "The sum near chatlake_quota_calls_per_minute: the quota is the ceiling."},
	{"chatlake_quota_waiting_calls", Gauge, "calls", []string{"platform", "api"}, "Calls that wait for quota now.", ""},
	{"chatlake_platform_out", Gauge, "", []string{"platform", "api"}, "1 while nothing useful comes from the API and only probes are sent, else 0.", "Wait, or look at the way to the platform (proxy, TLS, DNS); reading goes on by itself."},
	{"chatlake_platform_refused", Gauge, "", []string{"platform", "api"}, "1 while the platform refuses the app and one call a minute tries again, else 0.", "`chatlake check` names the credential or scope; mend it and, for a new secret, restart the extractors."},
	{"chatlake_extracted_pages_total", Counter, "pages", []string{"platform"}, "Raw pages committed, with expansions and records of containers themselves.", ""},
	{"chatlake_extracted_bytes_total", Counter, "bytes", []string{"platform"}, "Bytes of the bodies of committed raw pages.", ""},
	{"chatlake_extracted_messages_total", Counter, "messages", []string{"platform"}, "Messages shown by committed pages, repeats counted.", ""},
	{"chatlake_last_page_timestamp_seconds", Gauge, "seconds since 1970", []string{"platform"}, "When a raw page was last committed; the start of the process, where none was.", "Old while containers are to be read: see chatlake_platform_out, chatlake_platform_refused and chatlake_quota_waiting_calls."},
	{"chatlake_containers", Gauge, "containers", []string{"platform", "state"}, "Containers of the partitions of this process by the state of their checkpoints, as folded from the topics: a restart forgets none. Those of a platform that is off are not counted.", "FAILED: `chatlake containers list --state FAILED` names the reason; `containers retry` goes on, `containers cancel` dismisses."},
	{"chatlake_active_containers", Gauge, "containers", []string{"activity"}, "Containers not at their end, by what they do now: running (a page is read), queued (ready), waiting (for a platform or a pause).", "Many queued: the quota or EXTRACTOR_WORKERS is the bound."},
	{"chatlake_oldest_due_timestamp_seconds", Gauge, "seconds since 1970", []string{"platform"}, "Of the containers not at their end, when the one that has waited longest got its last page (or was asked for); absent where none is.", "While a large history is read this is old for many; later it should not be."},
	{"chatlake_newest_message_timestamp_seconds", Gauge, "seconds since 1970", []string{"platform"}, "Time of the newest message that any checkpoint tells of; absent before the first.", "Take the maximum over workers."},
}

// normalizer are those of the second stage.
var normalizer = []Family{
	{"chatlake_normalizer_lag_pages", Gauge, "offsets", []string{"partition"}, "Raw records not yet normalized, transaction markers among them counted; 0 where all is done.", "Rising: more normalizers, up to the number of partitions; see chatlake_transaction_duration_seconds."},
	{"chatlake_normalizer_lag_seconds", Gauge, "seconds", []string{"partition"}, "Age of the oldest raw page not yet normalized, by ce_time; 0 where all is done.", "The same; the log says where state is being built again."},
	{"chatlake_normalized_pages_total", Counter, "pages", nil, "Raw pages normalized.", ""},
	{"chatlake_normalized_bytes_total", Counter, "bytes", nil, "Bytes of raw pages normalized.", ""},
	{"chatlake_published_messages_total", Counter, "versions", []string{"platform", "change"}, "Message versions published, by what they bring.", ""},
	{"chatlake_links_total", Counter, "links", []string{"platform", "link", "status"}, "Links (parent, root) of published versions by their status; a message that is linked again counts again.", "Many PENDING long after reading has ended: `chatlake containers list` for look-ups that wait. Many FORBIDDEN or MISSING: the app does not see what is linked to."},
	{"chatlake_expansions_total", Counter, "merged forwards", []string{"platform", "outcome"}, "Merged forwards in published versions, by how far they were unfolded.", "FAILED and PARTIAL carry a reason in expansion_reason."},
	{"chatlake_lookups_total", Counter, "messages", nil, "Link targets that the extractor was asked for, because no page had shown them.", ""},
	{"chatlake_rebuilt_pages_total", Counter, "pages", nil, "Raw pages read again to build the index.", "Rises after a partition has moved or NORMALIZER_STATE_DIR was lost; keep the directory over restarts."},
	{"chatlake_index_bytes", Gauge, "bytes", nil, "Disk space that the index takes.", ""},
	{"chatlake_index_cache_hits_total", Counter, "blocks", nil, "Blocks of the index found in memory.", "Few hits beside misses: the disk of NORMALIZER_STATE_DIR bounds the speed."},
	{"chatlake_index_cache_misses_total", Counter, "blocks", nil, "Blocks of the index read from disk.", ""},
	{"chatlake_state_free_bytes", Gauge, "bytes", nil, "Free space of the file system of NORMALIZER_STATE_DIR.", "Below 1 GiB make room: at 0 the normalizer ends, and nothing is lost."},
	{"chatlake_state_size_bytes", Gauge, "bytes", nil, "Size of that file system.", ""},
}
