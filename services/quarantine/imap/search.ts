/**
 * SEARCH: flags, numbers, sizes and dates are decided by what is in memory, header fields by the index; header fields that it does
 * not hold, and bodies, are read from the store, within a bound.
 */
import { decodeHeaderText } from '#lib/mail/charset.ts'
import { mimeLimits, parseMime, partText, walkParts } from '#lib/mail/mime.ts'
import { indexedFields } from '../archive/entry.ts'
import type { Roster } from '../mailbox/roster.ts'
import type { SearchKey } from './grammar.ts'
import { indexesOf, type Ranges, rangesOf } from './sets.ts'

export class SearchLimit extends Error {}

export type SearchScope = {
  readonly roster: Roster
  /** What the client knows, by message number - 1: the first `count`. */
  readonly uids: Uint32Array
  readonly count: number
  readonly saved: readonly number[]
  readonly now: number
  /** By index of the client: message ids. */
  messageId(index: number): string
}

/** A message for those keys that memory cannot decide. */
export type Readable = {
  readonly index: number
  /** The indexed header fields, a character a byte or decoded from UTF-8; empty: read the message. */
  header(): string
  /** Null: gone. Throws `SearchLimit` after too many. */
  message(): Promise<Buffer | null>
}

/**
 * True, false, or null: it takes more than what is at hand. `at` is the index in the roster, `header` the indexed header fields, as far
 * as they were read: empty where they were not, or are not indexed.
 */
export type Test = (index: number, at: number, header: string) => boolean | null

const dayMs = 86_400_000
const textBytesMax = 1024 * 1024

/** What memory says of a key. */
export function compile(key: SearchKey, scope: SearchScope): Test {
  const { roster, uids, count } = scope
  switch (key.kind) {
    case 'all':
      return () => true
    case 'and': {
      const tests = key.keys.map((inner) => compile(inner, scope))
      return (index, at, header) => {
        let all: boolean | null = true
        for (const test of tests) {
          const found = test(index, at, header)
          if (found === false) return false
          if (found === null) all = null
        }
        return all
      }
    }
    case 'or': {
      const [one, other] = [compile(key.keys[0], scope), compile(key.keys[1], scope)]
      return (index, at, header) => {
        const first = one(index, at, header)
        if (first === true) return true
        const second = other(index, at, header)
        return second === true ? true : first === null || second === null ? null : false
      }
    }
    case 'not': {
      const test = compile(key.key, scope)
      return (index, at, header) => {
        const found = test(index, at, header)
        return found === null ? null : !found
      }
    }
    case 'flag': {
      const has = roster.hasFlag(key.flag.toLowerCase())
      return (_, at) => has(at) === key.set
    }
    case 'sequence':
    case 'uid':
      return within(rangesOf(key.set, key.kind === 'uid', uids, count))
    case 'saved': {
      const saved = new Set(scope.saved)
      return (index) => saved.has(uids[index] ?? 0)
    }
    case 'size':
      return (_, at) => (key.larger ? (roster.sizes[at] ?? 0) > key.size : (roster.sizes[at] ?? 0) < key.size)
    case 'internal':
      return (_, at) => compareDay(roster.dates[at] ?? 0, key.compare, key.day)
    case 'age': {
      const edge = scope.now - key.seconds * 1000
      return (_, at) => (key.older ? (roster.dates[at] ?? 0) <= edge : (roster.dates[at] ?? 0) >= edge)
    }
    case 'modseq':
      return (_, at) => (roster.modseqs[at] ?? 0) >= key.from
    case 'messageId':
      return (index) => scope.messageId(index) === key.id
    case 'sent':
      return (_index, _at, header) => (header === '' ? null : isSent(header, key))
    case 'header': {
      if (!indexedFields.has(key.name)) return () => null
      const wanted = wantedText(key.value)
      return (_index, _at, header) => (header === '' ? null : hasValue(header, key.name, wanted))
    }
    case 'body':
    case 'text':
      return () => null
    default:
      return key satisfies never
  }
}

const within = (ranges: Ranges): Test => {
  const named = new Set(ranges.length > 1 ? indexesOf(ranges) : [])
  const [only] = ranges
  if (ranges.length <= 1) return (index) => only !== undefined && index >= only[0] && index < only[1]
  return (index) => named.has(index)
}

