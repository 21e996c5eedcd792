/**
 * The mailboxes as `mail.index` and `mail.folders` tell them: a SQLite database of one process, rebuilt from the log.
 *
 * A message's UID is the offset of its first entry + 1, its MODSEQ the offset of its newest change + 1; so every replica gives the
 * same. Repeats of an entry change nothing. A batch and the offsets up to which it reads are one transaction, so a crash never
 * leaves half of one. What the store may have dropped is not shown any more. Folders are read from their start each time:
 * of what was expunged long ago compaction leaves no trace.
 */
import type { LogRecord } from '#lib/log/log.ts'
import { Database } from '#lib/runtime/database.ts'
import { type ReadPorts, readRecord } from '#schemas/read.ts'
import type { Folder, Index, Location } from '#schemas/types.ts'
import { holdFolder } from './folders.ts'
import { Roster } from './roster.ts'
import {
  amongKeys,
  type BareRow,
  bareColumns,
  type Changing,
  type Entry,
  keyOf,
  keysOf,
  keysText,
  type Mailbox,
  mailboxRow,
  mailboxUpsert,
  openTables,
  toBareEntry,
  toEntry,
  toMailbox,
} from './tables.ts'

export type { Entry, Mailbox }

export type ViewOptions = ReadPorts & {
  /** Empty: a temporary database that goes with the process. */
  readonly path: string
}

const uidMax = 0xffffffff
/** Messages of mailboxes that nobody has open but that are kept in memory for the next SELECT. */
const rosterMessagesMax = 4_000_000
/** A folder whose name is not known yet. */
const nameless = '\0'
const expungedMax = 100_000

export class MailboxView {
  readonly #db: Database
  readonly #options: ViewOptions
  readonly #listeners = new Set<(mailboxes: ReadonlySet<number>) => void>()
  readonly #mailboxes = new Map<number, Changing>()
  readonly #byName = new Map<string, Changing>()
  readonly #byFolder = new Map<string, Changing>()
  readonly #rosters = new Map<number, Roster>()
  /** Of the batch under way: mailboxes to write, and UIDs to take out of rosters. */
  readonly #dirty = new Set<Changing>()
  readonly #gone = new Map<number, Set<number>>()
  /** Keys of what was expunged from folders, the newest. */
  readonly #expunged = new Set<string>()

