/**
 * The suppressions as `mail.suppressions` tells them, and the consumer that adds to them from `mail.events`. The topic is a set: the
 * newest record of an address is its state. So the book is read from its start each time.
 */
import type { Consumer, Follower, Log, LogRecord } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import { Progress } from '#lib/log/progress.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { Database } from '#lib/runtime/database.ts'
import { pseudonymOf } from '#schemas/pseudonym.ts'
import { decodeOrNull, type ReadPorts, readRecord } from '#schemas/read.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Suppression } from '#schemas/types.ts'
import { byPerson, causesOf, next, type Policy } from './policy.ts'

export const suppressionsGroup = 'suppressions'

export type BookPorts = ReadPorts & {
  readonly log: Log
  readonly clock: Clock
  /** Told of each state that changed. */
  changed(state: string): void
  /** Told when it can no longer read the log. */
  failed(error: unknown): void
}

export type SuppressionQuery = {
  readonly state?: string | undefined
  readonly cause?: string | undefined
  /** Addresses that contain this. */
  readonly text?: string | undefined
  /** Cursor: addresses behind this one. */
  readonly after?: string | undefined
  readonly limit: number
}

const windowRecords = 500
const pageMax = 1_000

export class SuppressionBook {
  readonly ready: Promise<void>
  readonly #db = new Database('')
  readonly #ports: BookPorts
  readonly #policy: Policy
  readonly #progress: Progress
  readonly #stopping = new AbortController()
  /** One change after the other for each address: each starts from the state that the one before made. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #follower: Follower | null = null
  #consumer: Consumer | null = null

  constructor(policy: Policy, ports: BookPorts) {
    this.#policy = policy
    this.#progress = new Progress(ports.clock)
    this.#ports = ports
    this.#db.exec(`PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;
      CREATE TABLE suppressions (address TEXT PRIMARY KEY, state TEXT NOT NULL, cause TEXT NOT NULL, since INTEGER NOT NULL,
        until INTEGER NOT NULL, count INTEGER NOT NULL, evidence TEXT NOT NULL, note TEXT NOT NULL) STRICT, WITHOUT ROWID;`)
    this.ready = this.#start()
    this.ready.catch(() => {})
  }

  async #start(): Promise<void> {
    const { log, logger, failed } = this.#ports
    const ends = await log.admin.offsets('mail.suppressions')
    for (const { partition, earliest } of ends) this.#progress.set(partition, earliest)
    this.#follower = this.#progress.follow(log, {
      topic: 'mail.suppressions',
      from: new Map(),
      apply: (records) => {
        for (const record of records) this.#apply(record)
      },
      logger,
      signal: this.#stopping.signal,
    })
    this.#follower.done.catch(failed)
    if (!(await this.#progress.reached(new Map(ends.map(({ partition, end }) => [partition, end])), null))) return
    this.#consumer = log.consume({
      group: suppressionsGroup,
      topics: ['mail.events'],
      windowRecords,
      windowBytes: 16 * 1024 * 1024,
      assign: () => ({ process: (record) => this.#learn(record) }),
    })
    this.#consumer.done.catch(failed)
    await this.#consumer.ready
  }

  #apply(record: LogRecord): void {
    if (record.value === null) {
      this.#db.prepare('DELETE FROM suppressions WHERE address = ?').run(record.key ?? '')
      return
    }
    const given = readRecord('suppression', record, this.#ports)
    if (given !== null) this.#put(given)
  }

  #put(given: Suppression): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO suppressions VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        given.address,
        given.state,
        given.cause,
        given.since,
        given.until,
        given.count,
        JSON.stringify(given.evidence),
        given.note,
      )
  }

  // ---- changes ------------------------------------------------------------------------------------------------------

  async #learn(record: LogRecord): Promise<void> {
    const event = decodeOrNull(this.#ports.codec, 'event', record.value)
    if (event === null || event.type === 'erased') return
    const { messageId, at } = event
    await Promise.all(
      causesOf(event).map(({ address, cause }) =>
        this.#change(address, (known) => next(known, { address, cause, messageId, at }, this.#policy)),
      ),
    )
  }

  /** A person's word. */
  set(address: string, state: 'suppressed' | 'lifted', note: string): Promise<Suppression | null> {
    const at = this.#ports.clock.now()
    return this.#change(address.toLowerCase(), (known) =>
      byPerson(known, { address: address.toLowerCase(), state, at, note }),
    )
  }

  /** Appends what `make` makes of the known state, and shows it at once; null: nothing changed. */
  async #change(address: string, make: (known: Suppression | null) => Suppression | null): Promise<Suppression | null> {
    const before = this.#turns.get(address) ?? Promise.resolve()
    const turn = before
      .catch(() => {})
      .then(async () => {
        const known = this.get(address)
        const told = make(known)
        if (told === null) return null
        // Who asked to be forgotten stays so: the state goes on under the pseudonym.
        const made = known?.address === pseudonymOf(address) ? { ...told, address: known.address } : told
        await this.#ports.log.append('mail.suppressions', {
          key: made.address,
          partition: partitionOf(made.address, fewPartitions),
          value: this.#ports.codec.encode('suppression', made),
        })
        this.#put(made)
        this.#ports.changed(made.state)
        return made
      })
    this.#turns.set(address, turn)
    try {
      return await turn
    } finally {
      if (this.#turns.get(address) === turn) this.#turns.delete(address)
    }
  }

  // ---- questions ----------------------------------------------------------------------------------------------------

  get(address: string): Suppression | null {
    const find = this.#db.prepare('SELECT * FROM suppressions WHERE address = ?')
    const row = find.get(address.toLowerCase()) ?? find.get(pseudonymOf(address))
    return row === undefined ? null : toSuppression(row)
  }

  /** In the order of their addresses. */
  /** All of them, in the order of their addresses. */
  *all(): Generator<Suppression> {
    let after = ''
    for (;;) {
      const page = this.list({ after, limit: pageMax })
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < pageMax) return
      after = last.address
    }
  }

  list({ state, cause, text, after = '', limit }: SuppressionQuery): Suppression[] {
    const conditions = ['address > ?']
    const values: string[] = [after]
    if (state !== undefined) conditions.push('state = ?')
    if (state !== undefined) values.push(state)
    if (cause !== undefined) conditions.push('cause = ?')
    if (cause !== undefined) values.push(cause)
    if (text !== undefined) conditions.push('instr(address, ?) > 0')
    if (text !== undefined) values.push(text.toLowerCase())
    return this.#db
      .prepare(`SELECT * FROM suppressions WHERE ${conditions.join(' AND ')} ORDER BY address LIMIT ?`)
      .all(...values, limit)
      .map(toSuppression)
  }

  counts(): { readonly state: string; readonly cause: string; readonly addresses: number }[] {
    return this.#db
      .prepare('SELECT state, cause, count(*) AS n FROM suppressions GROUP BY state, cause')
      .all()
      .map((row) => ({ state: String(row['state']), cause: String(row['cause']), addresses: Number(row['n']) }))
  }

  isReady(): boolean {
    return this.#consumer?.isReady() === true
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#progress.stop()
    await this.ready.catch(() => {})
    await this.#consumer?.stop()
    await this.#follower?.stop()
    this.#db.close()
  }
}

const toSuppression = (row: Readonly<Record<string, unknown>>): Suppression => ({
  address: String(row['address']),
  state: String(row['state']),
  cause: String(row['cause']),
  since: Number(row['since']),
  until: Number(row['until']),
  count: Number(row['count']),
  evidence: JSON.parse(String(row['evidence'])) as string[], // As #put wrote it.
  note: String(row['note']),
})
