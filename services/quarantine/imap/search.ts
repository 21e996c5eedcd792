/**
 * SEARCH: what the index knows is decided by it; header fields that it does not hold, and bodies, are read from the store, within
 * a bound.
 */
import { decodeHeaderText } from '#lib/mail/charset.ts'
import { findField, parseFields, parseMime, partText, rawValue, walkParts } from '#lib/mail/mime.ts'
import { indexedFields } from '../archive/entry.ts'
import type { Entry } from '../mailbox/view.ts'
import { inSet, type SearchKey } from './grammar.ts'

export type Candidate = { readonly sequence: number; readonly entry: Entry }

export class SearchLimit extends Error {}

const dayMs = 86_400_000
const textBytesMax = 1024 * 1024

export type SearchPorts = {
  readonly largestSequence: number
  readonly largestUid: number
  /** The bytes of a message; null: gone. Throws `SearchLimit` after too many. */
  message(entry: Entry): Promise<Buffer | null>
}

export async function matches(key: SearchKey, { sequence, entry }: Candidate, ports: SearchPorts): Promise<boolean> {
  switch (key.kind) {
    case 'all':
      return true
    case 'and':
      for (const inner of key.keys) if (!(await matches(inner, { sequence, entry }, ports))) return false
      return true
    case 'or':
      return (
        (await matches(key.keys[0], { sequence, entry }, ports)) ||
        (await matches(key.keys[1], { sequence, entry }, ports))
      )
    case 'not':
      return !(await matches(key.key, { sequence, entry }, ports))
    case 'flag': {
      const wanted = key.flag.toLowerCase()
      return entry.flags.some((flag) => flag.toLowerCase() === wanted) === key.set
    }
    case 'sequence':
      return inSet(key.set, sequence, ports.largestSequence)
    case 'uid':
      return inSet(key.set, entry.uid, ports.largestUid)
    case 'size':
      return key.larger ? entry.size > key.size : entry.size < key.size
    case 'internal':
      return compareDay(entry.receivedAt, key.compare, key.day)
    case 'sent': {
      const date = Date.parse(await headerOf(entry, 'date', ports))
      return !Number.isNaN(date) && compareDay(date, key.compare, key.day)
    }
    case 'header':
      return containsHeader(entry, key.name, key.value, ports)
    case 'body':
    case 'text': {
      const bytes = await ports.message(entry)
      if (bytes === null) return false
      return containsText(bytes, key.value, key.kind === 'text')
    }
    default:
      return key satisfies never
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

async function headerOf(entry: Entry, name: string, ports: SearchPorts): Promise<string> {
  const bytes =
    indexedFields.has(name) && entry.header.length > 0
      ? entry.header
      : ((await ports.message(entry)) ?? Buffer.alloc(0))
  const { fields } = parseFields(bytes, 0, bytes.length)
  const field = findField({ fields }, name)
  return field === undefined ? '' : rawValue(bytes, field).toString('latin1').trim()
}

async function containsHeader(entry: Entry, name: string, value: string, ports: SearchPorts): Promise<boolean> {
  const bytes =
    indexedFields.has(name) && entry.header.length > 0
      ? entry.header
      : ((await ports.message(entry)) ?? Buffer.alloc(0))
  const { fields } = parseFields(bytes, 0, bytes.length)
  const wanted = wantedText(value)
  return fields.some((field) => {
    if (field.name !== name) return false
    if (wanted === '') return true
    const unfolded = Buffer.from(rawValue(bytes, field).toString('latin1').replace(/\r?\n/g, ''), 'latin1')
    return fold(decodeHeaderText(unfolded)).includes(wanted)
  })
}

function containsText(bytes: Buffer, value: string, withHeader: boolean): boolean {
  const wanted = wantedText(value)
  const root = parseMime(bytes)
  for (const part of walkParts(root)) {
    if (withHeader) {
      for (const field of part.fields) {
        const unfolded = Buffer.from(
          bytes.subarray(field.start, field.end).toString('latin1').replace(/\r?\n/g, ''),
          'latin1',
        )
        if (fold(decodeHeaderText(unfolded)).includes(wanted)) return true
      }
    }
    if (part.children.length === 0 && (part.type.startsWith('text/') || part.type.startsWith('message/'))) {
      if (fold(partText(bytes, part, textBytesMax)).includes(wanted)) return true
    }
  }
  return false
}
