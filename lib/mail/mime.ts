/**
 * The structure of a message (RFC 5322, RFC 2045, RFC 2046) with the byte range of every part and field.
 *
 * It reads what mail systems really send: bare LF, missing boundaries, headers without bodies, NULs, 8-bit bytes. It never
 * throws and never copies the message: everything is an offset into the bytes that were handed in. Depth, parts and
 * header bytes are bounded; what lies beyond is left as one opaque part.
 */
import { decodeHeaderText, decodeText, type Fallback } from './charset.ts'

export const mimeLimits = {
  /** Levels of multipart and message/rfc822: real mail has a handful. */
  depth: 40,
  parts: 2_000,
  /** Bytes of one header section that are looked at. */
  headerBytes: 256 * 1024,
  fields: 2_000,
  /** Lines of one multipart that look like its boundary and are not. */
  strayBoundaries: 100_000,
} as const

export type Field = {
  /** Lower case. */
  readonly name: string
  /** Of the whole field, its line end included. */
  readonly start: number
  readonly end: number
  /** Behind the colon. */
  readonly valueStart: number
}

export type Part = {
  /** First byte of the header. */
  readonly start: number
  /** First byte behind the blank line. */
  readonly bodyStart: number
  /** Behind the last byte of the body, without the line end that belongs to the boundary. */
  readonly end: number
  readonly fields: readonly Field[]
  /** Lower case, for example `text/plain`. */
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
  /** Content-Transfer-Encoding in lower case; empty: none. */
  readonly encoding: string
  /** The parts of a multipart, or the one message in a message/rfc822. */
  readonly children: readonly Part[]
}

const lf = 0x0a
const cr = 0x0d
const colon = 0x3a
const nameMax = 200

/**
 * @param headersMax bytes of the header sections of all parts; behind so many a part has no children
 * @param start of the header, where something stands in front of it
 */
export function parseMime(bytes: Buffer, headersMax = Number.POSITIVE_INFINITY, start = 0): Part {
  return parsePart(bytes, start, bytes.length, 0, { parts: 0, headersLeft: headersMax }, 'text/plain')
}

type Count = { parts: number; headersLeft: number }

const isSpent = ({ parts, headersLeft }: Count): boolean => parts >= mimeLimits.parts || headersLeft <= 0

function parsePart(bytes: Buffer, start: number, end: number, depth: number, count: Count, fallback: string): Part {
  count.parts++
  const { fields, bodyStart } = parseFields(bytes, start, end)
  count.headersLeft -= bodyStart - start
  const contentType = rawHeader(bytes, { fields }, 'content-type')
  const { value: rawType, parameters } =
    contentType === null ? { value: '', parameters: {} } : parseParameters(contentType)
  const type = rawType !== '' && /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(rawType) ? rawType : fallback
  const rawEncoding = rawHeader(bytes, { fields }, 'content-transfer-encoding')
  const encoding = rawEncoding === null ? '' : (/[a-z0-9-]+/.exec(rawEncoding.toLowerCase())?.[0] ?? '')
  const part = { start, bodyStart, end, fields, type, parameters, encoding }
  if (depth >= mimeLimits.depth || isSpent(count)) return { ...part, children: [] }
  const boundary = parameters['boundary']
  if (type.startsWith('multipart/') && boundary !== undefined && boundary !== '') {
    const childFallback = type === 'multipart/digest' ? 'message/rfc822' : 'text/plain'
    const children: Part[] = []
    for (const [childStart, childEnd] of splitMultipart(bytes, bodyStart, end, boundary)) {
      if (isSpent(count)) break
      children.push(parsePart(bytes, childStart, childEnd, depth + 1, count, childFallback))
    }
    return { ...part, children }
  }
  if (isMessage(part) && encoding !== 'base64') {
    return { ...part, children: [parsePart(bytes, bodyStart, end, depth + 1, count, 'text/plain')] }
  }
  return { ...part, children: [] }
}

/** A whole message, of ASCII (RFC 2046 section 5.2.1) or international (RFC 6532 section 3.7). */
export const isMessage = ({ type }: Pick<Part, 'type'>): boolean =>
  type === 'message/rfc822' || type === 'message/global'

