/**
 * Counts of verdicts by hour, and of the last hours by minute, for each dimension on its own and for a few pairs, each by kind. A day is
 * the sum of its hours. What a stranger can make many of (domains, campaigns, networks) is bounded for each hour and minute: what comes on
 * top is counted as `other`.
 */
import type { Database } from '#lib/runtime/database.ts'
import type { Event } from '#schemas/types.ts'

export const dimensions = ['kind', 'variant', 'reason', 'domain', 'system', 'campaign', 'customer', 'network'] as const
export type Dimension = (typeof dimensions)[number]

/** Pairs that are counted together: rows and columns of tables. */
export const pairs = ['reason/domain', 'reason/system', 'reason/campaign', 'kind/campaign'] as const
export type Pair = (typeof pairs)[number]

export type Series = {
  readonly name: string
  readonly total: number
  /** What the stretch that it is compared with, as long, came to. */
  readonly before: number
  readonly points: readonly number[]
}

export type SeriesOptions = {
  /** Epoch milliseconds; `to` is not in it. */
  readonly from: number
  readonly to: number
  readonly stepMs: number
  readonly limit: number
  /** Only messages of this kind. */
  readonly kind?: string | undefined
  /** So much earlier is what it is compared with; absent: just before. */
  readonly earlierMs?: number | undefined
}

const hourMs = 3_600_000
const minuteMs = 60_000
/** Minutes are kept for so long behind the newest: for the picture of now. */
export const minutesKeptMs = 6 * hourMs
/** Characters of a value that are told apart. */
export const valueMax = 120
/** Between the values of a pair. */
const between = '\u001f'

export class Rollups {
  readonly #hours: Counts
  readonly #minutes: Counts
  /** Of the newest verdict. */
  #newest = 0

  constructor(db: Database) {
    this.#hours = new Counts(db, 'hours', hourMs, 5_000)
    this.#minutes = new Counts(db, 'recent_minutes', minuteMs, 200)
  }

  /** Counts the first verdict on a message. */
  count(event: Event, client: string): void {
    const first = event.recipients[0]
    const address = first?.address ?? ''
    const given: Record<Dimension, string> = {
      kind: event.kind,
      variant: event.variant,
      reason: first?.reason ?? '',
      domain: address.slice(address.lastIndexOf('@') + 1).toLowerCase(),
      system: event.reporter,
      campaign: event.original['campaign'] ?? '',
      customer: event.original['customer'] ?? '',
      network: networkOf(client),
    }
    this.#newest = Math.max(this.#newest, event.at)
    const isRecent = event.at > this.#newest - minutesKeptMs
    for (const name of dimensions) {
      const value = given[name].slice(0, valueMax)
      this.#hours.add(name, event.at, event.kind, value)
      if (isRecent) this.#minutes.add(name, event.at, event.kind, value)
    }
    for (const pair of pairs) {
      const [row, column] = pair.split('/') as [Dimension, Dimension] // As the pairs are named.
      const value = `${given[row].slice(0, valueMax)}${between}${given[column].slice(0, valueMax)}`
      this.#hours.add(pair, event.at, event.kind, value)
    }
  }

  /** The `limit` largest values of a dimension, each with its points and with what it came to earlier. */
  series(
    by: Dimension,
    options: SeriesOptions,
  ): { readonly series: readonly Series[]; readonly steps: readonly number[] } {
    return (options.stepMs < hourMs ? this.#minutes : this.#hours).series(by, options)
  }

  /** The largest cells of a table of two dimensions. */
  table(
    pair: Pair,
    options: { readonly from: number; readonly to: number; readonly kind: string },
  ): { readonly row: string; readonly column: string; readonly messages: number }[] {
    return this.#hours.largest(pair, options).map(({ value, messages }) => {
      const [row = '', column = row] = value.split(between)
      return { row, column, messages }
    })
  }

  forget(before: number): void {
    this.#hours.forget(before)
    this.#minutes.forget(Math.max(before, this.#newest - minutesKeptMs))
  }
}

/** Counts by a unit of time. */
class Counts {
  readonly #db: Database
  readonly #table: string
  readonly #unitMs: number
  /** Different values of one dimension or pair in one unit. */
  readonly #valuesMax: number
  /** Values known of each dimension and pair in the units that are being counted. */
  readonly #known = new Map<number, Map<string, Set<string>>>()

