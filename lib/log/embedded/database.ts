/**
 * The files of the embedded log: how they are opened, what is in them, what their errors mean.
 *
 * `log.sqlite` holds the topics and a table for each partition (rowid = offset). `groups.sqlite` beside it holds the
 * offsets, members and leases of the groups: SQLite has one writer for each file, and a commit of offsets must not
 * wait for a sync of records.
 */
import { dirname, join } from 'node:path'
import { Database } from '#lib/runtime/database.ts'
import { describeError, MailweirError } from '#lib/runtime/errors.ts'
import type { TopicSpec } from '../log.ts'

const busyMs = 10_000

/** Integers are read as bigint; another process may have the file for a while. */
function openDatabase(path: string, schema: string): Database {
  const database = new Database(path, { bigints: true, busyMs })
  database.exec(schema)
  return database
}

/**
 * Synced: a transaction that has ended survives a power cut. A checkpoint copies the write-ahead log into the file; a thread of
 * its own does that (`writer.ts`), and the connection that writes only where that falls behind by 256 MB.
 */
export const openRecords = (path: string): Database =>
  openDatabase(
    path,
    `PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA wal_autocheckpoint = 16384; PRAGMA cache_size = -8192;
     CREATE TABLE IF NOT EXISTS topics (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, partitions INTEGER NOT NULL,
       cleanup TEXT NOT NULL, retention_ms INTEGER) STRICT;
     CREATE TABLE IF NOT EXISTS ends (topic INTEGER NOT NULL, partition INTEGER NOT NULL, earliest INTEGER NOT NULL,
       end INTEGER NOT NULL, timestamp INTEGER NOT NULL, PRIMARY KEY (topic, partition)) STRICT, WITHOUT ROWID;`,
  )

/** Not synced on their own: a power cut may give records again, never lose one. */
export const openGroups = (recordsPath: string): Database =>
  openDatabase(
    join(dirname(recordsPath), 'groups.sqlite'),
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
     CREATE TABLE IF NOT EXISTS offsets (grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
       offset INTEGER NOT NULL, metadata TEXT NOT NULL, PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS members (grp TEXT NOT NULL, member TEXT NOT NULL, pid INTEGER NOT NULL,
       expires_at INTEGER NOT NULL, PRIMARY KEY (grp, member)) STRICT, WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS leases (grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
       member TEXT NOT NULL, PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;`,
  )

/** Folders of an earlier form have the offsets in `log.sqlite`: they are taken over once, or everything would be read again. */
export function adoptOffsets(records: Database, groups: Database): void {
  const isOld = records.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'offsets'").get()
  if (isOld === undefined || groups.prepare('SELECT 1 FROM offsets LIMIT 1').get() !== undefined) return
  const rows = records.prepare('SELECT grp, topic, partition, offset, metadata FROM offsets').all()
  groups.transaction(() => {
    const insert = groups.prepare('INSERT OR IGNORE INTO offsets VALUES (?, ?, ?, ?, ?)')
    for (const row of rows) {
      insert.run(
        String(row['grp']),
        String(row['topic']),
        Number(row['partition']),
        Number(row['offset']),
        String(row['metadata']),
      )
    }
  })
}

export type TopicRow = { readonly id: number; readonly spec: TopicSpec; readonly tables: readonly string[] }

/** @throws {MailweirError} LOG_TOPIC_MISSING */
export function topicRow(records: Database, name: string): TopicRow {
  const row = records.prepare('SELECT id, partitions, cleanup, retention_ms FROM topics WHERE name = ?').get(name)
  if (row === undefined) {
    throw new MailweirError('LOG_TOPIC_MISSING', `The log has no topic ${name}`, { fields: { topic: name } })
  }
  const id = Number(row['id'])
  const partitions = Number(row['partitions'])
  return {
    id,
    spec: {
      name,
      partitions,
      cleanup: row['cleanup'] === 'compact' ? 'compact' : 'delete',
      retentionMs: row['retention_ms'] === null ? null : Number(row['retention_ms']),
    },
    tables: Array.from({ length: partitions }, (_, partition) => `records_${id}_${partition}`),
  }
}

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const sqliteFull = 13
const sqliteIoError = 10

export function storageError(error: unknown): MailweirError {
  if (error instanceof MailweirError) return error
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  if (code === sqliteFull) {
    return new MailweirError('LOG_FULL', 'The disk under the embedded log is full', { cause: error, retriable: true })
  }
  return new MailweirError(
    'LOG_UNAVAILABLE',
    `The embedded log cannot write${code === sqliteIoError ? ' (input/output error)' : ''}: ${describeError(error)}`,
    { cause: error, retriable: true },
  )
}
