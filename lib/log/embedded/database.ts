/**
 * The files of the embedded log: how they are opened, what is in them, what their errors mean.
 *
 * `log.sqlite` holds the topics and a table for each partition (rowid = offset). `groups.sqlite` beside it holds the
 * offsets, members and leases of the groups: SQLite has one writer for each file, and a commit of offsets must not
 * wait for a sync of records.
 */
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { describeError, MailweirError } from '#lib/runtime/errors.ts'
import type { TopicSpec } from '../log.ts'

const busyMs = 10_000

/** One connection, and its statements, each prepared once. */
export class Database {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, schema: string) {
    mkdirSync(dirname(path), { recursive: true })
    this.db = new DatabaseSync(path, { timeout: busyMs })
    this.db.exec(schema)
  }

  /** @returns the statement; integers are read as bigint */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      statement.setReadBigInts(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** @throws what `work` throws; nothing is changed then */
  transaction<T>(work: () => T): T {
    this.db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.db.exec('COMMIT')
      return result
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.#statements.clear()
    this.db.close()
  }
}

/**
 * Synced: a transaction that has ended survives a power cut. A checkpoint copies the write-ahead log into the file; a thread of
 * its own does that (`writer.ts`), and the connection that writes only where that falls behind by 256 MB.
 */
export const openRecords = (path: string): Database =>
  new Database(
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
  new Database(
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
  const rows = records.db.prepare('SELECT grp, topic, partition, offset, metadata FROM offsets').all()
  groups.transaction(() => {
    const insert = groups.db.prepare('INSERT OR IGNORE INTO offsets VALUES (?, ?, ?, ?, ?)')
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
