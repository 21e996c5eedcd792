/** A view that reads a topic: how far it has come, and who waits until it has read further. */
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { persist } from '#lib/runtime/retry.ts'
import type { Follower, FollowOptions, Log, LogRecord } from './log.ts'

const lookMs = 200

export class Progress {
  readonly #clock: Clock
  readonly #next = new Map<number, bigint>()
  readonly #waiting = new Set<() => void>()
  #isStopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The offset behind the last that was read; null: none of this partition was. */
  next(partition: number): bigint | null {
    return this.#next.get(partition) ?? null
  }

  /** By partition: where to read on. */
  all(): ReadonlyMap<number, bigint> {
    return this.#next
  }

  set(partition: number, next: bigint): void {
    this.#next.set(partition, next)
    for (const waiter of this.#waiting) waiter()
  }

  /** These records of one partition were applied. */
  read(records: readonly LogRecord[]): void {
    const last = records.at(-1)
    if (last !== undefined) this.set(last.partition, last.offset + 1n)
  }

  clear(): void {
    this.#next.clear()
  }

  /**
   * Reads a topic into the view. What it cannot take now (its disk is full, a schema is still fetched) is not passed over: it is
   * tried until it can. So `apply` may be called again with the same records, and takes them whole or not at all.
   */
  follow(
    log: Pick<Log, 'follow'>,
    options: FollowOptions & { readonly logger: Logger; readonly signal: AbortSignal },
  ): Follower {
    const { topic, from, logger, signal } = options
    return log.follow({
      topic,
      from,
      apply: async (records) => {
        const applied = await persist(() => options.apply(records), {
          clock: this.#clock,
          signal,
          failed: (err, attempt) => {
            if (attempt === 1)
              logger.warn({ event: 'view.waiting', topic, err }, 'a view takes no changes now: will try again')
          },
        })
        if (applied !== null) this.read(records)
      },
    })
  }

  /**
   * Whether everything in front of `ends` has been read.
   * @param ms how long that may take; null: for ever
   * @returns false where it took longer, or the wait was stopped
   */
  async reached(ends: ReadonlyMap<number, bigint>, ms: number | null): Promise<boolean> {
    const until = ms === null ? null : this.#clock.now() + ms
    const isThere = (): boolean => [...ends].every(([partition, end]) => (this.#next.get(partition) ?? 0n) >= end)
    while (!isThere()) {
      if (this.#isStopped || (until !== null && this.#clock.now() > until)) return false
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(done)
          resolve()
        }
        const timer = setTimeout(done, lookMs)
        this.#waiting.add(done)
      })
    }
    return true
  }

  /** Nobody waits any longer. */
  stop(): void {
    this.#isStopped = true
    for (const waiter of this.#waiting) waiter()
  }
}
