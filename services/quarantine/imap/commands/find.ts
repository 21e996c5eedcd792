/** SEARCH (RFC 9051 section 6.4.4, ESEARCH, SEARCHRES, PARTIAL of RFC 9394), SORT and THREAD (RFC 5256, RFC 5267). */
import { type Reader, readSearch, type SearchKey, SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import { compile, matches, type Readable, SearchLimit, type SearchScope } from '../search.ts'
import type { Session } from '../session.ts'
import { setText } from '../sets.ts'
import { byReferences, bySubject, type Sortable, type SortKey, sorted, sortNames } from '../sort.ts'
import type { Command } from './command.ts'
import { partOfRange } from './fetch.ts'
import { selectedOf } from './messages.ts'

/** Messages that one SEARCH may read from the store. */
const readsMax = 10_000
/** Messages that one SORT or THREAD may order by what is in their headers. */
const sortMax = 200_000
const chunkMax = 1_000

type Return = { readonly names: ReadonlySet<string>; readonly partial: readonly [number, number] | null }
const returnNames: ReadonlySet<string> = new Set(['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE', 'PARTIAL'])

/** `RETURN (…) `; null: there is none. */
function readReturn(reader: Reader): Return | null {
  if (reader.match(/RETURN (?=\()/i) === null) return null
  let partial: readonly [number, number] | null = null
  const names = reader.list(() => {
    const name = reader.atom().toUpperCase()
    if (!returnNames.has(name)) throw new SyntaxProblem(`there is no result option ${name.slice(0, 40)}`)
    if (name === 'PARTIAL') {
      reader.space()
      partial = reader.partial()
    }
    return name
  })
  reader.space()
  const all = new Set(names)
  if (all.has('ALL') && all.has('PARTIAL')) throw new SyntaxProblem('ALL and PARTIAL exclude each other')
  if (names.every((name) => name === 'SAVE')) if (!all.has('SAVE')) all.add('ALL')
  return { names: all, partial }
}

/** Indexes of the client's messages that a key finds, ascending. */
async function find(session: Session, key: SearchKey): Promise<number[]> {
  const selected = selectedOf(session)
  const { view, reader, clock } = session.ports
  const { roster, uids, count, mailbox } = selected
  const scope: SearchScope = {
    roster,
    uids,
    count,
    saved: session.saved,
    now: clock.now(),
    messageId: (index) => view.entry(mailbox.id, uids[index] ?? 0)?.messageId ?? '',
  }
  const test = compile(key, scope)
  const found: number[] = []
  let open: number[] = []
  let reads = 0
  const decide = async (): Promise<void> => {
    const [first = 0, last = 0] = [open[0], open.at(-1)]
    // Where most of a stretch is asked for it is read in one go.
    const isDense = last - first < open.length * 4
    const rows = isDense ? view.column('header', mailbox.id, uids[first] ?? 0, uids[last] ?? 0) : null
    let row = rows?.next()
    for (const index of open) {
      const uid = uids[index] ?? 0
      while (row !== undefined && row.done !== true && row.value[0] < uid) row = rows?.next()
      const value = row?.done === false && row.value[0] === uid ? row.value[1] : null
      const at = uids === roster.uids ? index : roster.find(uid)
      const message: Readable = {
        index,
        header: () =>
          value !== null && !value.includes('\ufffd')
            ? value
            : (view.entry(mailbox.id, uid)?.header.toString('latin1') ?? ''),
        message: async () => {
          if (++reads > readsMax) throw new SearchLimit()
          const entry = view.entry(mailbox.id, uid)
          return entry === null ? null : reader.message(entry.location)
        },
      }
      // Most are decided here, without a turn of the event loop for each.
      const decided = test(index, at, value !== null && !value.includes('\ufffd') ? value : '')
      if (decided ?? (await matches(key, at, test, scope, message))) found.push(index)
    }
    open = []
    // Others have their turn, too.
    await clock.sleep(0)
    await new Promise((resolve) => setImmediate(resolve))
  }
  try {
    for (let index = 0; index < count; index++) {
      const at = uids === roster.uids ? index : roster.find(uids[index] ?? 0)
      const decided = at < 0 ? false : test(index, at, '')
      if (decided === true) found.push(index)
      else if (decided === null) open.push(index)
      if (open.length >= chunkMax) await decide()
    }
    if (open.length > 0) await decide()
  } catch (error) {
    if (error instanceof SearchLimit) throw new Refusal(`[LIMIT] more than ${readsMax} messages would have to be read`)
    throw error
  }
  return found.sort((a, b) => a - b)
}

const hasModseq = (key: SearchKey): boolean =>
  key.kind === 'modseq' ||
  ((key.kind === 'and' || key.kind === 'or') && key.keys.some(hasModseq)) ||
  (key.kind === 'not' && hasModseq(key.key))

/** Writes `* ESEARCH`, as RFC 4731 and RFC 9394 have it; `numbers` are in the order of the result. */
function tell(
  session: Session,
  tag: string,
  byUid: boolean,
  wanted: Return,
  numbers: readonly number[],
  modseq: number | null,
): void {
  const parts = [`* ESEARCH (TAG "${tag}")`]
  if (byUid) parts.push('UID')
  const isSorted = numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0))
  const text = (some: readonly number[]): string => (isSorted ? setText(some) : some.join(','))
  if (numbers.length > 0) {
    if (wanted.names.has('MIN')) parts.push(`MIN ${numbers[0]}`)
    if (wanted.names.has('MAX')) parts.push(`MAX ${numbers.at(-1)}`)
    if (wanted.names.has('ALL')) parts.push(`ALL ${text(numbers)}`)
  }
  if (wanted.partial !== null) {
    const some = partOfRange(numbers, wanted.partial)
    parts.push(`PARTIAL (${wanted.partial.join(':')} ${some.length === 0 ? 'NIL' : text(some)})`)
  }
  if (wanted.names.has('COUNT')) parts.push(`COUNT ${numbers.length}`)
  if (modseq !== null && numbers.length > 0) parts.push(`MODSEQ ${modseq}`)
  session.wire.write(`${parts.join(' ')}\r\n`)
}