  constructor(db: Database, table: 'hours' | 'recent_minutes', unitMs: number, valuesMax: number) {
    this.#db = db
    this.#table = table
    this.#unitMs = unitMs
    this.#valuesMax = valuesMax
    db.exec(`CREATE TABLE IF NOT EXISTS ${table} (dimension TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
      n INTEGER NOT NULL, PRIMARY KEY (dimension, at, kind, value)) STRICT, WITHOUT ROWID;`)
  }

  add(dimension: string, time: number, kind: string, value: string): void {
    const at = Math.floor(time / this.#unitMs)
    const known = this.#valuesOf(dimension, at)
    const counted = known.has(value) || known.size < this.#valuesMax ? value : 'other'
    known.add(counted)
    this.#db
      .prepare(`INSERT INTO ${this.#table} VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1`)
      .run(dimension, at, kind, counted)
  }

  #valuesOf(dimension: string, at: number): Set<string> {
    let units = this.#known.get(at)
    if (units === undefined) {
      units = new Map()
      this.#known.set(at, units)
      // Events come nearly in the order of time: older ones are read again if need be.
      for (const old of this.#known.keys()) if (this.#known.size > 8 && old !== at) this.#known.delete(old)
    }
    let values = units.get(dimension)
    if (values === undefined) {
      const rows = this.#db
        .prepare(`SELECT DISTINCT value FROM ${this.#table} WHERE dimension = ? AND at = ?`)
        .all(dimension, at)
      values = new Set(rows.map((row) => String(row['value'])))
      units.set(dimension, values)
    }
    return values
  }

  series(by: Dimension, options: SeriesOptions): { series: readonly Series[]; steps: readonly number[] } {
    const from = Math.floor(options.from / this.#unitMs)
    const to = Math.ceil(options.to / this.#unitMs)
    const earlier = options.earlierMs === undefined ? to - from : Math.round(options.earlierMs / this.#unitMs)
    const step = Math.max(1, Math.round(options.stepMs / this.#unitMs))
    const filter = options.kind === undefined ? '' : ' AND kind = ?'
    const values = options.kind === undefined ? [] : [options.kind]
    const within = `FROM ${this.#table} WHERE dimension = ? AND at >= ? AND at < ?${filter}`
    const top = this.#db
      .prepare(`SELECT value, sum(n) AS n ${within} GROUP BY value ORDER BY n DESC, value LIMIT ?`)
      .all(by, from, to, ...values, options.limit)
    const count = Math.ceil((to - from) / step)
    const points = this.#db.prepare(
      `SELECT (at - ${from}) / ${step} AS point, sum(n) AS n ${within} AND value = ? GROUP BY point`,
    )
    const before = this.#db.prepare(`SELECT sum(n) AS n ${within} AND value = ?`)
    return {
      series: top.map((row) => {
        const name = String(row['value'])
        const of = new Array<number>(count).fill(0)
        for (const point of points.all(by, from, to, ...values, name)) of[Number(point['point'])] = Number(point['n'])
        return {
          name,
          total: Number(row['n']),
          before: Number(before.get(by, from - earlier, to - earlier, ...values, name)?.['n'] ?? 0),
          points: of,
        }
      }),
      steps: Array.from({ length: count }, (_, n) => (from + n * step) * this.#unitMs),
    }
  }

  largest(
    dimension: string,
    { from, to, kind }: { readonly from: number; readonly to: number; readonly kind: string },
  ): { readonly value: string; readonly messages: number }[] {
    return this.#db
      .prepare(
        `SELECT value, sum(n) AS n FROM ${this.#table} WHERE dimension = ? AND at >= ? AND at < ? AND kind = ? GROUP BY value ORDER BY n DESC LIMIT 400`,
      )
      .all(dimension, Math.floor(from / this.#unitMs), Math.ceil(to / this.#unitMs), kind)
      .map((row) => ({ value: String(row['value']), messages: Number(row['n']) }))
  }

  forget(before: number): void {
    this.#db.prepare(`DELETE FROM ${this.#table} WHERE at < ?`).run(Math.floor(before / this.#unitMs))
  }
}

/** An IPv4 client's /24, an IPv6 client's /48. */
function networkOf(address: string): string {
  if (address.includes(':')) return `${address.split(':').slice(0, 3).join(':')}::/48`
  return address === '' ? '' : `${address.split('.').slice(0, 3).join('.')}.0/24`
}
