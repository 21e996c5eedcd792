/** Waiting longer each time. */
import type { Clock } from './clock.ts'

export type Backoff = {
  /** Delay before the second try, in milliseconds. */
  readonly firstMs: number
  readonly maxMs: number
  /** Each delay is this many times the one before. */
  readonly factor: number
  /** Share of the delay that is random, 0 to 1, so that many waiters do not come back together. */
  readonly jitter: number
}

/** Delay in milliseconds before try number `attempt + 1`; `attempt` counts the tries that failed, from 1. */
export function backoffDelay(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const full = Math.min(backoff.maxMs, backoff.firstMs * backoff.factor ** Math.min(60, Math.max(0, attempt - 1)))
  return Math.round(full * (1 - backoff.jitter) + full * backoff.jitter * random())
}

/** Backoff of loops that wait for a log or a store to come back. */
export const reconnectBackoff: Backoff = { firstMs: 100, maxMs: 5_000, factor: 2, jitter: 0.3 }

export type Persistence = {
  readonly clock: Clock
  /** No further try once it aborts. */
  readonly signal: AbortSignal
  /** Called after each try that failed; what it throws ends the tries. */
  failed(error: unknown, attempt: number): void
}

/** Tries until it works: for what must not be dropped, whatever is broken. Null where the signal aborted first. */
export async function persist<T>(work: () => Promise<T> | T, options: Persistence): Promise<T | null> {
  for (let attempt = 1; !options.signal.aborted; attempt++) {
    try {
      return await work()
    } catch (error) {
      options.failed(error, attempt)
      await options.clock.sleep(backoffDelay(reconnectBackoff, attempt), options.signal)
    }
  }
  return null
}
