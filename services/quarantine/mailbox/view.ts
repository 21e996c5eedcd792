/**
 * The mailboxes as `mail.index` tells them: a SQLite database of one process, rebuilt from the log.
 *
 * A message's UID is the offset of its first entry + 1, its MODSEQ the offset of its newest change + 1; so every replica gives the
 * same. Repeats of an entry change nothing. A batch and the offsets up to which it reads are one transaction, so a crash never
 * leaves half of one. What the store may have dropped is not shown any more.
 */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { LogRecord } from '#lib/log/log.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Codec } from '#schemas/codec.ts'
import type { Index, Location } from '#schemas/types.ts'

export type Mailbox = {
  readonly id: number
  readonly name: string
  readonly partition: number
  readonly messages: number
  readonly unseen: number
  readonly uidNext: number
  readonly highestModseq: number
}

export type Entry = {
  readonly uid: number
  readonly messageId: string
  readonly size: number
  readonly receivedAt: number
  readonly flags: readonly string[]
  readonly modseq: number
  readonly location: Location
  readonly header: Buffer
  readonly structure: string
}

export type ViewOptions = {
  /** Empty: a temporary database that goes with the process. */
  readonly path: string
  readonly codec: Codec
  readonly logger: Logger
  undecodable(): void
}

const uidMax = 0xffffffff

export class MailboxView {
  readonly #db: DatabaseSync
  readonly #options: ViewOptions
  readonly #statements = new Map<string, StatementSync>()
  readonly #listeners = new Set<(mailboxes: ReadonlySet<number>) => void>()

