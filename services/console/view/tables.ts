/** The tables of the view's database, what their rows are, and what is asked of them. */
import type { Database } from '#lib/runtime/database.ts'
import type { Event } from '#schemas/types.ts'

export type MessageRow = {
  readonly id: string
  readonly partition: number
  readonly offset: number
  /** Epoch milliseconds; 0: not known. */
  readonly receivedAt: number
  readonly size: number
  readonly client: string
  readonly reversePath: string
  readonly recipient: string
  /** accepted, waiting, forwarded, dead. */
  readonly state: string
  readonly reply: string
  readonly kind: string
  readonly variant: string
  readonly reason: string
  readonly address: string
  readonly subject: string
  readonly campaign: string
  readonly mailbox: string
  readonly expiresAt: number
  /** A dead letter that a person has dealt with. */
  readonly dropped: boolean
  /** Kept past its expiry, by one or more copies in Hold. */
  readonly held: boolean
}

/** Of one partition of mail.raw; positions from `base` on. */
export type Counts = {
  readonly forwarded: number
  readonly deferred: number
  readonly dead: number
  readonly classified: number
  readonly stored: number
  readonly undecodable: number
}

export type MessageQuery = {
  readonly address?: string | undefined
  readonly kind?: string | undefined
  readonly reason?: string | undefined
  readonly state?: string | undefined
  readonly dropped?: boolean | undefined
  readonly held?: boolean | undefined
  readonly domain?: string | undefined
  /** The mail system that wrote it, as the verdict names it. */
  readonly system?: string | undefined
  readonly campaign?: string | undefined
  /** Words of the diagnostic or the subject. */
  readonly text?: string | undefined
  /** Received from then on, and before then; epoch milliseconds. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Cursor: messages older than this one. */
  readonly before?: { readonly receivedAt: number; readonly partition: number; readonly offset: number } | undefined
  readonly limit: number
}

/** Form of the database; one of another form is made anew from the log. */
const version = 6
const tables = [
  'progress',
  'bases',
  'counts',
  'minutes',
  'messages',
  'addresses',
  'events',
  'hours',
  'recent_minutes',
  'words',
  'stored',
  'holds',
  'outcomes',
  'refusals',
]

/** Takes every row away. */
export const clearTables = (db: Database): void => db.exec(tables.map((name) => `DELETE FROM ${name};`).join(' '))

export function openTables(db: Database): void {
  // The log is the truth: what a power cut takes from this file is read again.
  db.exec('PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;')
  if (Number(db.prepare('PRAGMA user_version').get()?.['user_version']) !== version) {
    db.exec(`${tables.map((name) => `DROP TABLE IF EXISTS ${name};`).join(' ')} PRAGMA user_version = ${version};`)
  }
  db.exec(`
    CREATE TABLE IF NOT EXISTS progress (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS bases (partition INTEGER PRIMARY KEY, base INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS counts (partition INTEGER NOT NULL, entry TEXT NOT NULL, n INTEGER NOT NULL,
      PRIMARY KEY (partition, entry)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS minutes (minute INTEGER NOT NULL, kind TEXT NOT NULL, variant TEXT NOT NULL,
      n INTEGER NOT NULL, PRIMARY KEY (minute, kind, variant)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS messages (partition INTEGER NOT NULL, offset INTEGER NOT NULL, id TEXT NOT NULL,
      received_at INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0, client TEXT NOT NULL DEFAULT '',
      reverse_path TEXT NOT NULL DEFAULT '', recipient TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '',
      reply TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL DEFAULT '', variant TEXT NOT NULL DEFAULT '',
      reason TEXT NOT NULL DEFAULT '', address TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL DEFAULT '',
      mailbox TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '', expires_at INTEGER NOT NULL DEFAULT 0,
      undecodable INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, domain TEXT NOT NULL DEFAULT '', system TEXT NOT NULL DEFAULT '', campaign TEXT NOT NULL DEFAULT '',
      PRIMARY KEY (partition, offset)) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_id ON messages (id);
    CREATE INDEX IF NOT EXISTS by_time ON messages (received_at);
    CREATE INDEX IF NOT EXISTS by_kind ON messages (kind, reason, received_at);
    CREATE INDEX IF NOT EXISTS by_domain ON messages (domain, received_at);
    CREATE INDEX IF NOT EXISTS by_system ON messages (system, received_at);
    CREATE INDEX IF NOT EXISTS by_death ON messages (received_at, partition, offset) WHERE state = 'dead';
    CREATE INDEX IF NOT EXISTS by_hold ON messages (received_at, partition, offset) WHERE held > 0;
    CREATE INDEX IF NOT EXISTS by_wait ON messages (received_at, partition, offset) WHERE state = 'waiting';
    CREATE TABLE IF NOT EXISTS holds (id TEXT NOT NULL, copy TEXT NOT NULL, PRIMARY KEY (id, copy)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS stored (mailbox TEXT PRIMARY KEY, n INTEGER NOT NULL, bytes INTEGER NOT NULL,
      first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_campaign ON messages (campaign, received_at);
    CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', contentless_delete=1);
    CREATE TABLE IF NOT EXISTS addresses (address TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
      PRIMARY KEY (address, partition, offset)) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_message ON addresses (partition, offset);
    CREATE TABLE IF NOT EXISTS events (id TEXT NOT NULL, at INTEGER NOT NULL, partition INTEGER NOT NULL,
      offset INTEGER NOT NULL, step TEXT NOT NULL, PRIMARY KEY (id, at, partition, offset)) STRICT, WITHOUT ROWID;`)
}

/** An event without the fields that say nothing. */
export function step(event: Event): object {
  const { messageId: _id, location: _location, ...rest } = event
  return Object.fromEntries(
    Object.entries(rest).filter(
      ([, value]) =>
        value !== '' &&
        value !== 0 &&
        value !== null &&
        !(Array.isArray(value) && value.length === 0) &&
        !isEmpty(value),
    ),
  )
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0

export const toRow = (row: Readonly<Record<string, unknown>>): MessageRow => ({
  id: String(row['id']),
  partition: Number(row['partition']),
  offset: Number(row['offset']),
  receivedAt: Number(row['received_at']),
  size: Number(row['size']),
  client: String(row['client']),
  reversePath: String(row['reverse_path']),
  recipient: String(row['recipient']),
  state: String(row['state']) || 'accepted',
  reply: String(row['reply']),
  kind: String(row['kind']),
  variant: String(row['variant']),
  reason: String(row['reason']),
  address: String(row['address']),
  subject: String(row['subject']),
  campaign: String(row['campaign']),
  mailbox: String(row['mailbox']),
  expiresAt: Number(row['expires_at']),
  dropped: row['dropped'] === 1,
  held: Number(row['held']) > 0,
})
