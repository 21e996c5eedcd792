/** Commands about the mailbox that is open: RFC 9051 section 6.3 and 6.4, CONDSTORE and QRESYNC (RFC 7162), IDLE, UNSELECT. */
import { Roster } from '../../mailbox/roster.ts'
import type { Mailbox } from '../../mailbox/view.ts'
import { type Reader, type SequenceSet, SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import type { Session } from '../session.ts'
import { rangesOf } from '../sets.ts'
import { expungeDeleted } from './change.ts'
import type { Command } from './command.ts'
import { vanished } from './fetch.ts'
import { selectedOf } from './messages.ts'

/** Clients expect an INBOX; nothing is ever in it. */
const inbox: Mailbox = {
  id: -1,
  name: 'INBOX',
  folder: '',
  partition: 0,
  subscribed: true,
  messages: 0,
  unseen: 0,
  bytes: 0,
  uidNext: 1,
  highestModseq: 1,
}

export const find = (session: Session, name: string): Mailbox | null =>
  session.mailbox(name) ?? (name === 'INBOX' ? inbox : null)

const systemFlags = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft']
const keywordsMax = 200

/** QRESYNC's parameters: what the client had when it left. */
type Resync = { readonly uidValidity: number; readonly modseq: number; readonly known: SequenceSet | null }

function readParameters(session: Session, reader: Reader): Resync | null {
  let resync: Resync | null = null
  if (reader.match(/ /) === null) return null
  reader.list(() => {
    const name = reader.atom().toUpperCase()
    if (name === 'CONDSTORE') session.enabled.add('CONDSTORE')
    else if (name === 'QRESYNC') {
      if (!session.enabled.has('QRESYNC')) throw new SyntaxProblem('enable QRESYNC first')
      reader.expect(/ \(/, 'its parameters')
      const uidValidity = reader.number()
      reader.space()
      const modseq = reader.modseq()
      const known = reader.match(/ (?=[\d*])/) === null ? null : reader.sequenceSet()
      // Which UIDs stood at which numbers: a help for servers that remember expunges; ours says what is gone in any case.
      if (reader.match(/ \(/) !== null) {
        reader.sequenceSet()
        reader.space()
        reader.sequenceSet()
        reader.expect(/\)/, ')')
      }
      reader.expect(/\)/, ')')
      resync = { uidValidity, modseq, known }
    } else throw new SyntaxProblem(`there is no parameter ${name.slice(0, 40)}`)
  })
  return resync
}

function select(readOnly: boolean): Command {
  return {
    state: 'authenticated',
    run: (session, reader) => {
      reader.space()
      const name = reader.mailbox()
      const resync = readParameters(session, reader)
      reader.end()
      if (session.selected !== null) session.wire.write('* OK [CLOSED] the mailbox before is closed\r\n')
      session.deselect()
      const mailbox = find(session, name)
      if (mailbox === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
      const roster = mailbox.id < 0 ? new Roster(0) : session.ports.view.open(mailbox.id)
      const isReadOnly = readOnly || session.account?.readOnly === true
      session.selected = {
        mailbox,
        roster,
        readOnly: isReadOnly,
        uids: roster.uids,
        count: roster.length,
        modseq: mailbox.highestModseq,
      }
      const keywords = roster.flagNames(keywordsMax).filter((flag) => !flag.startsWith('\\'))
      const unseen = session.enabled.has('IMAP4REV2') || mailbox.unseen === 0 ? 0 : firstUnseen(roster)
      session.wire.write(
        [
          `* FLAGS (${[...systemFlags, ...keywords].join(' ')})`,
          `* OK [PERMANENTFLAGS (${isReadOnly ? '' : [...systemFlags, ...keywords, '\\*'].join(' ')})] these may be changed`,
          `* ${roster.length} EXISTS`,
          // RFC 9051 section 6.3.2: SELECT tells the mailbox by LIST.
          session.enabled.has('IMAP4REV2') ? `* LIST () "/" ${session.mailboxText(mailbox.name)}` : '* 0 RECENT',
          ...(unseen > 0 ? [`* OK [UNSEEN ${unseen}] first unseen`] : []),
          `* OK [UIDVALIDITY ${session.ports.uidValidity}] valid`,
          `* OK [UIDNEXT ${mailbox.uidNext}] next`,
          `* OK [HIGHESTMODSEQ ${mailbox.highestModseq}] newest change`,
          `* OK [MAILBOXID (${idOf(mailbox)})] its id`,
          '',
        ].join('\r\n'),
      )
      if (resync !== null && resync.uidValidity === session.ports.uidValidity) tellSince(session, resync)
      return `[${isReadOnly ? 'READ-ONLY' : 'READ-WRITE'}] selected`
    },
  }
}

/** RFC 8474 section 4: letters, digits, - and _. */
export const idOf = ({ folder, name }: Mailbox): string =>
  folder !== '' ? `F${folder}` : `D${Buffer.from(name).toString('base64url')}`

function firstUnseen(roster: Roster): number {
  const isSeen = roster.hasFlag('\\seen')
  for (let index = 0; index < roster.length; index++) if (!isSeen(index)) return index + 1
  return 0
}

/** What a client that comes back has missed (RFC 7162 section 3.2.5). */
function tellSince(session: Session, { modseq, known }: Resync): void {
  const selected = selectedOf(session)
  const set: SequenceSet = known ?? [[1, Math.max(1, selected.mailbox.uidNext - 1)]]
  const gone = vanished(selected, set)
  if (gone !== '') session.wire.write(`* VANISHED (EARLIER) ${gone}\r\n`)
  const { roster } = selected
  for (const [from, to] of rangesOf(set, true, roster.uids, roster.length)) {
    for (let index = from; index < to; index++) {
      const changed = roster.modseqs[index] ?? 0
      if (changed > modseq) session.tellFlags(index, roster.uids[index] ?? 0, roster.flagTextAt(index), changed)
    }
  }
}

function close(expunges: boolean): Command {
  return {
    state: 'selected',
    run: async (session, reader) => {
      reader.end()
      const { readOnly, count } = selectedOf(session)
      if (expunges && !readOnly) await expungeDeleted(session, [[0, count]])
      session.deselect()
      return 'closed'
    },
  }
}

export const mailboxCommands: Readonly<Record<string, Command>> = {
  SELECT: select(false),
  EXAMINE: select(true),
  CHECK: {
    state: 'selected',
    run: (_session, reader) => {
      reader.end()
      return 'done'
    },
  },
  CLOSE: close(true),
  UNSELECT: close(false),
  IDLE: {
    state: 'authenticated',
    run: async (session, reader) => {
      reader.end()
      session.wire.write('+ idling\r\n')
      const line = session.wire.line()
      for (;;) {
        session.sync(true)
        if (session.over) return null
        await session.wire.flush()
        const done = await Promise.race([line, session.nextChange()])
        if (done === undefined) continue
        if (done === null) return null
        if (done === 'too long' || !/^done$/i.test(done.toString('latin1'))) throw new SyntaxProblem('expected DONE')
        return 'done'
      }
    },
  },
}
