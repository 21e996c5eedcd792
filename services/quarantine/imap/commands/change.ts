/** STORE, EXPUNGE, COPY and MOVE: RFC 9051 sections 6.4.3 to 6.4.8, UIDPLUS (RFC 4315), UNCHANGEDSINCE of RFC 7162. */
import type { Arriving } from '../../mailbox/folders.ts'
import type { Entry, Mailbox } from '../../mailbox/view.ts'
import { type Reader, SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import type { Session } from '../session.ts'
import { setText } from '../sets.ts'
import type { Command } from './command.ts'
import { entriesOf, readSet, selectedOf } from './messages.ts'

const flagsMax = 100
/** Messages of one COPY or MOVE: each becomes an object. */
const copiesMax = 2_000
/** Bytes of messages in memory at once. */
const copyBytes = 64 * 1024 * 1024

const storable = /^(?:\\(?:Answered|Flagged|Deleted|Seen|Draft)|[^\\\x00-\x20\x7f(){%*"\]]{1,100})$/i
const canonical: Readonly<Record<string, string>> = {
  '\\answered': '\\Answered',
  '\\flagged': '\\Flagged',
  '\\deleted': '\\Deleted',
  '\\seen': '\\Seen',
  '\\draft': '\\Draft',
}

/** Flags of a STORE or APPEND, as they are kept. */
export function storableFlags(given: readonly string[]): string[] {
  const flags = [...new Set(given.map((flag) => canonical[flag.toLowerCase()] ?? flag))]
  if (!flags.every((flag) => storable.test(flag))) throw new SyntaxProblem('there is no such flag')
  if (flags.length > flagsMax) throw new Refusal('[LIMIT] too many flags on one message')
  return flags
}

function changed(before: readonly string[], sign: string, flags: readonly string[]): readonly string[] {
  const lower = new Set(flags.map((flag) => flag.toLowerCase()))
  if (sign === '+') {
    const known = new Set(before.map((flag) => flag.toLowerCase()))
    return [...before, ...flags.filter((flag) => !known.has(flag.toLowerCase()))]
  }
  return sign === '-' ? before.filter((flag) => !lower.has(flag.toLowerCase())) : flags
}

export function store(byUid: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid,
    run: async (session, reader) => {
      reader.space()
      const { ranges } = readSet(session, reader, byUid)
      reader.space()
      let unchangedSince: number | null = null
      if (reader.peek() === '(') {
        reader.list(() => {
          reader.expect(/UNCHANGEDSINCE /i, 'UNCHANGEDSINCE')
          unchangedSince = reader.modseq()
        })
        reader.space()
        session.enabled.add('CONDSTORE')
      }
      const [, sign = '', silent = ''] =
        /^([+-]?)FLAGS(\.SILENT)?$/i.exec(reader.expect(/[+-]?FLAGS(?:\.SILENT)?/i, 'FLAGS')) ?? []
      reader.space()
      const flags = storableFlags(reader.flags())
      reader.end()
      const selected = selectedOf(session)
      if (selected.readOnly) throw new Refusal('[READ-ONLY] the mailbox is read-only')
      const changes: { entry: Entry; flags: readonly string[] }[] = []
      const touched: { index: number; uid: number }[] = []
      const modified: number[] = []
      for (const { index, entry } of entriesOf(session, ranges)) {
        if (unchangedSince !== null && entry.modseq > unchangedSince) {
          modified.push(byUid ? entry.uid : index + 1)
          continue
        }
        const after = changed(entry.flags, sign, flags)
        if (after.length > flagsMax) throw new Refusal('[LIMIT] too many flags on one message')
        touched.push({ index, uid: entry.uid })
        if (after.join(' ') !== entry.flags.join(' ')) changes.push({ entry, flags: after })
      }
      if (changes.length > 0) {
        await session.change(() => session.ports.folders.setFlags(selected.mailbox, changes))
      }
      // What this command did is told here, or not at all; sync() would tell it again.
      const now = session.ports.view.mailboxById(selected.mailbox.id)
      const before = selected.modseq
      if (now !== null) selected.modseq = Math.max(selected.modseq, now.highestModseq)
      const { roster } = selected
      const own = new Set(changes.map(({ entry }) => entry.uid))
      for (let index = 0; index < selected.count; index++) {
        const uid = selected.uids[index] ?? 0
        const at = selected.uids === roster.uids ? index : roster.find(uid)
        const modseq = at < 0 ? 0 : (roster.modseqs[at] ?? 0)
        // Others' changes that came meanwhile are told all the same.
        const isOwn = own.has(uid)
        const isOthers = !isOwn && modseq > before && modseq !== uid
        if (isOthers) session.tellFlags(index, uid, roster.flagTextAt(at), modseq)
        else if (isOwn && silent !== '' && session.enabled.has('CONDSTORE')) {
          session.wire.write(`* ${index + 1} FETCH (UID ${uid} MODSEQ (${modseq}))\r\n`)
        }
      }
      if (silent === '') {
        for (const { index, uid } of touched) {
          const at = roster.find(uid)
          if (at >= 0) session.tellFlags(index, uid, roster.flagTextAt(at), roster.modseqs[at] ?? 0)
        }
      }
      return modified.length > 0 ? `[MODIFIED ${setText(modified)}] others were changed meanwhile` : 'done'
    },
  }
}

export function expunge(byUid: boolean): Command {
  return {
    state: 'selected',
    run: async (session, reader: Reader) => {
      const selected = selectedOf(session)
      let ranges: ReturnType<typeof readSet>['ranges'] = [[0, selected.count]]
      if (byUid) {
        reader.space()
        ranges = readSet(session, reader, true).ranges
      }
      reader.end()
      if (selected.readOnly) throw new Refusal('[READ-ONLY] the mailbox is read-only')
      await expungeDeleted(session, ranges)
      session.sync(true)
      const now = session.ports.view.mailboxById(selected.mailbox.id)
      return session.enabled.has('CONDSTORE') && now !== null ? `[HIGHESTMODSEQ ${now.highestModseq}] done` : 'done'
    },
  }
}

/** Removes the messages of these that are marked \Deleted. */
export async function expungeDeleted(session: Session, ranges: ReturnType<typeof readSet>['ranges']): Promise<void> {
  const { mailbox, roster, uids } = selectedOf(session)
  const isDeleted = roster.hasFlag('\\deleted')
  const deleted: Entry[] = []
  for (const [from, to] of ranges) {
    for (let index = from; index < to; index++) {
      const at = uids === roster.uids ? index : roster.find(uids[index] ?? 0)
      const entry = at >= 0 && isDeleted(at) ? session.ports.view.entry(mailbox.id, uids[index] ?? 0) : null
      if (entry !== null) deleted.push(entry)
    }
  }
  if (deleted.length > 0) {
    await session.change(() => session.ports.folders.expunge(mailbox, deleted, session.account?.name ?? ''))
  }
}

/** A folder that messages may be put into. */
export function folderFor(session: Session, name: string): Mailbox {
  const folder = session.mailbox(name)
  if (folder === null) throw new Refusal('[TRYCREATE] there is no such mailbox')
  if (folder.folder === '') throw new Refusal('[CANNOT] the mailboxes of days take only what comes in')
  return folder
}

/** Refuses what would go over the quota of the folders. */
export function checkQuota(session: Session, bytes: number): void {
  const { view, quotaBytes } = session.ports
  if (view.folderBytes() + bytes > quotaBytes) throw new Refusal('[OVERQUOTA] the folders are full')
}

export function copy(byUid: boolean, moves: boolean): Command {
  return {
    state: 'selected',
    keepsNumbers: !byUid && !moves,
    run: async (session, reader) => {
      reader.space()
      const { ranges } = readSet(session, reader, byUid)
      reader.space()
      const name = reader.mailbox()
      reader.end()
      const selected = selectedOf(session)
      if (moves && selected.readOnly) throw new Refusal('[READ-ONLY] the mailbox is read-only')
      const folder = folderFor(session, name)
      const entries = [...entriesOf(session, ranges)].map(({ entry }) => entry)
      if (entries.length > copiesMax) throw new Refusal(`[LIMIT] more than ${copiesMax} messages at once`)
      if (entries.length === 0) return 'nothing to do'
      checkQuota(
        session,
        entries.reduce((sum, { size }) => sum + size, 0),
      )
      const user = session.account?.name ?? ''
      const uids: number[] = []
      await session.change(async () => {
        // All or nothing: what cannot be read must not leave half of a set copied.
        for (const batch of batches(entries)) {
          const arriving: Arriving[] = []
          for (const entry of batch) {
            const bytes = await session.ports.reader.message(entry.location)
            if (bytes === null) throw new Refusal('[EXPUNGEISSUED] a message is no longer stored')
            const record = await session.ports.reader.record(entry.location)
            arriving.push({
              messageId: entry.messageId,
              bytes,
              flags: entry.flags,
              receivedAt: entry.receivedAt,
              position: record?.position ?? null,
            })
          }
          uids.push(...(await session.ports.folders.add(folder, arriving, user)))
        }
      })
      const code = `[COPYUID ${session.ports.uidValidity} ${setText(entries.map(({ uid }) => uid))} ${setText(uids)}]`
      if (!moves) return `${code} copied`
      session.wire.write(`* OK ${code} moved\r\n`)
      await session.change(() => session.ports.folders.expunge(selected.mailbox, entries, user))
      session.sync(true)
      return 'done'
    },
  }
}

function* batches(entries: readonly Entry[]): Generator<Entry[]> {
  let batch: Entry[] = []
  let bytes = 0
  for (const entry of entries) {
    if (batch.length > 0 && (batch.length >= 100 || bytes + entry.size > copyBytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(entry)
    bytes += entry.size
  }
  if (batch.length > 0) yield batch
}
