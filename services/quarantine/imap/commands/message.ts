/** Commands about messages: RFC 9051 section 6.4, and UID EXPUNGE of RFC 4315. */
import { type Part, parseFields, parseMime } from '#lib/mail/mime.ts'
import { indexedFields } from '../../archive/entry.ts'
import type { Entry } from '../../mailbox/view.ts'
import {
  type FetchItem,
  inSet,
  type Reader,
  readFetchItems,
  readSearch,
  type SequenceSet,
  SyntaxProblem,
} from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import { dateTime } from '../response.ts'
import { type Candidate, matches, SearchLimit } from '../search.ts'
import { fieldsOf, readSectionBytes } from '../section.ts'
import type { Selected, Session } from '../session.ts'
import { bodyStructure, envelope } from '../structure.ts'
import type { Command } from './command.ts'

/** Messages that one SEARCH may read from the store. */
const searchReadsMax = 10_000
const flagsMax = 100

const selectedOf = (session: Session): Selected => {
  if (session.selected === null) throw new SyntaxProblem('no mailbox is selected')
  return session.selected
}

/** The messages of a set that the client knows of and that are still there. */
function* candidates(session: Session, set: SequenceSet, byUid: boolean): Generator<Candidate> {
  const { uids, mailbox } = selectedOf(session)
  const largest = byUid ? (uids.at(-1) ?? 0) : uids.length
  if (
    !byUid &&
    set.some(
      ([first, last]) =>
        Math.max(first, last) > uids.length &&
        Math.min(first, last) <= 0xffffffff &&
        Math.min(first, last) > uids.length,
    )
  ) {
    throw new SyntaxProblem('there is no such message')
  }
  for (let index = 0; index < uids.length; index++) {
    const uid = uids[index] ?? 0
    if (!inSet(set, byUid ? uid : index + 1, largest)) continue
    const entry = session.ports.view.entry(mailbox.id, uid)
    if (entry !== null) yield { sequence: index + 1, entry }
  }
}

// ---- FETCH --------------------------------------------------------------------------------------------------------

function fetch(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader) => {
      reader.space()
      const set = reader.sequenceSet()
      reader.space()
      const items = readFetchItems(reader)
      if (reader.match(/ /) !== null)
        reader.list(() => (/[0-9]/.test(reader.peek()) ? String(reader.number()) : reader.atom()))
      reader.end()
      if (byUid && !items.some((item) => item.kind === 'UID')) items.unshift({ kind: 'UID' })
      const selected = selectedOf(session)
      const marks = !selected.readOnly && items.some((item) => item.kind === 'SECTION' && !item.peek)
      let gone = 0
      for (const candidate of candidates(session, set, byUid)) {
        const { sequence, entry } = candidate
        const told = await fetchOne(session, entry, items)
        if (told === null) {
          gone++
          continue
        }
        session.wire.write(`* ${sequence} FETCH (`)
        for (const piece of told) session.wire.write(piece)
        session.wire.write(')\r\n')
        await session.wire.flush()
        if (!session.wire.isOpen) return null
        if (marks && !entry.flags.includes('\\Seen')) {
          await session.append([{ messageId: entry.messageId, type: 'flags', flags: [...entry.flags, '\\Seen'] }])
        }
      }
      if (gone > 0) throw new Refusal(`[EXPUNGEISSUED] ${gone} messages are no longer stored`)
      return 'done'
    },
  }
}

