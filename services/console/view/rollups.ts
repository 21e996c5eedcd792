/**
 * Counts of verdicts by hour: kind, variant, reason, receiving domain, mail system, campaign, customer and the network of the client. A
 * day is the sum of its hours. What a stranger can make many of (domains, campaigns, networks) is bounded for each hour: what comes
 * on top is counted as `other`.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Event } from '#schemas/types.ts'

export const dimensions = ['kind', 'variant', 'reason', 'domain', 'system', 'campaign', 'customer', 'network'] as const
export type Dimension = (typeof dimensions)[number]

export type Series = {
  readonly name: string
  readonly total: number
  readonly before: number
  readonly points: readonly number[]
}

const hourMs = 3_600_000
/** Different values of one dimension in one hour. */
const valuesMax = 2_000
const valueMax = 120
const rowsMax = 200_000

export class Rollups {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  /** Values known of each dimension in the hours that are being counted. */
  readonly #known = new Map<number, { rows: number; values: Map<Dimension, Set<string>> }>()

  constructor(db: DatabaseSync) {
    this.#db = db
    db.exec(`CREATE TABLE IF NOT EXISTS hours (hour INTEGER NOT NULL, ${dimensions.map((name) => `${name} TEXT NOT NULL`).join(', ')},
      n INTEGER NOT NULL, PRIMARY KEY (hour, ${dimensions.join(', ')})) STRICT, WITHOUT ROWID;`)
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
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
    const known = this.#hour(hour)
    const values = dimensions.map((name) => {
      const value = given[name].slice(0, valueMax)
      const of = known.values.get(name) ?? new Set()
      known.values.set(name, of)
      if (value === '' || of.has(value)) return value
      if (of.size >= valuesMax || known.rows >= rowsMax) return 'other'
      of.add(value)
      return value
    })
    const { changes } = this.#prepare(
      `INSERT INTO hours VALUES (?, ${dimensions.map(() => '?').join(', ')}, 1) ON CONFLICT DO UPDATE SET n = n + 1`,
    ).run(hour, ...values)
    known.rows += Number(changes)
  }

  #hour(hour: number): { rows: number; values: Map<Dimension, Set<string>> } {
    let known = this.#known.get(hour)
    if (known === undefined) {
      const values = new Map<Dimension, Set<string>>()
      for (const name of dimensions) {
        const rows = this.#prepare(`SELECT DISTINCT ${name} AS value FROM hours WHERE hour = ?`).all(hour)
        values.set(name, new Set(rows.map((row) => String(row['value']))))
      }
      known = { rows: 0, values }
      this.#known.set(hour, known)
      // Events come nearly in the order of time: older hours are read again if need be.
      for (const old of this.#known.keys()) if (this.#known.size > 8 && old !== hour) this.#known.delete(old)
    }
    return known
  }

  /**
   * The `limit` largest values of a dimension between two times (epoch ms), each with its points and with what the stretch before, as
   * long, came to.
   * @param where values that other dimensions must have
   */
  series(
    by: Dimension,
    options: {
      readonly from: number
      readonly to: number
      readonly stepMs: number
      readonly limit: number
      readonly where: Readonly<Partial<Record<Dimension, string>>>
    },
  ): { readonly series: readonly Series[]; readonly steps: readonly number[] } {
    const from = Math.floor(options.from / hourMs)
    const to = Math.ceil(options.to / hourMs)
    const step = Math.max(1, Math.round(options.stepMs / hourMs))
    const conditions = dimensions.filter((name) => options.where[name] !== undefined)
    const filter = conditions.map((name) => ` AND ${name} = ?`).join('')
    const values = conditions.map((name) => options.where[name] ?? '')
    const totals = (first: number, behind: number, limit: number): Map<string, number> =>
      new Map(
        this.#prepare(
          `SELECT ${by} AS value, sum(n) AS n FROM hours WHERE hour >= ? AND hour < ?${filter} GROUP BY ${by} ORDER BY n DESC, value LIMIT ?`,
        )
          .all(first, behind, ...values, limit)
          .map((row) => [String(row['value']), Number(row['n'])]),
      )
    const top = totals(from, to, options.limit)
    const before = totals(from - (to - from), from, 100_000)
    const count = Math.ceil((to - from) / step)
    const points = new Map([...top.keys()].map((name) => [name, new Array<number>(count).fill(0)]))
    for (const row of this.#prepare(
      `SELECT (hour - ?) / ? AS point, ${by} AS value, sum(n) AS n FROM hours WHERE hour >= ? AND hour < ?${filter} GROUP BY point, ${by}`,
    ).iterate(from, step, from, to, ...values)) {
      const of = points.get(String(row['value']))
      if (of !== undefined) of[Number(row['point'])] = Number(row['n'])
    }
    return {
      series: [...top].map(([name, total]) => ({
        name,
        total,
        before: before.get(name) ?? 0,
        points: points.get(name) ?? [],
      })),
      steps: Array.from({ length: count }, (_, n) => (from + n * step) * hourMs),
    }
  }

  /** A table of two dimensions, for reason by mail system and the like. */
  table(
    rows: Dimension,
    columns: Dimension,
    options: { readonly from: number; readonly to: number; readonly kind: string },
  ): { readonly row: string; readonly column: string; readonly messages: number }[] {
    return this.#prepare(
      `SELECT ${rows} AS r, ${columns} AS c, sum(n) AS n FROM hours WHERE hour >= ? AND hour < ? AND kind = ? GROUP BY r, c
       ORDER BY n DESC LIMIT 400`,
    )
      .all(Math.floor(options.from / hourMs), Math.ceil(options.to / hourMs), options.kind)
      .map((row) => ({ row: String(row['r']), column: String(row['c']), messages: Number(row['n']) }))
  }

  forget(before: number): void {
    this.#prepare('DELETE FROM hours WHERE hour < ?').run(Math.floor(before / hourMs))
  }
}

/** An IPv4 client's /24, an IPv6 client's /48. */
function networkOf(address: string): string {
  if (address.includes(':')) return `${address.split(':').slice(0, 3).join(':')}::/48`
  return address === '' ? '' : `${address.split('.').slice(0, 3).join('.')}.0/24`
}
