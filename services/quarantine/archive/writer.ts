/**
 * One partition of `mail.classified` → segments and index entries, each message exactly once.
 *
 * A flush takes everything that waits in the partition: one segment for each (retention class, day), put if absent; then the
 * index entries; then the events; then the caller commits, with the highest position seen as metadata. So after a crash the first
 * record that comes again is the first of the interrupted flush, and its segment has the same key:
 * - it is not there: nothing happened, all of it is done now;
 * - it is there: its records are stored; their index entries are appended again (the view drops repeats) and those behind it get
 *   a segment of their own. Where it covers more than has been read again yet, the flush waits until that has come.
 *
 * A record whose position is not above the highest seen is a repeat of classify's and passed over.
 */

import { bury, undecodableLetter } from '#lib/letters/dead.ts'
import type { Assignment, Log, LogRecord, PartitionHandler } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { persist } from '#lib/runtime/retry.ts'
import { packSegment, unpackSegment } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Classified, Event, Location, Segment } from '#schemas/types.ts'
import type { QuarantineMetrics } from '../metrics.ts'
import { indexEntry, mailboxOf } from './entry.ts'
import { type HoldRule, holdRuleOf } from './holds.ts'
import { classPrefix, dayOf, expiresAt, type Retention, retentionOf } from './retention.ts'

export type WriterPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: QuarantineMetrics
  readonly retention: Retention
  readonly holdRules: readonly HoldRule[]
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly indexPartitions: number
}

type Waiting = {
  readonly source: bigint
  readonly segment: Segment | null
  readonly size: number
  readonly resolve: (metadata: string) => void
}

type Stored = { readonly record: Segment; readonly location: Location }

/** So much of a message in the object store is read for its index entry. */
const claimHeaderBytes = 64 * 1024

export class PartitionWriter implements PartitionHandler {
  readonly #ports: WriterPorts
  readonly #partition: number
  #highest: number
  /** The highest position of what is stored: the metadata of the commit. */
  #stored: number
  #waiting: Waiting[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | null = null
  #flushing = false
  /** A segment that was found covers source offsets up to here: no flush before they have come. */
  #needThrough = -1n
  readonly #gone = new AbortController()
  #stopping = false

  constructor(assignment: Assignment, ports: WriterPorts) {
    this.#ports = ports
    this.#partition = assignment.partition
    this.#highest = /^\d+$/.test(assignment.metadata) ? Number(assignment.metadata) : -1
    this.#stored = this.#highest
  }

