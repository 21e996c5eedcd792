/** A SQLite database of this process: one connection, and its statements, each prepared once. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'

export type DatabaseOptions = {
  /** Integers are read as bigint. */
  readonly bigints?: boolean
  /** How long to wait for another process that has the file. */
  readonly busyMs?: number
}

export class Database {
  readonly #db: DatabaseSync
  readonly #bigints: boolean
  readonly #statements = new Map<string, StatementSync>()

  /** @param path empty: a private database on disk that goes when it is closed (sqlite.org/inmemorydb.html) */
  constructor(path: string, { bigints = false, busyMs = 0 }: DatabaseOptions = {}) {
    if (path !== '') mkdirSync(dirname(path), { recursive: true })
    this.#db = new DatabaseSync(path, { timeout: busyMs })
    this.#bigints = bigints
  }

  exec(sql: string): void {
    this.#db.exec(sql)
  }

  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      statement.setReadBigInts(this.#bigints)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** @throws what `work` throws; nothing is changed then */
  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  close(): void {
    this.#statements.clear()
    this.#db.close()
  }
}
