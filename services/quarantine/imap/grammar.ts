/**
 * The grammar of IMAP commands (RFC 9051 section 9), read from a line whose literals stand apart.
 *
 *   command = tag SP name [SP arguments] CRLF;  a literal is {n} or {n+} at the end of a line, followed by n bytes
 */

export class SyntaxProblem extends Error {}

/** Pieces of a command: text up to a literal, the literal, text behind it, and so on. */
export type Piece = string | Buffer

export type SequenceSet = readonly (readonly [number, number])[]
/** Stands for `*`. */
export const star = 0xffffffff + 1

const sequenceRangesMax = 10_000
const nestingMax = 50

export class Reader {
  readonly #pieces: readonly Piece[]
  #piece = 0
  #at = 0

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
  }

  #text(): string {
    const piece = this.#pieces[this.#piece]
    return typeof piece === 'string' ? piece : ''
  }

  get atEnd(): boolean {
    return this.#at >= this.#text().length && this.#piece >= this.#pieces.length - 1
  }

  peek(): string {
    return this.#text()[this.#at] ?? ''
  }

  /** Takes what the pattern (sticky) matches here. */
  match(pattern: RegExp): string | null {
    const sticky = new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}y`)
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#text())
    if (found === null) return null
    this.#at += found[0].length
    return found[0]
  }

  expect(pattern: RegExp, what: string): string {
    const found = this.match(pattern)
    if (found === null) throw new SyntaxProblem(`expected ${what}`)
    return found
  }

  space(): void {
    this.expect(/ /, 'a space')
  }

  end(): void {
    if (!this.atEnd) throw new SyntaxProblem('too many arguments')
  }

  atom(): string {
    return this.expect(/[^\x00-\x20\x7f(){%*"\\\]]+/, 'an atom')
  }

  /** A mod-sequence: up to 63 bits (RFC 7162 section 7); ours are far below 2^53. */
  modseq(): number {
    return Number(this.expect(/\d{1,19}/, 'a mod-sequence'))
  }

  number(): number {
    const text = this.expect(/\d{1,10}/, 'a number')
    return Number(text)
  }

  #literal(): Buffer | null {
    const marker = this.match(/~?\{\d+\+?\}$/)
    if (marker === null) return null
    const literal = this.#pieces[this.#piece + 1]
    if (!Buffer.isBuffer(literal)) throw new SyntaxProblem('a literal is missing')
    this.#piece += 2
    this.#at = 0
    return literal
  }

  /** A quoted string or a literal; text is latin1. */
  string(): string {
    if (this.peek() === '"') {
      const text = this.expect(/"(?:[^"\\\r\n]|\\["\\])*"/, 'a quoted string')
      return text.slice(1, -1).replace(/\\(["\\])/g, '$1')
    }
    const literal = this.#literal()
    if (literal === null) throw new SyntaxProblem('expected a string')
    return literal.toString('latin1')
  }

  astring(): string {
    if (this.peek() === '"' || this.peek() === '{') return this.string()
    return this.expect(/[^\x00-\x20\x7f(){%*"\\]+/, 'a string or an atom')
  }

  /** A mailbox name; INBOX in any case. */
  mailbox(): string {
    return decodeMailbox(this.astring())
  }

  listMailbox(): string {
    if (this.peek() === '"' || this.peek() === '{') return this.string()
    return this.expect(/[^\x00-\x20\x7f(){"\\]+/, 'a mailbox pattern')
  }

  sequenceSet(): SequenceSet {
    const text = this.expect(
      /(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*/,
      'a sequence set',
    )
    const parts = text.split(',')
    if (parts.length > sequenceRangesMax) throw new SyntaxProblem('a sequence set has too many ranges')
    return parts.map((part) => {
      const [first = '', last = first] = part.split(':')
      const value = (word: string): number => {
        if (word === '*') return star
        const number = Number(word)
        if (number === 0 || number > 0xffffffff) throw new SyntaxProblem('a number of a sequence set is out of range')
        return number
      }
      const [a, b] = [value(first), value(last)]
      return a <= b ? ([a, b] as const) : ([b, a] as const)
    })
  }

  /** A set, or `$`: what the last SEARCH saved (RFC 5182); the caller says what that is. */
  setOrSaved(saved: () => readonly number[]): { readonly set: SequenceSet; readonly isSaved: boolean } {
    if (this.match(/\$/) === null) return { set: this.sequenceSet(), isSaved: false }
    return { set: saved().map((uid) => [uid, uid] as const), isSaved: true }
  }

  /** The bytes of a message: a literal, or one that may hold NUL (RFC 9051 section 4.3). */
  message(): Buffer {
    const literal = this.#literal()
    if (literal === null) throw new SyntaxProblem('expected a literal')
    return literal
  }

  /** `-1:-50` or `1:50` (RFC 9394): from, to; negative ones count from the end. */
  partial(): readonly [number, number] {
    const [first = '', last = ''] = this.expect(/-?\d{1,10}:-?\d{1,10}/, 'a range').split(':')
    const [a, b] = [Number(first), Number(last)]
    if (a === 0 || b === 0 || a < 0 !== b < 0) throw new SyntaxProblem('expected a range')
    return Math.abs(a) <= Math.abs(b) ? [a, b] : [b, a]
  }

  /** `(item item)`; each item is read by `read`. */
  list<T>(read: () => T): T[] {
    this.expect(/\(/, '(')
    const items: T[] = []
    if (this.match(/\)/) !== null) return items
    for (;;) {
      items.push(read())
      if (this.match(/\)/) !== null) return items
      this.space()
      if (items.length > 1_000) throw new SyntaxProblem('a list is too long')
    }
  }

  flags(): string[] {
    const flag = (): string => this.expect(/\\?[^\x00-\x20\x7f(){%*"\\\]]+/, 'a flag')
    if (this.peek() === '(') return this.list(flag)
    const flags = [flag()]
    while (this.match(/ /) !== null) flags.push(flag())
    return flags
  }
}

/** A name: UTF-8 (RFC 9051 section 5.1), or modified UTF-7 (RFC 3501 section 5.1.3); a / at its end says only that it has children. */
function decodeMailbox(given: string): string {
  const name = given.replace(/\/+$/, '')
  if (/^inbox$/i.test(name)) return 'INBOX'
  if (/[\x80-\xff]/.test(name)) return Buffer.from(name, 'latin1').toString('utf8')
  return name.replace(/&([A-Za-z0-9+,]*)-/g, (_, coded: string) => {
    if (coded === '') return '&'
    const utf16 = Buffer.from(coded.replaceAll(',', '/'), 'base64')
    return utf16
      .subarray(0, utf16.length & ~1)
      .swap16()
      .toString('utf16le')
  })
}

// ---- FETCH --------------------------------------------------------------------------------------------------------

export type Section = {
  /** Part numbers, from 1; none: the message. */
  readonly part: readonly number[]
  readonly text: '' | 'HEADER' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT' | 'TEXT' | 'MIME'
  readonly fields: readonly string[]
}

export type FetchItem =
  | {
      readonly kind:
        | 'FLAGS'
        | 'UID'
        | 'INTERNALDATE'
        | 'RFC822.SIZE'
        | 'ENVELOPE'
        | 'BODY'
        | 'BODYSTRUCTURE'
        | 'MODSEQ'
        | 'EMAILID'
        | 'THREADID'
        | 'PREVIEW'
    }
  | { readonly kind: 'BINARY.SIZE'; readonly section: Section; readonly label: string }
  | {
      /** BINARY: without its transfer encoding (RFC 3516). */
      readonly kind: 'SECTION' | 'BINARY'
      readonly peek: boolean
      readonly section: Section
      readonly partial: { readonly offset: number; readonly length: number } | null
      /** How the item is called in the response. */
      readonly label: string
    }

const whole: Section = { part: [], text: '', fields: [] }
const macros: Readonly<Record<string, readonly FetchItem[]>> = {
  FAST: [{ kind: 'FLAGS' }, { kind: 'INTERNALDATE' }, { kind: 'RFC822.SIZE' }],
  ALL: [{ kind: 'FLAGS' }, { kind: 'INTERNALDATE' }, { kind: 'RFC822.SIZE' }, { kind: 'ENVELOPE' }],
  FULL: [{ kind: 'FLAGS' }, { kind: 'INTERNALDATE' }, { kind: 'RFC822.SIZE' }, { kind: 'ENVELOPE' }, { kind: 'BODY' }],
}

export function readFetchItems(reader: Reader): FetchItem[] {
  if (reader.peek() === '(') return reader.list(() => fetchItem(reader))
  const macro = reader.match(/(?:ALL|FAST|FULL)(?![A-Z0-9.[])/i)
  if (macro !== null) return [...(macros[macro.toUpperCase()] ?? [])]
  return [fetchItem(reader)]
}

function fetchItem(reader: Reader): FetchItem {
  const name = reader.expect(/[A-Z0-9]+(?:\.[A-Z0-9]+)*/i, 'a data item').toUpperCase()
  if ((name === 'BODY' || name === 'BODY.PEEK') && reader.peek() === '[') {
    const section = readSection(reader)
    const partial = readPartial(reader)
    return {
      kind: 'SECTION',
      peek: name === 'BODY.PEEK',
      section,
      partial,
      label: `BODY[${sectionText(section)}]${partial === null ? '' : `<${partial.offset}>`}`,
    }
  }
  if (name === 'BINARY' || name === 'BINARY.PEEK' || name === 'BINARY.SIZE') {
    const section = readSection(reader)
    if (section.text !== '') throw new SyntaxProblem('expected a part')
    const label = `[${sectionText(section)}]`
    if (name === 'BINARY.SIZE') return { kind: 'BINARY.SIZE', section, label: `BINARY.SIZE${label}` }
    const partial = readPartial(reader)
    return {
      kind: 'BINARY',
      peek: name === 'BINARY.PEEK',
      section,
      partial,
      label: `BINARY${label}${partial === null ? '' : `<${partial.offset}>`}`,
    }
  }
  const text = (kind: Section['text'], peek: boolean): FetchItem => ({
    kind: 'SECTION',
    peek,
    section: { ...whole, text: kind },
    partial: null,
    label: name,
  })
  switch (name) {
    case 'FLAGS':
    case 'UID':
    case 'INTERNALDATE':
    case 'RFC822.SIZE':
    case 'ENVELOPE':
    case 'BODY':
    case 'BODYSTRUCTURE':
    case 'MODSEQ':
    case 'EMAILID':
    case 'THREADID':
      return { kind: name }
    case 'PREVIEW':
      if (reader.match(/ \(/) !== null) reader.expect(/LAZY\)/i, 'LAZY')
      return { kind: name }
    case 'RFC822':
      return text('', false)
    case 'RFC822.HEADER':
      return text('HEADER', true)
    case 'RFC822.TEXT':
      return text('TEXT', false)
    default:
      throw new SyntaxProblem(`there is no data item ${name.slice(0, 40)}`)
  }
}

function readPartial(reader: Reader): { offset: number; length: number } | null {
  const text = reader.match(/<\d{1,10}\.\d{1,10}>/)
  const [offset = 0, length = 0] = (text ?? '').slice(1, -1).split('.').map(Number)
  if (text !== null && length === 0) throw new SyntaxProblem('a partial fetch of no bytes')
  return text === null ? null : { offset, length }
}

function readSection(reader: Reader): Section {
  reader.expect(/\[/, '[')
  const part: number[] = []
  for (let number = reader.match(/[1-9]\d{0,5}/); number !== null; number = reader.match(/[1-9]\d{0,5}/)) {
    part.push(Number(number))
    if (part.length > nestingMax) throw new SyntaxProblem('a part is nested too deep')
    if (reader.match(/\./) === null) break
  }
  const text = (
    reader.match(/HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME/i) ?? ''
  ).toUpperCase() as Section['text']
  if (text === 'MIME' && part.length === 0) throw new SyntaxProblem('MIME needs a part')
  let fields: string[] = []
  if (text.startsWith('HEADER.FIELDS')) {
    reader.space()
    fields = reader.list(() => reader.astring())
  }
  reader.expect(/\]/, ']')
  return { part, text, fields }
}

const sectionText = ({ part, text, fields }: Section): string =>
  [part.join('.'), text].filter((word) => word !== '').join('.') + (fields.length > 0 ? ` (${fields.join(' ')})` : '')

// ---- SEARCH -------------------------------------------------------------------------------------------------------

export type SearchKey =
  | { readonly kind: 'all' }
  | { readonly kind: 'and'; readonly keys: readonly SearchKey[] }
  | { readonly kind: 'or'; readonly keys: readonly [SearchKey, SearchKey] }
  | { readonly kind: 'not'; readonly key: SearchKey }
  | { readonly kind: 'flag'; readonly flag: string; readonly set: boolean }
  | { readonly kind: 'sequence' | 'uid'; readonly set: SequenceSet }
  | { readonly kind: 'saved' }
  | { readonly kind: 'age'; readonly older: boolean; readonly seconds: number }
  | { readonly kind: 'size'; readonly larger: boolean; readonly size: number }
  | { readonly kind: 'internal' | 'sent'; readonly compare: 'before' | 'on' | 'since'; readonly day: number }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'body' | 'text'; readonly value: string }
  | { readonly kind: 'modseq'; readonly from: number }
  | { readonly kind: 'messageId'; readonly id: string }

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const searchKeysMax = 200

/** The keys up to the end of the command; several mean all of them. */
export function readSearch(reader: Reader): SearchKey {
  if (reader.match(/CHARSET (?="|[A-Z])/i) !== null) {
    const charset = reader.astring().toUpperCase()
    if (charset !== 'UTF-8' && charset !== 'US-ASCII') throw new SyntaxProblem('[BADCHARSET (US-ASCII UTF-8)]')
    reader.space()
  }
  const count = { keys: 0 }
  const keys = [searchKey(reader, 0, count)]
  while (reader.match(/ /) !== null) keys.push(searchKey(reader, 0, count))
  return keys.length === 1 && keys[0] !== undefined ? keys[0] : { kind: 'and', keys }
}

function searchKey(reader: Reader, depth: number, count: { keys: number }): SearchKey {
  if (depth > nestingMax || ++count.keys > searchKeysMax) throw new SyntaxProblem('[LIMIT] the search is too complex')
  if (reader.peek() === '(') return { kind: 'and', keys: reader.list(() => searchKey(reader, depth + 1, count)) }
  if (reader.match(/\$/) !== null) return { kind: 'saved' }
  if (/[\d*]/.test(reader.peek())) return { kind: 'sequence', set: reader.sequenceSet() }
  const name = reader.atom().toUpperCase()
  const text = (): string => {
    reader.space()
    return reader.astring()
  }
  const day = (): number => {
    reader.space()
    const value = reader.expect(/"?\d{1,2}-[A-Za-z]{3}-\d{4}"?/, 'a date').replaceAll('"', '')
    const [date = '', month = '', year = ''] = value.split('-')
    const index = months.indexOf(month.toLowerCase())
    if (index < 0) throw new SyntaxProblem('expected a date')
    return Date.UTC(Number(year), index, Number(date))
  }
  const flag = (of: string, set: boolean): SearchKey => ({ kind: 'flag', flag: of, set })
  switch (name) {
    case 'ALL':
      return { kind: 'all' }
    case 'ANSWERED':
      return flag('\\Answered', true)
    case 'DELETED':
      return flag('\\Deleted', true)
    case 'DRAFT':
      return flag('\\Draft', true)
    case 'FLAGGED':
      return flag('\\Flagged', true)
    case 'SEEN':
      return flag('\\Seen', true)
    case 'UNANSWERED':
      return flag('\\Answered', false)
    case 'UNDELETED':
      return flag('\\Deleted', false)
    case 'UNDRAFT':
      return flag('\\Draft', false)
    case 'UNFLAGGED':
      return flag('\\Flagged', false)
    case 'UNSEEN':
      return flag('\\Seen', false)
    // No message is ever recent here (RFC 9051 dropped the flag).
    case 'RECENT':
    case 'NEW':
      return { kind: 'not', key: { kind: 'all' } }
    case 'OLD':
      return { kind: 'all' }
    case 'KEYWORD':
    case 'UNKEYWORD':
      reader.space()
      return flag(reader.atom(), name === 'KEYWORD')
    case 'FROM':
    case 'TO':
    case 'CC':
    case 'BCC':
    case 'SUBJECT':
      return { kind: 'header', name: name.toLowerCase(), value: text() }
    case 'HEADER':
      return { kind: 'header', name: text().toLowerCase(), value: text() }
    case 'BODY':
      return { kind: 'body', value: text() }
    case 'TEXT':
      return { kind: 'text', value: text() }
    case 'LARGER':
    case 'SMALLER':
      reader.space()
      return { kind: 'size', larger: name === 'LARGER', size: reader.number() }
    case 'BEFORE':
      return { kind: 'internal', compare: 'before', day: day() }
    case 'ON':
      return { kind: 'internal', compare: 'on', day: day() }
    case 'SINCE':
      return { kind: 'internal', compare: 'since', day: day() }
    case 'SENTBEFORE':
      return { kind: 'sent', compare: 'before', day: day() }
    case 'SENTON':
      return { kind: 'sent', compare: 'on', day: day() }
    case 'SENTSINCE':
      return { kind: 'sent', compare: 'since', day: day() }
    case 'UID':
      reader.space()
      return reader.match(/\$/) === null ? { kind: 'uid', set: reader.sequenceSet() } : { kind: 'saved' }
    case 'MODSEQ':
      reader.space()
      // The entry that a client may name is one counter for all here.
      if (reader.peek() === '"') {
        reader.string()
        reader.expect(/ (?:priv|shared|all) /i, 'an entry type')
      }
      return { kind: 'modseq', from: reader.modseq() }
    case 'EMAILID':
      return { kind: 'messageId', id: text() }
    case 'THREADID':
      text()
      return { kind: 'not', key: { kind: 'all' } }
    case 'OLDER':
    case 'YOUNGER':
      reader.space()
      return { kind: 'age', older: name === 'OLDER', seconds: reader.number() }
    case 'NOT':
      reader.space()
      return { kind: 'not', key: searchKey(reader, depth + 1, count) }
    case 'OR': {
      reader.space()
      const first = searchKey(reader, depth + 1, count)
      reader.space()
      return { kind: 'or', keys: [first, searchKey(reader, depth + 1, count)] }
    }
    default:
      throw new SyntaxProblem(`there is no search key ${name.slice(0, 40)}`)
  }
}
