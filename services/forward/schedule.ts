/** Attempts → the next time, or give up. Pure. */
import { type Backoff, backoffDelay } from '#lib/runtime/retry.ts'

export type Schedule = { readonly firstMs: number; readonly maxMs: number; readonly ageMs: number }

const jitter = 0.2

/** When to try again, epoch milliseconds; null: the message is too old by then. */
export function nextAttemptAt(
  schedule: Schedule,
  at: { readonly now: number; readonly receivedAt: number; readonly attempts: number },
  random: () => number = Math.random,
): number | null {
  const backoff: Backoff = { firstMs: schedule.firstMs, maxMs: schedule.maxMs, factor: 2, jitter }
  const due = at.now + backoffDelay(backoff, at.attempts, random)
  return due > at.receivedAt + schedule.ageMs ? null : due
}
