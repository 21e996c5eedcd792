/**
 * The record log on SQLite, for one machine: one file, any number of threads and processes.
 *
 * Owns `log.sqlite`: a table for each partition (rowid = offset), the topics, the groups' offsets, their members and
 * leases. Appends that arrive while a transaction is synced make up the next one (group commit, no timer); `append`
 * resolves after the sync. Commits of offsets are not synced on their own: a power cut may give records again, never
 * lose one. A lease on (group, topic, partition) makes one member its reader; leases of processes that died are free
 * at once, those of hung ones after `sessionMs`.
 *
 * It never blocks a reader by a writer (WAL), and never deletes what is younger than the topic's retention.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate as immediate } from 'node:timers/promises'
import { type Clock, systemClock } from '#lib/runtime/clock.ts'
import { describeError, MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { backoffDelay, reconnectBackoff } from '#lib/runtime/retry.ts'
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
  TopicSpec,
  TopicState,
} from './log.ts'
import { Window } from './window.ts'

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

/** How often other processes' appends are looked for, and how often a member shows that it lives. */
const pollMs = 25
const heartbeatMs = 250
const sweepMs = 60_000
/** Records read in one step: enough to be quick, few enough to keep the event loop free. */
const readRecords = 256
const readBytes = 4 * 1024 * 1024
/** Appends in one transaction. */
const commitRecords = 1024
const commitBytes = 16 * 1024 * 1024
const tombstoneMs = 24 * 3_600_000
const busyMs = 10_000

type Pending = {
  topic: string
  record: AppendRecord
  resolve: (position: Position) => void
  reject: (error: unknown) => void
}
type Partition = {
  readonly table: string
  readonly insert: StatementSync
  readonly select: StatementSync
}
type TopicEntry = {
  readonly id: number
  readonly spec: TopicSpec
  readonly partitions: readonly Partition[]
  turn: number
}

export function openEmbeddedLog(options: EmbeddedOptions): Log {
  return new EmbeddedLog(options)
}

class EmbeddedLog implements Log {
  readonly adapter = 'embedded'
  readonly #db: DatabaseSync
  /** A second connection whose transactions are not synced: offsets, members, leases. */
  readonly #lazy: DatabaseSync
  readonly #options: EmbeddedOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #topics = new Map<string, TopicEntry>()
  readonly #statements = new Map<string, StatementSync>()
  #pending: Pending[] = []
  #flushing = false
  #closed = false
  #lastFailureAt = 0
  readonly #wakers = new Set<() => void>()
  readonly #readers = new Set<{ stop(): Promise<void> }>()
  readonly #poll: NodeJS.Timeout
  readonly #sweep: NodeJS.Timeout
  #dataVersion = 0n

