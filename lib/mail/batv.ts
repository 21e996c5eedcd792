/**
 * Signed reverse-paths: `prvs=KDDDSSSSSS=local@domain` (draft-levine-smtp-batv-01 section 4, "prvs"). K is the number of the
 * key, DDD the day after which it is void (days since 1970, modulo 1000), SSSSSS the first three bytes of the HMAC-SHA-1 of
 * KDDD and the address that was signed.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

export type BatvKeys = ReadonlyMap<string, string>

const dayMs = 86_400_000
const shape = /^prvs=(\d)(\d{3})([0-9a-f]{6})=(.+)$/is

export const isBatv = (address: string): boolean => /^prvs=/i.test(address)

const signature = (keyNumber: string, day: string, address: string, key: string): Buffer =>
  createHmac('sha1', key).update(`${keyNumber}${day}${address}`).digest().subarray(0, 3)

/**
 * @param now epoch milliseconds
 * @returns the address that was signed; null: not one of ours, or void by now
 */
export function openBatv(address: string, keys: BatvKeys, now: number): string | null {
  const [, keyNumber = '', day = '', signed = '', original = ''] = shape.exec(address) ?? []
  const key = keys.get(keyNumber)
  if (key === undefined) return null
  // A day in the second half of the thousand is one that has passed.
  if ((Number(day) - Math.floor(now / dayMs) + 1_000_000) % 1000 >= 500) return null
  return timingSafeEqual(Buffer.from(signed, 'hex'), signature(keyNumber, day, original, key)) ? original : null
}
