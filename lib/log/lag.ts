/** What waits for a consumer group, how old it is, and when retention would drop it. */
import type { Log, LogRecord } from './log.ts'
import { waitingFor } from './waiting.ts'

/** Records whose mean size stands for all. */
export const lagSample = 50n

export type Lag = {
  readonly group: string
  readonly topic: string
  readonly messages: number
  /** The messages times the mean size of a sample. */
  readonly bytes: number
  /** Age of the oldest, milliseconds; null: nothing waits. */
  readonly oldestMs: number | null
  /** Until the topic's retention drops it; null: nothing waits, or nothing is dropped. */
  readonly retentionLeftMs: number | null
}

/** The topic that the group of each service reads. */
const topics = { forward: 'mail.raw', classify: 'mail.raw', quarantine: 'mail.classified' } as const

/** @param groups consumer groups by service */
export const lagsOf = (
  log: Log,
  groups: Readonly<Record<keyof typeof topics, string>>,
  now: number,
): Promise<readonly Lag[]> =>
  Promise.all([
    lagOf(log, groups.forward, topics.forward, now),
    lagOf(log, groups.classify, topics.classify, now),
    lagOf(log, groups.quarantine, topics.quarantine, now),
  ])

export async function lagOf(log: Log, group: string, topic: string, now: number): Promise<Lag> {
  const [state] = await log.admin.describeTopics([topic])
  const from = new Map<number, bigint>()
  const to = new Map<number, bigint>()
  let waiting = 0n
  for (const { partition, from: first, to: end } of await waitingFor(log.admin, group, topic)) {
    if (first === end) continue
    waiting += end - first
    from.set(partition, first)
    to.set(partition, first + lagSample < end ? first + lagSample : end)
  }
  const records = await recordsOf(log, topic, from, to)
  const oldestMs = records.length === 0 ? null : now - Math.min(...records.map(({ timestamp }) => timestamp))
  const retentionMs = state?.retentionMs ?? null
  return {
    group,
    topic,
    messages: Number(waiting),
    bytes: Math.round(Number(waiting) * meanBytes(records)),
    oldestMs,
    retentionLeftMs: oldestMs === null || retentionMs === null ? null : retentionMs - oldestMs,
  }
}

export async function recordsOf(
  log: Log,
  topic: string,
  from: ReadonlyMap<number, bigint>,
  to: ReadonlyMap<number, bigint>,
): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  if (to.size === 0) return records
  for await (const batch of log.read(topic, { from, to })) records.push(...batch)
  return records
}

export const meanBytes = (records: readonly LogRecord[]): number =>
  records.length === 0 ? 0 : records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0) / records.length
