/**
 * The topics: what each holds, its key, how long it is kept, who writes and who reads it.
 */
import type { RecordName } from './codec.ts'

export type Topic = {
  readonly name: string
  readonly record: RecordName
  readonly key: string
  /** `raw`: as many as mail.raw has, and the same number of the partition; `few`: two; `index`: as many as mail.raw, by mailbox. */
  readonly partitions: 'raw' | 'few' | 'index'
  readonly cleanup: 'delete' | 'compact'
  /** Days that a record is kept; null: for ever, or until compacted. */
  readonly retentionDays: number | null
  readonly writers: readonly string[]
  readonly readers: readonly string[]
}

export const topics = [
  {
    name: 'mail.raw',
    record: 'raw',
    key: 'message id',
    partitions: 'raw',
    cleanup: 'delete',
    retentionDays: 7,
    writers: ['ingest'],
    readers: ['forward', 'classify', 'console', 'replay'],
  },
  {
    name: 'mail.classified',
    record: 'classified',
    key: 'message id',
    partitions: 'raw',
    cleanup: 'delete',
    retentionDays: 1,
    writers: ['classify'],
    readers: ['quarantine', 'routes'],
  },
  {
    name: 'mail.events',
    record: 'event',
    key: 'message id',
    partitions: 'raw',
    cleanup: 'delete',
    retentionDays: 30,
    writers: ['ingest', 'forward', 'classify', 'routes', 'quarantine', 'redrive'],
    readers: ['console', 'replay', 'redrive', 'forward', 'quarantine'],
  },
  {
    name: 'mail.retry',
    record: 'retry',
    key: 'message id',
    partitions: 'few',
    cleanup: 'compact',
    retentionDays: null,
    writers: ['forward', 'redrive'],
    readers: ['forward', 'redrive'],
  },
  {
    name: 'mail.dead',
    record: 'dead',
    key: 'message id',
    partitions: 'few',
    cleanup: 'delete',
    retentionDays: 30,
    writers: ['forward', 'classify', 'routes', 'quarantine'],
    readers: ['console', 'redrive'],
  },
  {
    name: 'mail.index',
    record: 'index',
    key: 'mailbox + message id',
    partitions: 'index',
    cleanup: 'delete',
    retentionDays: 400,
    writers: ['quarantine', 'imap'],
    readers: ['imap'],
  },
  {
    name: 'mail.folders',
    record: 'folder',
    key: 'mailbox + message id',
    partitions: 'few',
    cleanup: 'compact',
    retentionDays: null,
    writers: ['topics', 'imap', 'quarantine'],
    readers: ['imap'],
  },
  {
    name: 'mail.suppressions',
    record: 'suppression',
    key: 'address',
    partitions: 'few',
    cleanup: 'compact',
    retentionDays: null,
    writers: ['console'],
    readers: ['console'],
  },
] as const satisfies readonly Topic[]

/** What one run of `mailweir replay` writes. */
export const replayTopic = (name: string): string => `mail.replay.${name}`
/** Whoever puts this has the name. */
export const replayClaimKey = (name: string): string => `replays/${name}/begun`
/** What it came to. */
export const replayKey = (name: string): string => `replays/${name}.json`
export const replayRetentionDays = 7

export const fewPartitions = 2

/** How many partitions a topic has where mail.raw has `rawPartitions`. */
export const partitionsOf = (topic: Topic, rawPartitions: number): number =>
  topic.partitions === 'few' ? fewPartitions : rawPartitions

/** What the log's admin needs to make or check the topics. */
export const topicSpecs = (
  rawPartitions: number,
): { name: string; partitions: number; cleanup: 'delete' | 'compact'; retentionMs: number | null }[] =>
  topics.map((topic) => ({
    name: topic.name,
    partitions: partitionsOf(topic, rawPartitions),
    cleanup: topic.cleanup,
    retentionMs: topic.retentionDays === null ? null : topic.retentionDays * 86_400_000,
  }))
