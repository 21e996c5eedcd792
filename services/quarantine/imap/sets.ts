/** Sequence sets (RFC 9051 section 9) against the messages that a client knows. Pure. */
import { firstFrom } from '../mailbox/roster.ts'
import { type SequenceSet, star } from './grammar.ts'

/** Half-open ranges of message number - 1, ascending, apart from each other. */
export type Ranges = readonly (readonly [from: number, to: number])[]

/** The known messages that a set names. `count` of `uids` are known. */
export function rangesOf(set: SequenceSet, byUid: boolean, uids: Uint32Array, count: number): Ranges {
  if (count === 0) return []
  const largest = byUid ? (uids[count - 1] ?? 0) : count
  const ranges = set
    .map(([a, b]): [number, number] => {
      const first = a === star ? largest : a
      const last = b === star ? largest : b
      const [low, high] = first <= last ? [first, last] : [last, first]
      return byUid
        ? [firstFrom(uids, count, low), firstFrom(uids, count, high + 1)]
        : [Math.min(count, low - 1), Math.min(count, high)]
    })
    .filter(([from, to]) => from < to)
    .sort((a, b) => a[0] - b[0])
  const merged: [number, number][] = []
  for (const [from, to] of ranges) {
    const before = merged.at(-1)
    if (before !== undefined && from <= before[1]) before[1] = Math.max(before[1], to)
    else merged.push([from, to])
  }
  return merged
}

export function* indexesOf(ranges: Ranges): Generator<number> {
  for (const [from, to] of ranges) for (let index = from; index < to; index++) yield index
}

/** Ascending numbers as a set: `1:3,5`. */
export function setText(numbers: readonly number[]): string {
  const parts: string[] = []
  for (let at = 0; at < numbers.length; ) {
    const first = numbers[at] ?? 0
    let last = first
    while (numbers[at + 1] === last + 1) {
      last++
      at++
    }
    parts.push(first === last ? String(first) : `${first}:${last}`)
    at++
  }
  return parts.join(',')
}

/** Numbers of a set that are not among the known ones, from 1 up to `max`; as a set. Empty: there are none. */
export function missingText(set: SequenceSet, known: (first: number) => number | null, max: number): string {
  const parts: string[] = []
  const add = (first: number, last: number): void => {
    if (first <= last) parts.push(first === last ? String(first) : `${first}:${last}`)
  }
  const ordered = set
    .map(([a, b]): [number, number] => {
      const first = Math.min(a, max)
      const last = Math.min(b, max)
      return first <= last ? [first, last] : [last, first]
    })
    .sort((a, b) => a[0] - b[0])
  let done = 0
  for (const [from, last] of ordered) {
    let first = Math.max(from, done + 1)
    while (first <= last) {
      const next = known(first)
      if (next === null || next > last) {
        add(first, last)
        break
      }
      add(first, next - 1)
      first = next + 1
    }
    done = Math.max(done, last)
  }
  return parts.join(',')
}
