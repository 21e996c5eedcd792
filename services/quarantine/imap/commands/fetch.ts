/** FETCH: RFC 9051 section 6.4.5; CHANGEDSINCE and VANISHED of RFC 7162, PARTIAL of RFC 9394, BINARY of RFC 3516. */
import { decodeBody, type Part, parseFields, parseMime } from '#lib/mail/mime.ts'
import type { SegmentReader } from '#lib/segments/segment.ts'
import type { Location } from '#schemas/types.ts'
import { indexedFields } from '../../archive/entry.ts'
import { firstFrom } from '../../mailbox/roster.ts'
import type { Entry } from '../../mailbox/view.ts'
import { type FetchItem, type Reader, readFetchItems, SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import { dateTime, quoted } from '../response.ts'
import { fieldsOf, partOf, readSectionBytes } from '../section.ts'
import type { Selected, Session } from '../session.ts'
import { indexesOf, missingText } from '../sets.ts'
import { bodyStructure, envelope } from '../structure.ts'
import type { Command } from './command.ts'
import { readSet, selectedOf } from './messages.ts'

/** Entries read from the view at once. */
const entriesMax = 512
/** Responses are gathered up to so many bytes before they are written. */
const writeBytes = 65_536
/** Blocks of the archive that are read ahead of the message that is sent: 2 MiB. */
const readAhead = 16
const binaryBytesMax = 32 * 1024 * 1024

type Modifiers = { changedSince: number; vanished: boolean; partial: readonly [number, number] | null }

function readModifiers(reader: Reader): Modifiers {
  const modifiers: Modifiers = { changedSince: 0, vanished: false, partial: null }
  if (reader.match(/ /) === null) return modifiers
  reader.list(() => {
    const name = reader.atom().toUpperCase()
    if (name === 'CHANGEDSINCE') {
      reader.space()
      modifiers.changedSince = reader.modseq()
    } else if (name === 'VANISHED') modifiers.vanished = true
    else if (name === 'PARTIAL') {
      reader.space()
      modifiers.partial = reader.partial()
    } else throw new SyntaxProblem(`there is no modifier ${name.slice(0, 40)}`)
  })
  return modifiers
}

/** What memory alone can answer. */
const inMemory: ReadonlySet<string> = new Set(['UID', 'FLAGS', 'MODSEQ', 'RFC822.SIZE', 'INTERNALDATE', 'THREADID'])

export function fetch(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader) => {
      reader.space()
      const named = readSet(session, reader, byUid)
      reader.space()
      const items = readFetchItems(reader)
      const modifiers = readModifiers(reader)
      reader.end()
      const selected = selectedOf(session)
      if (modifiers.vanished && !(byUid && session.enabled.has('QRESYNC') && modifiers.changedSince > 0)) {
        throw new SyntaxProblem('VANISHED needs UID FETCH, CHANGEDSINCE, and QRESYNC enabled')
      }
      if (modifiers.changedSince > 0 || items.some(({ kind }) => kind === 'MODSEQ')) session.enabled.add('CONDSTORE')
      if (byUid && !items.some(({ kind }) => kind === 'UID')) items.unshift({ kind: 'UID' })
      if (modifiers.changedSince > 0 && !items.some(({ kind }) => kind === 'MODSEQ')) items.push({ kind: 'MODSEQ' })
      if (modifiers.vanished) {
        const gone = vanished(selected, named.set)
        if (gone !== '') session.wire.write(`* VANISHED (EARLIER) ${gone}\r\n`)
      }
      let indexes: Iterable<number> = indexesOf(named.ranges)
      if (modifiers.partial !== null) indexes = partOfRange([...indexes], modifiers.partial)
      const failed = await new Fetching(session, selected, items, modifiers.changedSince).run(indexes)
      if (failed > 0) throw new Refusal(`[EXPUNGEISSUED] ${failed} messages are no longer stored`)
      return 'done'
    },
  }
}

/** Numbers that a partial range names, of those in order (RFC 9394 section 3.1). */
export function partOfRange<T>(all: readonly T[], [first, last]: readonly [number, number]): T[] {
  return first > 0 ? all.slice(first - 1, last) : all.slice(Math.max(0, all.length + last), all.length + first + 1)
}

/** UIDs of a set, below the next one, that are not there any more. */
export function vanished({ roster, mailbox }: Selected, set: Parameters<typeof missingText>[0]): string {
  const next = (uid: number): number | null => {
    const at = firstFrom(roster.uids, roster.length, uid)
    return at < roster.length ? (roster.uids[at] ?? null) : null
  }
  return missingText(set, next, mailbox.uidNext - 1)
}

