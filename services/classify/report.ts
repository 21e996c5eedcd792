/**
 * Complaints and reports: ARF (RFC 5965), message disposition notifications (RFC 8098), DMARC aggregate reports (RFC 7489) and TLS
 * reports (RFC 8460).
 */
import { decodeBody, headerText, type Part, partText } from '#lib/mail/mime.ts'
import { reportFields, withoutType } from '#lib/mail/report-fields.ts'
import { cleanAddress, findAddress } from '#lib/mail/smtp-address.ts'
import type { Evidence, VerdictRecipient } from '#schemas/types.ts'
import { takenFor } from './addresses.ts'
import { type AggregateFacts, readDmarc, readTlsReport, unpack, unpackedMax } from './aggregate.ts'
import { isStatusPart } from './bounce/status-parts.ts'
import { nobody } from './recipient.ts'
import type { Sources } from './sources.ts'
import { anyWord, compiled, wordsOf } from './words.ts'

/** Of a larger attachment nothing is unpacked. */
const packedMax = 8 * 1024 * 1024

export type Report = {
  readonly kind: 'complaint' | 'report'
  readonly variant: string
  readonly recipients: readonly VerdictRecipient[]
  readonly evidence: readonly Evidence[]
  /** What the report says in numbers. */
  readonly facts?: AggregateFacts
}

/** @param returnTo the recipient that our return address names; empty: it names none */
export function readReport(sources: Sources, returnTo: string): Report | null {
  return readFeedback(sources, returnTo) ?? readDisposition(sources) ?? readAggregate(sources)
}

/** No part or field says so, only what a person reads: of what is no bounce, since the subject of one repeats that of any message. */
export function readReportInWords(sources: Sources): Report | null {
  return readDispositionWords(sources) ?? readComplaintWords(sources)
}

const isFeedback = (part: Part): boolean => part.type === 'message/feedback-report'

function readFeedback(sources: Sources, returnTo: string): Report | null {
  const { root } = sources
  const isNamed = root.parameters['report-type']?.toLowerCase() === 'feedback-report'
  const inText = isFlattened(sources)
  const part = sources.parts().find(isFeedback) ?? (isNamed || inText ? root : undefined)
  if (part === undefined) return readMicrosoftJunk(sources)
  // Of a report whose fields were lost on the way what it returns is left.
  const fields = part === root && !inText ? () => [] : reportFields(sources.bytes, part)
  const type = fields('feedback-type')[0]?.toLowerCase() || 'abuse'
  const addresses = [...fields('original-rcpt-to'), ...fields('removal-recipient')]
    .map((value) => findAddress(cleanAddress(value)))
    .filter((address) => address !== '')
  const named = addresses.length > 0 ? addresses : returnTo !== '' ? [returnTo] : addressesOfReturned(sources)
  const isComplaint =
    type === 'abuse' ||
    type === 'fraud' ||
    type === 'virus' ||
    type === 'miscategorized' ||
    type === 'opt-out' ||
    type === 'not-spam' ||
    type === 'other'
  return {
    kind: isComplaint ? 'complaint' : 'report',
    variant: type,
    recipients: fedBack(named),
    evidence: [sources.at('kind', 'rfc5965:feedback-report', part.start, part.end)],
  }
}

/** Whether the fields of a report are the text of the message: its parts were lost on the way. */
function isFlattened({ bytes, root }: Sources): boolean {
  if (root.children.length > 0) return false
  const body = bytes.subarray(root.bodyStart, Math.min(root.end, root.bodyStart + flattenedMax))
  // Nearly none has it.
  if (!body.includes('eedback-')) return false
  const text = body.toString('latin1')
  return (
    /^feedback-type:[ \t]*[a-z]/im.test(text) &&
    /^(?:original-(?:mail-from|rcpt-to)|source-ip|reported-domain):/im.test(text)
  )
}
const flattenedMax = 8 * 1024

