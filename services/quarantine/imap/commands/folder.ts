/**
 * Commands about mailboxes by name: LIST (RFC 9051 section 6.3.9, RFC 5258, 5819, 6154), LSUB, STATUS (RFC 8438, 8474), NAMESPACE,
 * CREATE, DELETE, RENAME, SUBSCRIBE, APPEND, and QUOTA (RFC 9208).
 */
import { holdFolder } from '../../mailbox/folders.ts'
import type { Entry, Mailbox } from '../../mailbox/view.ts'
import { type Reader, SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import type { Session } from '../session.ts'
import { appendBytesMax } from '../wire.ts'
import { checkQuota, folderFor, storableFlags } from './change.ts'
import type { Command } from './command.ts'
import { find, idOf } from './mailbox.ts'

/** Top levels that mail makes; no folder may be named like one. */
const reserved = new Set([
  'INBOX',
  'Bounces',
  'Auto-replies',
  'Opt-outs',
  'Complaints',
  'Reports',
  'Replies',
  'Unknown',
])
const nameBytesMax = 200
const depthMax = 10
const foldersMax = 10_000

type Listed = { readonly name: string; readonly mailbox: Mailbox | null; readonly hasChildren: boolean }

/** All mailboxes with the levels above them, as far as the account may see them. */
function tree(session: Session): Listed[] {
  const names = new Map<string, { mailbox: Mailbox | null; hasChildren: boolean }>()
  const inbox = find(session, 'INBOX')
  names.set('INBOX', { mailbox: inbox, hasChildren: false })
  for (const mailbox of session.ports.view.mailboxes()) {
    if (!session.maySee(mailbox.name)) continue
    const parts = mailbox.name.split('/')
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/')
      names.set(parent, { mailbox: names.get(parent)?.mailbox ?? null, hasChildren: true })
    }
    names.set(mailbox.name, { mailbox, hasChildren: names.get(mailbox.name)?.hasChildren ?? false })
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

const selections = new Set(['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'])

function list(command: 'LIST' | 'LSUB'): Command {
  return {
    state: 'authenticated',
    run: (session, reader) => {
      reader.space()
      let chosen = new Set<string>()
      let isExtended = false
      if (command === 'LIST' && reader.peek() === '(') {
        chosen = new Set(reader.list(() => reader.atom().toUpperCase()))
        for (const name of chosen)
          if (!selections.has(name)) throw new SyntaxProblem(`there is no selection option ${name.slice(0, 40)}`)
        if (chosen.has('RECURSIVEMATCH') && chosen.size === 1)
          throw new SyntaxProblem('RECURSIVEMATCH needs another option')
        isExtended = true
        reader.space()
      }
      const reference = reader.mailbox()
      reader.space()
      const patterns = reader.peek() === '(' ? reader.list(() => reader.listMailbox()) : [reader.listMailbox()]
      const told = new Set<string>()
      let statusItems: string[] = []
      if (reader.match(/ RETURN /i) !== null) {
        isExtended = true
        reader.list(() => {
          const name = reader.atom().toUpperCase()
          if (name === 'STATUS') {
            reader.space()
            statusItems = reader.list(() => reader.atom().toUpperCase())
          } else if (!['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE'].includes(name))
            throw new SyntaxProblem(`there is no return option ${name.slice(0, 40)}`)
          told.add(name)
        })
      }
      reader.end()
      if (!isExtended && patterns.length === 1 && patterns[0] === '') {
        session.wire.write(`* ${command} (\\Noselect) "/" ""\r\n`)
        return 'done'
      }
      const matchers = patterns.map((pattern) => patternOf(reference, pattern))
      const all = tree(session)
      for (const { name, mailbox, hasChildren } of all) {
        if (!matchers.some((matcher) => matcher.test(name))) continue
        const isSubscribed = mailbox?.subscribed ?? false
        const isSpecial = mailbox?.folder === holdFolder.id
        if (command === 'LSUB' && !isSubscribed && mailbox !== null) continue
        if (chosen.has('SPECIAL-USE') && !isSpecial) continue
        let childInfo = ''
        if (chosen.has('SUBSCRIBED') && !isSubscribed) {
          const below = all.some((other) => other.name.startsWith(`${name}/`) && other.mailbox?.subscribed === true)
          if (!chosen.has('RECURSIVEMATCH') || !below) continue
          childInfo = ' ("CHILDINFO" ("SUBSCRIBED"))'
        }
        const attributes = [
          mailbox === null ? (session.enabled.has('IMAP4REV2') || isExtended ? '\\NonExistent' : '\\Noselect') : '',
          hasChildren ? '\\HasChildren' : '\\HasNoChildren',
          isSubscribed && (chosen.has('SUBSCRIBED') || told.has('SUBSCRIBED')) ? '\\Subscribed' : '',
          isSpecial ? '\\Archive' : '',
        ]
        session.wire.write(
          `* ${command} (${attributes.filter((each) => each !== '').join(' ')}) "/" ${session.mailboxText(name)}${childInfo}\r\n`,
        )
        if (mailbox !== null && told.has('STATUS')) tellStatus(session, mailbox, statusItems)
      }
      return 'done'
    },
  }
}

/** Sizes are summed as mail comes; what is deleted is counted when it is asked for. */
function tellStatus(session: Session, mailbox: Mailbox, items: readonly string[]): void {
  const deleted = (): number => {
    if (mailbox.id < 0) return 0
    const roster = session.ports.view.roster(mailbox.id)
    const isDeleted = roster.hasFlag('\\deleted')
    let count = 0
    for (let index = 0; index < roster.length; index++) if (isDeleted(index)) count++
    return count
  }
  const values: Readonly<Record<string, () => number | string>> = {
    MESSAGES: () => mailbox.messages,
    RECENT: () => 0,
    UIDNEXT: () => mailbox.uidNext,
    UIDVALIDITY: () => session.ports.uidValidity,
    UNSEEN: () => mailbox.unseen,
    DELETED: deleted,
    SIZE: () => mailbox.bytes,
    HIGHESTMODSEQ: () => mailbox.highestModseq,
    MAILBOXID: () => `(${idOf(mailbox)})`,
    APPENDLIMIT: () => (mailbox.folder === '' ? 'NIL' : appendBytesMax),
    'DELETED-STORAGE': () => 0,
  }
  const told = items.map((item) => {
    const value = values[item]
    if (value === undefined) throw new SyntaxProblem(`there is no status item ${item.slice(0, 40)}`)
    return `${item} ${value()}`
  })
  session.wire.write(`* STATUS ${session.mailboxText(mailbox.name)} (${told.join(' ')})\r\n`)
}

const status: Command = {
  state: 'authenticated',
  run: (session, reader) => {
    reader.space()
    const name = reader.mailbox()
    reader.space()
    const items = reader.list(() => reader.atom().toUpperCase())
    reader.end()
    const mailbox = find(session, name)
    if (mailbox === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
    if (items.includes('HIGHESTMODSEQ')) session.enabled.add('CONDSTORE')
    tellStatus(session, mailbox, items)
    return 'done'
  },
}

// ---- folders ------------------------------------------------------------------------------------------------------

function readName(reader: Reader): string {
  reader.space()
  return reader.mailbox()
}

/** @throws {Refusal} where no folder may have that name */
function checkName(session: Session, name: string): void {
  const parts = name.split('/')
  const [top = ''] = parts
  if (reserved.has(top)) throw new Refusal('[CANNOT] mailboxes of that name are made by the mail that comes in')
  if (!session.maySee(name)) throw new Refusal('[NOPERM] this account may not see that name')
  if (
    Buffer.byteLength(name) > nameBytesMax ||
    parts.length > depthMax ||
    parts.some((part) => part.trim() === '' || part === '.' || part === '..') ||
    /[\p{Cc}%*\p{Cs}]/u.test(name)
  ) {
    throw new Refusal('[CANNOT] no folder may have that name')
  }
}

/** A folder of people's own; Hold and what mail makes are not. */
function ownFolder(session: Session, name: string): Mailbox {
  const folder = session.mailbox(name)
  if (folder === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
  if (folder.folder === '' || folder.folder === holdFolder.id)
    throw new Refusal('[CANNOT] this mailbox is not of your making')
  return folder
}

const create: Command = {
  state: 'authenticated',
  run: async (session, reader) => {
    const name = readName(reader)
    if (reader.match(/ /) !== null) {
      reader.expect(/\(USE \(/i, '(USE (…))')
      throw new Refusal('[USEATTR] there is one special folder, and it is there')
    }
    reader.end()
    checkName(session, name)
    if (session.ports.view.mailbox(name) !== null) throw new Refusal('[ALREADYEXISTS] there is such a mailbox')
    if (session.ports.view.mailboxes().filter(({ folder }) => folder !== '').length >= foldersMax)
      throw new Refusal(`[LIMIT] there are ${foldersMax} folders`)
    await session.change(() => session.ports.folders.create(name))
    const made = session.ports.view.mailbox(name)
    return made === null ? 'made' : `[MAILBOXID (${idOf(made)})] made`
  },
}

const entriesOfFolder = (session: Session, { id }: Mailbox): Entry[] => session.ports.view.entries(id)

const remove: Command = {
  state: 'authenticated',
  run: async (session, reader) => {
    const name = readName(reader)
    reader.end()
    const folder = ownFolder(session, name)
    if (session.ports.view.mailboxes().some((other) => other.name.startsWith(`${name}/`)))
      throw new Refusal('[HASCHILDREN] there are folders below it')
    if (session.selected?.mailbox.id === folder.id) session.deselect()
    await session.change(() =>
      session.ports.folders.remove(folder, entriesOfFolder(session, folder), session.account?.name ?? ''),
    )
    return 'gone'
  },
}

const rename: Command = {
  state: 'authenticated',
  run: async (session, reader) => {
    const name = readName(reader)
    const to = readName(reader)
    reader.end()
    if (name === 'INBOX') throw new Refusal('[CANNOT] the INBOX is empty and stays')
    const folder = ownFolder(session, name)
    checkName(session, to)
    if (to === name || to.startsWith(`${name}/`)) throw new Refusal('[CANNOT] a folder cannot be moved into itself')
    if (session.ports.view.mailbox(to) !== null) throw new Refusal('[ALREADYEXISTS] there is such a mailbox')
    const below = session.ports.view
      .mailboxes()
      .filter((other) => other.folder !== '' && other.name.startsWith(`${name}/`))
    await session.change(async () => {
      for (const each of [folder, ...below]) await session.ports.folders.rename(each, to + each.name.slice(name.length))
    })
    return 'renamed'
  },
}

const subscribe = (subscribed: boolean): Command => ({
  state: 'authenticated',
  run: async (session, reader) => {
    const name = readName(reader)
    reader.end()
    const mailbox = find(session, name)
    if (mailbox === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
    if (mailbox.folder === '') return 'the mailboxes of days are always subscribed'
    if (mailbox.subscribed !== subscribed)
      await session.change(() => session.ports.folders.subscribe(mailbox, subscribed))
    return 'done'
  },
})

// ---- APPEND -------------------------------------------------------------------------------------------------------

const dateTimeForm =
  /"( ?\d{1,2})-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"/i
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

function readDateTime(reader: Reader): number {
  const [, day = '', month = '', year = '', h = '', m = '', s = '', sign = '', zh = '', zm = ''] =
    dateTimeForm.exec(reader.expect(new RegExp(dateTimeForm.source, 'i'), 'a date and time')) ?? []
  const at = Date.UTC(Number(year), months.indexOf(month.toLowerCase()), Number(day), Number(h), Number(m), Number(s))
  return at - (sign === '-' ? -1 : 1) * (Number(zh) * 60 + Number(zm)) * 60_000
}

const append: Command = {
  state: 'authenticated',
  run: async (session, reader) => {
    const name = readName(reader)
    reader.space()
    let flags: string[] = []
    if (reader.peek() === '(') {
      flags = storableFlags(reader.flags())
      reader.space()
    }
    let receivedAt = session.ports.clock.now()
    if (reader.peek() === '"') {
      receivedAt = readDateTime(reader)
      reader.space()
    }
    const isWrapped = reader.match(/UTF8 \(/i) !== null
    const bytes = reader.message()
    if (isWrapped) reader.expect(/\)/, ')')
    reader.end()
    const folder = folderFor(session, name)
    checkQuota(session, bytes.length)
    const [uid = 0] = await session.change(() =>
      session.ports.folders.add(
        folder,
        [{ messageId: null, bytes, flags, receivedAt, position: null }],
        session.account?.name ?? '',
      ),
    )
    return `[APPENDUID ${session.ports.uidValidity} ${uid}] kept`
  },
}

// ---- QUOTA --------------------------------------------------------------------------------------------------------

/** In units of 1,024 bytes (RFC 9208 section 5.1). */
function tellQuota(session: Session): void {
  const used = Math.ceil(session.ports.view.folderBytes() / 1024)
  session.wire.write(`* QUOTA "" (STORAGE ${used} ${Math.floor(session.ports.quotaBytes / 1024)})\r\n`)
}

export const folderCommands: Readonly<Record<string, Command>> = {
  LIST: list('LIST'),
  LSUB: list('LSUB'),
  STATUS: status,
  NAMESPACE: {
    state: 'authenticated',
    run: (session, reader) => {
      reader.end()
      session.wire.write('* NAMESPACE (("" "/")) NIL NIL\r\n')
      return 'done'
    },
  },
  CREATE: create,
  DELETE: remove,
  RENAME: rename,
  SUBSCRIBE: subscribe(true),
  UNSUBSCRIBE: subscribe(false),
  APPEND: append,
  GETQUOTA: {
    state: 'authenticated',
    run: (session, reader) => {
      reader.space()
      if (reader.astring() !== '') throw new Refusal('[NONEXISTENT] there is one quota root, ""')
      reader.end()
      tellQuota(session)
      return 'done'
    },
  },
  GETQUOTAROOT: {
    state: 'authenticated',
    run: (session, reader) => {
      const name = readName(reader)
      reader.end()
      const mailbox = find(session, name)
      if (mailbox === null) throw new Refusal('[NONEXISTENT] there is no such mailbox')
      session.wire.write(`* QUOTAROOT ${session.mailboxText(name)}${mailbox.folder === '' ? '' : ' ""'}\r\n`)
      if (mailbox.folder !== '') tellQuota(session)
      return 'done'
    },
  },
  SETQUOTA: {
    state: 'authenticated',
    run: () => {
      throw new Refusal('[NOPERM] the quota is a setting')
    },
  },
}