/** Has the blocks loaded of the messages that come next. */
class Ahead {
  readonly #reader: Pick<SegmentReader, 'ahead'>
  /** Of each block the first message that is wanted. */
  readonly #blocks: { readonly n: number; readonly location: Location }[] = []
  #passed = 0
  #asked = 0

  constructor(reader: Pick<SegmentReader, 'ahead'>, locations: readonly Location[]) {
    this.#reader = reader
    for (const [n, location] of locations.entries()) {
      const last = this.#blocks.at(-1)?.location
      if (last?.object !== location.object || last.blockOffset !== location.blockOffset)
        this.#blocks.push({ n, location })
    }
  }

  /** Message `n` is the next that is sent. */
  reach(n: number): void {
    while ((this.#blocks[this.#passed]?.n ?? n + 1) <= n) this.#passed++
    if (this.#asked - this.#passed >= readAhead / 2) return
    const next = this.#blocks.slice(this.#asked, this.#passed + readAhead)
    this.#asked += next.length
    if (next.length > 0) this.#reader.ahead(next.map(({ location }) => location))
  }
}

/** Whether an item needs a message's bytes: of a header the index has some fields. */
const isOfBody = (item: FetchItem): boolean =>
  item.kind === 'BINARY' || (item.kind === 'SECTION' && !isIndexed(item.section))
const isIndexed = ({
  text,
  part,
  fields,
}: {
  text: string
  part: readonly number[]
  fields: readonly string[]
}): boolean =>
  text === 'HEADER.FIELDS' && part.length === 0 && fields.every((name) => indexedFields.has(name.toLowerCase()))

class Fetching {
  readonly #session: Session
  readonly #selected: Selected
  readonly #items: readonly FetchItem[]
  readonly #changedSince: number
  readonly #marks: boolean
  /** What is to be written: pieces, and text behind them. */
  #pieces: Buffer[] = []
  #bytes = 0
  #text = ''
  #failed = 0

  constructor(session: Session, selected: Selected, items: readonly FetchItem[], changedSince: number) {
    this.#session = session
    this.#selected = selected
    this.#items = items
    this.#changedSince = changedSince
    this.#marks =
      !selected.readOnly &&
      session.account?.readOnly !== true &&
      items.some((item) => (item.kind === 'SECTION' || item.kind === 'BINARY') && !item.peek)
  }

  /** Gives how many messages could not be read. */
  async run(indexes: Iterable<number>): Promise<number> {
    const kinds = new Set(this.#items.map(({ kind }) => kind))
    const [column] = ['ENVELOPE', 'BODYSTRUCTURE', 'PREVIEW', 'EMAILID'].filter((kind) =>
      kinds.has(kind as FetchItem['kind']),
    )
    const rest = [...kinds].filter((kind) => !inMemory.has(kind) && kind !== column)
    let chunk: number[] = []
    const flush = async (): Promise<void> => {
      if (chunk.length === 0) return
      const now = chunk
      chunk = []
      if (rest.length > 0 || kinds.has('BODY')) await this.#whole(now)
      else if (column !== undefined) {
        const empty = this.#ofColumn(now, column)
        if (empty.length > 0) await this.#whole(empty)
      } else this.#memory(now)
      this.#write()
      await this.#session.wire.flush()
    }
    for (const index of indexes) {
      chunk.push(index)
      if (chunk.length < (rest.length > 0 ? entriesMax : entriesMax * 8)) continue
      await flush()
      if (!this.#session.wire.isOpen) return 0
    }
    await flush()
    return this.#failed
  }

  #write(): void {
    if (this.#pieces.length === 0) {
      if (this.#text !== '') this.#session.wire.write(this.#text)
    } else {
      // Bodies are small: to copy them costs less than a call for each.
      this.#session.wire.write(Buffer.concat([...this.#pieces, Buffer.from(this.#text, 'latin1')]))
      this.#pieces = []
      this.#bytes = 0
    }
    this.#text = ''
  }

  #body(bytes: Buffer): void {
    if (bytes.length > writeBytes) {
      this.#write()
      this.#session.wire.write(bytes)
      return
    }
    this.#pieces.push(Buffer.from(this.#text, 'latin1'), bytes)
    this.#bytes += this.#text.length + bytes.length
    this.#text = ''
  }

  /** Where a message of the client's is in the roster; -1: expunged, or not changed since. */
  #at(index: number): number {
    const { roster, uids } = this.#selected
    const at = uids === roster.uids ? index : roster.find(uids[index] ?? 0)
    return at >= 0 && (roster.modseqs[at] ?? 0) > this.#changedSince ? at : -1
  }

  #start(index: number): string {
    const uid = this.#selected.uids[index] ?? 0
    return this.#session.enabled.has('UIDONLY') ? `* ${uid} UIDFETCH (` : `* ${index + 1} FETCH (`
  }

  /** Items that memory answers. */
  #fromMemory(kind: string, at: number): string {
    const { roster } = this.#selected
    switch (kind) {
      case 'UID':
        return `UID ${roster.uids[at]}`
      case 'FLAGS':
        return `FLAGS (${roster.flagTextAt(at)})`
      case 'MODSEQ':
        return `MODSEQ (${roster.modseqs[at]})`
      case 'RFC822.SIZE':
        return `RFC822.SIZE ${roster.sizes[at]}`
      case 'INTERNALDATE':
        return `INTERNALDATE ${dateTime(roster.dates[at] ?? 0)}`
      default:
        return 'THREADID NIL'
    }
  }

  #told(): readonly FetchItem[] {
    // The UID of UIDFETCH stands in front.
    return this.#session.enabled.has('UIDONLY') ? this.#items.filter(({ kind }) => kind !== 'UID') : this.#items
  }

