/** The tables of the view's database, and what their rows are. */
import type { Database } from '#lib/runtime/database.ts'
import type { Location } from '#schemas/types.ts'

export type Mailbox = {
  readonly id: number
  readonly name: string
  /** Id of the folder; empty: a mailbox of a day, which mail makes. */
  readonly folder: string
  readonly partition: number
  readonly subscribed: boolean
  readonly messages: number
  readonly unseen: number
  readonly bytes: number
  readonly uidNext: number
  readonly highestModseq: number
}
/** What the view writes. */
export type Changing = { -readonly [K in keyof Mailbox]: Mailbox[K] } & { expiresFrom: number }

export type Entry = {
  readonly uid: number
  /** Which message it is, and which copy of it: the same but in folders. */
  readonly messageId: string
  readonly copy: string
  readonly size: number
  readonly receivedAt: number
  readonly flags: readonly string[]
  readonly modseq: number
  readonly location: Location
  readonly header: Buffer
  readonly structure: string
  readonly envelope: string
  readonly preview: string
  /** In folders; elsewhere null: the index has it. */
  readonly sha256: Buffer | null
}

/** Form of the database; one of another form is made anew from the log. */
const version = 3

export function openTables(db: Database): void {
  // The log is the truth: what a power cut takes from this file is read again.
  db.exec('PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;')
  if (Number(db.prepare('PRAGMA user_version').get()?.['user_version']) !== version) {
    db.exec(`DROP TABLE IF EXISTS facts; DROP TABLE IF EXISTS progress; DROP TABLE IF EXISTS mailboxes;
      DROP TABLE IF EXISTS messages; PRAGMA user_version = ${version};`)
  }
  db.exec(`CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS progress (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS mailboxes (id INTEGER PRIMARY KEY, name TEXT NOT NULL, folder TEXT NOT NULL,
      partition INTEGER NOT NULL, subscribed INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL,
      bytes INTEGER NOT NULL, uid_next INTEGER NOT NULL, modseq INTEGER NOT NULL, expires_from INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS messages (key INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, copy TEXT NOT NULL,
      message_id TEXT NOT NULL, size INTEGER NOT NULL, received_at INTEGER NOT NULL, flags TEXT NOT NULL,
      modseq INTEGER NOT NULL, object TEXT NOT NULL, block_offset INTEGER NOT NULL, block_length INTEGER NOT NULL,
      record_index INTEGER NOT NULL, expires_at INTEGER NOT NULL, header BLOB NOT NULL, structure TEXT NOT NULL,
      envelope TEXT NOT NULL, preview TEXT NOT NULL, sha256 BLOB) STRICT;
    CREATE UNIQUE INDEX IF NOT EXISTS by_copy ON messages (mailbox, copy);`)
}

type Row = Readonly<Record<string, unknown>>

export const toMailbox = (row: Row): Changing => ({
  id: Number(row['id']),
  name: String(row['name']),
  folder: String(row['folder']),
  partition: Number(row['partition']),
  subscribed: Number(row['subscribed']) === 1,
  messages: Number(row['messages']),
  unseen: Number(row['unseen']),
  bytes: Number(row['bytes']),
  uidNext: Number(row['uid_next']),
  highestModseq: Number(row['modseq']),
  expiresFrom: Number(row['expires_from']),
})

export const toEntry = (row: Row): Entry => ({
  uid: Number(row['uid']),
  messageId: String(row['message_id']),
  copy: String(row['copy']),
  size: Number(row['size']),
  receivedAt: Number(row['received_at']),
  flags: row['flags'] === '' ? [] : String(row['flags']).split(' '),
  modseq: Number(row['modseq']),
  location: {
    object: String(row['object']),
    blockOffset: Number(row['block_offset']),
    blockLength: Number(row['block_length']),
    recordIndex: Number(row['record_index']),
  },
  header: row['header'] instanceof Uint8Array ? Buffer.from(row['header']) : Buffer.alloc(0),
  structure: String(row['structure']),
  envelope: String(row['envelope']),
  preview: String(row['preview']),
  sha256: row['sha256'] instanceof Uint8Array ? Buffer.from(row['sha256']) : null,
})

/** What an entry is without its header: SQLite reads the first columns of a row without the rest of it. */
export const bareColumns =
  'uid, message_id, copy, size, received_at, flags, modseq, object, block_offset, block_length, record_index'
export type BareRow = readonly [
  uid: number,
  messageId: string,
  copy: string,
  size: number,
  receivedAt: number,
  flags: string,
  modseq: number,
  object: string,
  blockOffset: number,
  blockLength: number,
  recordIndex: number,
]

const noBytes = Buffer.alloc(0)

export const toBareEntry = ([
  uid,
  messageId,
  copy,
  size,
  receivedAt,
  flags,
  modseq,
  object,
  blockOffset,
  blockLength,
  recordIndex,
]: BareRow): Entry => ({
  uid,
  messageId,
  copy,
  size,
  receivedAt,
  flags: flags === '' ? [] : flags.split(' '),
  modseq,
  location: { object, blockOffset, blockLength, recordIndex },
  header: noBytes,
  structure: '',
  envelope: '',
  preview: '',
  sha256: null,
})

/** The messages of a mailbox stand together, in the order of their UIDs: a listing reads one page after the other. */
export const keyOf = (mailbox: number, uid: number): number => mailbox * 2 ** 32 + uid

/** From one UID to another, both included. */
export const keysOf = (mailbox: number, from = 0, to = 0xffffffff): [number, number] => [
  keyOf(mailbox, from),
  keyOf(mailbox, Math.min(to, 0xffffffff)),
]

/** Condition on a parameter that `keysText` makes. */
export const amongKeys = 'key IN (SELECT value FROM json_each(?))'
export const keysText = (mailbox: number, uids: readonly number[]): string =>
  JSON.stringify(uids.map((uid) => keyOf(mailbox, uid)))

export const mailboxUpsert = `INSERT INTO mailboxes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  name = excluded.name, subscribed = excluded.subscribed, messages = excluded.messages, unseen = excluded.unseen,
  bytes = excluded.bytes, uid_next = excluded.uid_next, modseq = excluded.modseq, expires_from = excluded.expires_from`

export const mailboxRow = (mailbox: Changing): (string | number)[] => [
  mailbox.id,
  mailbox.name,
  mailbox.folder,
  mailbox.partition,
  mailbox.subscribed ? 1 : 0,
  mailbox.messages,
  mailbox.unseen,
  mailbox.bytes,
  mailbox.uidNext,
  mailbox.highestModseq,
  mailbox.expiresFrom,
]
