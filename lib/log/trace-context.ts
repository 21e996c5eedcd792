/**
 * Trace context of a message (W3C Trace Context, section 3.2): a message's id is a UUID, so its 16 bytes are the trace id, everywhere, and the
 * root span is made of them.
 */
import { createHash } from 'node:crypto'

/** 32 hexadecimal digits; null: the key of a record is no id of a message. */
export function traceIdOf(messageId: string): string | null {
  const traceId = messageId.replaceAll('-', '').toLowerCase()
  return /^[0-9a-f]{32}$/.test(traceId) && !/^0+$/.test(traceId) ? traceId : null
}

/** Of whatever identifies a span; 16 hexadecimal digits. */
export const spanIdOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** The header of a record about a message, by which a service of another maker hangs its spans under ours; null: of no message. */
export function traceparentOf(messageId: string | null): string | null {
  const traceId = messageId === null ? null : traceIdOf(messageId)
  return traceId === null ? null : `00-${traceId}-${spanIdOf(traceId)}-01`
}
