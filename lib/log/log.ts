/**
 * The record log, in Kafka's terms. This is the port; `open.ts` names the adapters.
 *
 * What an adapter promises:
 * - `append` resolves when the record would survive the loss of this process, and of any one machine where the log has
 *   more than one (Kafka: acks=all; embedded: the transaction is synced to disk). If it rejects, the record may or may not be there.
 * - Records appended to one explicit partition from one process stand there in the order of the calls. After one of
 *   them failed, those fail too that are called until all have seen it, in the same turn of the event loop: order never has a gap.
 * - A consumer group gives each partition to one member at a time. Records of a partition are handed over in order;
 *   many may be in flight; the committed offset never passes a record whose `process` has not resolved.
 * - At least once: after a crash, or where a partition changes hands, records behind the committed offset come again.
 * - Keys and values are bytes; `null` as a value is a tombstone.
 *
 * Offsets are bigint, instants are epoch milliseconds.
 */

export type Position = { readonly topic: string; readonly partition: number; readonly offset: bigint }

export type AppendRecord = {
  readonly key: string | null
  readonly value: Buffer | null
  /** Absent: the adapter picks one, so that records gathered together go to the same partition. */
  readonly partition?: number
}

export type LogRecord = {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  readonly value: Buffer | null
  readonly timestamp: number
}

export type TopicSpec = {
  readonly name: string
  readonly partitions: number
  readonly cleanup: 'delete' | 'compact'
  /** Null: kept until compacted, or for ever. */
  readonly retentionMs: number | null
}

export type TopicState = TopicSpec & {
  /** Kafka: min.insync.replicas and the replication factor; embedded: 1 of 1. */
  readonly minInsyncReplicas: number
  readonly replicationFactor: number
}

export type PartitionOffsets = { readonly partition: number; readonly earliest: bigint; readonly end: bigint }

export type Committed = { readonly partition: number; readonly offset: bigint | null; readonly metadata: string }

export type Assignment = {
  readonly topic: string
  readonly partition: number
  /** The first offset that will be handed over. */
  readonly offset: bigint
  /** What the last commit carried; empty: none. */
  readonly metadata: string
}

/** What a service does with one partition while it has it. */
export interface PartitionHandler {
  /**
   * Called for each record, in order, without waiting for earlier ones. When it resolves the record is done; a string
   * is kept as the metadata of the commit. When it rejects, the partition starts again from its committed offset,
   * after a pause, with a new handler.
   */
  process(record: LogRecord): Promise<string | undefined | void>
  /** The partition was given away or starts again: drop what is held for it. */
  revoked?(): void
}

export type ConsumeOptions = {
  readonly group: string
  readonly topics: readonly string[]
  /** `earliest` reads each partition whole at every assignment and never commits: for topics that are a set. */
  readonly from?: 'committed' | 'earliest'
  /** Bounds of what is in flight, for each partition. */
  readonly windowRecords: number
  readonly windowBytes: number
  assign(assignment: Assignment): PartitionHandler
}

export interface Consumer {
  /** Resolves when the member has joined its group; rejects if it never will. */
  readonly ready: Promise<void>
  readonly done: Promise<void>
  /** Whether it is a member and reads. */
  isReady(): boolean
  assigned(): readonly { readonly topic: string; readonly partition: number }[]
  /** Takes no more records, waits up to `drainMs` for those in flight, commits, leaves the group. */
  stop(options?: { readonly drainMs?: number }): Promise<void>
}

export type FollowOptions = {
  readonly topic: string
  /** First offset wanted of each partition; a partition that is not named is read from its earliest. */
  readonly from: ReadonlyMap<number, bigint>
  /** Batches of one partition come in order; the next one after this resolved. A rejection ends the follower. */
  apply(records: readonly LogRecord[]): Promise<void> | void
}

/** Reads all partitions of a topic without a group: for views that keep their own offsets. */
export interface Follower {
  readonly ready: Promise<void>
  readonly done: Promise<void>
  stop(): Promise<void>
}

export interface LogAdmin {
  /** Makes topics that are missing; rejects LOG_TOPIC_MISSING where one has another number of partitions. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<{ readonly created: readonly string[] }>
  describeTopics(names: readonly string[]): Promise<readonly (TopicState | null)[]>
  offsets(topic: string): Promise<readonly PartitionOffsets[]>
  /** For each partition the first offset whose timestamp is at or after `at`; its end where there is none. */
  offsetsAt(topic: string, at: number): Promise<ReadonlyMap<number, bigint>>
  committed(group: string, topic: string): Promise<readonly Committed[]>
}

export interface Log {
  readonly adapter: 'kafka' | 'embedded'
  /** Largest record that it takes, bytes of key and value. */
  readonly recordBytesMax: number
  append(topic: string, record: AppendRecord): Promise<Position>
  consume(options: ConsumeOptions): Consumer
  /** Reads a range of one topic without a group and ends: `to` is one behind the last offset wanted. */
  read(
    topic: string,
    range: { readonly from: ReadonlyMap<number, bigint>; readonly to: ReadonlyMap<number, bigint> },
    signal?: AbortSignal,
  ): AsyncIterable<readonly LogRecord[]>
  follow(options: FollowOptions): Follower
  readonly admin: LogAdmin
  /** Whether the log answers now. */
  isReady(): boolean
  /** Waits for what is being appended, then closes. */
  close(): Promise<void>
}