  #memory(indexes: readonly number[]): void {
    const items = this.#told()
    for (const index of indexes) {
      const at = this.#at(index)
      if (at < 0) continue
      let text = this.#start(index)
      for (let n = 0; n < items.length; n++)
        text += `${n === 0 ? '' : ' '}${this.#fromMemory(items[n]?.kind ?? '', at)}`
      this.#text += `${text})\r\n`
      if (this.#text.length > writeBytes) this.#write()
    }
  }

  /** One column of the index, and what memory answers; gives the messages where the index has nothing. */
  #ofColumn(indexes: readonly number[], kind: string): number[] {
    const { mailbox, uids } = this.#selected
    const name = (
      { ENVELOPE: 'envelope', BODYSTRUCTURE: 'structure', PREVIEW: 'preview', EMAILID: 'message_id' } as const
    )[kind as 'ENVELOPE']
    const first = uids[indexes[0] ?? 0] ?? 0
    const last = uids[indexes.at(-1) ?? 0] ?? 0
    const items = this.#told()
    const rows = this.#session.ports.view.column(name, mailbox.id, first, last)
    let row = rows.next()
    const missing: number[] = []
    for (const index of indexes) {
      const uid = uids[index] ?? 0
      while (row.done !== true && row.value[0] < uid) row = rows.next()
      const at = this.#at(index)
      if (at < 0 || row.done === true || row.value[0] !== uid) continue
      const [, value] = row.value
      if (value === '' && kind !== 'PREVIEW') {
        missing.push(index)
        continue
      }
      const told =
        kind === 'PREVIEW'
          ? `PREVIEW ${quoted(Buffer.from(value).toString('latin1'))}`
          : kind === 'EMAILID'
            ? `EMAILID (${value})`
            : `${kind} ${value}`
      const pieces = items.map((item) => (item.kind === kind ? told : this.#fromMemory(item.kind, at)))
      this.#text += `${this.#start(index)}${pieces.join(' ')})\r\n`
      if (this.#text.length > writeBytes) this.#write()
    }
    return missing
  }

  /** With entries, and with bytes from the store where the items ask for them. */
  async #whole(indexes: readonly number[]): Promise<void> {
    const { mailbox, uids } = this.#selected
    const { view, reader } = this.#session.ports
    // What is marked is written whole: all of its entry has to be known.
    const isBare =
      !this.#marks && this.#items.every((item) => inMemory.has(item.kind) || item.kind === 'EMAILID' || isOfBody(item))
    const named = indexes.map((index) => uids[index] ?? 0)
    const found = isBare ? view.bareEntriesOf(mailbox.id, named) : view.entriesOf(mailbox.id, named)
    const entries = new Map(found.map((entry) => [entry.uid, entry]))
    const wanted = indexes.flatMap((index) => {
      const at = this.#at(index)
      const entry = entries.get(uids[index] ?? 0)
      return at < 0 || entry === undefined ? [] : [{ index, at, entry }]
    })
    const needsBytes = this.#items.some(isOfBody)
    const ahead = new Ahead(reader, needsBytes ? wanted.map(({ entry }) => entry.location) : [])
    const seen: { entry: Entry; flags: readonly string[] }[] = []
    for (const [n, { index, at, entry }] of wanted.entries()) {
      ahead.reach(n)
      const told = await this.#one(entry, at)
      if (told === null) {
        this.#failed++
        continue
      }
      this.#text += this.#start(index)
      for (const piece of told) {
        if (typeof piece === 'string') this.#text += piece
        else this.#body(piece)
      }
      this.#text += ')\r\n'
      if (this.#marks && !entry.flags.includes('\\Seen')) seen.push({ entry, flags: [...entry.flags, '\\Seen'] })
      if (this.#bytes + this.#text.length < writeBytes) continue
      this.#write()
      await this.#session.wire.flush()
      if (!this.#session.wire.isOpen) return
    }
    if (seen.length > 0) {
      this.#write()
      await this.#session.change(() => this.#session.ports.folders.setFlags(mailbox, seen))
    }
  }

  /** Pieces of one response; null: the bytes that it needs are gone. */
  async #one(entry: Entry, at: number): Promise<(string | Buffer)[] | null> {
    const { reader, audit } = this.#session.ports
    let bytes: Buffer | null = null
    let root: Part | null = null
    const content = async (): Promise<Buffer | null> => {
      if (bytes === null) {
        bytes = await reader.message(entry.location)
        const { account } = this.#session
        if (bytes !== null && account !== null)
          await audit(account, 'read', entry.messageId, this.#selected.mailbox.name)
      }
      return bytes
    }
    const message = async (): Promise<{ bytes: Buffer; root: Part } | null> => {
      const read = await content()
      if (read === null) return null
      root ??= parseMime(read)
      return { bytes: read, root }
    }
    const pieces: (string | Buffer)[] = []
    const add = (text: string): void => {
      pieces.push(pieces.length === 0 ? text : ` ${text}`)
    }
    for (const item of this.#told()) {
      switch (item.kind) {
        case 'EMAILID':
          add(`EMAILID (${entry.messageId})`)
          break
        case 'PREVIEW':
          add(`PREVIEW ${quoted(Buffer.from(entry.preview).toString('latin1'))}`)
          break
        case 'ENVELOPE': {
          if (entry.envelope !== '') add(`ENVELOPE ${entry.envelope}`)
          else if (entry.header.length > 0)
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
        case 'BINARY.SIZE':
        case 'BINARY': {
          const read = await message()
          if (read === null) return null
          const data = binary(read.bytes, read.root, item.section.part)
          if (item.kind === 'BINARY.SIZE') add(`${item.label} ${data?.length ?? 0}`)
          else if (data === null) add(`${item.label} NIL`)
          else {
            const part =
              item.partial === null
                ? data
                : data.subarray(item.partial.offset, item.partial.offset + item.partial.length)
            add(`${item.label} ${part.includes(0) ? '~' : ''}{${part.length}}\r\n`)
            pieces.push(part)
          }
          break
        }
        case 'SECTION': {
          const { section } = item
          let data: Buffer | null
          if (entry.header.length > 0 && isIndexed(section)) {
            data = fieldsOf(entry.header, parseFields(entry.header, 0, entry.header.length), section.fields, true)
          } else if (section.part.length === 0 && section.text === '') {
            data = await content()
            if (data === null) return null
          } else {
            const read = await message()
            if (read === null) return null
            data = readSectionBytes(read.bytes, read.root, section)
          }
          if (data === null) {
            add(`${item.label} NIL`)
            break
          }
          if (item.partial !== null)
            data = data.subarray(item.partial.offset, item.partial.offset + item.partial.length)
          add(`${item.label} {${data.length}}\r\n`)
          pieces.push(data)
          break
        }
        default:
          add(this.#fromMemory(item.kind, at))
      }
    }
    return pieces
  }
}

/** The content of a part without its transfer encoding; null: there is no such part. */
function binary(bytes: Buffer, root: Part, numbers: readonly number[]): Buffer | null {
  if (numbers.length === 0) return bytes
  const part = partOf(root, numbers)
  if (part === null) return null
  const known = ['', '7bit', '8bit', 'binary', 'base64', 'quoted-printable']
  if (!known.includes(part.encoding)) throw new Refusal('[UNKNOWN-CTE] the transfer encoding of the part is not known')
  return decodeBody(bytes, part, binaryBytesMax)
}
