/**
 * What was settled behind the committed offset of a partition. Where a partition changes hands, or after a crash, records
 * come again whose outcome is in mail.events already: those are passed over instead of sent twice.
 *
 * The commit's metadata says where to look: the offset in mail.events (same partition) of the last event that was written
 * before the last committed record was begun. Whatever was settled behind that record has its event behind there.
 */
import type { Assignment, Log, LogRecord } from '#lib/log/log.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Codec } from '#schemas/codec.ts'

export type RecentPorts = {
  readonly log: Log
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
}

export type Behind = {
  /** Offsets of mail.raw, at or behind the committed one, whose outcome is recorded. */
  readonly settled: ReadonlySet<bigint>
  /** The last of them; -1: none. */
  readonly last: bigint
  /** Metadata for the commit of a record that is begun from here on. */
  metadata(): string
  /** An event of this partition was written by us, at that offset of mail.events. */
  wrote(offset: bigint): void
}

/** The last owner may be in the midst of sending: so long its outcomes are waited for. */
const handoverMs = 500
/** Assignments that come so close together are looked up together. */
const gatherMs = 50
/** Older events are not looked at: where forward fell so far behind, a crash repeats what was in flight. */
const eventsMax = 50_000n
const settledTypes: ReadonlySet<string> = new Set(['forwarded', 'deferred', 'rejected', 'undecodable'])

type Waiting = { readonly assignment: Assignment; resolve(behind: Behind): void; reject(error: unknown): void }

export class RecentOutcomes {
  readonly #ports: RecentPorts
  #waiting: Waiting[] = []

  constructor(ports: RecentPorts) {
    this.#ports = ports
  }

  /** What comes again at an assignment though it was settled. Assignments of one rebalance are looked up together. */
  behind(assignment: Assignment): Promise<Behind> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ assignment, resolve, reject })
      if (this.#waiting.length === 1) void this.#lookUp()
    })
  }

  async #lookUp(): Promise<void> {
    const isFirst = ({ assignment }: Waiting): boolean => positionOf(assignment.metadata) === null
    await this.#ports.clock.sleep(this.#waiting.every(isFirst) ? gatherMs : handoverMs)
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const from = new Map<number, bigint>()
      const to = new Map<number, bigint>()
      for (const { partition, earliest, end } of await this.#ports.log.admin.offsets('mail.events')) {
        to.set(partition, end)
        const known = waiting.find(({ assignment }) => assignment.partition === partition)?.assignment
        // Before the first commit there is no metadata: anything may have been settled.
        const position = known === undefined ? end : (positionOf(known.metadata) ?? -1n)
        from.set(partition, latest(position + 1n, earliest, end - eventsMax))
      }
      const settled = new Map(waiting.map(({ assignment }) => [assignment.partition, new Set<bigint>()]))
      for await (const records of this.#ports.log.read('mail.events', { from, to })) {
        for (const record of records) {
          const offset = this.#settledOffset(record)
          if (offset !== null) settled.get(record.partition)?.add(offset)
        }
      }
      for (const { assignment, resolve } of waiting) {
        const { partition, offset } = assignment
        const found = new Set([...(settled.get(partition) ?? [])].filter((each) => each >= offset))
        resolve(behindOf(assignment, found, to.get(partition) ?? 0n))
        if (found.size === 0) continue
        this.#ports.logger.info(
          { event: 'repeats.known', partition, offset: offset.toString(), count: found.size },
          'messages behind the committed offset were settled before: they are not sent again',
        )
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  #settledOffset(record: LogRecord): bigint | null {
    try {
      const { type, service, position } = this.#ports.codec.decode('event', record.value)
      const isOutcome = service === 'forward' && settledTypes.has(type) && position.partition === record.partition
      return isOutcome ? BigInt(position.offset) : null
    } catch {
      return null // The console counts what cannot be read; here it means one message more that may be repeated.
    }
  }
}

function behindOf(assignment: Assignment, settled: ReadonlySet<bigint>, end: bigint): Behind {
  let newest = end - 1n
  return {
    settled,
    last: [...settled].reduce((a, b) => (b > a ? b : a), -1n),
    metadata: () => (newest < 0n ? assignment.metadata : newest.toString()),
    wrote: (offset) => {
      if (offset > newest) newest = offset
    },
  }
}

const positionOf = (metadata: string): bigint | null => (/^\d{1,18}$/.test(metadata) ? BigInt(metadata) : null)
const latest = (...offsets: readonly bigint[]): bigint => offsets.reduce((a, b) => (b > a ? b : a))