export function search(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader, tag) => {
      reader.space()
      const wanted =
        readReturn(reader) ?? (session.enabled.has('IMAP4REV2') ? { names: new Set(['ALL']), partial: null } : null)
      const key = readSearch(reader)
      reader.end()
      const isByUid = byUid || session.enabled.has('UIDONLY')
      if (!byUid && session.enabled.has('UIDONLY')) throw new SyntaxProblem('[UIDREQUIRED] message numbers are off')
      const withModseq = hasModseq(key)
      if (withModseq) session.enabled.add('CONDSTORE')
      const saves = wanted?.names.has('SAVE') === true
      let found: number[]
      try {
        found = await find(session, key)
      } catch (error) {
        if (saves) session.saved = []
        throw error
      }
      const { uids, roster } = selectedOf(session)
      const numbers = found.map((index) => (isByUid ? (uids[index] ?? 0) : index + 1))
      const modseq = withModseq
        ? found.reduce((most, index) => Math.max(most, roster.modseqs[roster.find(uids[index] ?? 0)] ?? 0), 0)
        : null
      if (saves)
        session.saved = savedOf(
          wanted,
          found.map((index) => uids[index] ?? 0),
        )
      if (wanted === null) {
        const more = modseq !== null && numbers.length > 0 ? ` (MODSEQ ${modseq})` : ''
        session.wire.write(`* SEARCH${numbers.length === 0 ? '' : ` ${numbers.join(' ')}`}${more}\r\n`)
      } else if ([...wanted.names].some((name) => name !== 'SAVE')) tell(session, tag, isByUid, wanted, numbers, modseq)
      return 'done'
    },
  }
}

