/**
 * A message as the classifier looks at it: parsed once, its notice and what it returns found once, evidence by byte range.
 */
import { guessCharset, isTelling } from '#lib/mail/charset.ts'
import { htmlToText } from '#lib/mail/html.ts'
import {
  decodeBody,
  fieldText,
  findField,
  headerText,
  isBlank,
  isMessage,
  type Part,
  parseMime,
  partText,
  rawHeader,
  walkParts,
} from '#lib/mail/mime.ts'
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Envelope, Evidence } from '#schemas/types.ts'
import { splitNotice } from './bounce/notice.ts'
import { isStatusPart } from './bounce/status-parts.ts'
import { isReply, untagged } from './subject.ts'

const textBytesMax = 256 * 1024
/** Bytes of the headers of all parts. */
const headersMax = 4 * 1024 * 1024
const evidenceTextMax = 200
/** What decides stands at the front: a text is looked for so far. */
const evidenceBytesMax = 512 * 1024
/** Of one verdict. */
export const evidenceMax = 100
/** Characters of a field that are read, so that what looks for words in it is not kept busy by a stranger; of those that list a thousand addresses. */
const [headerTextMax, listTextMax] = [4 * 1024, 64 * 1024]
const lists: ReadonlySet<string> = new Set(['to', 'cc', 'x-failed-recipients'])
/** Of the subject: no line is longer (RFC 5322 section 2.1.1). */
const subjectMax = 1_000

