/** A stored message → its entry in `mail.index`: mailbox, keywords, the header fields of ENVELOPE, BODYSTRUCTURE. Pure. */
import { htmlToText } from '#lib/mail/html.ts'
import { type Part, parseMime, partText, walkParts } from '#lib/mail/mime.ts'
import type { Index, Location, Segment, Verdict } from '#schemas/types.ts'
import { bodyStructure, envelope } from '../imap/structure.ts'
import { dayOf } from './retention.ts'

const headerBytesMax = 8 * 1024
const structureMax = 4 * 1024
const envelopeMax = 8 * 1024
const previewMax = 200
const previewBytes = 4 * 1024

/** The fields of ENVELOPE (RFC 9051 section 7.5.2), and References for threads. */
export const indexedFields: ReadonlySet<string> = new Set([
  'date',
  'subject',
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'in-reply-to',
  'message-id',
  'references',
])

const tops: Readonly<Record<string, string>> = {
  'auto-reply': 'Auto-replies',
  'opt-out': 'Opt-outs',
  complaint: 'Complaints',
  report: 'Reports',
  reply: 'Replies',
}
const bounceNames: Readonly<Record<string, string>> = {
  hard: 'Hard',
  soft: 'Soft',
  delayed: 'Delayed',
  delivered: 'Delivered',
  relayed: 'Delivered',
}

export function mailboxOf(verdict: Pick<Verdict, 'kind' | 'variant'>, receivedAt: number): string {
  const day = dayOf(receivedAt)
  if (verdict.kind === 'bounce') return `Bounces/${bounceNames[verdict.variant] ?? 'Soft'}/${day}`
  return `${tops[verdict.kind] ?? 'Unknown'}/${day}`
}

/** Keywords that any mail program can search for: reasons, actions, the campaign. Atoms of at most 60 characters. */
export function keywordsOf(verdict: Verdict): string[] {
  const words = new Set<string>()
  const add = (prefix: string, value: string): void => {
    const atom = value
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60)
    if (atom !== '') words.add(prefix + atom)
  }
  for (const recipient of verdict.recipients.slice(0, 20)) {
    if (verdict.kind === 'bounce' || recipient.reason !== 'undefined') add('', recipient.reason)
    add('', recipient.action)
  }
  add('campaign-', verdict.original['campaign'] ?? '')
  add('', verdict.kind === 'bounce' ? '' : verdict.variant)
  return [...words]
}

/** `bytes` is the message, or as much of its start as is at hand. */
export function indexEntry(
  record: Segment,
  bytes: Buffer,
  location: Location,
  times: { readonly at: number; readonly expiresAt: number },
): Index {
  return {
    ...describe(bytes, record.size),
    mailbox: record.mailbox,
    messageId: record.id,
    type: 'added',
    at: times.at,
    flags: keywordsOf(record.verdict),
    size: record.size,
    receivedAt: record.receivedAt,
    sha256: record.sha256,
    location,
    expiresAt: times.expiresAt,
  }
}

/** What mail programs ask of each message, so that a list of them reads no object. `bytes` may be its start only. */
export function describe(
  bytes: Buffer,
  messageBytes: number,
): Pick<Index, 'header' | 'structure' | 'envelope' | 'preview'> {
  const root = parseMime(bytes)
  const pieces: Buffer[] = []
  let size = 0
  let complete = true
  for (const field of root.fields) {
    if (!indexedFields.has(field.name)) continue
    const piece = bytes.subarray(field.start, field.end)
    if (size + piece.length > headerBytesMax) {
      complete = false // Nothing is better than half: whoever needs the header then reads the message.
      break
    }
    pieces.push(piece)
    size += piece.length
  }
  // Of a message in the object store only the start is at hand: its structure is read when it is asked for.
  const structure = bytes.length === messageBytes ? bodyStructure(bytes, root, true) : ''
  const shown = complete ? envelope(bytes, root) : ''
  return {
    header: complete ? Buffer.concat(pieces) : Buffer.alloc(0),
    structure: structure.length <= structureMax ? structure : '',
    envelope: shown.length <= envelopeMax ? shown : '',
    preview: previewOf(bytes, root),
  }
}

/** The first words of the text, blanks made one (RFC 8970 section 3). */
function previewOf(bytes: Buffer, root: Part): string {
  let html = ''
  for (const part of walkParts(root)) {
    if (part.children.length > 0) continue
    const text =
      part.type === 'text/plain' || (part.type === 'text/html' && html === '')
        ? partText(bytes, part, previewBytes)
        : ''
    if (part.type === 'text/plain' && text.trim() !== '') return words(text)
    if (part.type === 'text/html') html ||= htmlToText(text)
  }
  return words(html)
}

const words = (text: string): string =>
  [...text.replace(/[\s\x00-\x1f\x7f]+/g, ' ').trim()].slice(0, previewMax).join('')
