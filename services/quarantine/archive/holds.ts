/**
 * Holds that are not copied into Hold by a mail program: a rule or a person of the console asks for one by an event (`hold-asked`,
 * `release-asked`), and the consumer group `holds` does it. The copy's name comes of the message's id, so that what is done twice is done
 * once: its object is put if it is absent, its record has the same key.
 */
import { createHash } from 'node:crypto'
import type { LogRecord } from '#lib/log/log.ts'
import { hasCode } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { SegmentReader } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { decodeOrNull } from '#schemas/read.ts'
import type { Verdict } from '#schemas/types.ts'
import { type Folders, holdFolder } from '../mailbox/folders.ts'

export const holdsGroup = 'holds'

export type HoldRule = { readonly kind: string; readonly variant: string; readonly reason: string }

/** Checks what a person wrote; null: not of that form. */
export function parseHoldRules(value: unknown): readonly HoldRule[] | null {
  if (!Array.isArray(value) || value.length > 100) return null
  const rules: HoldRule[] = []
  for (const entry of value) {
    if (typeof entry !== 'object' || entry === null) return null
    const { kind = '*', variant = '*', reason = '*', ...more } = entry
    if (typeof kind !== 'string' || typeof variant !== 'string' || typeof reason !== 'string') return null
    // A rule for everything would keep everything for ever.
    if (Object.keys(more).length > 0 || (kind === '*' && variant === '*' && reason === '*')) return null
    rules.push({ kind, variant, reason })
  }
  return rules
}

/** The rule that keeps a message; undefined: none. */
export function holdRuleOf(rules: readonly HoldRule[], verdict: Verdict): HoldRule | undefined {
  const fits = (wanted: string, given: string): boolean => wanted === '*' || wanted === given
  return rules.find(
    ({ kind, variant, reason }) =>
      fits(kind, verdict.kind) &&
      fits(variant, verdict.variant) &&
      (reason === '*' || verdict.recipients.some((recipient) => recipient.reason === reason)),
  )
}

export type HoldPorts = {
  readonly folders: Folders
  readonly reader: SegmentReader
  readonly codec: Codec
  readonly logger: Logger
}

/** What a message's copy in Hold is called; those that a mail program made have other names. */
export const holdCopyOf = (messageId: string): string =>
  createHash('sha256').update(`hold ${messageId}`).digest('hex').slice(0, 32)

/** A location that names no record: no try will find one. */
const unreadable = ['SEGMENT_CORRUPT', 'OBJECTS_KEY_WRONG'] as const

const hold = { folder: holdFolder.id, name: holdFolder.name, partition: holdFolder.partition }

/** Does what one record of mail.events asks for; rejects where it has to come again. */
export async function followHolds(record: LogRecord, { folders, reader, codec, logger }: HoldPorts): Promise<void> {
  const event = decodeOrNull(codec, 'event', record.value)
  if (event === null) return
  const { messageId, detail } = event
  const copy = holdCopyOf(messageId)
  if (event.type === 'release-asked') return folders.release(messageId, copy, detail)
  if (event.type !== 'hold-asked' || event.location === null) return
  const segment = await reader.record(event.location).catch((error: unknown) => {
    // It would come again for ever, and nothing behind it would be committed.
    if (!unreadable.some((code) => hasCode(error, code))) throw error
    logger.error({ event: 'hold.failed', id: messageId, err: error }, 'a message that is to be held cannot be read')
    return null
  })
  const bytes = segment === null ? null : await reader.bytesOf(segment)
  if (segment === null || bytes === null) {
    logger.warn({ event: 'hold.late', id: messageId }, 'a message that is to be held is no longer stored')
    return
  }
  const { receivedAt, position } = segment
  await folders.add(hold, [{ messageId, bytes, flags: [], receivedAt, position, copy }], detail)
}