/** Microsoft's junk mail reporting programme sends the message back with fields of its own and no report part. */
function readMicrosoftJunk(sources: Sources): Report | null {
  const name = ['x-hmxmroriginalrecipient', 'x-original-recipient-for-jmrp'].find(
    (field) => sources.has(field) || sources.returnedHeader(field) !== '',
  )
  if (name === undefined && !/^(?:staff@hotmail\.com|[^@]*jmrp[^@]*@)/.test(sources.sender())) return null
  const address = name === undefined ? '' : findAddress(sources.header(name) || sources.returnedHeader(name))
  return {
    kind: 'complaint',
    variant: 'abuse',
    recipients: fedBack([address]),
    evidence: [sources.field('kind', 'jmrp', name ?? 'from')],
  }
}

/** To whom the returned message went: by its To, or, where the receiver has struck that out, by those who delivered it. */
function addressesOfReturned(sources: Sources): string[] {
  const to = sources.returnedHeader('to').split(',').map(findAddress)
  if (to.some((address) => address !== '' && !struckOut.test(address))) return to
  const delivered = [
    ...deliveredTo.map((name) => sources.returnedHeader(name)),
    takenFor(sources.returnedHeader('received')),
  ].map(findAddress)
  const known = delivered.find((address) => address !== '')
  return known === undefined ? to : [known]
}
/** As AOL, Yahoo and Comcast do it. */
const struckOut = /^(?:redacted|undisclosed|x{3,}|\*+|removed|hidden)/i
const deliveredTo = ['x-original-to', 'delivered-to', 'envelope-to']

/** Each address once, the empty ones (none was found) left out. */
const fedBack = (addresses: readonly string[]): VerdictRecipient[] =>
  [
    ...new Map(
      addresses.filter((address) => address !== '').map((address) => [address.toLowerCase(), address]),
    ).values(),
  ]
    .slice(0, 1_000)
    .map((address) => ({ ...nobody, address, reason: 'feedback' }))

/**
 * A delivery agent that refuses by a disposition notification (RFC 5429 section 2.2; Dovecot where a quota is exceeded): deleted
 * without anybody having seen it, and the words say that it was rejected.
 */
export const isRefusal = (sources: Sources, part: Part): boolean =>
  /^\s*automatic-action\/[^;]*;\s*deleted\b/i.test(reportFields(sources.bytes, part)('disposition')[0] ?? '') &&
  /\b(?:rejected|refused)\b/i.test(`${sources.header('auto-submitted')} ${sources.notice().text.slice(0, 2_000)}`)

export const isDispositionPart = ({ type }: Part): boolean =>
  type === 'message/disposition-notification' || type === 'message/global-disposition-notification'

function readDisposition(sources: Sources): Report | null {
  const part = sources.parts().find(isDispositionPart)
  if (part === undefined || isRefusal(sources, part)) return null
  const [recipient = ''] = reportFields(sources.bytes, part)('final-recipient')
  const address = findAddress(cleanAddress(withoutType(recipient)))
  return {
    kind: 'report',
    variant: 'mdn',
    recipients: fedBack([address]),
    evidence: [sources.at('kind', 'rfc8098:disposition-notification', part.start, part.end)],
  }
}

/** How Outlook and Exchange begin the subject of a receipt, in their languages; behind it is the subject of what was read. */
const receiptSubject = compiled(`^(?:${anyWord('receiptSubject')})(?:\\s?[()（][^:：\\n]{0,40})?(?:\\s?[:：]|\\s-\\s)`)
const fieldStart = /^\s*\p{L}[\p{L} ]{0,20}[:：]/u
const receiptWords = wordsOf('receiptText')

/** A receipt whose report was lost on the way, or never written: it repeats the subject behind a field's name, and says what was done. */
function readDispositionWords(sources: Sources): Report | null {
  const subject = sources.subject().trim()
  const begins = receiptSubject.exec(subject)?.[0]
  if (begins === undefined) return null
  const text = sources.notice().text.slice(0, 4_000)
  const read = subject.slice(begins.length).trim()
  const isRepeated = text.split('\n').some((line) => fieldStart.test(line) && line.includes(read))
  const said = receiptWords.exec(text)?.[0]
  if (!isRepeated || said === undefined) return null
  const address = sources.sender()
  return {
    kind: 'report',
    variant: 'mdn',
    recipients: fedBack([address]),
    evidence: [sources.field('kind', 'text:receipt', 'subject'), sources.find('kind', 'text:receipt', said)],
  }
}