/** Decides a key that memory could not. */
export async function matches(
  key: SearchKey,
  at: number,
  test: Test,
  scope: SearchScope,
  message: Readable,
): Promise<boolean> {
  switch (key.kind) {
    case 'and':
      for (const inner of key.keys) if (!(await matches(inner, at, compile(inner, scope), scope, message))) return false
      return true
    case 'or':
      return (
        (await matches(key.keys[0], at, compile(key.keys[0], scope), scope, message)) ||
        (await matches(key.keys[1], at, compile(key.keys[1], scope), scope, message))
      )
    case 'not':
      return !(await matches(key.key, at, compile(key.key, scope), scope, message))
    case 'sent':
      return isSent(await fieldsText(message, 'date'), key)
    case 'header':
      return hasValue(await fieldsText(message, key.name), key.name, wantedText(key.value))
    case 'body':
    case 'text': {
      const bytes = await message.message()
      return bytes !== null && containsText(bytes, key.value, key.kind === 'text')
    }
    default:
      return test(message.index, at, '') ?? false
  }
}

function compareDay(at: number, compare: 'before' | 'on' | 'since', day: number): boolean {
  if (compare === 'before') return at < day
  if (compare === 'since') return at >= day
  return at >= day && at < day + dayMs
}

const fold = (text: string): string => text.toLowerCase()
/** Strings of a command are bytes; what they mean is UTF-8. */
const wantedText = (value: string): string => fold(Buffer.from(value, 'latin1').toString('utf8'))

/** The text in which a field stands. */
async function fieldsText(message: Readable, name: string): Promise<string> {
  const header = indexedFields.has(name) ? message.header() : ''
  return header !== ''
    ? header
    : ((await message.message()) ?? Buffer.alloc(0)).toString('latin1', 0, mimeLimits.headerBytes)
}

/** The values of a field, unfolded. */
function* valuesOf(text: string, name: string): Generator<string> {
  const end = text.indexOf('\r\n\r\n')
  for (const found of text.matchAll(fieldPattern(name))) {
    if (end >= 0 && found.index > end) return
    yield (found[1] ?? '').replace(/\r?\n/g, '').trim()
  }
}

function isSent(
  text: string,
  { compare, day }: { readonly compare: 'before' | 'on' | 'since'; readonly day: number },
): boolean {
  const [value = ''] = valuesOf(text, 'date')
  const date = Date.parse(value)
  return !Number.isNaN(date) && compareDay(date, compare, day)
}

/** Whether a value of the field, decoded, holds what is wanted. */
function hasValue(text: string, name: string, wanted: string): boolean {
  for (const value of valuesOf(text, name)) {
    if (fold(value).includes(wanted)) return true
    if (value.includes('=?') || /[\x80-\xff]/.test(value)) {
      if (fold(decodeHeaderText(value)).includes(wanted)) return true
    }
  }
  return false
}

const fieldPatterns = new Map<string, RegExp>()
const fieldPatternsMax = 100

/** A field with its continuation lines (RFC 5322 section 2.2). */
function fieldPattern(name: string): RegExp {
  let pattern = fieldPatterns.get(name)
  if (pattern === undefined) {
    const literal = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    pattern = new RegExp(`(?:^|(?<=\\n))${literal}[ \\t]*:([^\\n]*(?:\\n[ \\t][^\\n]*)*)`, 'gi')
    if (fieldPatterns.size >= fieldPatternsMax) fieldPatterns.clear()
    fieldPatterns.set(name, pattern)
  }
  return pattern
}

function containsText(bytes: Buffer, value: string, withHeader: boolean): boolean {
  const wanted = wantedText(value)
  const root = parseMime(bytes)
  for (const part of walkParts(root)) {
    if (withHeader) {
      for (const field of part.fields) {
        const unfolded = bytes.toString('latin1', field.start, field.end).replace(/\r?\n/g, '')
        if (fold(decodeHeaderText(unfolded)).includes(wanted)) return true
      }
    }
    if (part.children.length === 0 && (part.type.startsWith('text/') || part.type.startsWith('message/'))) {
      if (fold(partText(bytes, part, textBytesMax)).includes(wanted)) return true
    }
  }
  return false
}
