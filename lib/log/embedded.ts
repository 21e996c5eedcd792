/**
 * The record log on SQLite, for one machine: one folder, any number of threads and processes.
 *
 * Owns `log.sqlite` and `groups.sqlite` (`embedded/database.ts`). Appends that arrive while a transaction is synced make
 * up the next one (group commit, no timer); `append` resolves after the sync. The sync runs on the writer's thread
 * (`embedded/writer.ts`), reading on this one: it never blocks a reader by a writer (WAL). A lease on (group, topic,
 * partition) makes one member its reader (`embedded/consumer.ts`).
 *
 * It never deletes what is younger than the topic's retention.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import { type Clock, systemClock } from '#lib/runtime/clock.ts'
import type { Database } from '#lib/runtime/database.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { EmbeddedConsumer } from './embedded/consumer.ts'
import { adoptOffsets, openGroups, openRecords, storageError, type TopicRow, topicRow } from './embedded/database.ts'
import { type Appended, type Batch, Records } from './embedded/records.ts'
import { Writer } from './embedded/writer.ts'
import type {
  AppendRecord,
  Committed,
  ConsumeOptions,
  Consumer,
  Follower,
  FollowOptions,
  Log,
  LogAdmin,
  LogRecord,
  PartitionOffsets,
  Position,
  TopicState,
} from './log.ts'

export type EmbeddedOptions = {
  /** Path of the database file; its folder is made. */
  readonly path: string
  readonly logger: Logger
  readonly clock?: Clock
  /** Largest record, bytes of key and value. */
  readonly recordBytesMax: number
  /** How long a member that gives no sign keeps its partitions, milliseconds. */
  readonly sessionMs?: number
}

/** How often other processes' appends are looked for. */
const pollMs = 5
const sweepMs = 60_000
/** Records read in one step: enough to be quick, few enough to keep the event loop free. */
const readRecords = 256
const readBytes = 4 * 1024 * 1024
/** Appends in one transaction. */
const commitRecords = 1024
const commitBytes = 16 * 1024 * 1024
const tombstoneMs = 24 * 3_600_000

type Pending = {
  topic: string
  record: AppendRecord
  resolve: (position: Position) => void
  reject: (error: unknown) => void
}

export function openEmbeddedLog(options: EmbeddedOptions): Log {
  return new EmbeddedLog(options)
}

class EmbeddedLog implements Log {
  readonly adapter = 'embedded'
  readonly recordBytesMax: number
  /** What reads records; all that is written goes through the writer. */
  readonly #records: Database
  readonly #groups: Database
  readonly #writer: Writer
  readonly #options: EmbeddedOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #topics = new Map<string, TopicRow>()
  #pending: Pending[] = []
  #flushing = false
  #closed = false
  #lastFailureAt = 0
  /** Of the transaction that failed in this turn of the event loop; null: none did. */
  #failure: { readonly error: unknown } | null = null
  readonly #wakers = new Set<() => void>()
  readonly #readers = new Set<{ stop(): Promise<void> }>()
  readonly #poll: NodeJS.Timeout
  readonly #sweep: NodeJS.Timeout
  #dataVersion = 0n