  constructor(options: ViewOptions) {
    this.#options = options
    this.#db = new Database(options.path)
    openTables(this.#db)
    this.#read()
  }

  /** The mailboxes of the database; folders start empty. */
  #read(): void {
    this.#db.exec(`DELETE FROM messages WHERE mailbox IN (SELECT id FROM mailboxes WHERE folder <> '');
      DELETE FROM mailboxes WHERE folder <> '';`)
    this.#knowAll()
    this.#change(() => this.#make(holdFolder.name, holdFolder.id, holdFolder.partition))
  }

  /** The mailboxes as the database has them; those that sessions have open stay the same objects. */
  #knowAll(): void {
    const before = new Map(this.#mailboxes)
    for (const known of [this.#mailboxes, this.#byName, this.#byFolder]) known.clear()
    for (const row of this.#db.prepare('SELECT * FROM mailboxes').all()) {
      const mailbox = toMailbox(row)
      this.#know(Object.assign(before.get(mailbox.id) ?? mailbox, mailbox))
    }
  }

  #know(mailbox: Changing): void {
    this.#mailboxes.set(mailbox.id, mailbox)
    if (!mailbox.name.startsWith(nameless)) this.#byName.set(mailbox.name, mailbox)
    if (mailbox.folder !== '') this.#byFolder.set(mailbox.folder, mailbox)
  }

  // ---- building -----------------------------------------------------------------------------------------------------

  /** The epoch that this database was built in; another one means that offsets started again: all is dropped. */
  useEpoch(epoch: number): void {
    const known = this.#db.prepare("SELECT value FROM facts WHERE name = 'epoch'").get()?.['value']
    if (known === String(epoch)) return
    this.#db.exec('DELETE FROM messages; DELETE FROM mailboxes; DELETE FROM progress;')
    this.#rosters.clear()
    this.#read()
    this.#db
      .prepare("INSERT INTO facts VALUES ('epoch', ?) ON CONFLICT DO UPDATE SET value = excluded.value")
      .run(String(epoch))
  }

  /** Where to read `mail.index` on, by partition. */
  progress(): Map<number, bigint> {
    return new Map(
      this.#db
        .prepare('SELECT partition, next FROM progress')
        .all()
        .map((row) => [Number(row['partition']), BigInt(Number(row['next']))]),
    )
  }

  /** Records of `mail.index`, of one partition. */
  applyIndex(records: readonly LogRecord[]): void {
    this.#batch(records, (record) => {
      const entry = readRecord('index', record, this.#options)
      if (entry !== null) this.#index(entry, record)
    })
  }

  /** Records of `mail.folders`, of one partition. */
  applyFolders(records: readonly LogRecord[]): void {
    this.#batch(records, (record) => {
      if (record.value === null) this.#ended(record)
      else {
        const entry = readRecord('folder', record, this.#options)
        if (entry?.type === 'folder') this.#folder(entry, record.partition)
        else if (entry?.type === 'message') this.#copy(entry, record)
      }
    })
  }

  #batch(records: readonly LogRecord[], one: (record: LogRecord) => void): void {
    this.#change(() => {
      for (const record of records) one(record)
      const last = records.at(-1)
      if (last?.topic === 'mail.index') {
        this.#db
          .prepare('INSERT INTO progress VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next')
          .run(last.partition, last.offset + 1n)
      }
    })
  }

  /** All that `work` changes, in the database and in memory, or nothing of it. */
  #change(work: () => void): void {
    try {
      this.#db.transaction(() => {
        work()
        for (const each of this.#dirty) this.#db.prepare(mailboxUpsert).run(...mailboxRow(each))
      })
    } catch (error) {
      this.#rosters.clear()
      this.#dirty.clear()
      this.#gone.clear()
      this.#knowAll()
      throw error
    }
    for (const [mailbox, uids] of this.#gone) this.#rosters.get(mailbox)?.remove(uids)
    this.#gone.clear()
    const changed = new Set([...this.#dirty].map(({ id }) => id))
    this.#dirty.clear()
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed)
  }

  #index(entry: Index, record: LogRecord): void {
    const mailbox = this.#byName.get(entry.mailbox) ?? this.#make(entry.mailbox, '', record.partition)
    if (mailbox.folder !== '') return // No mail is ever named like that.
    const modseq = uidOf(record)
    if (entry.type === 'added') {
      if (entry.location !== null) {
        const { location, expiresAt } = entry
        const { receivedAt, messageId: copy } = entry
        this.#add(mailbox, { ...entry, uid: modseq, modseq, location, copy, receivedAt, expiresAt })
      }
    } else if (entry.type === 'flags') this.#reflag(mailbox, entry.messageId, entry.flags, modseq)
    else if (entry.type === 'expunged') this.#expunge(mailbox, entry.messageId, modseq)
    else if (entry.type === 'moved' && entry.location !== null) this.#move(mailbox, entry.messageId, entry.location)
  }

  #folder(entry: Folder, partition: number): void {
    const mailbox = this.#byFolder.get(entry.folder) ?? this.#make(entry.mailbox, entry.folder, partition)
    if (this.#byName.get(mailbox.name) === mailbox) this.#byName.delete(mailbox.name)
    // Two people may make a folder of one name at once, on two replicas: the second gets another.
    let name = entry.mailbox
    for (let n = 2; this.#byName.has(name); n++) name = `${entry.mailbox} (${n})`
    mailbox.name = name
    mailbox.subscribed = entry.subscribed
    this.#byName.set(name, mailbox)
    this.#dirty.add(mailbox)
  }

  #copy(entry: Folder, record: LogRecord): void {
    if (entry.location === null) return
    const mailbox =
      this.#byFolder.get(entry.folder) ?? this.#make(`${nameless}${entry.folder}`, entry.folder, record.partition)
    const modseq = uidOf(record)
    if (this.#reflag(mailbox, entry.copy, entry.flags, modseq)) return
    // Flags that another replica set before it knew of the expunge: it takes them back.
    if (entry.uid !== 0 && this.#expunged.has(`${entry.folder} ${entry.copy}`)) return
    const uid = entry.uid === 0 ? modseq : entry.uid
    this.#add(mailbox, { ...entry, uid, modseq, location: entry.location, expiresAt: Number.MAX_SAFE_INTEGER })
  }

  /** A tombstone of `mail.folders`. */
  #ended(record: LogRecord): void {
    const [first = '', second = ''] = (record.key ?? '').split(' ')
    if (first === 'folder') {
      const mailbox = this.#byFolder.get(second)
      if (mailbox !== undefined && second !== holdFolder.id) this.#drop(mailbox)
    } else {
      const mailbox = this.#byFolder.get(first)
      if (mailbox !== undefined) this.#expunge(mailbox, second, uidOf(record))
      this.#expunged.add(`${first} ${second}`)
      const [oldest] = this.#expunged
      if (this.#expunged.size > expungedMax && oldest !== undefined) this.#expunged.delete(oldest)
    }
  }

  #make(name: string, folder: string, partition: number): Changing {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO mailboxes VALUES (NULL, ?, ?, ?, 1, 0, 0, 0, 1, 1, 9007199254740991)')
      .run(name, folder, partition)
    const mailbox: Changing = {
      id: Number(lastInsertRowid),
      name,
      folder,
      partition,
      subscribed: true,
      messages: 0,
      unseen: 0,
      bytes: 0,
      uidNext: 1,
      highestModseq: 1,
      expiresFrom: Number.MAX_SAFE_INTEGER,
    }
    this.#know(mailbox)
    this.#dirty.add(mailbox)
    return mailbox
  }

  #add(mailbox: Changing, entry: Omit<Entry, 'flags'> & { flags: readonly string[]; expiresAt: number }): void {
    const flags = entry.flags.join(' ')
    const { changes } = this.#db
      .prepare(
        'INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      )
      .run(
        keyOf(mailbox.id, entry.uid),
        mailbox.id,
        entry.uid,
        entry.copy,
        entry.messageId,
        entry.size,
        entry.receivedAt,
        flags,
        entry.modseq,
        entry.location.object,
        entry.location.blockOffset,
        entry.location.blockLength,
        entry.location.recordIndex,
        entry.expiresAt,
        entry.header,
        entry.structure,
        entry.envelope,
        entry.preview,
        mailbox.folder === '' ? null : entry.sha256,
      )
    if (Number(changes) === 0) return
    mailbox.messages++
    mailbox.bytes += entry.size
    if (isUnseen(flags)) mailbox.unseen++
    mailbox.highestModseq = Math.max(mailbox.highestModseq, entry.modseq)
    mailbox.expiresFrom = Math.min(mailbox.expiresFrom, entry.expiresAt)
    if (entry.uid >= mailbox.uidNext) {
      mailbox.uidNext = entry.uid + 1
      this.#rosters.get(mailbox.id)?.push({ ...entry, flags })
    } else this.#forget(mailbox.id) // Compaction leaves the messages of a folder in the order of their newest change.
    this.#dirty.add(mailbox)
  }

  #forget(mailbox: number): void {
    this.#rosters.delete(mailbox)
  }

  /** False: there is no such message. */
  #reflag(mailbox: Changing, copy: string, all: readonly string[], modseq: number): boolean {
    const before = this.#db
      .prepare('SELECT uid, flags FROM messages WHERE mailbox = ? AND copy = ?')
      .get(mailbox.id, copy)
    if (before === undefined) return false
    const flags = all.join(' ')
    this.#db
      .prepare('UPDATE messages SET flags = ?, modseq = ? WHERE key = ?')
      .run(flags, modseq, keyOf(mailbox.id, Number(before['uid'])))
    mailbox.unseen += Number(isUnseen(flags)) - Number(isUnseen(String(before['flags'])))
    mailbox.highestModseq = Math.max(mailbox.highestModseq, modseq)
    this.#rosters.get(mailbox.id)?.setFlags(Number(before['uid']), flags, modseq)
    this.#dirty.add(mailbox)
    return true
  }

  #expunge(mailbox: Changing, copy: string, modseq: number): void {
    const before = this.#db
      .prepare('SELECT uid, flags, size FROM messages WHERE mailbox = ? AND copy = ?')
      .get(mailbox.id, copy)
    if (before === undefined) return
    const uid = Number(before['uid'])
    this.#db.prepare('DELETE FROM messages WHERE key = ?').run(keyOf(mailbox.id, uid))
    mailbox.messages--
    mailbox.bytes -= Number(before['size'])
    if (isUnseen(String(before['flags']))) mailbox.unseen--
    mailbox.highestModseq = Math.max(mailbox.highestModseq, modseq)
    const gone = this.#gone.get(mailbox.id) ?? new Set()
    this.#gone.set(mailbox.id, gone.add(uid))
    this.#dirty.add(mailbox)
  }

  /** Its copy stands elsewhere now; nothing that a client sees has changed. */
  #move(mailbox: Changing, copy: string, location: Location): void {
    this.#db
      .prepare(
        'UPDATE messages SET object = ?, block_offset = ?, block_length = ?, record_index = ? WHERE mailbox = ? AND copy = ?',
      )
      .run(location.object, location.blockOffset, location.blockLength, location.recordIndex, mailbox.id, copy)
  }

  #drop(mailbox: Changing): void {
    this.#db.prepare('DELETE FROM messages WHERE key BETWEEN ? AND ?').run(...keysOf(mailbox.id))
    this.#db.prepare('DELETE FROM mailboxes WHERE id = ?').run(mailbox.id)
    this.#mailboxes.delete(mailbox.id)
    if (this.#byName.get(mailbox.name) === mailbox) this.#byName.delete(mailbox.name)
    this.#byFolder.delete(mailbox.folder)
    this.#rosters.delete(mailbox.id)
    this.#dirty.delete(mailbox)
    for (const listener of this.#listeners) listener(new Set([mailbox.id]))
  }

  /** Drops what the store may have dropped by now, and mailboxes that are empty then. */
  expire(now: number): number {
    let dropped = 0
    this.#change(() => {
      for (const mailbox of [...this.#mailboxes.values()]) {
        if (mailbox.expiresFrom > now) continue
        const rows = this.#db
          .prepare('SELECT uid, flags, size FROM messages WHERE key BETWEEN ? AND ? AND expires_at <= ?')
          .all(...keysOf(mailbox.id), now)
        dropped += rows.length
        if (rows.length >= mailbox.messages) {
          this.#drop(mailbox)
          continue
        }
        this.#db
          .prepare('DELETE FROM messages WHERE key BETWEEN ? AND ? AND expires_at <= ?')
          .run(...keysOf(mailbox.id), now)
        const next = this.#db
          .prepare('SELECT min(expires_at) AS next FROM messages WHERE key BETWEEN ? AND ?')
          .get(...keysOf(mailbox.id))
        mailbox.expiresFrom = Number(next?.['next'])
        mailbox.messages -= rows.length
        for (const row of rows) {
          mailbox.bytes -= Number(row['size'])
          if (isUnseen(String(row['flags']))) mailbox.unseen--
        }
        this.#gone.set(mailbox.id, new Set(rows.map((row) => Number(row['uid']))))
        this.#dirty.add(mailbox)
      }
    })
    return dropped
  }

  // ---- asking -------------------------------------------------------------------------------------------------------

  /** By name. */
  mailboxes(): Mailbox[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  mailbox(name: string): Mailbox | null {
    return this.#byName.get(name) ?? null
  }

  mailboxById(id: number): Mailbox | null {
    return this.#mailboxes.get(id) ?? null
  }

  /** The mailbox in memory, from now on up to date; it has to be given back. */
  open(id: number): Roster {
    const roster = this.roster(id)
    roster.users++
    return roster
  }

  close(id: number, roster: Roster): void {
    roster.users--
    let messages = 0
    for (const { length, users } of this.#rosters.values()) if (users === 0) messages += length
    // The least recently opened go first.
    for (const [old, { length, users }] of this.#rosters) {
      if (messages <= rosterMessagesMax) break
      if (users > 0 || old === id) continue
      this.#rosters.delete(old)
      messages -= length
    }
  }

  /** The mailbox in memory now. Over a failure, or a folder being read, it may be made anew: ask for it at each command. */
  roster(id: number): Roster {
    let roster = this.#rosters.get(id)
    if (roster === undefined) {
      roster = new Roster(Math.ceil((this.#mailboxes.get(id)?.messages ?? 0) * 1.1))
      const statement = this.#db.prepare(
        'SELECT uid, flags, modseq, size, received_at FROM messages WHERE key BETWEEN ? AND ? ORDER BY key',
      )
      for (const row of statement.iterate(...keysOf(id))) {
        roster.push({
          uid: Number(row['uid']),
          flags: String(row['flags']),
          modseq: Number(row['modseq']),
          size: Number(row['size']),
          receivedAt: Number(row['received_at']),
        })
      }
    }
    this.#rosters.delete(id)
    this.#rosters.set(id, roster)
    return roster
  }

  entry(mailbox: number, uid: number): Entry | null {
    const row = this.#db.prepare('SELECT * FROM messages WHERE key = ?').get(keyOf(mailbox, uid))
    return row === undefined ? null : toEntry(row)
  }

  /** Whether a copy is still in a mailbox. */
  has(mailbox: number, copy: string): boolean {
    return this.#db.prepare('SELECT 1 FROM messages WHERE mailbox = ? AND copy = ?').get(mailbox, copy) !== undefined
  }

  /** All entries of a mailbox, ascending. */
  entries(mailbox: number): Entry[] {
    const statement = this.#db.prepare('SELECT * FROM messages WHERE key BETWEEN ? AND ? ORDER BY key')
    return statement.all(...keysOf(mailbox)).map(toEntry)
  }

  /** Those entries of so many UIDs that are there. One question for all: SQLite answers it in the time of two. */
  entriesOf(mailbox: number, uids: readonly number[]): Entry[] {
    return this.#db.prepare(`SELECT * FROM messages WHERE ${amongKeys}`).all(keysText(mailbox, uids)).map(toEntry)
  }

  /** Such entries without what they say of the header: where bytes are read, that would cost more than they do. */
  bareEntriesOf(mailbox: number, uids: readonly number[]): Entry[] {
    const statement = this.#db.prepare(`SELECT ${bareColumns} FROM messages WHERE ${amongKeys}`)
    statement.setReturnArrays(true)
    return (statement.all(keysText(mailbox, uids)) as unknown as BareRow[]).map(toBareEntry)
  }

  /** One column of such entries, as UTF-8 (bytes that are none become U+FFFD), which is much cheaper. */
  *column(
    name: 'header' | 'envelope' | 'structure' | 'preview' | 'message_id',
    mailbox: number,
    from: number,
    to: number,
  ): Generator<readonly [uid: number, value: string]> {
    const statement = this.#db.prepare(
      `SELECT uid, CAST(${name} AS TEXT) FROM messages WHERE key BETWEEN ? AND ? ORDER BY key`,
    )
    statement.setReturnArrays(true)
    // All at once: a statement that is being read must not outlive a turn of the event loop.
    yield* statement.all(...keysOf(mailbox, from, to)) as unknown as [number, string][] // INTEGER and TEXT.
  }

  /** Bytes of all folders together. */
  folderBytes(): number {
    let bytes = 0
    for (const { bytes: each } of this.#byFolder.values()) bytes += each
    return bytes
  }

  onChange(listener: (mailboxes: ReadonlySet<number>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  end(): void {
    this.#db.close()
  }
}

const isUnseen = (flags: string): boolean => !/(?:^| )\\Seen(?: |$)/.test(flags)

function uidOf(record: LogRecord): number {
  const uid = Number(record.offset) + 1
  if (uid >= uidMax) throw new Error(`${record.topic} has more records than UIDs can count: make the topic anew`)
  return uid
}
