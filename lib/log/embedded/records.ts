/**
 * All that is written to `log.sqlite`, one transaction for each call. Each call blocks until the disk has it: it runs on the
 * writer's thread, but for the making of topics at the start.
 */
import type { Database } from '#lib/runtime/database.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { TopicSpec } from '../log.ts'
import { type TopicRow, topicRow } from './database.ts'

/** Appends that make up one transaction, packed so that they cross threads as one block. */
export type Batch = {
  /** Epoch milliseconds, for their timestamps. */
  readonly now: number
  /** The topics that the batch names, each once. */
  readonly topics: readonly string[]
  /** Of each record: the index of its topic. */
  readonly topic: Uint16Array<ArrayBuffer>
  /** Of each record: its partition; -1: any. */
  readonly partition: Int32Array<ArrayBuffer>
  readonly keys: readonly (string | null)[]
  /** Of each record: the bytes of its value; -1: null. */
  readonly lengths: Int32Array<ArrayBuffer>
  /** The values, one after the other. */
  readonly values: Uint8Array<ArrayBuffer>
}

/** Where they went; partition -1: the topic has no such partition, or there is no such topic. */
export type Appended = { readonly partition: Int32Array<ArrayBuffer>; readonly offset: BigInt64Array<ArrayBuffer> }

/** Records dropped in one transaction: few enough that appends need not wait for long. */
const dropRecords = 2048n

export class Records {
  readonly #db: Database
  readonly #topics = new Map<string, TopicRow>()
  /** Which partition the next batch of a topic goes to, where it may go to any. */
  readonly #turns = new Map<string, number>()

  constructor(db: Database) {
    this.#db = db
  }

  append(batch: Batch): Appended {
    const count = batch.topic.length
    const placed: Appended = { partition: new Int32Array(count).fill(-1), offset: new BigInt64Array(count) }
    this.#db.transaction(() => {
      const ends = new Map<string, { topic: TopicRow; partition: number; end: bigint; timestamp: bigint }>()
      const topics = batch.topics.map((name) => this.#topic(name))
      const turns = topics.map((topic) => (topic === null ? 0 : this.#turn(topic)))
      const now = BigInt(batch.now)
      let at = 0
      for (let index = 0; index < count; index++) {
        const length = batch.lengths[index] ?? -1
        const value = length < 0 ? null : batch.values.subarray(at, at + length)
        at += Math.max(0, length)
        const which = batch.topic[index] ?? 0
        const topic = topics[which] ?? null
        const given = batch.partition[index] ?? -1
        const partition = given < 0 ? (turns[which] ?? 0) : given
        const table = topic?.tables[partition]
        if (topic === null || table === undefined) continue
        let end = ends.get(table)
        if (end === undefined) {
          end = { topic, partition, ...this.#end(topic, partition, now) }
          ends.set(table, end)
        }
        this.#db
          .prepare(`INSERT INTO ${table} (offset, timestamp, key, value) VALUES (?, ?, ?, ?)`)
          .run(end.end, end.timestamp, batch.keys[index] ?? null, value)
        placed.partition[index] = partition
        placed.offset[index] = end.end++
      }
      for (const { topic, partition, end, timestamp } of ends.values()) {
        this.#db
          .prepare('UPDATE ends SET end = ?, timestamp = ? WHERE topic = ? AND partition = ?')
          .run(end, timestamp, topic.id, partition)
      }
    })
    return placed
  }

  /** Timestamps never fall within a partition. */
  #end(topic: TopicRow, partition: number, now: bigint): { end: bigint; timestamp: bigint } {
    const row = this.#db
      .prepare('SELECT end, timestamp FROM ends WHERE topic = ? AND partition = ?')
      .get(topic.id, partition)
    const newest = row?.['timestamp']
    return {
      end: typeof row?.['end'] === 'bigint' ? row['end'] : 0n,
      timestamp: typeof newest === 'bigint' && newest > now ? newest : now,
    }
  }

  #topic(name: string): TopicRow | null {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    try {
      const topic = topicRow(this.#db, name)
      this.#topics.set(name, topic)
      return topic
    } catch (error) {
      if (error instanceof MailweirError) return null
      throw error
    }
  }

