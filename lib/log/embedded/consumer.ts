/**
 * A member of a consumer group of the embedded log: it takes its share of the partitions by leases in `groups.sqlite`,
 * fills their windows, and commits. Leases of processes that died are free at once, those of hung ones after `sessionMs`.
 */
import { randomUUID } from 'node:crypto'
import { setImmediate as immediate } from 'node:timers/promises'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Database } from '#lib/runtime/database.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { backoffDelay, reconnectBackoff } from '#lib/runtime/retry.ts'
import type { ConsumeOptions, Consumer, LogRecord, PartitionOffsets } from '../log.ts'
import { Window } from '../window.ts'

/** How often a member shows that it lives. */
const heartbeatMs = 250
/** Records of a partition before the others get their turn. */
const turnRecords = 256

type ConsumerPorts = {
  readonly groups: Database
  partitions(topic: string): number
  offsets(topic: string, partition: number): PartitionOffsets
  records(topic: string, partition: number, from: bigint, limit: number, bytesMax: number): LogRecord[]
  news(ms: number): { promise: Promise<void>; wake: () => void }
  readonly sessionMs: number
  readonly clock: Clock
  readonly logger: Logger
  left(): void
}

export class EmbeddedConsumer implements Consumer {
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
    // A full window is filled in strokes: what there is no room for would be read again with each record that ends.
    while (window.hasRoom && window.room.records * 4 >= this.#options.windowRecords) {
      const room = window.room
      const limit = Math.min(turnRecords, room.records)
      const records = this.#ports.records(window.topic, window.partition, window.next, limit, room.bytes)
      if (records.length === 0) break
      for (const record of records) {
        if (!window.hasRoom) break
        window.offer(record)
        read++
      }
      if (read >= turnRecords) break
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
    const { earliest, end } = this.#ports.offsets(topic, partition)
    if (this.#options.from === 'earliest') return { offset: earliest, metadata: '' }
    const row = this.#ports.groups
      .prepare('SELECT offset, metadata FROM offsets WHERE grp = ? AND topic = ? AND partition = ?')
      .get(this.#options.group, topic, partition)
    const offset = row?.['offset']
    // An offset that the log does not have, too old or of a log that was replaced, is like none (auto.offset.reset=earliest).
    if (typeof offset !== 'bigint' || offset > end) return { offset: earliest, metadata: '' }
    return { offset: offset > earliest ? offset : earliest, metadata: String(row?.['metadata'] ?? '') }
  }

  /** Shows that this member lives, frees what dead members held, takes or gives back partitions. */
  #rebalance(): void {
    const { groups, clock, sessionMs } = this.#ports
    const prepare = (sql: string) => groups.prepare(sql)
    const { group } = this.#options
    const now = clock.now()
    const gained: { topic: string; partition: number }[] = []
    const lost: string[] = []
    try {
      groups.transaction(() => {
        prepare(
          'INSERT INTO members VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at',
        ).run(group, this.#member, process.pid, now + sessionMs)
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
      })
    } catch (error) {
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
    const { changes } = this.#ports.groups
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
      this.#ports.groups
        .prepare('DELETE FROM leases WHERE grp = ? AND member = ?')
        .run(this.#options.group, this.#member)
      this.#ports.groups
        .prepare('DELETE FROM members WHERE grp = ? AND member = ?')
        .run(this.#options.group, this.#member)
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
