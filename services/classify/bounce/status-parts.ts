/** The machine-readable parts of a bounce (RFC 3464, 6533): of one report, or what is left of it. */
import type { Part } from '#lib/mail/mime.ts'
import { decodedReport } from '#lib/mail/report-fields.ts'
import type { Sources } from '../sources.ts'
import { type Dsn, readDsn, recipientsMax } from './dsn.ts'

export const isStatusPart = (part: Part): boolean =>
  part.type === 'message/delivery-status' || part.type === 'message/global-delivery-status'

/** Those of this report: some systems write several, and one that a returned report has is not of it. */
function statusPartsOf(sources: Sources): readonly Part[] {
  const parts = sources.parts()
  const first = parts.find(isStatusPart)
  if (first === undefined) return []
  return parts.find(({ children }) => children.includes(first))?.children.filter(isStatusPart) ?? [first]
}

/** What the machine-readable parts say; of several of one report each recipient counts once. */
export function readParts(sources: Sources): Dsn {
  const { bytes, root } = sources
  const parts = statusPartsOf(sources)
  if (parts.length === 0) return readFlattened(bytes, root)
  const read = parts.map((part) => readPart(bytes, part))
  const known = new Set<string>()
  const recipients = read.flatMap((dsn, index) => {
    const others =
      index === 0 ? dsn.recipients : dsn.recipients.filter(({ address }) => !known.has(address.toLowerCase()))
    for (const { address } of others) known.add(address.toLowerCase())
    return others
  })
  const first = (name: 'reporter' | 'envelopeId' | 'messageId'): string =>
    read.find((dsn) => dsn[name] !== '')?.[name] ?? ''
  return {
    reporter: first('reporter'),
    envelopeId: first('envelopeId'),
    messageId: first('messageId'),
    recipients: recipients.slice(0, recipientsMax),
  }
}

/** Fields of a report where they do not belong: only those that name an address are believed. */
const readStray = (bytes: Buffer, range: { readonly bodyStart: number; readonly end: number }): Dsn =>
  withAddress(readDsn(bytes, range))

const withAddress = ({ recipients, ...dsn }: Dsn): Dsn => ({
  ...dsn,
  recipients: recipients.filter(({ address }) => address.includes('@')),
})

function readPart(bytes: Buffer, part: Part): Dsn {
  const decoded = decodedReport(bytes, part)
  if (decoded !== null) return readCopy(decoded, part)
  const dsn = readDsn(bytes, part)
  if (dsn.recipients.length > 0) return dsn
  // Where the blank line is missing, the report's fields stand in the part's header.
  const stray = readStray(bytes, { bodyStart: part.start, end: part.bodyStart })
  return stray.recipients.length > 0 ? stray : readFlattened(bytes, part)
}

/** Of a copy of a part's text: offsets into that mean nothing to others, so the whole part is the evidence. */
function readCopy(copy: Buffer, { bodyStart, end }: Part): Dsn {
  const { recipients, ...dsn } = readDsn(copy, { bodyStart: 0, end: copy.length })
  const range = [bodyStart, end] as const
  return {
    ...dsn,
    recipients: recipients.map((recipient) => ({ ...recipient, range, statusRange: null, diagnosticRange: null })),
  }
}

const dsnField =
  /^[>| \t]*(?:reporting-mta|final-recipient|original-recipient)[ \t]*:[ \t]*(?:rfc822|utf-8|dns|x-[\w-]+|smtp)[ \t]*;/im
const recipientField = /^([>| \t]*)(?:final|original)-recipient[ \t]*:/im
const returnedField = /^[>| \t]*(?:return-path|received)[ \t]*:/im
const flattenedMax = 256 * 1024
const noDsn: Dsn = { reporter: '', envelopeId: '', messageId: '', recipients: [] }

/** The fields of a report whose parts were lost on the way: forwarded as text, quoted or indented, or with a boundary that is none. */
function readFlattened(bytes: Buffer, part: Part): Dsn {
  const { bodyStart: from, end } = part
  const text = bytes.toString('latin1', from, Math.min(end, from + flattenedMax))
  // Most have no such field.
  if (!text.toLowerCase().includes('-recipient')) return noDsn
  const start = text.search(dsnField)
  const prefix = recipientField.exec(text)?.[1]
  if (start < 0 || prefix === undefined) return noDsn
  const length = returnedField.exec(text.slice(start))?.index ?? text.length - start
  if (prefix === '') return readStray(bytes, { bodyStart: from + start, end: from + start + length })
  const lines = text.slice(start, start + length).split('\n')
  const bare = lines.map((line) =>
    line.startsWith(prefix) ? line.slice(prefix.length) : line.replace(/^[>|\s]+$/, ''),
  )
  return withAddress(readCopy(Buffer.from(bare.join('\n'), 'latin1'), part))
}
