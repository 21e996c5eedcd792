/**
 * What waits in the partitions that this process has, and how long until retention would drop it. The oldest message that waits is
 * always in flight: a partition hands its records over in order.
 */
import type { Log } from '#lib/log/log.ts'
import { waitingFor } from '#lib/log/waiting.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { ForwardMetrics } from './metrics.ts'

const lookMs = 10_000
/** Weight of the newest record in the mean of their sizes. */
const sizeWeight = 0.01

export class Backlog {
  /** Timestamps of what is in flight, by partition, in the order of the offsets. */
  readonly #inFlight = new Map<number, Map<bigint, number>>()
  readonly #timer: NodeJS.Timeout
  #meanBytes = 0

  constructor(group: string, ports: { log: Log; clock: Clock; logger: Logger; metrics: ForwardMetrics }) {
    const { log, clock, logger, metrics } = ports
    const look = async (): Promise<void> => {
      const [topic] = await log.admin.describeTopics(['mail.raw'])
      let records = 0n
      for (const { partition, from, to } of await waitingFor(log.admin, group, 'mail.raw')) {
        if (this.#inFlight.has(partition)) records += to - from
      }
      const oldestMs = Math.max(0, clock.now() - this.#oldest(clock.now()))
      metrics.lag.set(Number(records))
      metrics.lagBytes.set(Math.round(Number(records) * this.#meanBytes))
      metrics.oldest.set(oldestMs / 1000)
      if (topic?.retentionMs) metrics.retentionLeft.set((topic.retentionMs - oldestMs) / 1000)
    }
    this.#timer = setInterval(() => {
      look().catch((err: unknown) => logger.debug({ event: 'backlog.failed', err }, 'cannot tell the backlog'))
    }, lookMs)
    this.#timer.unref()
  }

  #oldest(now: number): number {
    let oldest = now
    for (const records of this.#inFlight.values()) {
      for (const timestamp of records.values()) {
        oldest = Math.min(oldest, timestamp)
        break
      }
    }
    return oldest
  }

  /** A partition is ours from here on. */
  assigned(partition: number): void {
    this.#inFlight.set(partition, new Map())
  }

  revoked(partition: number): void {
    this.#inFlight.delete(partition)
  }

  begun(partition: number, offset: bigint, timestamp: number, bytes: number): void {
    this.#inFlight.get(partition)?.set(offset, timestamp)
    this.#meanBytes = this.#meanBytes === 0 ? bytes : this.#meanBytes + (bytes - this.#meanBytes) * sizeWeight
  }

  ended(partition: number, offset: bigint): void {
    this.#inFlight.get(partition)?.delete(offset)
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
