/** How far a view has read a topic, and who waits until it has read further. */
import type { Clock } from '#lib/runtime/clock.ts'
import type { LogRecord } from './log.ts'

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