  constructor(options: EmbeddedOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger
    mkdirSync(dirname(options.path), { recursive: true })
    this.#db = this.#open('FULL')
    this.#lazy = this.#open('NORMAL')
    this.#poll = setInterval(() => this.#lookForOthers(), pollMs)
    this.#sweep = setInterval(() => {
      this.sweep().catch((error: unknown) => {
        this.#logger.warn({ event: 'log.sweep.failed', err: error }, 'cannot drop what is past its retention')
      })
    }, sweepMs)
    this.#sweep.unref()
  }

  #open(synchronous: 'FULL' | 'NORMAL'): DatabaseSync {
    const db = new DatabaseSync(this.#options.path, { timeout: busyMs })
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA wal_autocheckpoint = 4000;
      PRAGMA cache_size = -8192;
      CREATE TABLE IF NOT EXISTS topics (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, partitions INTEGER NOT NULL,
        cleanup TEXT NOT NULL, retention_ms INTEGER) STRICT;
      CREATE TABLE IF NOT EXISTS ends (topic INTEGER NOT NULL, partition INTEGER NOT NULL, earliest INTEGER NOT NULL,
        end INTEGER NOT NULL, timestamp INTEGER NOT NULL, PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS offsets (grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        offset INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS members (grp TEXT NOT NULL, member TEXT NOT NULL, pid INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, PRIMARY KEY (grp, member)) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS leases (grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        member TEXT NOT NULL, PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;`)
    return db
  }

  #prepare(db: DatabaseSync, sql: string): StatementSync {
    const key = `${db === this.#db ? 'f' : 'l'} ${sql}`
    let statement = this.#statements.get(key)
    if (statement === undefined) {
      statement = db.prepare(sql)
      statement.setReadBigInts(true)
      this.#statements.set(key, statement)
    }
    return statement
  }

  #topic(name: string): TopicEntry {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const row = this.#prepare(this.#db, 'SELECT id, partitions, cleanup, retention_ms FROM topics WHERE name = ?').get(
      name,
    )
    if (row === undefined) {
      throw new MailweirError('LOG_TOPIC_MISSING', `The log has no topic ${name}`, { fields: { topic: name } })
    }
    const id = Number(row['id'])
    const spec: TopicSpec = {
      name,
      partitions: Number(row['partitions']),
      cleanup: row['cleanup'] === 'compact' ? 'compact' : 'delete',
      retentionMs: row['retention_ms'] === null ? null : Number(row['retention_ms']),
    }
    const entry: TopicEntry = {
      id,
      spec,
      turn: Math.floor(Math.random() * spec.partitions),
      partitions: Array.from({ length: spec.partitions }, (_, partition) => {
        const table = `records_${id}_${partition}`
        return {
          table,
          insert: this.#prepare(this.#db, `INSERT INTO ${table} (offset, timestamp, key, value) VALUES (?, ?, ?, ?)`),
          select: this.#prepare(
            this.#db,
            `SELECT offset, timestamp, key, value FROM ${table} WHERE offset >= ? ORDER BY offset LIMIT ?`,
          ),
        }
      }),
    }
    this.#topics.set(name, entry)
    return entry
  }

  // ---- appending ----------------------------------------------------------------------------------------------------

  append(topic: string, record: AppendRecord): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError())
      const bytes = (record.value?.length ?? 0) + (record.key?.length ?? 0)
      if (bytes > this.#options.recordBytesMax) return reject(tooLarge(topic, bytes, this.#options.recordBytesMax))
      this.#pending.push({ topic, record, resolve, reject })
      if (!this.#flushing) {
        this.#flushing = true
        setImmediate(() => void this.#flush())
      }
    })
  }

  async #flush(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        let bytes = 0
        let count = 0
        while (count < this.#pending.length && count < commitRecords && bytes < commitBytes) {
          bytes += this.#pending[count]?.record.value?.length ?? 0
          count++
        }
        const batch = this.#pending.splice(0, count)
        this.#write(batch)
        this.#wake()
        // The sync has blocked this thread; whatever arrived meanwhile is read now and makes up the next transaction.
        await immediate()
      }
    } finally {
      this.#flushing = false
    }
  }

  #write(batch: readonly Pending[]): void {
    const positions: (Position | MailweirError)[] = []
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      const ends = new Map<string, { topic: TopicEntry; partition: number; end: bigint; timestamp: bigint }>()
      const turns = new Map<TopicEntry, number>()
      const now = BigInt(this.#clock.now())
      for (const { topic: name, record } of batch) {
        let topic: TopicEntry
        try {
          topic = this.#topic(name)
        } catch (error) {
          if (!(error instanceof MailweirError)) throw error
          positions.push(error)
          continue
        }
        let number = record.partition
        if (number === undefined) {
          number = turns.get(topic) ?? topic.turn++ % topic.spec.partitions
          turns.set(topic, number)
        }
        const partition = topic.partitions[number]
        if (partition === undefined) {
          positions.push(
            new MailweirError('LOG_TOPIC_MISSING', `Topic ${name} has no partition ${number}`, {
              fields: { topic: name, partition: number },
            }),
          )
          continue
        }
        const key = `${topic.id} ${number}`
        let end = ends.get(key)
        if (end === undefined) {
          const row = this.#prepare(this.#db, 'SELECT end, timestamp FROM ends WHERE topic = ? AND partition = ?').get(
            topic.id,
            number,
          )
          const newest = row?.['timestamp']
          end = {
            topic,
            partition: number,
            end: typeof row?.['end'] === 'bigint' ? row['end'] : 0n,
            timestamp: typeof newest === 'bigint' && newest > now ? newest : now,
          }
          ends.set(key, end)
        }
        partition.insert.run(end.end, end.timestamp, record.key, record.value)
        positions.push({ topic: name, partition: number, offset: end.end })
        end.end++
      }
      for (const end of ends.values()) {
        this.#prepare(this.#db, 'UPDATE ends SET end = ?, timestamp = ? WHERE topic = ? AND partition = ?').run(
          end.end,
          end.timestamp,
          end.topic.id,
          end.partition,
        )
      }
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#lastFailureAt = this.#clock.now()
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      const failure = storageError(error)
      for (const { reject } of batch) reject(failure)
      // Those that wait behind it fail too: order within a partition must not have a gap.
      for (const { reject } of this.#pending.splice(0)) reject(failure)
      return
    }
    this.#lastFailureAt = 0
    batch.forEach(({ resolve, reject }, index) => {
      const position = positions[index]
      if (position instanceof MailweirError) reject(position)
      else if (position !== undefined) resolve(position)
    })
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
    const version = this.#prepare(this.#lazy, 'PRAGMA data_version').get()?.['data_version']
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

  #records(topic: string, partition: number, from: bigint, limit: number): LogRecord[] {
    const entry = this.#topic(topic).partitions[partition]
    if (entry === undefined) return []
    const records: LogRecord[] = []
    let bytes = 0
    for (const row of entry.select.iterate(from, limit)) {
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
      if (bytes >= readBytes) break
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
        const records = this.#records(topic, partition, at, readRecords).filter((record) => record.offset < to)
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
          const records = this.#records(options.topic, partition, from, readRecords)
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
      lazy: this.#lazy,
      prepare: (sql) => this.#prepare(this.#lazy, sql),
      partitions: (topic) => this.#topic(topic).spec.partitions,
      earliest: (topic, partition) => this.#earliest(topic, partition),
      records: (topic, partition, from, limit) => this.#records(topic, partition, from, limit),
      news: (ms) => this.#news(ms),
      sessionMs: this.#options.sessionMs ?? 10_000,
      clock: this.#clock,
      logger: this.#logger,
      left: () => this.#readers.delete(consumer),
    })
    this.#readers.add(consumer)
    return consumer
  }

  #earliest(topic: string, partition: number): bigint {
    const row = this.#prepare(this.#lazy, 'SELECT earliest FROM ends WHERE topic = ? AND partition = ?').get(
      this.#topic(topic).id,
      partition,
    )
    return typeof row?.['earliest'] === 'bigint' ? row['earliest'] : 0n
  }

  // ---- admin --------------------------------------------------------------------------------------------------------

  readonly admin: LogAdmin = {
    ensureTopics: async (specs) => {
      const created: string[] = []
      this.#db.exec('BEGIN IMMEDIATE')
      try {
        for (const spec of specs) {
          const row = this.#prepare(this.#db, 'SELECT id, partitions FROM topics WHERE name = ?').get(spec.name)
          if (row !== undefined) {
            if (Number(row['partitions']) !== spec.partitions) {
              throw new MailweirError(
                'LOG_TOPIC_MISSING',
                `Topic ${spec.name} has ${row['partitions']} partitions, not ${spec.partitions}: set PARTITIONS to what the log was made with`,
                { fields: { topic: spec.name } },
              )
            }
            this.#prepare(this.#db, 'UPDATE topics SET cleanup = ?, retention_ms = ? WHERE name = ?').run(
              spec.cleanup,
              spec.retentionMs,
              spec.name,
            )
            continue
          }
          const { lastInsertRowid: id } = this.#prepare(
            this.#db,
            'INSERT INTO topics (name, partitions, cleanup, retention_ms) VALUES (?, ?, ?, ?)',
          ).run(spec.name, spec.partitions, spec.cleanup, spec.retentionMs)
          for (let partition = 0; partition < spec.partitions; partition++) {
            const table = `records_${id}_${partition}`
            this.#db.exec(
              `CREATE TABLE ${table} (offset INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key TEXT, value BLOB) STRICT`,
            )
            if (spec.cleanup === 'compact') this.#db.exec(`CREATE INDEX ${table}_key ON ${table} (key, offset)`)
            this.#prepare(
              this.#db,
              'INSERT INTO ends (topic, partition, earliest, end, timestamp) VALUES (?, ?, 0, 0, 0)',
            ).run(id, partition)
          }
          created.push(spec.name)
        }
        this.#db.exec('COMMIT')
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
        throw error instanceof MailweirError ? error : storageError(error)
      }
      this.#topics.clear()
      return { created }
    },
    describeTopics: async (names) =>
      names.map((name): TopicState | null => {
        try {
          return { ...this.#topic(name).spec, minInsyncReplicas: 1, replicationFactor: 1 }
        } catch {
          return null
        }
      }),
    offsets: async (topic): Promise<readonly PartitionOffsets[]> =>
      this.#prepare(this.#lazy, 'SELECT partition, earliest, end FROM ends WHERE topic = ? ORDER BY partition')
        .all(this.#topic(topic).id)
        .map((row) => ({
          partition: Number(row['partition']),
          earliest: BigInt(row['earliest'] as bigint), // The column is an integer: setReadBigInts gives a bigint.
          end: BigInt(row['end'] as bigint), // As above.
        })),
    offsetsAt: async (topic, at) => {
      const entry = this.#topic(topic)
      const found = new Map<number, bigint>()
      for (const { partition, earliest, end } of await this.admin.offsets(topic)) {
        // Timestamps never fall within a partition, so halving finds the first one at or after `at`.
        let low = earliest
        let high = end
        while (low < high) {
          const middle = (low + high) / 2n
          const row = entry.partitions[partition]?.select.get(middle, 1)
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
        const row = this.#prepare(
          this.#lazy,
          'SELECT offset, metadata FROM offsets WHERE grp = ? AND topic = ? AND partition = ?',
        ).get(group, topic, partition)
        return {
          partition,
          offset: typeof row?.['offset'] === 'bigint' ? row['offset'] : null,
          metadata: String(row?.['metadata'] ?? ''),
        }
      }),
  }

  /** Drops what is past its topic's retention, and compacts; called by a timer, and by tests. */
  async sweep(): Promise<void> {
    const names = this.#prepare(this.#db, 'SELECT name FROM topics').all()
    for (const { name } of names) {
      const topic = this.#topic(String(name))
      const cutoff = topic.spec.retentionMs === null ? null : this.#clock.now() - topic.spec.retentionMs
      const kept = cutoff === null ? null : await this.admin.offsetsAt(String(name), cutoff)
      for (const [partition, { table }] of topic.partitions.entries()) {
        const from = kept?.get(partition)
        this.#transaction(() => {
          if (topic.spec.cleanup === 'compact') {
            this.#db.exec(`DELETE FROM ${table} WHERE offset < (SELECT max(newer.offset) FROM ${table} AS newer WHERE newer.key = ${table}.key);
              DELETE FROM ${table} WHERE value IS NULL AND timestamp < ${this.#clock.now() - tombstoneMs}`)
          } else if (from !== undefined && from > this.#earliest(String(name), partition)) {
            this.#db.exec(`DELETE FROM ${table} WHERE offset < ${from};
              UPDATE ends SET earliest = ${from} WHERE topic = ${topic.id} AND partition = ${partition}`)
          }
        })
        await immediate()
      }
    }
  }

  #transaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw storageError(error)
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
    this.#statements.clear()
    this.#topics.clear()
    this.#lazy.close()
    this.#db.close()
  }
}

type ConsumerPorts = {
  readonly lazy: DatabaseSync
  prepare(sql: string): StatementSync
  partitions(topic: string): number
  earliest(topic: string, partition: number): bigint
  records(topic: string, partition: number, from: bigint, limit: number): LogRecord[]
  news(ms: number): { promise: Promise<void>; wake: () => void }
  readonly sessionMs: number
  readonly clock: Clock
  readonly logger: Logger
  left(): void
}

/** One member of a consumer group. */
class EmbeddedConsumer implements Consumer {
  readonly ready: Promise<void>
  readonly done: Promise<void>
  readonly #options: ConsumeOptions
  readonly #ports: ConsumerPorts
  readonly #member = randomUUID()
  readonly #windows = new Map<string, Window>()
  /** Partitions that start again, and when. */
  readonly #resting = new Map<string, { until: number; attempt: number }>()
  readonly #attempts = new Map<string, number>()
  #stopping = false
  #drainUntil = 0
  #joined = false
  #wake = (): void => {}
  #heartbeatAt = 0

  constructor(options: ConsumeOptions, ports: ConsumerPorts) {
    this.#options = options
    this.#ports = ports
    let joined = (): void => {}
    const first = new Promise<void>((resolve) => {
      joined = resolve
    })
    this.done = this.#run(joined)
    this.done.catch(() => {})
    this.ready = Promise.race([first, this.done])
    this.ready.catch(() => {})
  }

  isReady(): boolean {
    return this.#joined && !this.#stopping
  }

  assigned() {
    return [...this.#windows.values()].map(({ topic, partition }) => ({ topic, partition }))
  }

  async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#drainUntil = this.#ports.clock.now() + (options.drainMs ?? 5_000)
    this.#stopping = true
    this.#wake()
    await this.done.catch(() => {})
  }

  async #run(joined: () => void): Promise<void> {
    const { clock } = this.#ports
    try {
      for (;;) {
        const news = this.#ports.news(this.#stopping ? 20 : 200)
        this.#wake = news.wake
        if (clock.now() >= this.#heartbeatAt) {
          this.#heartbeatAt = clock.now() + heartbeatMs
          this.#rebalance()
          if (!this.#joined) {
            this.#joined = true
            joined()
          }
        }
        let read = 0
        for (const window of this.#windows.values()) {
          if (window.failed !== undefined) this.#restart(window)
          else if (!this.#stopping) read += this.#fill(window)
        }
        this.#commit()
        if (this.#stopping) {
          const inFlight = [...this.#windows.values()].some((window) => window.inFlight > 0)
          if (!inFlight || clock.now() >= this.#drainUntil) break
        }
        if (read > 0) {
          news.wake()
          await immediate()
        } else await news.promise
      }
    } finally {
      this.#leave()
      this.#ports.left()
    }
  }

  #fill(window: Window): number {
    let read = 0
    while (window.hasRoom) {
      const records = this.#ports.records(window.topic, window.partition, window.next, readRecords)
      if (records.length === 0) break
      for (const record of records) {
        if (!window.hasRoom) break
        window.offer(record)
        read++
      }
      if (read >= readRecords) break // The other partitions get their turn.
    }
    if (read > 0) this.#attempts.delete(`${window.topic} ${window.partition}`)
    return read
  }

  #restart(window: Window): void {
    const key = `${window.topic} ${window.partition}`
    const attempt = (this.#attempts.get(key) ?? 0) + 1
    this.#attempts.set(key, attempt)
    this.#ports.logger.warn(
      {
        event: 'partition.restarted',
        group: this.#options.group,
        topic: window.topic,
        partition: window.partition,
        err: window.failed,
      },
      'a record failed: the partition starts again from its committed offset',
    )
    this.#commit()
    window.close()
    this.#windows.delete(key)
    this.#resting.set(key, { until: this.#ports.clock.now() + backoffDelay(reconnectBackoff, attempt), attempt })
  }

  #assignment(topic: string, partition: number): { offset: bigint; metadata: string } {
    const earliest = this.#ports.earliest(topic, partition)
    if (this.#options.from === 'earliest') return { offset: earliest, metadata: '' }
    const row = this.#ports
      .prepare('SELECT offset, metadata FROM offsets WHERE grp = ? AND topic = ? AND partition = ?')
      .get(this.#options.group, topic, partition)
    const offset = typeof row?.['offset'] === 'bigint' ? row['offset'] : earliest
    return { offset: offset > earliest ? offset : earliest, metadata: String(row?.['metadata'] ?? '') }
  }

  /** Shows that this member lives, frees what dead members held, takes or gives back partitions. */
  #rebalance(): void {
    const { lazy, prepare, clock, sessionMs } = this.#ports
    const { group } = this.#options
    const now = clock.now()
    const gained: { topic: string; partition: number }[] = []
    const lost: string[] = []
    lazy.exec('BEGIN IMMEDIATE')
    try {
      prepare('INSERT INTO members VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at').run(
        group,
        this.#member,
        process.pid,
        now + sessionMs,
      )
      for (const row of prepare('SELECT member, pid, expires_at FROM members WHERE grp = ?').all(group)) {
        if (Number(row['expires_at']) >= now && isAlive(Number(row['pid']))) continue
        prepare('DELETE FROM members WHERE grp = ? AND member = ?').run(group, String(row['member']))
        prepare('DELETE FROM leases WHERE grp = ? AND member = ?').run(group, String(row['member']))
      }
      const members = prepare('SELECT member FROM members WHERE grp = ? ORDER BY member')
        .all(group)
        .map((row) => String(row['member']))
      const mine = members.indexOf(this.#member)
      const leases = new Map(
        prepare('SELECT topic, partition, member FROM leases WHERE grp = ?')
          .all(group)
          .map((row) => [`${row['topic']} ${row['partition']}`, String(row['member'])]),
      )
      for (const topic of this.#options.topics) {
        for (let partition = 0; partition < this.#ports.partitions(topic); partition++) {
          const key = `${topic} ${partition}`
          const holder = leases.get(key)
          const wanted = partition % members.length === mine && !this.#stopping
          const window = this.#windows.get(key)
          if (window !== undefined && holder !== this.#member) lost.push(key)
          else if (window !== undefined && !wanted && !this.#stopping) {
            // Give it back: what is in flight is dropped here and comes again at the new member.
            lost.push(key)
            this.#commitWindow(window)
            prepare('DELETE FROM leases WHERE grp = ? AND topic = ? AND partition = ?').run(group, topic, partition)
          } else if (window === undefined && wanted && (this.#resting.get(key)?.until ?? 0) <= now) {
            if (holder === undefined) {
              prepare('INSERT INTO leases VALUES (?, ?, ?, ?)').run(group, topic, partition, this.#member)
              gained.push({ topic, partition })
            } else if (holder === this.#member) gained.push({ topic, partition })
          }
        }
      }
      lazy.exec('COMMIT')
    } catch (error) {
      if (lazy.isTransaction) lazy.exec('ROLLBACK')
      this.#ports.logger.warn({ event: 'log.busy', group, err: error }, 'cannot renew the membership: will try again')
      return
    }
    for (const key of lost) {
      this.#windows.get(key)?.close()
      this.#windows.delete(key)
    }
    for (const { topic, partition } of gained) {
      const key = `${topic} ${partition}`
      this.#resting.delete(key)
      this.#windows.set(
        key,
        new Window(
          { topic, partition, ...this.#assignment(topic, partition) },
          (assignment) => this.#options.assign(assignment),
          { records: this.#options.windowRecords, bytes: this.#options.windowBytes },
          () => this.#wake(),
        ),
      )
    }
  }

  #commitWindow(window: Window): void {
    if (this.#options.from === 'earliest') return
    const taken = window.takeCommittable()
    if (taken === null) return
    const { changes } = this.#ports
      .prepare(
        `INSERT INTO offsets SELECT ?, ?, ?, ?, ? WHERE EXISTS
           (SELECT 1 FROM leases WHERE grp = ? AND topic = ? AND partition = ? AND member = ?)
         ON CONFLICT DO UPDATE SET offset = excluded.offset, metadata = excluded.metadata`,
      )
      .run(
        this.#options.group,
        window.topic,
        window.partition,
        taken.offset,
        taken.metadata,
        this.#options.group,
        window.topic,
        window.partition,
        this.#member,
      )
    if (Number(changes) === 0) {
      this.#ports.logger.warn(
        { event: 'commit.refused', group: this.#options.group, topic: window.topic, partition: window.partition },
        'another member has the partition: the offset was not committed',
      )
    }
  }

  #commit(): void {
    try {
      for (const window of this.#windows.values()) this.#commitWindow(window)
    } catch (error) {
      this.#ports.logger.warn(
        { event: 'commit.failed', group: this.#options.group, err: error },
        'cannot commit offsets: the records may come again',
      )
    }
  }

  #leave(): void {
    this.#commit()
    for (const window of this.#windows.values()) window.close()
    this.#windows.clear()
    try {
      this.#ports.prepare('DELETE FROM leases WHERE grp = ? AND member = ?').run(this.#options.group, this.#member)
      this.#ports.prepare('DELETE FROM members WHERE grp = ? AND member = ?').run(this.#options.group, this.#member)
    } catch (error) {
      this.#ports.logger.warn(
        { event: 'group.left', err: error },
        'cannot leave the group: the session will end by itself',
      )
    }
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

const closedError = (): MailweirError => new MailweirError('LOG_CLOSED', 'The log is closed', { retriable: false })

const tooLarge = (topic: string, bytes: number, max: number): MailweirError =>
  new MailweirError('LOG_RECORD_TOO_LARGE', `A record for ${topic} has ${bytes} bytes; the log takes ${max}`, {
    fields: { topic, bytes, max },
  })

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const sqliteFull = 13
const sqliteIoError = 10

function storageError(error: unknown): MailweirError {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  if (code === sqliteFull) {
    return new MailweirError('LOG_FULL', 'The disk under the embedded log is full', { cause: error, retriable: true })
  }
  return new MailweirError(
    'LOG_UNAVAILABLE',
    `The embedded log cannot write${code === sqliteIoError ? ' (input/output error)' : ''}: ${describeError(error)}`,
    { cause: error, retriable: true },
  )
}