/** Pieces of one response; null: the bytes that it needs are gone. */
async function fetchOne(
  session: Session,
  entry: Entry,
  items: readonly FetchItem[],
): Promise<(string | Buffer)[] | null> {
  let bytes: Buffer | null = null
  let root: Part | null = null
  const message = async (): Promise<{ bytes: Buffer; root: Part } | null> => {
    bytes ??= await session.ports.reader.message(entry.location)
    if (bytes === null) return null
    root ??= parseMime(bytes)
    return { bytes, root }
  }
  const pieces: (string | Buffer)[] = []
  const add = (text: string): void => {
    pieces.push(pieces.length === 0 ? text : ` ${text}`)
  }
  for (const item of items) {
    switch (item.kind) {
      case 'UID':
        add(`UID ${entry.uid}`)
        break
      case 'FLAGS':
        add(`FLAGS (${entry.flags.join(' ')})`)
        break
      case 'INTERNALDATE':
        add(`INTERNALDATE ${dateTime(entry.receivedAt)}`)
        break
      case 'RFC822.SIZE':
        add(`RFC822.SIZE ${entry.size}`)
        break
      case 'MODSEQ':
        add(`MODSEQ (${entry.modseq})`)
        break
      case 'EMAILID':
        add(`EMAILID (${entry.messageId})`)
        break
      case 'ENVELOPE': {
        if (entry.header.length > 0)
          add(`ENVELOPE ${envelope(entry.header, parseFields(entry.header, 0, entry.header.length))}`)
        else {
          const read = await message()
          if (read === null) return null
          add(`ENVELOPE ${envelope(read.bytes, read.root)}`)
        }
        break
      }
      case 'BODYSTRUCTURE':
      case 'BODY': {
        if (item.kind === 'BODYSTRUCTURE' && entry.structure !== '') add(`BODYSTRUCTURE ${entry.structure}`)
        else {
          const read = await message()
          if (read === null) return null
          add(`${item.kind} ${bodyStructure(read.bytes, read.root, item.kind === 'BODYSTRUCTURE')}`)
        }
        break
      }
      case 'SECTION': {
        const { section } = item
        const fromIndex =
          section.text === 'HEADER.FIELDS' &&
          section.part.length === 0 &&
          entry.header.length > 0 &&
          section.fields.every((name) => indexedFields.has(name.toLowerCase()))
        let data: Buffer | null
        if (fromIndex) {
          data = fieldsOf(entry.header, parseFields(entry.header, 0, entry.header.length), section.fields, true)
        } else {
          const read = await message()
          if (read === null) return null
          data = readSectionBytes(read.bytes, read.root, section)
        }
        if (data === null) {
          add(`${item.label} NIL`)
          break
        }
        if (item.partial !== null) data = data.subarray(item.partial.offset, item.partial.offset + item.partial.length)
        add(`${item.label} {${data.length}}\r\n`)
        pieces.push(data)
        break
      }
      default:
        item satisfies never
    }
  }
  return pieces
}

// ---- STORE and EXPUNGE --------------------------------------------------------------------------------------------