  constructor(options: ViewOptions) {
    this.#options = options
    if (options.path !== '') mkdirSync(dirname(options.path), { recursive: true })
    this.#db = new DatabaseSync(options.path)
    // The log is the truth: what a power cut takes from this file is read again.
    this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;
      CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS progress (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS mailboxes (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, partition INTEGER NOT NULL,
        messages INTEGER NOT NULL, unseen INTEGER NOT NULL, uid_next INTEGER NOT NULL, modseq INTEGER NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS messages (mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, message_id TEXT NOT NULL,
        size INTEGER NOT NULL, received_at INTEGER NOT NULL, flags TEXT NOT NULL, modseq INTEGER NOT NULL,
        object TEXT NOT NULL, block_offset INTEGER NOT NULL, block_length INTEGER NOT NULL, record_index INTEGER NOT NULL,
        expires_at INTEGER NOT NULL, header BLOB NOT NULL, structure TEXT NOT NULL,
        PRIMARY KEY (mailbox, uid)) STRICT, WITHOUT ROWID;
      CREATE UNIQUE INDEX IF NOT EXISTS by_message ON messages (mailbox, message_id);
      CREATE INDEX IF NOT EXISTS by_expiry ON messages (expires_at);`)
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  // ---- building -----------------------------------------------------------------------------------------------------

  /** The epoch that this database was built in; another one means that offsets started again: all is dropped. */
  useEpoch(epoch: number): void {
    const known = this.#prepare("SELECT value FROM facts WHERE name = 'epoch'").get()?.['value']
    if (known === String(epoch)) return
    this.#db.exec('DELETE FROM messages; DELETE FROM mailboxes; DELETE FROM progress;')
    this.#prepare("INSERT INTO facts VALUES ('epoch', ?) ON CONFLICT DO UPDATE SET value = excluded.value").run(
      String(epoch),
    )
  }

  /** Where to read on, by partition. */
  progress(): Map<number, bigint> {
    return new Map(
      this.#prepare('SELECT partition, next FROM progress')
        .all()
        .map((row) => [Number(row['partition']), BigInt(Number(row['next']))]),
    )
  }

  apply(records: readonly LogRecord[]): number {
    const changed = new Set<number>()
    this.#db.exec('BEGIN')
    try {
      for (const record of records) {
        const entry = this.#decode(record)
        if (entry !== null) this.#applyOne(entry, record, changed)
        this.#prepare('INSERT INTO progress VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next').run(
          record.partition,
          record.offset + 1n,
        )
      }
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed)
    return records.length
  }

  #decode(record: LogRecord): Index | null {
    try {
      return this.#options.codec.decode('index', record.value)
    } catch (error) {
      if (error instanceof MailweirError && error.retriable) throw error
      this.#options.undecodable()
      this.#options.logger.error(
        {
          event: 'record.undecodable',
          topic: record.topic,
          partition: record.partition,
          offset: record.offset.toString(),
          err: error,
        },
        'an index record cannot be read: it is passed over',
      )
      return null
    }
  }

  #applyOne(entry: Index, record: LogRecord, changed: Set<number>): void {
    const uid = Number(record.offset) + 1
    if (uid >= uidMax) throw new Error('mail.index has more records than UIDs can count: make the topic anew')
    const id = this.#mailboxId(entry.mailbox, record.partition)
    if (entry.type === 'added') {
      if (entry.location === null) return
      const { changes } = this.#prepare(
        'INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      ).run(
        id,
        uid,
        entry.messageId,
        entry.size,
        entry.receivedAt,
        entry.flags.join(' '),
        uid,
        entry.location.object,
        entry.location.blockOffset,
        entry.location.blockLength,
        entry.location.recordIndex,
        entry.expiresAt,
        entry.header,
        entry.structure,
      )
      if (Number(changes) === 0) return
      this.#prepare(
        'UPDATE mailboxes SET messages = messages + 1, unseen = unseen + ?, uid_next = ?, modseq = ? WHERE id = ?',
      ).run(entry.flags.includes('\\Seen') ? 0 : 1, uid + 1, uid, id)
    } else {
      const before = this.#prepare('SELECT flags FROM messages WHERE mailbox = ? AND message_id = ?').get(
        id,
        entry.messageId,
      )
      if (before === undefined) return
      const wasUnseen = isUnseen(String(before['flags'])) ? 1 : 0
      if (entry.type === 'flags') {
        this.#prepare('UPDATE messages SET flags = ?, modseq = ? WHERE mailbox = ? AND message_id = ?').run(
          entry.flags.join(' '),
          uid,
          id,
          entry.messageId,
        )
        this.#prepare('UPDATE mailboxes SET unseen = unseen + ?, modseq = ? WHERE id = ?').run(
          (entry.flags.includes('\\Seen') ? 0 : 1) - wasUnseen,
          uid,
          id,
        )
      } else if (entry.type === 'expunged') {
        this.#prepare('DELETE FROM messages WHERE mailbox = ? AND message_id = ?').run(id, entry.messageId)
        this.#prepare('UPDATE mailboxes SET messages = messages - 1, unseen = unseen - ?, modseq = ? WHERE id = ?').run(
          wasUnseen,
          uid,
          id,
        )
      }
    }
    changed.add(id)
  }

  #mailboxId(name: string, partition: number): number {
    const row = this.#prepare('SELECT id FROM mailboxes WHERE name = ?').get(name)
    if (row !== undefined) return Number(row['id'])
    return Number(
      this.#prepare(
        'INSERT INTO mailboxes (name, partition, messages, unseen, uid_next, modseq) VALUES (?, ?, 0, 0, 1, 1)',
      ).run(name, partition).lastInsertRowid,
    )
  }

  /** Drops what the store may have dropped by now, and mailboxes that are empty then. */
  expire(now: number): number {
    const expired = this.#prepare(
      'SELECT mailbox, count(*) AS n, sum(instr(flags, ?) = 0) AS unseen FROM messages WHERE expires_at <= ? GROUP BY mailbox',
    ).all('\\Seen', now)
    if (expired.length === 0) return 0
    const changed = new Set<number>()
    let dropped = 0
    this.#db.exec('BEGIN')
    for (const row of expired) {
      const id = Number(row['mailbox'])
      changed.add(id)
      dropped += Number(row['n'])
      this.#prepare('UPDATE mailboxes SET messages = messages - ?, unseen = unseen - ? WHERE id = ?').run(
        Number(row['n']),
        Number(row['unseen']),
        id,
      )
    }
    this.#prepare('DELETE FROM messages WHERE expires_at <= ?').run(now)
    this.#prepare('DELETE FROM mailboxes WHERE messages <= 0').run()
    this.#db.exec('COMMIT')
    for (const listener of this.#listeners) listener(changed)
    return dropped
  }

  // ---- asking -------------------------------------------------------------------------------------------------------

  mailboxes(): Mailbox[] {
    return this.#prepare('SELECT * FROM mailboxes ORDER BY name').all().map(toMailbox)
  }

  mailbox(name: string): Mailbox | null {
    const row = this.#prepare('SELECT * FROM mailboxes WHERE name = ?').get(name)
    return row === undefined ? null : toMailbox(row)
  }

  /** All UIDs of a mailbox, ascending. */
  uids(mailbox: number): number[] {
    const statement = this.#prepare('SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid')
    const uids: number[] = []
    for (const row of statement.iterate(mailbox)) uids.push(Number(row['uid']))
    return uids
  }

  entry(mailbox: number, uid: number): Entry | null {
    const row = this.#prepare('SELECT * FROM messages WHERE mailbox = ? AND uid = ?').get(mailbox, uid)
    return row === undefined ? null : toEntry(row)
  }

  /** UIDs whose newest change is later than `modseq`, with their flags. */
  changedSince(mailbox: number, modseq: number): { uid: number; flags: readonly string[]; modseq: number }[] {
    return this.#prepare('SELECT uid, flags, modseq FROM messages WHERE mailbox = ? AND modseq > ? ORDER BY uid')
      .all(mailbox, modseq)
      .map((row) => ({
        uid: Number(row['uid']),
        flags: splitFlags(String(row['flags'])),
        modseq: Number(row['modseq']),
      }))
  }

  /** All keywords of a mailbox, for the FLAGS response; at most 200. */
  keywords(mailbox: number): string[] {
    const found = new Set<string>()
    for (const row of this.#prepare('SELECT DISTINCT flags FROM messages WHERE mailbox = ? LIMIT 2000').iterate(
      mailbox,
    )) {
      for (const flag of splitFlags(String(row['flags'])))
        if (!flag.startsWith('\\') && found.size < 200) found.add(flag)
    }
    return [...found].sort()
  }

  onChange(listener: (mailboxes: ReadonlySet<number>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#statements.clear()
    this.#db.close()
  }
}

const splitFlags = (text: string): string[] => (text === '' ? [] : text.split(' '))
const isUnseen = (flags: string): boolean => !splitFlags(flags).includes('\\Seen')

type Row = Readonly<Record<string, unknown>>

const toMailbox = (row: Row): Mailbox => ({
  id: Number(row['id']),
  name: String(row['name']),
  partition: Number(row['partition']),
  messages: Number(row['messages']),
  unseen: Number(row['unseen']),
  uidNext: Number(row['uid_next']),
  highestModseq: Number(row['modseq']),
})

const toEntry = (row: Row): Entry => ({
  uid: Number(row['uid']),
  messageId: String(row['message_id']),
  size: Number(row['size']),
  receivedAt: Number(row['received_at']),
  flags: splitFlags(String(row['flags'])),
  modseq: Number(row['modseq']),
  location: {
    object: String(row['object']),
    blockOffset: Number(row['block_offset']),
    blockLength: Number(row['block_length']),
    recordIndex: Number(row['record_index']),
  },
  header: row['header'] instanceof Uint8Array ? Buffer.from(row['header']) : Buffer.alloc(0),
  structure: String(row['structure']),
})
