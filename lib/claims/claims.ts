/** Claims: bytes that a record cannot hold are an object of their own, which the record names. */
import { createHash } from 'node:crypto'
import type { Log } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Claim } from '#schemas/types.ts'

export const claimKey = (at: number, name: string): string =>
  `claims/${new Date(at).toISOString().slice(0, 10)}/${name}`

/** A record that carries a message, or says where it is. */
type Carrier = { readonly bytes: Buffer | null; readonly claim: Claim | null }

/**
 * A record encoded; where the log would not take it for its size, without its bytes, which are put into the store under the name of their
 * SHA-256: done twice, it is done once.
 *
 * @param at now, epoch milliseconds: the claim's day
 * @throws {MailweirError} LOG_RECORD_TOO_LARGE: what is left is too large as well; and whatever the store rejects with
 */
export async function encodeFitting<Record extends Carrier>(
  record: Record,
  encode: (record: Record) => Buffer,
  { key, at }: { readonly key: string; readonly at: number },
  { log, objects }: { readonly log: Log; readonly objects: Objects },
): Promise<Buffer> {
  const room = log.recordBytesMax - Buffer.byteLength(key)
  const value = encode(record)
  if (value.length <= room) return value
  const { bytes } = record
  if (bytes !== null) {
    const sha256 = createHash('sha256').update(bytes).digest()
    const claim = { key: claimKey(at, sha256.toString('hex')), size: bytes.length, sha256 }
    await objects.put(claim.key, bytes)
    const without = encode({ ...record, bytes: null, claim })
    if (without.length <= room) return without
  }
  throw new MailweirError(
    'LOG_RECORD_TOO_LARGE',
    `A record has ${value.length} bytes, and without the message too many still; the log takes ${room}`,
    { fields: { bytes: value.length, max: room } },
  )
}