const complaintSubject =
  /^\[spamcop \(|\b(?:spam|abuse|ube|uce)[ -](?:complaint|report)\b|\b(?:complaint|report)[^\n]{0,20}\b(?:spam|abuse|ube|uce)\b|^(?:fwd?: ?)?(?:spam|uce|ube) from\b|spam-?(?:beschwerde|meldung)|plainte[^\n]{0,20}spam|denuncia[^\n]{0,20}spam/i

/** What SpamCop and people send to a host's abuse desk: a subject that says so, and the message that they complain of. */
function readComplaintWords(sources: Sources): Report | null {
  if (!complaintSubject.test(sources.subject()) || sources.returnedHeader('from') === '') return null
  return {
    kind: 'complaint',
    variant: 'abuse',
    recipients: fedBack(addressesOfReturned(sources)),
    evidence: [sources.field('kind', 'text:complaint', 'subject')],
  }
}

/** RFC 7489 section 7.2.1.1, RFC 8460 section 5.3. */
const reportSubject = /report domain:\s*\S+\s+submitter:\s*\S+\s+report-id:/i
/** Both name their files so: receiver, domain, begin and end. */
const reportName = /![^!]+!\d+!\d+|\.xml/i
const packedType =
  /^(?:application\/(?:zip|gzip|x-zip|x-gzip|x-zip-compressed|octet-stream|xml|json|tlsrpt\+(?:gzip|json))|text\/xml)$/
/** Parts in which a report is looked for. */
const packedPartsMax = 3

/** An aggregate report by what its fields, its subject or the name of its file say; which one it is its content tells. */
function readAggregate(sources: Sources): Report | null {
  const { root, bytes } = sources
  const parts = sources.parts()
  // Most are bounces.
  if (parts.some(isStatusPart)) return null
  const nameOf = (part: Part): string =>
    `${part.parameters['name'] ?? ''} ${headerText(bytes, part, 'content-disposition')}`
  const tls = parts.find(({ type }) => type.startsWith('application/tlsrpt'))
  const reportType = (root.parameters['report-type'] ?? '').toLowerCase()
  const isTls = tls !== undefined || reportType === 'tlsrpt' || sources.has('tls-report-domain')
  const subject = sources.header('subject')
  const isSubject = reportSubject.test(subject)
  const files = parts.filter((part) => packedType.test(part.type) || reportName.test(part.parameters['name'] ?? ''))
  const named = files.find((part) => reportName.test(nameOf(part)))
  const isNamed =
    named !== undefined &&
    /report[ -]domain:|dmarc/i.test(`${subject} ${sources.sender()} ${partText(bytes, root, 2_000)}`)
  if (!(isTls || isSubject || isNamed || reportType === 'dmarc')) return null
  const evidence = (variant: string): Evidence => {
    const part = tls ?? named
    const rule = variant === 'dmarc' ? 'rfc7489:aggregate' : 'rfc8460:tlsrpt'
    if (part !== undefined) return sources.at('kind', rule, part.start, part.bodyStart)
    const field = sources.has('tls-report-domain') ? 'tls-report-domain' : isSubject ? 'subject' : 'content-type'
    return sources.field('kind', rule, field)
  }
  const report = (variant: string, facts: AggregateFacts): Report => ({
    kind: 'report',
    variant,
    recipients: [],
    facts,
    evidence: [evidence(variant)],
  })
  const ordered = named === undefined ? files : [named, ...files.filter((part) => part !== named)]
  let room = unpackedMax
  for (const part of ordered.slice(0, packedPartsMax)) {
    const unpacked = unpack(decodeBody(bytes, part, packedMax), room)
    if (unpacked === null) break
    room -= unpacked.length
    const dmarc = readDmarc(unpacked)
    if (dmarc !== null) return report('dmarc', dmarc)
    const facts = readTlsReport(unpacked)
    if (facts !== null) return report('tls-rpt', facts)
  }
  return report(isTls ? 'tls-rpt' : 'dmarc', {})
}