/** Fields from `start` to the blank line; a line that is no field ends the header, as if the blank line were missing. */
export function parseFields(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly fields: readonly Field[]; readonly bodyStart: number } {
  const fields: Field[] = []
  let at = start
  const limit = Math.min(end, start + mimeLimits.headerBytes)
  while (at < end) {
    if (bytes[at] === lf || bytes[at] === cr) {
      const blank = lineEndAt(bytes, at)
      if (blank > at) return { fields, bodyStart: Math.min(end, blank) }
    }
    let next = lineEnd(bytes, at, end)
    while (next < end && (bytes[next] === 0x20 || bytes[next] === 0x09)) next = lineEnd(bytes, next, end)
    const nameEnd = fieldNameEnd(bytes, at, next)
    if (nameEnd === at) {
      if (!isMboxLine(bytes.toString('latin1', at, Math.min(next, at + lineUsual)), at === start))
        return { fields, bodyStart: at }
      at = next
      continue
    }
    if (fields.length < mimeLimits.fields && at < limit) {
      let valueStart = nameEnd + 1
      while (bytes[valueStart - 1] !== colon) valueStart++
      fields.push({ name: nameOf(bytes, at, nameEnd), start: at, end: next, valueStart })
    }
    at = next
  }
  return { fields, bodyStart: end }
}

/** Names that were met, by a hash of their letters: most fields have one of a few dozen, and to decode each costs more than to compare it. */
const met: (string | undefined)[] = Array.from({ length: 1024 })

/** In lower case. */
function nameOf(bytes: Buffer, start: number, end: number): string {
  let hash = end - start
  for (let at = start; at < end; at++) hash = (hash * 31 + ((bytes[at] ?? 0) | 0x20)) & 0x3ff
  const known = met[hash]
  if (known !== undefined && known.length === end - start && isNamed(bytes, start, known)) return known
  const name = bytes.toString('latin1', start, end).toLowerCase()
  met[hash] = name
  return name
}

function isNamed(bytes: Buffer, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at] ?? 0
    const code = name.charCodeAt(at)
    if (byte !== code && !(byte >= 0x41 && byte <= 0x5a && byte + 0x20 === code)) return false
  }
  return true
}

/** The "From " line of an mbox: in front of a header, or in the midst of one, where a host put its fields above it. */
const isMboxLine = (line: string, isFirst: boolean): boolean =>
  isFirst ? line.startsWith('From ') : /^>?From .{0,200}\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.{0,60}\d\d:\d\d/.test(line)

/** Where the name of a field ends that starts at `start`; at `start`: this is no field. Spaces before the colon are obsolete, not wrong. */
function fieldNameEnd(bytes: Buffer, start: number, end: number): number {
  let at = start
  for (; at < end && at - start <= nameMax; at++) {
    const byte = bytes[at] ?? 0
    if (byte === colon || byte <= 0x20 || byte >= 0x7f) break
  }
  let behind = at
  while (behind < end && bytes[behind] === 0x20) behind++
  return behind < end && behind - start <= nameMax && bytes[behind] === colon ? at : start
}

/** Offset behind the line end that starts at `at`, of LF, CRLF, or CRCRLF, as text files become that are converted twice; `at`: none does. */
function lineEndAt(bytes: Buffer, at: number): number {
  let behind = at
  while (bytes[behind] === cr && behind < at + 2) behind++
  return bytes[behind] === lf ? behind + 1 : at
}

/** Offset behind the line end of the line that starts at `at`. */
export function lineEnd(bytes: Buffer, at: number, end: number): number {
  // Most lines are short: looking at each byte costs less than the call that searches.
  const near = Math.min(end, at + lineUsual)
  for (let index = at; index < near; index++) if (bytes[index] === lf) return index + 1
  const found = near === end ? -1 : bytes.indexOf(lf, near)
  return found < 0 || found >= end ? end : found + 1
}
const lineUsual = 200

