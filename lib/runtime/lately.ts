/** Answers that cost something, however many ask for them. */
import type { Clock } from './clock.ts'

/** Asks at most once in so many milliseconds, and gives the last answer meanwhile; one that failed is asked for again at once. */
export function lately<T>(ms: number, clock: Pick<Clock, 'now'>, ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | null = null
  return () => {
    const now = clock.now()
    if (last !== null && now - last.at < ms) return last.answer
    const answer = ask()
    last = { at: now, answer }
    answer.catch(() => {
      last = null
    })
    return answer
  }
}
