/**
 * How large a verdict may be: with the message and its envelope it has to fit into one record, whatever a stranger wrote. Nobody
 * legitimate comes near; what is cut is told by evidence.
 */
import type { Evidence, Verdict, VerdictRecipient } from '#schemas/types.ts'

/** Bytes of a whole verdict, encoded. */
export const verdictBytesMax = 256 * 1024

/** The parts of that: a thousand recipients with addresses of ordinary length fit. */
const recipientsBytesMax = 144 * 1024
const diagnosticsBytesMax = 48 * 1024
const evidenceBytesMax = 40 * 1024
const originalBytesMax = 16 * 1024
/** An address (RFC 5321 section 4.5.3.1) with room to spare, a host, a word, a value of `original`. */
const addressMax = 320
const hostMax = 255
const wordMax = 60
const valueMax = 900
/** What a recipient and a piece of evidence take beside their texts. */
const fixedBytes = 40

/** Bytes that a character of JavaScript may take in UTF-8. */
const charBytes = 3

export function bounded(verdict: Verdict): Verdict {
  return isSmall(verdict) ? verdict : cutDown(verdict)
}

/** Told by lengths alone, of nearly every verdict. */
function isSmall({ variant, reporter, recipients, evidence, original }: Verdict): boolean {
  if (variant.length * charBytes > wordMax || reporter.length * charBytes > hostMax) return false
  let chars = 0
  for (const { address, originalAddress, action, status, remoteMta, diagnostic } of recipients) {
    if (Math.max(address.length, originalAddress.length) * charBytes > addressMax) return false
    if (Math.max(action.length, status.length) * charBytes > wordMax) return false
    if (remoteMta.length * charBytes > hostMax) return false
    chars += diagnostic.length
  }
  if (recipients.length > 100 || chars * charBytes > diagnosticsBytesMax) return false
  chars = 0
  for (const { text, rule } of evidence) chars += text.length + rule.length + fixedBytes
  if (chars * charBytes > evidenceBytesMax) return false
  chars = 0
  for (const name in original) {
    const { length } = original[name] ?? ''
    if (length * charBytes > valueMax) return false
    chars += name.length + length
  }
  return chars * charBytes <= originalBytesMax
}

function cutDown(verdict: Verdict): Verdict {
  const recipients: VerdictRecipient[] = []
  let room = recipientsBytesMax
  for (const given of verdict.recipients) {
    const recipient = {
      ...given,
      address: cut(given.address, addressMax),
      originalAddress: cut(given.originalAddress, addressMax),
      action: cut(given.action, wordMax),
      status: cut(given.status, wordMax),
      remoteMta: cut(given.remoteMta, hostMax),
    }
    room -= bytesOf(recipient.address, recipient.originalAddress, recipient.remoteMta) + fixedBytes
    if (room < 0) break
    recipients.push(recipient)
  }
  const each = Math.floor(diagnosticsBytesMax / Math.max(1, recipients.length))
  const evidence: Evidence[] = []
  if (recipients.length < verdict.recipients.length) {
    const text = `${verdict.recipients.length - recipients.length} recipients are left out`
    evidence.push({ decided: 'recipient', rule: 'limit:recipients', start: 0, end: 0, text })
  }
  let evidenceRoom = evidenceBytesMax
  for (const piece of verdict.evidence) {
    evidenceRoom -= bytesOf(piece.text, piece.rule) + fixedBytes
    if (evidenceRoom < 0) break
    evidence.push(piece)
  }
  return {
    ...verdict,
    variant: cut(verdict.variant, wordMax),
    reporter: cut(verdict.reporter, hostMax),
    recipients: recipients.map((recipient) => ({ ...recipient, diagnostic: cut(recipient.diagnostic, each) })),
    evidence,
    original: boundedValues(verdict.original),
  }
}

function boundedValues(original: Readonly<Record<string, string>>): Record<string, string> {
  const found: Record<string, string> = {}
  let room = originalBytesMax
  for (const [name, value] of Object.entries(original)) {
    const text = cut(value, valueMax)
    room -= bytesOf(name, text)
    if (room < 0) break
    found[name] = text
  }
  return found
}

const bytesOf = (...texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)

/** At most so many bytes of a text, whole characters. */
function cut(text: string, max: number): string {
  if (text.length * charBytes <= max || Buffer.byteLength(text) <= max) return text
  const bytes = Buffer.from(text.slice(0, max))
  let end = max
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, Math.min(end, bytes.length))
}