/** The ranges of the parts between the boundary lines (RFC 2046 section 5.1.1). */
function splitMultipart(bytes: Buffer, start: number, end: number, boundary: string): [number, number][] {
  const delimiter = Buffer.from(`--${boundary}`, 'latin1')
  const within = bytes.subarray(0, end)
  const ranges: [number, number][] = []
  let partStart = -1
  let strays = 0
  for (let at = within.indexOf(delimiter, start); at >= 0; at = within.indexOf(delimiter, at + 1)) {
    if (++strays > mimeLimits.strayBoundaries) break
    if (at !== start && bytes[at - 1] !== lf) continue
    const behind = at + delimiter.length
    const closes = bytes[behind] === 0x2d && bytes[behind + 1] === 0x2d
    const after = bytes[closes ? behind + 2 : behind]
    // A longer boundary that starts like this one is another's.
    if (!closes && after !== undefined && after !== cr && after !== lf && after !== 0x20 && after !== 0x09) continue
    if (partStart >= 0) {
      let partEnd = at
      if (partEnd > partStart && bytes[partEnd - 1] === lf) partEnd--
      if (partEnd > partStart && bytes[partEnd - 1] === cr) partEnd--
      ranges.push([partStart, partEnd])
    }
    partStart = lineEnd(bytes, at, end)
    if (closes) return ranges
    if (ranges.length >= mimeLimits.parts) return ranges
    strays = 0
  }
  if (partStart >= 0 && partStart < end) ranges.push([partStart, end])
  return ranges
}

/** A field's body, unfolded (RFC 5322 section 2.2.3) and trimmed, encoded words as they are, a character for each byte. */
export function rawText(bytes: Buffer, field: Field): string {
  let { valueStart: start, end } = field
  while (end > start && isBlank(bytes[end - 1])) end--
  while (start < end && isBlank(bytes[start])) start++
  const text = bytes.toString('latin1', start, end)
  if (!text.includes('\n')) return text
  const unfolded = text.replace(/[\r\n]{1,3}(?=[ \t])/g, '')
  return unfolded.includes('\n') ? unfolded.replace(/\r{0,2}\n/g, ' ') : unfolded
}

/** Not what trims strings: behind a character of UTF-8 its last byte may look like a space of latin1. */
export const isBlank = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x09 || byte === cr || byte === lf

/** The same with encoded words decoded, of its first `wordsMax` characters. */
export const fieldText = (bytes: Buffer, field: Field, fallback?: Fallback, wordsMax?: number): string =>
  decodeHeaderText(rawText(bytes, field), fallback, wordsMax).trim()

/** The field, with no more of its value than so many bytes. */
export const shortened = (field: Field, bytesMax: number): Field => ({
  ...field,
  end: Math.min(field.end, field.valueStart + bytesMax),
})

export function findField({ fields }: Pick<Part, 'fields'>, name: string): Field | undefined {
  for (const field of fields) if (field.name === name) return field
  return undefined
}

/** The body of the first field of that name, as `rawText` gives it; null: there is none. */
export function rawHeader(bytes: Buffer, part: Pick<Part, 'fields'>, name: string): string | null {
  const field = findField(part, name)
  return field === undefined ? null : rawText(bytes, field)
}

/** The text of the first field of that name, of its first bytes where it has more than `bytesMax`. */
export function headerText(
  bytes: Buffer,
  part: Pick<Part, 'fields'>,
  name: string,
  fallback?: Fallback,
  bytesMax: number = mimeLimits.headerBytes,
): string {
  const field = findField(part, name)
  return field === undefined ? '' : fieldText(bytes, shortened(field, bytesMax), fallback)
}

