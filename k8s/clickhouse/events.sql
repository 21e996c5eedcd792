-- mail.events in ClickHouse: docs/operate/analytics.md. Needs SCHEMA_REGISTRY_URL in Mailweir, so that records name their schema.

CREATE TABLE events_topic
(
    messageId String,
    type String,
    at Int64,
    service String,
    position Tuple(partition Int32, offset Int64),
    size Int64,
    clientAddress String,
    host String,
    reply String,
    attempt Int32,
    addedDelayMs Int64,
    legacyMs Int64,
    state String,
    recipients Array(Tuple(address String, status String, reason String, permanent Bool, reply String)),
    kind String,
    variant String,
    confidence Float64,
    original Map(String, String),
    reporter String,
    mailbox String
)
ENGINE = Kafka
SETTINGS kafka_broker_list = 'kafka:9092', kafka_topic_list = 'mail.events', kafka_group_name = 'clickhouse',
    kafka_format = 'AvroConfluent', format_avro_schema_registry_url = 'http://schema-registry:8081';

-- A record that comes again replaces itself: its position and its step are the same.
CREATE TABLE events
(
    message_id String,
    type LowCardinality(String),
    at DateTime64(3, 'UTC'),
    service LowCardinality(String),
    partition Int32,
    position Int64,
    size Int64,
    client String,
    host LowCardinality(String),
    reply String,
    attempt Int32,
    added_delay_ms Int64,
    legacy_ms Int64,
    state LowCardinality(String),
    recipient String,
    domain LowCardinality(String),
    status LowCardinality(String),
    reason LowCardinality(String),
    permanent Bool,
    diagnostic String,
    recipients UInt32,
    kind LowCardinality(String),
    variant LowCardinality(String),
    confidence Float64,
    campaign LowCardinality(String),
    reporter LowCardinality(String),
    mailbox LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (type, partition, position, at, message_id)
TTL toDateTime(at) + INTERVAL 400 DAY;

CREATE MATERIALIZED VIEW events_of_topic TO events AS
SELECT
    messageId AS message_id,
    type,
    fromUnixTimestamp64Milli(topic.at, 'UTC') AS at,
    service,
    tupleElement(topic.position, 'partition') AS partition,
    tupleElement(topic.position, 'offset') AS position,
    size,
    clientAddress AS client,
    host,
    reply,
    attempt,
    addedDelayMs AS added_delay_ms,
    legacyMs AS legacy_ms,
    state,
    tupleElement(topic.recipients[1], 'address') AS recipient,
    lower(extract(recipient, '@([^@]+)$')) AS domain,
    tupleElement(topic.recipients[1], 'status') AS status,
    tupleElement(topic.recipients[1], 'reason') AS reason,
    tupleElement(topic.recipients[1], 'permanent') AS permanent,
    tupleElement(topic.recipients[1], 'reply') AS diagnostic,
    length(topic.recipients) AS recipients,
    kind,
    variant,
    confidence,
    original['campaign'] AS campaign,
    reporter,
    mailbox
FROM events_topic AS topic;
