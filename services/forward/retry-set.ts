/**
 * What waits in the partitions of `mail.retry` that this process has: a temporary SQLite database, so that it may be
 * large. It is filled from the start of the topic at each assignment; the topic is the truth.
 */
import { Database } from '#lib/runtime/database.ts'

export class RetrySet {
  readonly #db = new Database('')
  readonly #put
  readonly #remove
  readonly #due
  readonly #hold
  readonly #next

  constructor() {
    this.#db.exec(`PRAGMA cache_size = -4096;
      CREATE TABLE waiting (key TEXT PRIMARY KEY, partition INTEGER NOT NULL, due_at INTEGER NOT NULL, value BLOB NOT NULL,
        busy INTEGER NOT NULL DEFAULT 0) STRICT;
      CREATE INDEX by_due ON waiting (busy, due_at);`)
    this.#put = this.#db.prepare(
      `INSERT INTO waiting (key, partition, due_at, value) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET due_at = excluded.due_at, value = excluded.value, busy = 0`,
    )
    this.#remove = this.#db.prepare('DELETE FROM waiting WHERE key = ?')
    this.#due = this.#db.prepare(
      'SELECT key, value FROM waiting WHERE busy = 0 AND due_at <= ? ORDER BY due_at LIMIT ?',
    )
    this.#hold = this.#db.prepare('UPDATE waiting SET busy = ? WHERE key = ?')
    this.#next = this.#db.prepare('SELECT min(due_at) AS due_at FROM waiting WHERE busy = 0')
  }

  put(key: string, partition: number, dueAt: number, value: Buffer): void {
    this.#put.run(key, partition, dueAt, value)
  }

  remove(key: string): void {
    this.#remove.run(key)
  }

  removePartition(partition: number): void {
    this.#db.prepare('DELETE FROM waiting WHERE partition = ?').run(partition)
  }

  /** Those that are due, marked as being tried. */
  takeDue(now: number, limit: number): { key: string; value: Buffer }[] {
    const rows = this.#due.all(now, limit).map((row) => ({
      key: String(row['key']),
      value: row['value'] instanceof Uint8Array ? Buffer.from(row['value']) : Buffer.alloc(0),
    }))
    for (const { key } of rows) this.#hold.run(1, key)
    return rows
  }

  /** It could not be tried: it is due again. */
  giveBack(key: string): void {
    this.#hold.run(0, key)
  }

  nextDueAt(): number | null {
    const dueAt = this.#next.get()?.['due_at']
    return typeof dueAt === 'number' ? dueAt : null
  }

  get size(): number {
    return Number(this.#db.prepare('SELECT count(*) AS n FROM waiting').get()?.['n'] ?? 0)
  }

  close(): void {
    this.#db.close()
  }
}
