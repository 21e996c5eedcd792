/** Settings of the record log, and of what every process has. */
import * as setting from '#lib/runtime/settings.ts'

export const logSettings = {
  dataDir: setting.text('DATA_DIR', './data', { meaning: 'folder of the embedded log, the files store and the views' }),
  kafkaBrokers: setting.list('KAFKA_BROKERS', null, {
    meaning: 'Kafka brokers; absent: the embedded log below DATA_DIR',
    expected: 'host:port[,host:port…]',
    item: /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/,
  }),
  kafkaTls: setting.flag('KAFKA_TLS', false, { meaning: 'TLS to the brokers' }),
  kafkaTlsCa: setting.optionalText('KAFKA_TLS_CA', { meaning: "file of the brokers' certificate authority, PEM" }),
  kafkaTlsCert: setting.optionalText('KAFKA_TLS_CERT', { meaning: 'file of our client certificate, PEM' }),
  kafkaTlsKey: setting.optionalText('KAFKA_TLS_KEY', { meaning: 'file of its private key, PEM' }),
  kafkaSasl: setting.choice('KAFKA_SASL', ['none', 'plain', 'scram-sha-256', 'scram-sha-512'], 'none', {
    meaning: 'SASL mechanism',
  }),
  kafkaUser: setting.text('KAFKA_USER', '', { meaning: 'SASL user name' }),
  kafkaPassword: setting.text('KAFKA_PASSWORD', '', { meaning: 'SASL password', secret: true }),
  kafkaCompression: setting.choice('KAFKA_COMPRESSION', ['zstd', 'gzip', 'none'], 'zstd', {
    meaning: 'compression of what we append',
  }),
  kafkaReplication: setting.integer('KAFKA_REPLICATION', 3, {
    min: 1,
    max: 10,
    meaning: 'replication factor of topics that "mailweir topics" makes; min.insync.replicas is 2 where it is above 1',
  }),
  kafkaSessionMs: setting.integer('KAFKA_SESSION_MS', 30_000, {
    unit: 'milliseconds',
    min: 6_000,
    max: 300_000,
    meaning: 'a group member that gives no sign for so long loses its partitions',
  }),
  kafkaRequestMs: setting.integer('KAFKA_REQUEST_MS', 5_000, {
    unit: 'milliseconds',
    min: 500,
    max: 120_000,
    meaning: 'a request to a broker that got no answer for so long has failed',
  }),
  partitions: setting.integer('PARTITIONS', 4, {
    min: 1,
    max: 1_000,
    meaning: 'partitions of mail.raw and of the topics that follow it; the most consumers that can share a stage',
  }),
  recordBytesMax: setting.integer('RECORD_BYTES_MAX', 1_048_576, {
    unit: 'bytes',
    min: 65_536,
    max: 16_777_216,
    meaning: 'largest record; max.message.bytes of the topics must be at least 64 KiB more',
  }),
  otlpEndpoint: setting.optionalText('OTEL_EXPORTER_OTLP_ENDPOINT', {
    meaning:
      'base URL of an OpenTelemetry collector (OTLP over HTTP): the console sends it a span for each step of each message, and records in Kafka carry a traceparent; absent: neither',
  }),
  schemaRegistryUrl: setting.optionalText('SCHEMA_REGISTRY_URL', {
    meaning: 'Confluent-compatible schema registry; absent: Avro single-object encoding',
  }),
} as const
