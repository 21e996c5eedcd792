/** Integrity: what `mail.index` says of each message against what the store has (SHA-256 of its bytes). */
import { createHash } from 'node:crypto'
import type { Log } from '#lib/log/log.ts'
import { readAll } from '#lib/log/read-all.ts'
import type { Objects } from '#lib/objects/objects.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { SegmentReader } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { decodeOrNull } from '#schemas/read.ts'
import type { Location } from '#schemas/types.ts'

export type VerifyPorts = { readonly log: Log; readonly objects: Objects; readonly codec: Codec }

export type Fault = {
  readonly messageId: string
  readonly mailbox: string
  readonly object: string
  readonly fault: 'missing' | 'corrupt' | 'other bytes'
}

export type VerifySummary = { readonly known: number; readonly checked: number; readonly faults: number }

type Kept = {
  readonly messageId: string
  readonly sha256: Buffer
  readonly location: Location
  readonly expiresAt: number
}

const cacheBytes = 32 * 1024 * 1024

/**
 * Reads messages that the index has and that have not expired.
 * @param options.share of the messages that are read, 0 to 1; the same ones each time
 */
export async function verify(
  { log, objects, codec }: VerifyPorts,
  options: { readonly share: number; readonly now: number },
  found: (fault: Fault) => void,
): Promise<VerifySummary> {
  const kept = new Map<string, Kept>()
  for await (const record of readAll(log, 'mail.index')) {
    const entry = decodeOrNull(codec, 'index', record.value)
    if (entry === null) continue
    const key = `${entry.mailbox} ${entry.messageId}`
    const before = kept.get(key)
    if (entry.type === 'expunged') kept.delete(key)
    else if (entry.type === 'moved' && before !== undefined && entry.location !== null) {
      kept.set(key, { ...before, location: entry.location })
    } else if (entry.type === 'added' && entry.location !== null && entry.sha256 !== null && before === undefined) {
      const { messageId, sha256, location, expiresAt } = entry
      kept.set(key, { messageId, sha256, location, expiresAt })
    }
  }
  const reader = new SegmentReader(objects, cacheBytes)
  let [known, checked, faults] = [0, 0, 0]
  for (const [key, { messageId, sha256, location, expiresAt }] of kept) {
    if (expiresAt <= options.now) continue
    known++
    if (!isChosen(sha256, options.share)) continue
    checked++
    const fault = await faultOf(reader, location, sha256)
    if (fault === null) continue
    faults++
    found({ messageId, mailbox: key.slice(0, key.lastIndexOf(' ')), object: location.object, fault })
  }
  return { known, checked, faults }
}

const isChosen = (sha256: Buffer, share: number): boolean => sha256.readUInt32BE(0) / 2 ** 32 < share

async function faultOf(reader: SegmentReader, location: Location, sha256: Buffer): Promise<Fault['fault'] | null> {
  try {
    const bytes = await reader.message(location)
    if (bytes === null) return 'missing'
    return createHash('sha256').update(bytes).digest().equals(sha256) ? null : 'other bytes'
  } catch (error) {
    if (error instanceof MailweirError && error.code === 'SEGMENT_CORRUPT') return 'corrupt'
    throw error
  }
}