const parametersMax = 100
/** Of a quoted string (RFC 5322 section 3.2.4). */
const unescaped = (text: string): string => (text.includes('\\') ? text.replace(/\\(.)/g, '$1') : text)
/** Where it goes on looking is set before each use: to make it anew for each field costs more than to use it. */
const parameter = /;\s*([^\s=;"]{1,100})\s*=\s*("(?:[^"\\]|\\.)*"?|[^;\s]*)/g

/**
 * A value with parameters: `text/plain; charset="utf-8"` (RFC 2045 section 5.1), continuations and charsets of RFC 2231 joined.
 * Names are in lower case, the value too.
 */
export function parseParameters(text: string): { value: string; parameters: Record<string, string> } {
  const unfolded = text.includes('\n') ? text.replace(/\r?\n/g, ' ') : text
  const semicolon = unfolded.indexOf(';')
  const front = semicolon < 0 ? unfolded : unfolded.slice(0, semicolon)
  const value = (front.includes('(') ? front.replace(/\([^()]*\)/g, '') : front).trim().toLowerCase()
  const parameters: Record<string, string> = {}
  let count = 0
  if (semicolon < 0) return { value, parameters }
  const pieces = new Map<string, { index: number; text: string; encoded: boolean }[]>()
  parameter.lastIndex = semicolon
  for (let match = parameter.exec(unfolded); match !== null; match = parameter.exec(unfolded)) {
    const [, name = '', given = ''] = match
    const unquoted = given.startsWith('"')
      ? unescaped(given.slice(1, given.length > 1 && given.endsWith('"') ? -1 : undefined))
      : given
    // Most have neither pieces nor a charset; of two of a name the first holds.
    if (!name.includes('*')) {
      const key = name.toLowerCase()
      if (!Object.hasOwn(parameters, key) && count++ < parametersMax)
        parameters[key] = /[\x80-\xff]/.test(unquoted) ? decodeText(Buffer.from(unquoted, 'latin1'), '') : unquoted
      continue
    }
    const parts = /^([^*]+)(?:\*(\d{1,3}))?(\*)?$/.exec(name.toLowerCase())
    if (parts?.[1] === undefined) continue
    const list = pieces.get(parts[1]) ?? []
    if (list.length < parametersMax)
      list.push({ index: Number(parts[2] ?? 0), text: unquoted, encoded: parts[3] === '*' })
    if (pieces.size < parametersMax) pieces.set(parts[1], list)
  }
  for (const [name, list] of pieces) {
    list.sort((a, b) => a.index - b.index)
    const charset = list[0]?.encoded ? (/^([^']*)'[^']*'/.exec(list[0].text)?.[1] ?? '') : ''
    const bytes = Buffer.concat(
      list.map((piece, index) => {
        if (!piece.encoded) return Buffer.from(piece.text, 'latin1')
        const encoded = index === 0 ? piece.text.replace(/^[^']*'[^']*'/, '') : piece.text
        return Buffer.from(
          encoded.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
          'latin1',
        )
      }),
    )
    parameters[name] = decodeText(bytes, charset)
  }
  return { value, parameters }
}

/** The body of a part with its transfer encoding undone; at most `max` bytes of it. */
export function decodeBody(bytes: Buffer, part: Part, max: number): Buffer {
  // Base64 and quoted-printable shrink, so what gives `max` bytes is at most four times as long.
  const raw = bytes.subarray(part.bodyStart, Math.min(part.end, part.bodyStart + max * 4))
  if (part.encoding === 'base64') {
    return Buffer.from(raw.toString('latin1').replace(/[^A-Za-z0-9+/]/g, ''), 'base64').subarray(0, max)
  }
  if (part.encoding === 'quoted-printable') return decodeQuotedPrintable(raw).subarray(0, max)
  return raw.subarray(0, max)
}

function decodeQuotedPrintable(raw: Buffer): Buffer {
  const decoded = Buffer.allocUnsafe(raw.length)
  let length = 0
  for (let at = 0; at < raw.length; at++) {
    const byte = raw[at] ?? 0
    if (byte !== 0x3d) {
      decoded[length++] = byte
      continue
    }
    let next = at + 1
    while (raw[next] === 0x20 || raw[next] === 0x09) next++
    const behind = lineEndAt(raw, next)
    if (behind > next) at = behind - 1
    else {
      const value = Number.parseInt(raw.toString('latin1', at + 1, at + 3), 16)
      if (/^[0-9a-fA-F]{2}$/.test(raw.toString('latin1', at + 1, at + 3))) {
        decoded[length++] = value
        at += 2
      } else decoded[length++] = byte
    }
  }
  return decoded.subarray(0, length)
}

/** The text of a text part; at most `max` bytes of it are decoded. */
export const partText = (bytes: Buffer, part: Part, max: number, fallback?: Fallback): string =>
  decodeText(decodeBody(bytes, part, max), part.parameters['charset'] ?? '', fallback)

/** All parts, the message itself first, in the order of the bytes. */
export function walkParts(part: Part): Part[] {
  const parts: Part[] = []
  const walk = (each: Part): void => {
    parts.push(each)
    for (const child of each.children) walk(child)
  }
  walk(part)
  return parts
}
