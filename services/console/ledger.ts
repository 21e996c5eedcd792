/**
 * The ledger: accepted = forwarded + waiting + dead, and accepted = stored + storing + undecodable, for each partition of mail.raw.
 *
 * It is made so that a lost message shows. What is accepted is counted by the log itself. What has an outcome is counted by the
 * events. What waits is what stands at or behind the committed offset of a group and has no outcome; so a message in front of
 * that offset without an outcome is counted nowhere, and the books do not balance.
 *
 * The offsets are read before the view is asked, and every stage appends its events before it commits: so the view, once it has
 * applied what mail.events held after the offsets were read, knows the outcome of everything in front of them.
 */
import type { Committed, Log } from '#lib/log/log.ts'
import type { EventView } from './view/view.ts'

export type LedgerEntry = {
  readonly accepted: number
  readonly forwarded: number
  /** Not tried yet, or deferred. */
  readonly waiting: number
  readonly dead: number
  readonly classified: number
  readonly stored: number
  /** Accepted and not stored yet. */
  readonly storing: number
  /** Records of mail.raw that are not messages: they are in mail.dead. */
  readonly undecodable: number
  readonly balanced: boolean
}

export type Ledger = LedgerEntry & {
  /** False: the view is behind the log, and the entry tells an earlier time. */
  readonly current: boolean
  readonly partitions: readonly (LedgerEntry & { readonly partition: number })[]
}

export type LedgerGroups = { readonly forward: string; readonly classify: string; readonly quarantine: string }

export type LedgerPorts = {
  readonly log: Log
  readonly view: EventView
  readonly groups: LedgerGroups
  /** Resolves to whether the view has applied mail.events up to these ends, within a bounded time. */
  caughtUp(ends: ReadonlyMap<number, bigint>): Promise<boolean>
}

export async function readLedger(ports: LedgerPorts): Promise<Ledger> {
  const { admin } = ports.log
  const [forward, quarantine] = await Promise.all([
    admin.committed(ports.groups.forward, 'mail.raw'),
    admin.committed(ports.groups.quarantine, 'mail.classified'),
  ])
  const raw = await admin.offsets('mail.raw')
  const events = await admin.offsets('mail.events')
  const current = await ports.caughtUp(new Map(events.map(({ partition, end }) => [partition, end])))
  const partitions = raw.map(({ partition, end }) =>
    entryOf(ports.view, partition, Number(end), committedOf(forward, partition), storedThrough(quarantine, partition)),
  )
  const total = (pick: (entry: LedgerEntry) => number): number =>
    partitions.reduce((sum, entry) => sum + pick(entry), 0)
  return {
    accepted: total((entry) => entry.accepted),
    forwarded: total((entry) => entry.forwarded),
    waiting: total((entry) => entry.waiting),
    dead: total((entry) => entry.dead),
    classified: total((entry) => entry.classified),
    stored: total((entry) => entry.stored),
    storing: total((entry) => entry.storing),
    undecodable: total((entry) => entry.undecodable),
    balanced: partitions.every((entry) => entry.balanced),
    current,
    partitions,
  }
}

function entryOf(
  view: EventView,
  partition: number,
  end: number,
  forwardNext: number,
  storeNext: number,
): LedgerEntry & { partition: number } {
  // Before anything is told of a partition its books are open from here on.
  const base = view.base(partition) ?? end
  const counts = view.counts(partition, end)
  const untried = rest(base, forwardNext, end, (from) => view.settledBetween(partition, from, end).forward)
  const storing = rest(base, storeNext, end, (from) => view.settledBetween(partition, from, end).store)
  const accepted = end - base
  const waiting = untried + counts.deferred
  return {
    partition,
    accepted,
    forwarded: counts.forwarded,
    waiting,
    dead: counts.dead,
    classified: counts.classified,
    stored: counts.stored,
    storing,
    undecodable: counts.undecodable,
    balanced:
      accepted === counts.forwarded + waiting + counts.dead &&
      accepted === counts.stored + storing + counts.undecodable,
  }
}

/** Positions from the committed one on, without those that have an outcome already. */
function rest(base: number, next: number, end: number, settled: (from: number) => number): number {
  const from = Math.max(base, next)
  return from >= end ? 0 : end - from - settled(from)
}

const committedOf = (committed: readonly Committed[], partition: number): number =>
  Number(committed.find((entry) => entry.partition === partition)?.offset ?? 0n)

/** Quarantine commits offsets of mail.classified, with the highest position of mail.raw that is stored as metadata. */
function storedThrough(committed: readonly Committed[], partition: number): number {
  const metadata = committed.find((entry) => entry.partition === partition)?.metadata ?? ''
  return /^\d+$/.test(metadata) ? Number(metadata) + 1 : 0
}