const storable = /^(?:\\(?:Answered|Flagged|Deleted|Seen|Draft)|[^\\\x00-\x20\x7f(){%*"\]]{1,100})$/i
const canonical: Readonly<Record<string, string>> = {
  '\\answered': '\\Answered',
  '\\flagged': '\\Flagged',
  '\\deleted': '\\Deleted',
  '\\seen': '\\Seen',
  '\\draft': '\\Draft',
}

function store(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader) => {
      reader.space()
      const set = reader.sequenceSet()
      reader.space()
      if (reader.peek() === '(') {
        reader.list(() => (/[0-9]/.test(reader.peek()) ? String(reader.number()) : reader.atom()))
        reader.space()
      }
      const [, sign = '', silent = ''] =
        /^([+-]?)FLAGS(\.SILENT)?$/i.exec(reader.expect(/[+-]?FLAGS(?:\.SILENT)?/i, 'FLAGS')) ?? []
      reader.space()
      const flags = reader.flags().map((flag) => canonical[flag.toLowerCase()] ?? flag)
      reader.end()
      if (!flags.every((flag) => storable.test(flag))) throw new SyntaxProblem('there is no such flag')
      const selected = selectedOf(session)
      if (selected.readOnly) throw new Refusal('[READ-ONLY] the mailbox is read-only')
      const changes: { messageId: string; type: 'flags'; flags: string[] }[] = []
      const touched: Candidate[] = []
      for (const candidate of candidates(session, set, byUid)) {
        const before = candidate.entry.flags
        const lower = new Set(flags.map((flag) => flag.toLowerCase()))
        const after =
          sign === '+'
            ? [
                ...before,
                ...flags.filter((flag) => !before.some((known) => known.toLowerCase() === flag.toLowerCase())),
              ]
            : sign === '-'
              ? before.filter((flag) => !lower.has(flag.toLowerCase()))
              : [...new Set(flags)]
        if (after.length > flagsMax) throw new Refusal('[LIMIT] too many flags on one message')
        touched.push(candidate)
        if (after.join(' ') !== before.join(' '))
          changes.push({ messageId: candidate.entry.messageId, type: 'flags', flags: after })
      }
      await session.append(changes)
      // What this command did is told here, or not at all; sync() would tell it again.
      const now = session.ports.view.mailbox(selected.mailbox.name)
      if (now !== null) selected.modseq = Math.max(selected.modseq, now.highestModseq)
      if (silent === '') {
        for (const { sequence, entry } of touched) {
          const current = session.ports.view.entry(selected.mailbox.id, entry.uid)
          if (current !== null)
            session.wire.write(`* ${sequence} FETCH (UID ${current.uid} FLAGS (${current.flags.join(' ')}))\r\n`)
        }
      }
      return 'done'
    },
  }
}

function expunge(byUid: boolean): Command {
  return {
    state: 'selected',
    run: async (session, reader: Reader) => {
      let set: SequenceSet = [[1, 0xffffffff]]
      if (byUid) {
        reader.space()
        set = reader.sequenceSet()
      }
      reader.end()
      if (selectedOf(session).readOnly) throw new Refusal('[READ-ONLY] the mailbox is read-only')
      const deleted = [...candidates(session, set, true)].filter(({ entry }) => entry.flags.includes('\\Deleted'))
      await session.append(deleted.map(({ entry }) => ({ messageId: entry.messageId, type: 'expunged', flags: [] })))
      return 'done'
    },
  }
}

// ---- SEARCH -------------------------------------------------------------------------------------------------------

function search(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader) => {
      reader.space()
      const key = readSearch(reader)
      reader.end()
      const { uids } = selectedOf(session)
      let reads = 0
      const found: number[] = []
      try {
        let looked = 0
        for (const candidate of candidates(session, [[1, 0xffffffff]], true)) {
          const matched = await matches(key, candidate, {
            largestSequence: uids.length,
            largestUid: uids.at(-1) ?? 0,
            message: (entry) => {
              if (++reads > searchReadsMax) throw new SearchLimit()
              return session.ports.reader.message(entry.location)
            },
          })
          if (matched) found.push(byUid ? candidate.entry.uid : candidate.sequence)
          // Others have their turn, too.
          if (++looked % 2_000 === 0) await session.ports.clock.sleep(0)
        }
      } catch (error) {
        if (error instanceof SearchLimit)
          throw new Refusal(`[LIMIT] more than ${searchReadsMax} messages would have to be read`)
        throw error
      }
      session.wire.write(`* SEARCH${found.length === 0 ? '' : ` ${found.join(' ')}`}\r\n`)
      return 'done'
    },
  }
}

const copy: Command = {
  state: 'selected',
  run: () => {
    throw new Refusal('[CANNOT] there is no folder to copy to')
  },
}

export const messageCommands: Readonly<Record<string, Command>> = {
  FETCH: fetch(false),
  'UID FETCH': fetch(true),
  STORE: store(false),
  'UID STORE': store(true),
  EXPUNGE: expunge(false),
  'UID EXPUNGE': expunge(true),
  SEARCH: search(false),
  'UID SEARCH': search(true),
  COPY: copy,
  'UID COPY': copy,
}