export class Sources {
  readonly bytes: Buffer
  readonly root: Part
  readonly envelope: Pick<Envelope, 'reversePath' | 'forwardPaths'> | null
  #notice: { text: string; returned: string } | null = null
  #returned: Part | null | undefined
  #returnedBytes: Buffer
  #parts: readonly Part[] | null = null
  #subject: string | null = null
  #charset: string | null = null
  /** What this message's text is in where it does not say so. */
  readonly #fallback = (text: Uint8Array): string => {
    this.#charset ??= charsetOf(this.bytes, this.root, this.parts()) || guessCharset(text)
    return this.#charset
  }
  /** Fields that were asked for, by name: each is decoded once. */
  readonly #headers = new Map<string, string>()
  readonly #returnedHeaders = new Map<string, string>()

  /** @param root of a message that is part of these bytes; absent: they are one */
  constructor(bytes: Buffer, envelope: Pick<Envelope, 'reversePath' | 'forwardPaths'> | null, root?: Part) {
    this.bytes = bytes
    this.root = root ?? parseMime(bytes, headersMax, headerStart(bytes))
    this.envelope = envelope
    this.#returnedBytes = bytes
  }

  header(name: string): string {
    return remembered(this.#headers, name, (max) => headerText(this.bytes, this.root, name, this.#fallback, max))
  }

  /** As the words of rules are written, without what filters put in front of it. */
  subject(): string {
    this.#subject ??= untagged(written(this.header('subject').slice(0, subjectMax)))
    return this.#subject
  }

  has(name: string): boolean {
    return findField(this.root, name) !== undefined
  }

  /** Whether it says that it answers a message, by its field or its subject. */
  isAnswer(): boolean {
    return this.has('in-reply-to') || isReply(this.subject())
  }

  parts(): readonly Part[] {
    this.#parts ??= walkParts(this.root)
    return this.#parts
  }

  /** The text for a person: of the first text parts that do not belong to a returned message, so much of all of them. */
  notice(): { readonly text: string; readonly returned: string } {
    if (this.#notice === null) {
      const texts: string[] = []
      let room = textBytesMax
      const walk = (part: Part): void => {
        if (room <= 0) return
        if (part.type.startsWith('message/') || part.type === 'text/rfc822-headers') return
        if (part.children.length > 0) {
          if (part.type === 'multipart/alternative') {
            const best = part.children.find((child) => child.type === 'text/plain') ?? part.children[0]
            if (best !== undefined) walk(best)
          } else for (const child of part.children) walk(child)
        } else if (
          part.type === 'text/plain' ||
          part.type === 'text/html' ||
          (part.type === 'application/octet-stream' && /\.txt"?$/i.test(part.parameters['name'] ?? '')) ||
          (part.type.startsWith('multipart/') && part.children.length === 0)
        ) {
          const text = partText(this.bytes, part, room, this.#fallback)
          room -= text.length
          texts.push(
            part.type === 'text/html' || /^\s*<(?:!doctype|html|body|p|div)\b/i.test(text) ? htmlToText(text) : text,
          )
        }
      }
      walk(this.root)
      this.#notice = splitNotice(withoutLinks(spaced(written(withLineFeeds(texts.join('\n'))))))
    }
    return this.#notice
  }

  /** The message that was returned, whole or its header only; null: none. Its offsets are those of `returnedBytes()`. */
  returned(): Part | null {
    if (this.#returned === undefined) {
      this.#returned = this.#returnedPart()
      const given = this.#returned === null ? this.#returnedElsewhere() : this.#mended(this.#returned)
      if (given.length > 0) {
        this.#returnedBytes = given
        this.#returned = parseMime(given)
      }
    }
    return this.#returned
  }

  #returnedPart(): Part | null {
    const parts = this.parts()
    const whole = parts.find((part) => isMessage(part) && part.children.length > 0)?.children[0]
    if (whole !== undefined || parts.length < 2 || parts.some(isHeaders)) return whole ?? null
    // Some make a part of its header and its text.
    return parts.find((part) => part !== this.root && hasAll(part, ['from', 'message-id'])) ?? null
  }

  /** The message where it is no part that was parsed: encoded, a file, text of a notice, or behind a boundary that is none. */
  #returnedElsewhere(): Buffer {
    const parts = this.parts()
    const other = parts.find(isHeaders) ?? parts.find((part) => isMessage(part) || this.#isMessageFile(part))
    if (other !== undefined) return this.#decoded(other)
    return returnedFields(this.notice().returned || this.#behindBoundary())
  }

  /** The header of a message that some system broke, without what is no field; empty: it is not broken. */
  #mended(returned: Part): Buffer {
    if (returned.fields.some(({ name }) => ownFields.has(name))) return nothing
    return returnedFields(`\n${this.#textFrom(returned.start, returned.end)}`)
  }

  #textFrom(start: number, end: number): string {
    return withLineFeeds(this.bytes.toString('latin1', start, Math.min(end, start + strayBytesMax)))
  }

  /** What stands behind the header of a part of a returned message whose boundary is not that of the others. */
  #behindBoundary(): string {
    const report = this.parts().find(isStatusPart)
    if (report === undefined) return ''
    const text = this.#textFrom(report.bodyStart, report.end)
    const type = strayType.exec(text)
    return type === null ? '' : text.slice(type.index + type[0].length)
  }

  /** Some attach the message as a file, or encode it though it must not be (RFC 2046 section 5.2.1). */
  #isMessageFile(part: Part): boolean {
    if (!/^(?:application\/octet-stream|text\/plain)$/.test(part.type)) return false
    return /\.eml"?\s*(?:;|$)/i.test(
      `${part.parameters['name'] ?? ''};${headerText(this.bytes, part, 'content-disposition')}`,
    )
  }

  #decoded(part: Part): Buffer {
    return isHeaders(part)
      ? Buffer.from(partText(this.bytes, part, textBytesMax, this.#fallback))
      : decodeBody(this.bytes, part, textBytesMax)
  }

  returnedBytes(): Buffer {
    this.returned()
    return this.#returnedBytes
  }

  returnedHeader(name: string): string {
    const part = this.returned()
    return part === null
      ? ''
      : remembered(this.#returnedHeaders, name, (max) =>
          headerText(this.#returnedBytes, part, name, this.#fallback, max),
        )
  }

  // ---- evidence -----------------------------------------------------------------------------------------------------

  at(decided: string, rule: string, start: number, end: number): Evidence {
    const text = this.bytes.toString('utf8', start, Math.min(end, start + evidenceTextMax)).trim()
    return { decided, rule, start, end, text: text.slice(0, evidenceTextMax) }
  }

  field(decided: string, rule: string, name: string): Evidence {
    const field = findField(this.root, name)
    return field === undefined
      ? { decided, rule, start: 0, end: 0, text: '' }
      : {
          ...this.at(decided, rule, field.start, field.end),
          text: fieldText(this.bytes, field).slice(0, evidenceTextMax),
        }
  }

  /** Where a text stands; where it does not as it is (encoded, folded), the body that it came from. */
  find(decided: string, rule: string, text: string): Evidence {
    const { start, end } = this.root
    const at = text === '' ? -1 : this.bytes.subarray(0, Math.min(end, start + evidenceBytesMax)).indexOf(text, start)
    if (at >= 0) return this.at(decided, rule, at, at + Buffer.byteLength(text))
    return { decided, rule, start: this.root.bodyStart, end: this.root.end, text: text.slice(0, evidenceTextMax) }
  }

  sender(): string {
    return findAddress(this.header('from')).toLowerCase()
  }
}

/** Some programs write empty lines, or the mark of UTF-8, in front of the header; strictly it would be empty (RFC 5322 section 2.1). */
function headerStart(bytes: Buffer): number {
  const first = bytes[0]
  if (first !== 0x0a && first !== 0x0d && first !== 0xef) return 0
  const [before] =
    /^(?:\xef\xbb\xbf)?[\r\n]{0,20}(?=From |[A-Za-z][\w-]{0,60}:)/.exec(bytes.toString('latin1', 0, 100)) ?? []
  return before?.length ?? 0
}

/** A charset that the message names somewhere, or what its first text looks like; empty: that is ASCII. */
function charsetOf(bytes: Buffer, root: Part, parts: readonly Part[]): string {
  const texts = parts.filter(({ type }) => type.startsWith('text/'))
  const inWord = /=\?([\w-]{2,40})(?:\*[^?]{0,20})?\?/.exec(rawHeader(bytes, root, 'subject') ?? '')?.[1] ?? ''
  const named = [...texts.map(({ parameters }) => parameters['charset'] ?? ''), inWord].find(isTelling)
  if (named !== undefined) return named
  const first = texts[0] ?? root
  return guessCharset(decodeBody(bytes, first, textBytesMax))
}

/** Of a header that some system broke, and of a report that a boundary does not end. */
const strayBytesMax = 64 * 1024
const strayType = /^content-type:[ \t]*(?:message\/rfc822|text\/rfc822-headers)\b[^\r\n]*\r?\n/im
const ownFields: ReadonlySet<string> = new Set(['from', 'to', 'subject', 'message-id'])
const nothing = Buffer.alloc(0)
const hasAll = (part: Part, names: readonly string[]): boolean =>
  names.every((name) => findField(part, name) !== undefined)

/** Of a message in pieces (RFC 2046 section 5.2.2) the first has the header. */
const isHeaders = ({ type }: Part): boolean =>
  /^(?:(?:text|message)\/rfc822-headers?|message\/global-headers|message\/partial)$/.test(type)

/** The fields in what a notice returns as text, behind a line that says so: quoted, or indented, as it may be. Empty: none. */
function returnedFields(returned: string): Buffer {
  const text = returned.replace(/^[^\n]*\n+/, (first) => (/^[A-Za-z-]+:(?!\/\/)/.test(first) ? first : ''))
  const prefix = /^([ \t>|]*)[A-Za-z][A-Za-z-]*:(?!\/\/)/m.exec(text)?.[1]
  if (prefix === undefined) return nothing
  const lines =
    prefix === ''
      ? text
      : text
          .split('\n')
          .map((line) => (line.startsWith(prefix) ? line.slice(prefix.length) : line))
          .join('\n')
  return Buffer.from(lines.replace(noField, (line) => (/^[ \t]+\S/.test(line) ? line : '')).trimStart())
}
const noField = /(?<![^\n])(?![A-Za-z][A-Za-z-]*:(?!\/\/))[^\n]*\n/g

/** @param read from so many bytes */
function remembered(known: Map<string, string>, name: string, read: (bytesMax: number) => string): string {
  const given = known.get(name)
  if (given !== undefined) return given
  const max = lists.has(name) ? listTextMax : headerTextMax
  const text = read(max * bytesOfChar).slice(0, max)
  known.set(name, text)
  return text
}
/** Of a field: encoded words of base64, folded. */
const bytesOfChar = 4

/**
 * What looks like a space, a hyphen or nothing, a capital without a small letter, and marks that follow their letter, as macOS and
 * windows-1258 write them.
 */
const odd =
  /[\u0300-\u036f\u0653-\u0655\u1100-\u11ff\u1680\u2000-\u200b\u2010\u2011\u2028\u2029\u202f\u205f\u2060\u3000\u3099\u309a\ufeff\u0130\v\f\xa0\xad]/
/** As the words of rules are written: in NFC (Unicode Standard Annex 15), with spaces and hyphens of ASCII, and few spaces in a row. */
const written = (text: string): string => {
  const plain = odd.test(text)
    ? text
        .normalize('NFC')
        .replace(/[\xad\u200b\u2060\ufeff]/g, '')
        .replace(/[\v\f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g, ' ')
        .replace(/[\u2010\u2011]/g, '-')
        .replaceAll('\u0130', 'I')
    : text
  return isLoose(plain) ? plain.replace(longBlank, blanks).replace(emptyLines, '\n\n\n') : plain
}
/** Of columns and of empty lines a few are enough: many patterns try each space at each place. */
const blanksMax = 32
const [longBlank, blanks] = [/[ \t\r]{33,}/g, ' '.repeat(blanksMax)]
/** Whether more of them, and of line ends, follow one another: one of those stands at every thirty-third place. */
function isLoose(text: string): boolean {
  for (let at = blanksMax; at < text.length; at += blanksMax + 1) {
    if (!isBlank(text.charCodeAt(at))) continue
    let start = at
    let end = at + 1
    while (isBlank(text.charCodeAt(start - 1))) start--
    while (isBlank(text.charCodeAt(end))) end++
    if (end - start > blanksMax) return true
  }
  return false
}
const emptyLines = /\n(?:[^\S\n]*\n){3,}/g

const withLineFeeds = (text: string): string => (text.includes('\r') ? text.replace(/\r{1,2}\n/g, '\n') : text)

/** Of "user@example.com <mailto:user@example.com>", as Outlook writes a link into text, and of the like in Markdown, what a person reads. */
const withoutLinks = (text: string): string =>
  text.includes('<mailto:') || text.includes('(mailto:')
    ? text.replace(
        /[ \t]?[<(]mailto:([^\s<>()?]{3,320})(?:\?[^\s<>()]{0,1000})?[>)]/gi,
        (link, address: string, at: number) => {
          const shown = text.slice(Math.max(0, at - address.length - 1), at).replace(/\]$/, '')
          return shown.toLowerCase().endsWith(address.toLowerCase()) ? '' : link
        },
      )
    : text

/** NetMail writes the spaces of a reply as underscores: "550_5.1.1_User_unknown". */
const spaced = (text: string): string =>
  text.includes('_')
    ? text.replace(/\b[45]\d\d_[45]\.\d{1,3}\.\d{1,3}_\S{1,200}/g, (reply) => reply.replaceAll('_', ' '))
    : text
