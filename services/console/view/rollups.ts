/**
 * Counts of verdicts by hour, for each dimension on its own and for a few pairs, each by kind. A day is the sum of its hours. What a
 * stranger can make many of (domains, campaigns, networks) is bounded for each hour: what comes on top is counted as `other`.
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
  /** What the stretch before, as long, came to. */
  readonly before: number
  readonly points: readonly number[]
}

const hourMs = 3_600_000
/** Different values of one dimension or pair in one hour. */
const valuesMax = 5_000
const valueMax = 120
/** Between the values of a pair. */
const between = '\u001f'

export class Rollups {
  readonly #db: Database
  /** Values known of each dimension and pair in the hours that are being counted. */
  readonly #known = new Map<number, Map<string, Set<string>>>()

  constructor(db: Database) {
    this.#db = db
    db.exec(`CREATE TABLE IF NOT EXISTS hours (dimension TEXT NOT NULL, hour INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
      n INTEGER NOT NULL, PRIMARY KEY (dimension, hour, kind, value)) STRICT, WITHOUT ROWID;`)
  }

  /** Counts the first verdict on a message. */
  count(event: Event, client: string): void {
    const hour = Math.floor(event.at / hourMs)
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
    for (const name of dimensions) this.#add(name, hour, event.kind, given[name].slice(0, valueMax))
    for (const pair of pairs) {
      const [row, column] = pair.split('/') as [Dimension, Dimension] // As the pairs are named.
      this.#add(pair, hour, event.kind, `${given[row].slice(0, valueMax)}${between}${given[column].slice(0, valueMax)}`)
    }
  }

  #add(dimension: string, hour: number, kind: string, value: string): void {
    const known = this.#valuesOf(dimension, hour)
    const counted = known.has(value) || known.size < valuesMax ? value : 'other'
    known.add(counted)
    this.#db
      .prepare('INSERT INTO hours VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1')
      .run(dimension, hour, kind, counted)
  }

  #valuesOf(dimension: string, hour: number): Set<string> {
    let hours = this.#known.get(hour)
    if (hours === undefined) {
      hours = new Map()
      this.#known.set(hour, hours)
      // Events come nearly in the order of time: older hours are read again if need be.
      for (const old of this.#known.keys()) if (this.#known.size > 8 && old !== hour) this.#known.delete(old)
    }
    let values = hours.get(dimension)
    if (values === undefined) {
      const rows = this.#db
        .prepare('SELECT DISTINCT value FROM hours WHERE dimension = ? AND hour = ?')
        .all(dimension, hour)
      values = new Set(rows.map((row) => String(row['value'])))
      hours.set(dimension, values)
    }
    return values
  }

  /**
   * The `limit` largest values of a dimension between two times (epoch ms), each with its points and with what the stretch before, as
   * long, came to.
   * @param options.kind only messages of this kind
   */
  series(
    by: Dimension,
    options: {
      readonly from: number
      readonly to: number
      readonly stepMs: number
      readonly limit: number
      readonly kind?: string | undefined
    },
  ): { readonly series: readonly Series[]; readonly steps: readonly number[] } {
    const from = Math.floor(options.from / hourMs)
    const to = Math.ceil(options.to / hourMs)
    const step = Math.max(1, Math.round(options.stepMs / hourMs))
    const filter = options.kind === undefined ? '' : ' AND kind = ?'
    const values = options.kind === undefined ? [] : [options.kind]
    const top = this.#db
      .prepare(
        `SELECT value, sum(n) AS n FROM hours WHERE dimension = ? AND hour >= ? AND hour < ?${filter} GROUP BY value ORDER BY n DESC, value LIMIT ?`,
      )
      .all(by, from, to, ...values, options.limit)
    const count = Math.ceil((to - from) / step)
    const points = this.#db.prepare(
      `SELECT (hour - ?) / ? AS point, sum(n) AS n FROM hours WHERE dimension = ? AND hour >= ? AND hour < ? AND value = ?${filter} GROUP BY point`,
    )
    const before = this.#db.prepare(
      `SELECT sum(n) AS n FROM hours WHERE dimension = ? AND hour >= ? AND hour < ? AND value = ?${filter}`,
    )
    return {
      series: top.map((row) => {
        const name = String(row['value'])
        const of = new Array<number>(count).fill(0)
        for (const point of points.all(from, step, by, from, to, name, ...values))
          of[Number(point['point'])] = Number(point['n'])
        return {
          name,
          total: Number(row['n']),
          before: Number(before.get(by, from - (to - from), from, name, ...values)?.['n'] ?? 0),
          points: of,
        }
      }),
      steps: Array.from({ length: count }, (_, n) => (from + n * step) * hourMs),
    }
  }

  /** The largest cells of a table of two dimensions. */
  table(
    pair: Pair,
    options: { readonly from: number; readonly to: number; readonly kind: string },
  ): { readonly row: string; readonly column: string; readonly messages: number }[] {
    return this.#db
      .prepare(
        'SELECT value, sum(n) AS n FROM hours WHERE dimension = ? AND hour >= ? AND hour < ? AND kind = ? GROUP BY value ORDER BY n DESC LIMIT 400',
      )
      .all(pair, Math.floor(options.from / hourMs), Math.ceil(options.to / hourMs), options.kind)
      .map((cell) => {
        const [row = '', column = row] = String(cell['value']).split(between)
        return { row, column, messages: Number(cell['n']) }
      })
  }

  forget(before: number): void {
    this.#db.prepare('DELETE FROM hours WHERE hour < ?').run(Math.floor(before / hourMs))
  }
}

/** An IPv4 client's /24, an IPv6 client's /48. */
function networkOf(address: string): string {
  if (address.includes(':')) return `${address.split(':').slice(0, 3).join(':')}::/48`
  return address === '' ? '' : `${address.split('.').slice(0, 3).join('.')}.0/24`
}