/** RFC 5182 section 2.4: with MIN or MAX alone only those are saved. */
function savedOf({ names }: Return, uids: readonly number[]): number[] {
  if (names.has('ALL') || names.has('COUNT') || names.has('PARTIAL') || !(names.has('MIN') || names.has('MAX')))
    return [...uids]
  const ends = new Set<number>()
  if (names.has('MIN') && uids[0] !== undefined) ends.add(uids[0])
  const last = uids.at(-1)
  if (names.has('MAX') && last !== undefined) ends.add(last)
  return [...ends]
}

function readCharset(reader: Reader): void {
  const charset = reader.astring().toUpperCase()
  if (charset !== 'UTF-8' && charset !== 'US-ASCII')
    throw new Refusal('[BADCHARSET (US-ASCII UTF-8)] there is no such charset')
  reader.space()
}

function sortables(session: Session, found: readonly number[], byUid: boolean, needsHeaders: boolean): Sortable[] {
  if (needsHeaders && found.length > sortMax) throw new Refusal(`[LIMIT] more than ${sortMax} messages to order`)
  const { uids, roster, mailbox } = selectedOf(session)
  const headers = new Map<number, string>()
  if (needsHeaders && found.length > 0) {
    const [first = 0, last = 0] = [found[0], found.at(-1)]
    for (const [uid, header] of session.ports.view.column('header', mailbox.id, uids[first] ?? 0, uids[last] ?? 0)) {
      headers.set(uid, header)
    }
  }
  return found.map((index) => {
    const uid = uids[index] ?? 0
    const at = roster.find(uid)
    return {
      number: byUid ? uid : index + 1,
      receivedAt: roster.dates[at] ?? 0,
      size: roster.sizes[at] ?? 0,
      header: Buffer.from(headers.get(uid) ?? ''),
    }
  })
}

export function sort(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader, tag) => {
      reader.space()
      const wanted = readReturn(reader)
      const keys: SortKey[] = []
      let reverse = false
      reader.list(() => {
        const name = reader.atom().toUpperCase()
        if (name === 'REVERSE') reverse = true
        else if (!sortNames.has(name)) throw new SyntaxProblem(`there is no sort key ${name.slice(0, 40)}`)
        else {
          keys.push({ name, reverse })
          reverse = false
        }
      })
      if (keys.length === 0 || reverse) throw new SyntaxProblem('expected a sort key')
      reader.space()
      readCharset(reader)
      const key = readSearch(reader)
      reader.end()
      if (!byUid && session.enabled.has('UIDONLY')) throw new SyntaxProblem('[UIDREQUIRED] message numbers are off')
      const found = await find(session, key)
      const needsHeaders = keys.some(({ name }) => name !== 'ARRIVAL' && name !== 'SIZE')
      const numbers = sorted(sortables(session, found, byUid, needsHeaders), keys)
      if (wanted === null) session.wire.write(`* SORT${numbers.length === 0 ? '' : ` ${numbers.join(' ')}`}\r\n`)
      else tell(session, tag, byUid, wanted, numbers, null)
      return 'done'
    },
  }
}

export function thread(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader) => {
      reader.space()
      const algorithm = reader.atom().toUpperCase()
      if (algorithm !== 'ORDEREDSUBJECT' && algorithm !== 'REFERENCES')
        throw new SyntaxProblem('there is no such algorithm')
      reader.space()
      readCharset(reader)
      const key = readSearch(reader)
      reader.end()
      if (!byUid && session.enabled.has('UIDONLY')) throw new SyntaxProblem('[UIDREQUIRED] message numbers are off')
      const messages = sortables(session, await find(session, key), byUid, true)
      const threads = algorithm === 'REFERENCES' ? byReferences(messages) : bySubject(messages)
      session.wire.write(`* THREAD${threads === '' ? '' : ` ${threads}`}\r\n`)
      return 'done'
    },
  }
}