  constructor(options: EmbeddedOptions) {
    this.#options = options
    this.recordBytesMax = options.recordBytesMax
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger
    this.#records = openRecords(options.path)
    this.#groups = openGroups(options.path)
    adoptOffsets(this.#records, this.#groups)
    this.#writer = new Writer(options.path)
    this.#poll = setInterval(() => this.#lookForOthers(), pollMs)
    this.#sweep = setInterval(() => {
      this.sweep().catch((error: unknown) => {
        this.#logger.warn({ event: 'log.sweep.failed', err: error }, 'cannot drop what is past its retention')
      })
    }, sweepMs)
    this.#sweep.unref()
  }

  #topic(name: string): TopicRow {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = topicRow(this.#records, name)
      this.#topics.set(name, topic)
    }
    return topic
  }

  // ---- appending ----------------------------------------------------------------------------------------------------

  append(topic: string, record: AppendRecord): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError())
      const bytes = (record.value?.length ?? 0) + (record.key?.length ?? 0)
      if (bytes > this.#options.recordBytesMax) return reject(tooLarge(topic, bytes, this.#options.recordBytesMax))
      if (this.#failure !== null) return reject(this.#failure.error)
      this.#pending.push({ topic, record, resolve, reject })
      if (!this.#flushing) {
        this.#flushing = true
        setImmediate(() => void this.#flush())
      }
    })
  }

  /** Whatever arrives while a transaction is synced makes up the next one. */
  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      let bytes = 0
      let count = 0
      while (count < this.#pending.length && count < commitRecords && bytes < commitBytes) {
        bytes += this.#pending[count]?.record.value?.length ?? 0
        count++
      }
      const batch = this.#pending.splice(0, count)
      try {
        const appended = await this.#writer.append(pack(batch, this.#clock.now()))
        this.#lastFailureAt = 0
        settle(batch, appended)
        this.#wake()
      } catch (error) {
        this.#lastFailureAt = this.#clock.now()
        for (const { reject } of batch) reject(error)
        // Order within a partition must not have a gap: those that wait behind it fail too, and those that are called before anyone has seen it.
        for (const { reject } of this.#pending.splice(0)) reject(error)
        this.#failure = { error }
        setImmediate(() => {
          this.#failure = null
        })
      }
    }
    this.#flushing = false
  }

  isReady(): boolean {
    return !this.#closed && this.#lastFailureAt === 0
  }

  // ---- being told of news -------------------------------------------------------------------------------------------

  #wake(): void {
    for (const waker of this.#wakers) waker()
  }

  #lookForOthers(): void {
    if (this.#wakers.size === 0 || this.#closed) return
    const version = this.#records.prepare('PRAGMA data_version').get()?.['data_version']
    if (typeof version === 'bigint' && version !== this.#dataVersion) {
      this.#dataVersion = version
      this.#wake()
    }
  }

  /** Resolves at the next append by anyone, or after `ms`. */
  #news(ms: number): { promise: Promise<void>; wake: () => void } {
    let wake = (): void => {}
    const promise = new Promise<void>((resolve) => {
      const timer = setTimeout(() => wake(), ms)
      wake = () => {
        clearTimeout(timer)
        this.#wakers.delete(wake)
        resolve()
      }
      this.#wakers.add(wake)
    })
    return { promise, wake }
  }

  // ---- reading ------------------------------------------------------------------------------------------------------

  #read(topic: string, partition: number, from: bigint, limit: number, bytesMax = readBytes): LogRecord[] {
    const select = this.#select(topic, partition)
    if (select === null) return []
    const records: LogRecord[] = []
    let bytes = 0
    for (const row of select.iterate(from, limit)) {
      const { offset, timestamp, key, value } = row
      if (typeof offset !== 'bigint' || typeof timestamp !== 'bigint') continue
      const data = value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : null
      records.push({
        topic,
        partition,
        offset,
        key: typeof key === 'string' ? key : null,
        value: data,
        timestamp: Number(timestamp),
      })
      bytes += data?.length ?? 0
      if (bytes >= readBytes || bytes >= bytesMax) break
    }
    return records
  }

  async *read(
    topic: string,
    range: { readonly from: ReadonlyMap<number, bigint>; readonly to: ReadonlyMap<number, bigint> },
    signal?: AbortSignal,
  ): AsyncIterable<readonly LogRecord[]> {
    for (const [partition, to] of range.to) {
      let at = range.from.get(partition) ?? 0n
      while (at < to && !signal?.aborted) {
        const records = this.#read(topic, partition, at, readRecords).filter((record) => record.offset < to)
        const last = records.at(-1)
        if (last === undefined) break
        yield records
        at = last.offset + 1n
        await immediate()
      }
    }
  }

  follow(options: FollowOptions): Follower {
    const stopping = new AbortController()
    let joined = (): void => {}
    const ready = new Promise<void>((resolve) => {
      joined = resolve
    })
    let wake = (): void => {}
    const run = async (): Promise<void> => {
      const next = new Map<number, bigint>()
      for (const { partition, earliest } of await this.admin.offsets(options.topic)) {
        const from = options.from.get(partition) ?? earliest
        next.set(partition, from > earliest ? from : earliest)
      }
      joined()
      while (!stopping.signal.aborted) {
        const news = this.#news(1000)
        wake = news.wake
        let found = false
        for (const [partition, from] of next) {
          const records = this.#read(options.topic, partition, from, readRecords)
          const last = records.at(-1)
          if (last === undefined) continue
          found = true
          await options.apply(records)
          next.set(partition, last.offset + 1n)
          if (stopping.signal.aborted) break
        }
        if (found || stopping.signal.aborted) {
          news.wake()
          await immediate()
        } else await news.promise
      }
    }
    const done = run()
    done.catch(() => {}) // Whoever waits for `done` hears it; nobody has to.
    const follower: Follower = {
      ready: Promise.race([ready, done]),
      done,
      stop: async () => {
        stopping.abort()
        wake()
        this.#readers.delete(follower)
        await done.catch(() => {})
      },
    }
    follower.ready.catch(() => {})
    this.#readers.add(follower)
    return follower
  }

  consume(options: ConsumeOptions): Consumer {
    const consumer = new EmbeddedConsumer(options, {
      groups: this.#groups,
      partitions: (topic) => this.#topic(topic).spec.partitions,
      offsets: (topic, partition) => this.#offsets(topic)[partition] ?? { partition, earliest: 0n, end: 0n },
      records: (topic, partition, from, limit, bytesMax) => this.#read(topic, partition, from, limit, bytesMax),
      news: (ms) => this.#news(ms),
      sessionMs: this.#options.sessionMs ?? 10_000,
      clock: this.#clock,
      logger: this.#logger,
      left: () => this.#readers.delete(consumer),
    })
    this.#readers.add(consumer)
    return consumer
  }

  #select(topic: string, partition: number) {
    const table = this.#topic(topic).tables[partition]
    return table === undefined
      ? null
      : this.#records.prepare(
          `SELECT offset, timestamp, key, value FROM ${table} WHERE offset >= ? ORDER BY offset LIMIT ?`,
        )
  }

  #offsets(topic: string): PartitionOffsets[] {
    return this.#records
      .prepare('SELECT partition, earliest, end FROM ends WHERE topic = ? ORDER BY partition')
      .all(this.#topic(topic).id)
      .map((row) => ({
        partition: Number(row['partition']),
        earliest: BigInt(row['earliest'] as bigint), // The column is an integer: setReadBigInts gives a bigint.
        end: BigInt(row['end'] as bigint), // As above.
      }))
  }

  // ---- admin --------------------------------------------------------------------------------------------------------

  readonly admin: LogAdmin = {
    ensureTopics: async (specs) => {
      // At the start, before anything is appended: it needs no thread for that.
      try {
        return { created: new Records(this.#records).ensureTopics(specs) }
      } catch (error) {
        throw storageError(error)
      } finally {
        this.#topics.clear()
      }
    },
    describeTopics: async (names) =>
      names.map((name): TopicState | null => {
        try {
          return { ...this.#topic(name).spec, minInsyncReplicas: 1, replicationFactor: 1 }
        } catch {
          return null
        }
      }),
    offsets: async (topic) => this.#offsets(topic),
    offsetsAt: async (topic, at) => {
      const found = new Map<number, bigint>()
      for (const { partition, earliest, end } of this.#offsets(topic)) {
        // Timestamps never fall within a partition, so halving finds the first one at or after `at`.
        let low = earliest
        let high = end
        while (low < high) {
          const middle = (low + high) / 2n
          const row = this.#select(topic, partition)?.get(middle, 1)
          const offset = row?.['offset']
          if (typeof offset !== 'bigint' || Number(row?.['timestamp']) >= at) high = middle
          else low = offset + 1n
        }
        found.set(partition, low)
      }
      return found
    },
    committed: async (group, topic): Promise<readonly Committed[]> =>
      Array.from({ length: this.#topic(topic).spec.partitions }, (_, partition) => {
        const row = this.#groups
          .prepare('SELECT offset, metadata FROM offsets WHERE grp = ? AND topic = ? AND partition = ?')
          .get(group, topic, partition)
        return {
          partition,
          offset: typeof row?.['offset'] === 'bigint' ? row['offset'] : null,
          metadata: String(row?.['metadata'] ?? ''),
        }
      }),
  }

  /** Drops what is past its topic's retention, and compacts; called by a timer, and by tests. */
  async sweep(): Promise<void> {
    for (const { name } of this.#records.prepare('SELECT name FROM topics').all()) {
      const topic = String(name)
      const { cleanup, retentionMs, partitions } = this.#topic(topic).spec
      if (cleanup === 'compact') {
        for (let partition = 0; partition < partitions; partition++) {
          await this.#writer.compact(topic, partition, this.#clock.now() - tombstoneMs)
        }
      } else if (retentionMs !== null) {
        for (const [partition, before] of await this.admin.offsetsAt(topic, this.#clock.now() - retentionMs)) {
          while (!this.#closed && (await this.#writer.drop(topic, partition, before)));
        }
      }
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const reader of [...this.#readers]) await reader.stop()
    while (this.#flushing) await immediate()
    this.#closed = true
    clearInterval(this.#poll)
    clearInterval(this.#sweep)
    for (const waker of [...this.#wakers]) waker()
    await this.#writer.close()
    this.#topics.clear()
    this.#groups.close()
    this.#records.close()
  }
}

function pack(batch: readonly Pending[], now: number): Batch {
  const topics: string[] = []
  const topic = new Uint16Array(batch.length)
  const partition = new Int32Array(batch.length)
  const lengths = new Int32Array(batch.length)
  const keys: (string | null)[] = []
  let bytes = 0
  batch.forEach((pending, index) => {
    const { key, value, partition: given } = pending.record
    let which = topics.indexOf(pending.topic)
    if (which < 0) which = topics.push(pending.topic) - 1
    topic[index] = which
    partition[index] = given ?? -1
    lengths[index] = value?.length ?? -1
    keys.push(key)
    bytes += value?.length ?? 0
  })
  const values = new Uint8Array(bytes)
  let at = 0
  for (const { record } of batch) {
    if (record.value === null) continue
    values.set(record.value, at)
    at += record.value.length
  }
  return { now, topics, topic, partition, keys, lengths, values }
}

function settle(batch: readonly Pending[], { partition, offset }: Appended): void {
  batch.forEach(({ topic, record, resolve, reject }, index) => {
    const placed = partition[index] ?? -1
    if (placed >= 0) resolve({ topic, partition: placed, offset: offset[index] ?? 0n })
    else {
      const missing = `The log has no topic ${topic}${record.partition === undefined ? '' : ` with a partition ${record.partition}`}`
      reject(new MailweirError('LOG_TOPIC_MISSING', missing, { fields: { topic, partition: record.partition } }))
    }
  })
}

const closedError = (): MailweirError => new MailweirError('LOG_CLOSED', 'The log is closed', { retriable: false })

const tooLarge = (topic: string, bytes: number, max: number): MailweirError =>
  new MailweirError('LOG_RECORD_TOO_LARGE', `A record for ${topic} has ${bytes} bytes; the log takes ${max}`, {
    fields: { topic, bytes, max },
  })
