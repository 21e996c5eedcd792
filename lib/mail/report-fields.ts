/**
 * Bodies that are made of header-like fields in groups divided by blank lines: message/delivery-status (RFC 3464 section 2.1),
 * message/feedback-report (RFC 5965 section 3), message/disposition-notification (RFC 8098 section 3.1).
 */
import { decodeBody, type Field, fieldText, lineEnd, type Part, parseFields, shortened } from './mime.ts'

export type FieldGroup = readonly Field[]

const groupsMax = 10_000
/** Fields, and lines that are none: a thousand recipients with fifty each. */
const linesMax = 50_000
/** A thousand recipients with four kilobytes each. */
const reportBytesMax = 4 * 1024 * 1024
/** Of one field. */
const valueBytesMax = 16 * 1024

/** The groups of a part whose body is not encoded; `bytes` is what the offsets of the fields refer to. */
export function parseGroups(bytes: Buffer, part: Pick<Part, 'bodyStart' | 'end'>): FieldGroup[] {
  const groups: Field[][] = []
  const end = Math.min(part.end, part.bodyStart + reportBytesMax)
  let at = part.bodyStart
  /** The group goes on behind lines that belong to its last field, though they are not folded. */
  let goesOn = false
  let found = 0
  let lines = 0
  while (at < end && found < groupsMax && lines < linesMax) {
    const { fields, bodyStart } = parseFields(bytes, at, end)
    if (fields.length > 0) found++
    lines += fields.length + 1
    const group = groups.at(-1)
    const last = group?.at(-1)
    // Where a line is no field, it is passed over, so that the rest is still read.
    const isLine = fields.length === 0 && bodyStart === at
    at = isLine ? lineEnd(bytes, at, end) : bodyStart
    if (goesOn && isLine && last !== undefined) {
      if (at - last.start < valueBytesMax) group?.splice(-1, 1, { ...last, end: at })
    } else {
      if (goesOn) group?.push(...fields)
      else if (fields.length > 0) groups.push([...fields])
      const field = fields.at(-1)
      // A reply of several lines, as it was heard.
      goesOn = field?.end === bodyStart && field.name === 'diagnostic-code'
    }
  }
  return groups
}

const decodedMax = 256 * 1024

/**
 * What the fields of such a part say, of all its groups: by name, in lower case, each value in its order. A part that is encoded, which
 * it must not be (RFC 5965 section 3, RFC 8098 section 3), is decoded.
 */
export function reportFields(bytes: Buffer, part: Part): (name: string) => readonly string[] {
  const decoded = decodedReport(bytes, part)
  const text = decoded ?? bytes
  const fields = parseGroups(text, decoded === null ? part : { bodyStart: 0, end: decoded.length }).flat()
  return (name) => fields.filter((field) => field.name === name).map((field) => valueText(text, field))
}

/** The body of a report that is encoded; null: it is not, and its fields stand in the message's own bytes. */
export const decodedReport = (bytes: Buffer, part: Part): Buffer | null =>
  part.encoding === 'base64' || part.encoding === 'quoted-printable' ? decodeBody(bytes, part, decodedMax) : null

/** What a field says: its first sixteen kilobytes. */
export const valueText = (bytes: Buffer, field: Field): string =>
  fieldText(bytes, shortened(field, valueBytesMax), undefined, wordsMax)
/** They are not meant to be there (RFC 3464 section 2.1.1), and a thousand recipients may have a reply each. */
const wordsMax = 512

export const groupField = (group: FieldGroup, name: string): Field | undefined =>
  group.find((field) => field.name === name)

export function groupText(bytes: Buffer, group: FieldGroup, name: string): string {
  const field = groupField(group, name)
  return field === undefined ? '' : valueText(bytes, field)
}

/** The part behind `rfc822;`, `utf-8;`, `dns;` and the like (RFC 3464 section 2.1.2). */
export const withoutType = (value: string): string =>
  /^\s*[A-Za-z0-9_.-]+\s*;\s*(.*)$/s.exec(value)?.[1]?.trim() ?? value.trim()