  #turn({ spec }: TopicRow): number {
    const turn = this.#turns.get(spec.name) ?? Math.floor(Math.random() * spec.partitions)
    this.#turns.set(spec.name, (turn + 1) % spec.partitions)
    return turn
  }

  /**
   * @returns the names of those that did not exist
   * @throws {MailweirError} LOG_TOPIC_MISSING: one exists with another number of partitions
   */
  ensureTopics(specs: readonly TopicSpec[]): string[] {
    this.#topics.clear()
    return this.#db.transaction(() => specs.filter((spec) => this.#ensureTopic(spec)).map(({ name }) => name))
  }

  #ensureTopic(spec: TopicSpec): boolean {
    const row = this.#db.prepare('SELECT partitions FROM topics WHERE name = ?').get(spec.name)
    if (row !== undefined) {
      if (Number(row['partitions']) !== spec.partitions) {
        throw new MailweirError(
          'LOG_TOPIC_MISSING',
          `Topic ${spec.name} has ${row['partitions']} partitions, not ${spec.partitions}: set PARTITIONS to what the log was made with`,
          { fields: { topic: spec.name } },
        )
      }
      this.#db
        .prepare('UPDATE topics SET cleanup = ?, retention_ms = ? WHERE name = ?')
        .run(spec.cleanup, spec.retentionMs, spec.name)
      return false
    }
    const { lastInsertRowid: id } = this.#db
      .prepare('INSERT INTO topics (name, partitions, cleanup, retention_ms) VALUES (?, ?, ?, ?)')
      .run(spec.name, spec.partitions, spec.cleanup, spec.retentionMs)
    for (let partition = 0; partition < spec.partitions; partition++) {
      const table = `records_${id}_${partition}`
      this.#db.exec(
        `CREATE TABLE ${table} (offset INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key TEXT, value BLOB) STRICT`,
      )
      if (spec.cleanup === 'compact') this.#db.exec(`CREATE INDEX ${table}_key ON ${table} (key, offset)`)
      this.#db
        .prepare('INSERT INTO ends (topic, partition, earliest, end, timestamp) VALUES (?, ?, 0, 0, 0)')
        .run(id, partition)
    }
    return true
  }

  /**
   * Drops records before an offset, the oldest first.
   * @returns whether there is more to drop
   */
  drop(name: string, partition: number, before: bigint): boolean {
    const topic = this.#topic(name)
    const table = topic?.tables[partition]
    if (topic === null || table === undefined) return false
    return this.#db.transaction(() => {
      const row = this.#db
        .prepare('SELECT earliest FROM ends WHERE topic = ? AND partition = ?')
        .get(topic.id, partition)
      const earliest = typeof row?.['earliest'] === 'bigint' ? row['earliest'] : before
      if (earliest >= before) return false
      const to = earliest + dropRecords < before ? earliest + dropRecords : before
      this.#db.prepare(`DELETE FROM ${table} WHERE offset < ?`).run(to)
      this.#db.prepare('UPDATE ends SET earliest = ? WHERE topic = ? AND partition = ?').run(to, topic.id, partition)
      return to < before
    })
  }

  /**
   * Keeps the newest record of each key; tombstones go when they are older than `tombstonesBefore` (epoch ms). The last record of all
   * stays, whatever it is, as Kafka's active segment does: who reads up to the end must come to it.
   */
  compact(name: string, partition: number, tombstonesBefore: number): void {
    const table = this.#topic(name)?.tables[partition]
    if (table === undefined) return
    this.#db.transaction(() => {
      this.#db.exec(
        `DELETE FROM ${table} WHERE offset < (SELECT max(newer.offset) FROM ${table} AS newer WHERE newer.key = ${table}.key)`,
      )
      this.#db
        .prepare(
          `DELETE FROM ${table} WHERE value IS NULL AND timestamp < ? AND offset < (SELECT max(offset) FROM ${table})`,
        )
        .run(tombstonesBefore)
    })
  }

  close(): void {
    this.#db.close()
  }
}
