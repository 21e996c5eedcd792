/**
 * What became of messages at each host that they were handed to, by minute: the legacy hosts of forward, and the targets of routes.
 * Hosts are those of the settings, so there are few; above `hostsMax` they are counted together.
 */
import type { Database } from '#lib/runtime/database.ts'
import type { Event } from '#schemas/types.ts'

export type HostOutcomes = {
  /** Consumer group that handed over: forward, or that of a route. */
  readonly service: string
  readonly host: string
  readonly taken: number
  /** Attempts that are made again. */
  readonly deferred: number
  readonly refused: number
  /** Means over what was taken, milliseconds: from accepted to taken, and what of it is the host's. */
  readonly addedDelayMs: number
  readonly legacyMs: number
  /** The last reply that was not a success; empty: none. */
  readonly lastRefusal: string
  /** Epoch milliseconds; 0: never. */
  readonly lastRefusalAt: number
}

const hostsMax = 200
const minuteMs = 60_000

type Outcome = 'taken' | 'deferred' | 'refused'

export class Outcomes {
  readonly #db: Database
  readonly #hosts: Set<string>

  constructor(db: Database) {
    this.#db = db
    db.exec(`
      CREATE TABLE IF NOT EXISTS outcomes (minute INTEGER NOT NULL, service TEXT NOT NULL, host TEXT NOT NULL,
        taken INTEGER NOT NULL, deferred INTEGER NOT NULL, refused INTEGER NOT NULL, added_ms INTEGER NOT NULL,
        legacy_ms INTEGER NOT NULL, PRIMARY KEY (minute, service, host)) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS refusals (service TEXT NOT NULL, host TEXT NOT NULL, reply TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (service, host)) STRICT, WITHOUT ROWID;`)
    const known = db.prepare('SELECT DISTINCT host FROM outcomes LIMIT ?').all(hostsMax)
    this.#hosts = new Set(known.map((row) => String(row['host'])))
  }

  count(event: Event): void {
    const outcome = outcomeOf(event)
    if (outcome === null || event.host === '') return
    const minute = Math.floor(event.at / minuteMs)
    const named = event.host.slice(0, 200)
    const host = this.#hosts.has(named) || this.#hosts.size < hostsMax ? named : 'other'
    this.#hosts.add(host)
    const one = (name: Outcome): number => (outcome === name ? 1 : 0)
    this.#db
      .prepare(
        `INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET taken = taken + excluded.taken,
        deferred = deferred + excluded.deferred, refused = refused + excluded.refused,
        added_ms = added_ms + excluded.added_ms, legacy_ms = legacy_ms + excluded.legacy_ms`,
      )
      .run(
        minute,
        event.service,
        host,
        one('taken'),
        one('deferred'),
        one('refused'),
        one('taken') * event.addedDelayMs,
        one('taken') * event.legacyMs,
      )
    if (outcome === 'taken') return
    this.#db
      .prepare('INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)')
      .run(event.service, host, event.reply.slice(0, 500), event.at)
  }

  /** Of each host since a time (epoch milliseconds), the busiest first. */
  since(at: number): HostOutcomes[] {
    return this.#db
      .prepare(
        `SELECT service, host, sum(taken) AS taken, sum(deferred) AS deferred, sum(refused) AS refused,
        sum(added_ms) / max(1, sum(taken)) AS added, sum(legacy_ms) / max(1, sum(taken)) AS legacy,
        (SELECT reply FROM refusals WHERE refusals.service = o.service AND refusals.host = o.host) AS reply,
        (SELECT at FROM refusals WHERE refusals.service = o.service AND refusals.host = o.host) AS refused_at
        FROM outcomes AS o WHERE minute >= ? GROUP BY service, host ORDER BY sum(taken + deferred + refused) DESC LIMIT ?`,
      )
      .all(Math.floor(at / minuteMs), hostsMax)
      .map((row) => ({
        service: String(row['service']),
        host: String(row['host']),
        taken: Number(row['taken']),
        deferred: Number(row['deferred']),
        refused: Number(row['refused']),
        addedDelayMs: Number(row['added']),
        legacyMs: Number(row['legacy']),
        lastRefusal: String(row['reply'] ?? ''),
        lastRefusalAt: Number(row['refused_at'] ?? 0),
      }))
  }

  forget(before: number): void {
    this.#db.prepare('DELETE FROM outcomes WHERE minute < ?').run(Math.floor(before / minuteMs))
  }
}

function outcomeOf({ type, detail }: Event): Outcome | null {
  switch (type) {
    case 'forwarded':
      return 'taken'
    case 'deferred':
      return 'deferred'
    case 'rejected':
      return 'refused'
    case 'routed':
      return detail === '' ? 'taken' : 'refused'
    default:
      return null
  }
}
