/** Commands about mailboxes: RFC 9051 section 6.3, LSUB of RFC 3501, NAMESPACE, IDLE, UNSELECT. */
import type { Mailbox } from '../../mailbox/view.ts'
import { type Reader, SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import { astring } from '../response.ts'
import type { Session } from '../session.ts'
import type { Command } from './command.ts'

/** Clients expect an INBOX; nothing is ever in it. */
const inbox: Mailbox = { id: -1, name: 'INBOX', partition: 0, messages: 0, unseen: 0, uidNext: 1, highestModseq: 1 }

const find = (session: Session, name: string): Mailbox | null =>
  session.ports.view.mailbox(name) ?? (name === 'INBOX' ? inbox : null)

const systemFlags = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft']

function select(readOnly: boolean): Command {
  return {
    state: 'authenticated',
    run: (session, reader) => {
      reader.space()
      const name = reader.mailbox()
      if (reader.match(/ /) !== null) reader.list(() => reader.atom()) // (CONDSTORE): MODSEQ is told anyway.
      reader.end()
      if (session.selected !== null) session.wire.write('* OK [CLOSED] the mailbox before is closed\r\n')
      session.selected = null
      const mailbox = find(session, name)
      if (mailbox === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
      const uids = mailbox.id < 0 ? [] : session.ports.view.uids(mailbox.id)
      const keywords = mailbox.id < 0 ? [] : session.ports.view.keywords(mailbox.id)
      session.selected = { mailbox, readOnly, uids, modseq: mailbox.highestModseq }
      const unseen = mailbox.unseen > 0 ? firstUnseen(session, mailbox, uids) : 0
      session.wire.write(
        [
          `* FLAGS (${[...systemFlags, ...keywords].join(' ')})`,
          `* OK [PERMANENTFLAGS (${readOnly ? '' : [...systemFlags, ...keywords, '\\*'].join(' ')})] these may be changed`,
          `* ${uids.length} EXISTS`,
          '* 0 RECENT',
          ...(unseen > 0 ? [`* OK [UNSEEN ${unseen}] first unseen`] : []),
          `* OK [UIDVALIDITY ${session.ports.uidValidity}] valid`,
          `* OK [UIDNEXT ${mailbox.uidNext}] next`,
          '',
        ].join('\r\n'),
      )
      return `[${readOnly ? 'READ-ONLY' : 'READ-WRITE'}] selected`
    },
  }
}

function firstUnseen(session: Session, mailbox: Mailbox, uids: readonly number[]): number {
  // Nearly always among the first few; a mailbox that was read from its start is searched no further than this.
  for (let index = 0; index < Math.min(uids.length, 1_000); index++) {
    const entry = session.ports.view.entry(mailbox.id, uids[index] ?? 0)
    if (entry !== null && !entry.flags.includes('\\Seen')) return index + 1
  }
  return 0
}

type Listed = { readonly name: string; readonly selectable: boolean; readonly hasChildren: boolean }

/** All mailboxes with the levels above them. */
function tree(session: Session): Listed[] {
  const names = new Map<string, { selectable: boolean; hasChildren: boolean }>([
    ['INBOX', { selectable: true, hasChildren: false }],
  ])
  for (const { name } of session.ports.view.mailboxes()) {
    const parts = name.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/')
      names.set(parent, { selectable: names.get(parent)?.selectable ?? false, hasChildren: true })
    }
    names.set(name, { selectable: true, hasChildren: names.get(name)?.hasChildren ?? false })
  }
  return [...names].map(([name, state]) => ({ name, ...state })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

const patternMax = 500

function patternOf(reference: string, pattern: string): RegExp {
  const full = reference + pattern
  if (full.length > patternMax) throw new SyntaxProblem('the pattern is too long')
  // Runs of wildcards mean one: "%%%%…" must not make the matching slow.
  const source = full
    .replace(/[*%]+/g, (run) => (run.includes('*') ? '*' : '%'))
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('%', '[^/]*')
  return new RegExp(`^${/^inbox$/i.test(full) ? 'INBOX' : source}$`)
}

function list(command: 'LIST' | 'LSUB'): Command {
  return {
    state: 'authenticated',
    run: (session, reader) => {
      reader.space()
      if (command === 'LIST' && reader.peek() === '(') {
        reader.list(() => reader.atom())
        reader.space()
      }
      const reference = reader.mailbox()
      reader.space()
      const patterns = reader.peek() === '(' ? reader.list(() => reader.listMailbox()) : [reader.listMailbox()]
      if (reader.match(/ RETURN /i) !== null) reader.list(() => reader.atom())
      reader.end()
      if (patterns.length === 1 && patterns[0] === '') {
        session.wire.write(`* ${command} (\\Noselect) "/" ""\r\n`)
        return 'done'
      }
      const matchers = patterns.map((pattern) => patternOf(reference, pattern))
      for (const { name, selectable, hasChildren } of tree(session)) {
        if (!matchers.some((matcher) => matcher.test(name))) continue
        const flags = [selectable ? '' : '\\Noselect', hasChildren ? '\\HasChildren' : '\\HasNoChildren']
        session.wire.write(`* ${command} (${flags.filter((flag) => flag !== '').join(' ')}) "/" ${astring(name)}\r\n`)
      }
      return 'done'
    },
  }
}

function status(session: Session, reader: Reader): string {
  reader.space()
  const name = reader.mailbox()
  reader.space()
  const items = reader.list(() => reader.atom().toUpperCase())
  reader.end()
  const mailbox = find(session, name)
  if (mailbox === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
  const values: Readonly<Record<string, number>> = {
    MESSAGES: mailbox.messages,
    RECENT: 0,
    UIDNEXT: mailbox.uidNext,
    UIDVALIDITY: session.ports.uidValidity,
    UNSEEN: mailbox.unseen,
    HIGHESTMODSEQ: mailbox.highestModseq,
  }
  const told = items.map((item) => {
    const value = values[item]
    if (value === undefined) throw new SyntaxProblem(`there is no status item ${item.slice(0, 40)}`)
    return `${item} ${value}`
  })
  session.wire.write(`* STATUS ${astring(name)} (${told.join(' ')})\r\n`)
  return 'done'
}

/** Mailboxes come and go with the mail of a day; a later version lets people make folders of their own. */
const cannot: Command = {
  state: 'authenticated',
  run: () => {
    throw new Refusal('[CANNOT] mailboxes here are made by the mail that comes in')
  },
}

const subscribe: Command = {
  state: 'authenticated',
  run: (session, reader) => {
    reader.space()
    const name = reader.mailbox()
    reader.end()
    if (!tree(session).some((listed) => listed.name === name))
      throw new Refusal('[NONEXISTENT] there is no such mailbox')
    return 'all mailboxes are subscribed'
  },
}

function close(expunges: boolean): Command {
  return {
    state: 'selected',
    run: async (session, reader) => {
      reader.end()
      const { selected } = session
      if (expunges && selected !== null && !selected.readOnly) {
        const deleted = selected.uids.flatMap((uid) => {
          const entry = session.ports.view.entry(selected.mailbox.id, uid)
          return entry?.flags.includes('\\Deleted') ? [entry] : []
        })
        await session.append(deleted.map(({ messageId }) => ({ messageId, type: 'expunged', flags: [] })))
      }
      session.selected = null
      return 'closed'
    },
  }
}

export const mailboxCommands: Readonly<Record<string, Command>> = {
  SELECT: select(false),
  EXAMINE: select(true),
  LIST: list('LIST'),
  LSUB: list('LSUB'),
  STATUS: { state: 'authenticated', run: status },
  NAMESPACE: {
    state: 'authenticated',
    run: (session, reader) => {
      reader.end()
      session.wire.write('* NAMESPACE (("" "/")) NIL NIL\r\n')
      return 'done'
    },
  },
  CREATE: cannot,
  DELETE: cannot,
  RENAME: cannot,
  APPEND: cannot,
  SUBSCRIBE: subscribe,
  UNSUBSCRIBE: subscribe,
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
        const done = await Promise.race([line, session.change()])
        if (done === undefined) continue
        if (done === null) return null
        if (done === 'too long' || !/^done$/i.test(done.toString('latin1'))) throw new SyntaxProblem('expected DONE')
        return 'done'
      }
    },
  },
}
