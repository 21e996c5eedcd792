/** A seeded source of random numbers, so that a test that found something finds it again (mulberry32). */
export function seeded(seed: number): {
  next(below: number): number
  bytes(length: number, from?: readonly number[]): Buffer
} {
  let state = seed >>> 0
  const next = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) % below
  }
  return {
    next,
    bytes: (length, from) =>
      Buffer.from(Array.from({ length }, () => (from === undefined ? next(256) : (from[next(from.length)] ?? 0)))),
  }
}
