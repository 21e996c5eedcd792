/** The log on a broker of a test. */
import { type KafkaOptions, openKafkaLog } from '#lib/log/kafka.ts'
import type { Log } from '#lib/log/log.ts'
import { silentLogger } from '#lib/runtime/logger.ts'

export const testKafkaOptions = (brokers: string): KafkaOptions => ({
  brokers: brokers.split(','),
  clientId: 'test',
  logger: silentLogger,
  recordBytesMax: 1_048_576,
  compression: 'zstd',
  tls: null,
  sasl: null,
  replicationFactor: 1,
  sessionTimeoutMs: 6_000,
  requestTimeoutMs: 5_000,
  hasTraceContext: false,
})

export const openTestKafka = (brokers: string): Promise<Log> => Promise.resolve(openKafkaLog(testKafkaOptions(brokers)))