  process(record: LogRecord): Promise<string> {
    const segment = this.#read(record)
    return new Promise((resolve) => {
      const size = segment === null ? 0 : (segment.bytes?.length ?? 1_024) + 512
      this.#waiting.push({ source: record.offset, segment, size, resolve })
      this.#bytes += size
      if (
        this.#bytes >= this.#ports.segmentBytes ||
        this.#stopping ||
        (this.#needThrough >= 0n && record.offset >= this.#needThrough)
      )
        this.#flushSoon(0)
      else this.#flushSoon(this.#ports.segmentMs)
    })
  }

  /** Null: nothing to store: a repeat, or a record that cannot be read. */
  #read(record: LogRecord): Segment | null {
    let classified: Classified
    try {
      classified = this.#ports.codec.decode('classified', record.value)
    } catch (error) {
      if (error instanceof MailweirError && error.retriable) throw error
      this.#ports.metrics.undecodable.inc()
      this.#ports.logger.error(
        {
          event: 'record.undecodable',
          topic: record.topic,
          partition: record.partition,
          offset: record.offset.toString(),
          err: error,
        },
        'a record cannot be read: it goes to mail.dead',
      )
      void this.#deadLetter(record, error)
      return null
    }
    if (classified.position.offset <= this.#highest) {
      this.#ports.metrics.repeats.inc()
      return null
    }
    this.#highest = classified.position.offset
    return {
      id: classified.id,
      position: classified.position,
      source: Number(record.offset),
      receivedAt: classified.receivedAt,
      envelope: classified.envelope,
      verdict: classified.verdict,
      mailbox: mailboxOf(classified.verdict, classified.receivedAt),
      size: classified.size,
      sha256: classified.sha256,
      bytes: classified.bytes,
      claim: classified.claim,
    }
  }

  async #deadLetter(record: LogRecord, error: unknown): Promise<void> {
    const { key, letter } = undecodableLetter(record, error, 'quarantine')
    await this.#persist('append a dead letter', () => bury(key, letter, this.#ports))
  }

  #flushSoon(ms: number): void {
    if (this.#gone.signal.aborted || this.#flushing) return
    if (ms > 0 && this.#timer !== null) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#flush()
    }, ms)
  }

  /** What waits is flushed at once, and whatever still comes too. */
  finish(): void {
    this.#stopping = true
    if (this.#waiting.length > 0) this.#flushSoon(0)
  }

  async #flush(): Promise<void> {
    if (this.#flushing || this.#gone.signal.aborted) return
    const last = this.#waiting.at(-1)
    if (last === undefined) return
    if (last.source < this.#needThrough) return // It comes right behind; process() flushes then.
    this.#flushing = true
    // A copy: what comes while this is being stored belongs to the next flush.
    const batch = [...this.#waiting]
    try {
      const through = await this.#persist('store a batch', () => this.#store(batch))
      if (through === null) return // The partition is gone.
      if (through > last.source) {
        this.#needThrough = through
        return
      }
      this.#waiting = this.#waiting.slice(batch.length)
      this.#bytes = this.#waiting.reduce((sum, { size }) => sum + size, 0)
      this.#needThrough = -1n
      for (const { segment, resolve } of batch) {
        if (segment !== null) this.#stored = segment.position.offset
        resolve(this.#stored >= 0 ? String(this.#stored) : '')
      }
    } finally {
      this.#flushing = false
      const { length } = this.#waiting
      if (length > 0) {
        const caughtUp = (this.#waiting.at(-1)?.source ?? -1n) >= this.#needThrough
        const due = this.#bytes >= this.#ports.segmentBytes || this.#stopping || (this.#needThrough >= 0n && caughtUp)
        this.#flushSoon(due ? 0 : this.#ports.segmentMs)
      }
    }
  }

  /** Null where the partition was taken away meanwhile. */
  #persist<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    return persist(work, {
      clock: this.#ports.clock,
      signal: this.#gone.signal,
      failed: (error, attempt) => {
        this.#ports.metrics.failures.inc()
        this.#ports.logger.warn(
          { event: 'quarantine.waiting', what, partition: this.#partition, attempt, err: error },
          'cannot store now: will try again',
        )
      },
    })
  }

  /** Stores a batch; resolves to the highest source offset that the segments which it met cover. */
  async #store(batch: readonly Waiting[]): Promise<bigint> {
    const groups = new Map<string, { entry: ReturnType<typeof retentionOf>; records: Segment[] }>()
    for (const { segment } of batch) {
      if (segment === null) continue
      const entry = retentionOf(this.#ports.retention, segment.verdict)
      const folder = `${classPrefix(entry.class)}${dayOf(segment.receivedAt)}/`
      const group = groups.get(folder)
      if (group === undefined) groups.set(folder, { entry, records: [segment] })
      else group.records.push(segment)
    }
    const last = batch.at(-1)?.source ?? -1n
    let through = last
    const stored: { readonly days: number; readonly items: readonly Stored[] }[] = []
    for (const [folder, { entry, records }] of groups) {
      const items = await this.#storeGroup(folder, records)
      for (const { record } of items) if (BigInt(record.source) > through) through = BigInt(record.source)
      stored.push({ days: entry.days, items: items.filter(({ record }) => BigInt(record.source) <= last) })
    }
    if (through > last) return through
    for (const { days, items } of stored) await this.#index(items, days)
    this.#ports.metrics.stored.inc(stored.reduce((sum, { items }) => sum + items.length, 0))
    return through
  }

  /** Puts the records of one class and day; gives those of the segment that was already there, too. */
  async #storeGroup(folder: string, records: readonly Segment[]): Promise<Stored[]> {
    const first = records[0]
    if (first === undefined) return []
    const key = `${folder}${this.#partition}-${String(first.source).padStart(15, '0')}.avro`
    const written = await this.#put(key, records)
    if (written !== null) return written
    const bytes = await this.#ports.objects.get(key)
    if (bytes === null)
      throw new MailweirError('SEGMENT_CORRUPT', `The object ${key} came and went`, { retriable: true })
    const found = await unpackSegment(key, bytes)
    const ids = new Set(found.map(({ record }) => record.id))
    const rest = records.filter((record) => !ids.has(record.id))
    if (!ids.has(first.id)) {
      // The offsets of mail.classified started again (the topic was made anew): this segment is another batch's.
      const own = await this.#put(key.replace(/\.avro$/, `-${first.id}.avro`), records)
      if (own !== null) return own
      throw new MailweirError('SEGMENT_CORRUPT', `Two other batches have the keys of ${key}`, { retriable: true })
    }
    this.#ports.logger.info(
      { event: 'segment.found', key, records: found.length, rest: rest.length },
      'a segment was there already: its entries are appended again',
    )
    return [...found, ...(await this.#storeGroup(folder, rest))]
  }

  /** Null: an object with this key is there. */
  async #put(key: string, records: readonly Segment[]): Promise<Stored[] | null> {
    const { bytes, locations } = await packSegment(key, records)
    if ((await this.#ports.objects.put(key, bytes)) === 'exists') return null
    this.#ports.metrics.segments.inc()
    this.#ports.metrics.segmentBytes.inc(bytes.length)
    return records.flatMap((record, index) => {
      const location = locations[index]
      return location === undefined ? [] : [{ record, location }]
    })
  }

  async #index(items: readonly Stored[], days: number): Promise<void> {
    const at = this.#ports.clock.now()
    const appended: Promise<unknown>[] = []
    for (const { record, location } of items) {
      const expires = expiresAt(record.receivedAt, days)
      const bytes =
        record.bytes ??
        (record.claim === null
          ? null
          : await this.#ports.objects.get(record.claim.key, { offset: 0, length: claimHeaderBytes })) ??
        Buffer.alloc(0)
      appended.push(
        this.#ports.log.append('mail.index', {
          key: `${record.mailbox} ${record.id}`,
          partition: partitionOf(record.mailbox, this.#ports.indexPartitions),
          value: this.#ports.codec.encode('index', indexEntry(record, bytes, location, { at, expiresAt: expires })),
        }),
      )
    }
    await Promise.all(appended)
    await Promise.all(
      items.flatMap(({ record, location }) =>
        this.#steps(record, location, { at, expiresAt: expiresAt(record.receivedAt, days) }).map((step) =>
          this.#ports.log.append('mail.events', {
            key: record.id,
            partition: record.position.partition,
            value: this.#ports.codec.encode('event', step),
          }),
        ),
      ),
    )
  }

  /** That it is stored; and where a rule keeps it, that it is to be held. */
  #steps(record: Segment, location: Location, { at, expiresAt }: { at: number; expiresAt: number }): Event[] {
    const { id: messageId, position, mailbox, verdict } = record
    const step = { messageId, at, service: 'quarantine', position, location }
    const rule = holdRuleOf(this.#ports.holdRules, verdict)
    return [
      event({ ...step, type: 'stored', mailbox, expiresAt }),
      ...(rule === undefined
        ? []
        : [event({ ...step, type: 'hold-asked', detail: `rule ${rule.kind} ${rule.variant} ${rule.reason}` })]),
    ]
  }

  revoked(): void {
    this.#gone.abort()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#waiting = []
  }
}
