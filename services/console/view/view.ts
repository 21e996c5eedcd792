/**
 * What `mail.events` tells, as a SQLite database of one process that is rebuilt from the log: a row for each message by its
 * position in `mail.raw`, its trace, the counts of the ledger, and counts by minute and kind.
 *
 * Events come in any order among services, and again after a crash. So a state only ever goes forward (waiting → forwarded or
 * dead), a count moves with the state that it counts, and a batch and the offsets up to which it reads are one transaction.
 */
import type { LogRecord } from '#lib/log/log.ts'
import { Database } from '#lib/runtime/database.ts'
import { type ReadPorts, readRecord } from '#schemas/read.ts'
import type { Event, Location } from '#schemas/types.ts'
import { Outcomes } from './outcomes.ts'
import { Rollups, valueMax } from './rollups.ts'
import { type Counts, clearTables, type MessageQuery, type MessageRow, openTables, step, toRow } from './tables.ts'

export type { Counts, MessageRow }

export type ViewOptions = ReadPorts & {
  /** Empty: a temporary database that goes with the process. */
  readonly path: string
}

const noCounts: Counts = { forwarded: 0, deferred: 0, dead: 0, classified: 0, stored: 0, undecodable: 0 }
const addressesMax = 50
const wordsMax = 2_000
/** Messages that a search for words looks at: the first that the index gives. */
const foundMax = 20_000
/** Of the index of words. */
const rowOf = (partition: number, offset: number): number => partition * 2 ** 40 + offset
/** All words, each by its beginning; nothing of what a person writes is syntax. */
const wordsOf = (text: string): string =>
  text
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .slice(0, 20)
    .map((word) => `"${word}"*`)
    .join(' ') || '""'
/** A trace is cut here: a message deferred for days has many steps that say the same. */
export const traceMax = 500
const mailboxesMax = 2_000
const evictMax = 10_000
/** Steps that one call looks at for those of messages that are not known. */
const strayMax = 10_000

export class EventView {
  readonly #db: Database
  readonly #options: ViewOptions
  readonly rollups: Rollups
  readonly outcomes: Outcomes
  /** Ids of the steps up to here were looked at. */
  #straysTo = ''
  /** Events applied since this process started. */
  applied = 0

  constructor(options: ViewOptions) {
    this.#options = options
    this.#db = new Database(options.path)
    openTables(this.#db)
    this.rollups = new Rollups(this.#db)
    this.outcomes = new Outcomes(this.#db)
  }

  // ---- building -----------------------------------------------------------------------------------------------------

  /** Where to read on in mail.events, by partition. */
  progress(): Map<number, bigint> {
    return new Map(
      this.#db
        .prepare('SELECT partition, next FROM progress')
        .all()
        .map((row) => [Number(row['partition']), BigInt(Number(row['next']))]),
    )
  }

  /** Forgets everything: the log was made anew. */
  reset(): void {
    clearTables(this.#db)
  }

  /** The ledger of a partition starts at this position of mail.raw; the first call counts. */
  setBase(partition: number, base: number): void {
    this.#db.prepare('INSERT INTO bases VALUES (?, ?) ON CONFLICT DO NOTHING').run(partition, base)
  }

  base(partition: number): number | null {
    const row = this.#db.prepare('SELECT base FROM bases WHERE partition = ?').get(partition)
    return row === undefined ? null : Number(row['base'])
  }

  apply(records: readonly LogRecord[]): void {
    this.#db.transaction(() => {
      for (const record of records) {
        const event = readRecord('event', record, this.#options)
        if (event !== null) this.#applyOne(event, record)
        this.#db
          .prepare('INSERT INTO progress VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next')
          .run(record.partition, record.offset + 1n)
      }
    })
    this.applied += records.length
  }

  /** Of a message that was erased its place and its counts stay, and nothing of what stood in it. */
  #erase({ messageId, position: { partition, offset } }: Event): void {
    this.#db
      .prepare(
        `UPDATE stored SET n = n - 1, bytes = bytes - (SELECT size FROM messages WHERE partition = ?1 AND offset = ?2)
        WHERE mailbox = (SELECT mailbox FROM messages WHERE partition = ?1 AND offset = ?2 AND location <> '')`,
      )
      .run(partition, offset)
    this.#db
      .prepare(
        `UPDATE messages SET client = '', reverse_path = '', recipient = '', reply = '', address = '', subject = '', location = '', held = 0
       WHERE partition = ? AND offset = ?`,
      )
      .run(partition, offset)
    this.#db.prepare('DELETE FROM addresses WHERE partition = ? AND offset = ?').run(partition, offset)
    this.#db.prepare('DELETE FROM words WHERE rowid = ?').run(rowOf(partition, offset))
    this.#db.prepare('DELETE FROM holds WHERE id = ?').run(messageId)
    this.#db.prepare("DELETE FROM events WHERE id = ? AND json_extract(step, '$.type') <> 'erased'").run(messageId)
  }

  #applyOne(event: Event, record: LogRecord): void {
    const { partition, offset } = event.position
    // Where the beginning of mail.events is gone, the books are opened at the first message whose acceptance is told.
    if (event.type === 'accepted') this.setBase(partition, offset)
    const base = this.base(partition)
    const isCounted = base !== null && offset >= base
    this.#db
      .prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
      .run(event.messageId, event.at, record.partition, record.offset, JSON.stringify(step(event)))
    this.outcomes.count(event)
    // What people do with a copy (read, hold) is a step of the trace, and no message of its own.
    if (event.type === 'held' || event.type === 'released') this.#hold(event)
    if (partition < 0) return
    if (event.type === 'erased') return this.#erase(event)
    this.#db
      .prepare(
        `INSERT INTO messages (partition, offset, id, held)
        VALUES (?1, ?2, ?3, (SELECT count(*) FROM holds WHERE id = ?3)) ON CONFLICT DO NOTHING`,
      )
      .run(partition, offset, event.messageId)
    const count = (entry: keyof Counts, n: number): void => {
      if (!isCounted) return
      this.#db
        .prepare('INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = counts.n + excluded.n')
        .run(partition, entry, n)
    }
    const before = this.#db
      .prepare(
        'SELECT state, kind, mailbox, undecodable, client, size FROM messages WHERE partition = ? AND offset = ?',
      )
      .get(partition, offset)
    if (before === undefined) return
    if (event.type === 'accepted') this.#accepted(event)
    if (event.state !== '') this.#settled(event, String(before['state']), count)
    if (event.type === 'classified') {
      this.#classified(event)
      if (before['kind'] === '') {
        count('classified', 1)
        this.rollups.count(event, String(before['client']))
        const words = [event.subject, ...event.recipients.map(({ reply }) => reply)].join(' ').slice(0, wordsMax)
        if (words.trim() !== '') {
          this.#db.prepare('INSERT INTO words (rowid, text) VALUES (?, ?)').run(rowOf(partition, offset), words)
        }
        this.#db
          .prepare('INSERT INTO minutes VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1')
          .run(Math.floor(event.at / 60_000), event.kind, event.variant)
      }
    } else if (event.type === 'stored') {
      this.#db
        .prepare('UPDATE messages SET mailbox = ?, location = ?, expires_at = ? WHERE partition = ? AND offset = ?')
        .run(event.mailbox, JSON.stringify(event.location), event.expiresAt, partition, offset)
      if (before['mailbox'] === '') {
        count('stored', 1)
        this.#db
          .prepare(
            `INSERT INTO stored VALUES (?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + 1, bytes = bytes + excluded.bytes,
            first = min(first, excluded.first), last = max(last, excluded.last)`,
          )
          .run(event.mailbox, Number(before['size']), event.expiresAt, event.expiresAt)
      }
    } else if (event.type === 'dropped' || event.type === 'redriven') {
      const dropped = event.type === 'dropped' ? 1 : 0
      this.#db
        .prepare('UPDATE messages SET dropped = ? WHERE partition = ? AND offset = ?')
        .run(dropped, partition, offset)
    } else if (event.type === 'undecodable' && event.state === '') {
      this.#db.prepare('UPDATE messages SET undecodable = 1 WHERE partition = ? AND offset = ?').run(partition, offset)
      if (before['undecodable'] === 0) count('undecodable', 1)
    }
  }

  #hold({ messageId, type, detail }: Event): void {
    const copy = detail.split(' ').at(-1) ?? ''
    if (type === 'held') this.#db.prepare('INSERT INTO holds VALUES (?, ?) ON CONFLICT DO NOTHING').run(messageId, copy)
    else this.#db.prepare('DELETE FROM holds WHERE id = ? AND copy = ?').run(messageId, copy)
    this.#db
      .prepare('UPDATE messages SET held = (SELECT count(*) FROM holds WHERE holds.id = messages.id) WHERE id = ?')
      .run(messageId)
  }

  #accepted(event: Event): void {
    const { partition, offset } = event.position
    this.#db
      .prepare(
        'UPDATE messages SET received_at = ?, size = ?, client = ?, reverse_path = ?, recipient = ? WHERE partition = ? AND offset = ?',
      )
      .run(
        event.at,
        event.size,
        event.clientAddress,
        event.reversePath,
        event.recipients[0]?.address ?? '',
        partition,
        offset,
      )
    this.#addresses(event, [event.reversePath, ...event.recipients.map(({ address }) => address)])
  }

  #settled(event: Event, before: string, count: (entry: keyof Counts, n: number) => void): void {
    // What is forwarded or dead stays so: a late repeat of an earlier step changes nothing. But a person may drive the dead again.
    const isRedriven = event.type === 'redriven' && before === 'dead'
    if ((before === 'forwarded' || before === 'dead') && !isRedriven) return
    const { partition, offset } = event.position
    this.#db
      .prepare('UPDATE messages SET state = ?, reply = ? WHERE partition = ? AND offset = ?')
      .run(event.state, event.reply, partition, offset)
    if (before === event.state) return
    if (before === 'waiting') count('deferred', -1)
    if (before === 'dead') count('dead', -1)
    count(event.state === 'waiting' ? 'deferred' : event.state === 'dead' ? 'dead' : 'forwarded', 1)
  }

  #classified(event: Event): void {
    const { partition, offset } = event.position
    const first = event.recipients[0]
    this.#db
      .prepare(
        `UPDATE messages SET kind = ?, variant = ?, reason = ?, address = ?, subject = ?, domain = ?, system = ?, campaign = ?,
        received_at = CASE received_at WHEN 0 THEN ? ELSE received_at END WHERE partition = ? AND offset = ?`,
      )
      .run(
        event.kind,
        event.variant,
        first?.reason ?? '',
        first?.address ?? '',
        event.subject,
        (first?.address ?? '').replace(/^.*@/s, '').toLowerCase(),
        event.reporter.slice(0, valueMax),
        event.original['campaign'] ?? '',
        event.at,
        partition,
        offset,
      )
    this.#addresses(
      event,
      event.recipients.map(({ address }) => address),
    )
  }

  #addresses(event: Event, addresses: readonly string[]): void {
    for (const address of addresses.slice(0, addressesMax)) {
      if (address === '') continue
      this.#db
        .prepare('INSERT INTO addresses VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
        .run(address.toLowerCase(), event.position.partition, event.position.offset)
    }
  }

  /** Forgets messages older than `before`, and the oldest above `messagesMax`; their counts stay. Gives how many. */
  evict(before: number, messagesMax: number): number {
    const known = Number(this.#db.prepare('SELECT count(*) AS n FROM messages').get()?.['n'] ?? 0)
    const surplus = Math.max(0, known - messagesMax)
    // What still waits is kept, however old: the ledger counts it.
    const rows = this.#db
      .prepare(
        `SELECT partition, offset, id FROM messages WHERE received_at > 0 AND state IN ('forwarded', 'dead')
        AND (mailbox <> '' OR undecodable = 1) AND (received_at < ? OR ? > 0) ORDER BY received_at LIMIT ?`,
      )
      .all(before, surplus, surplus > 0 ? Math.min(surplus, evictMax) : evictMax)
    this.#db.transaction(() => {
      for (const row of rows) {
        const { partition, offset, id } = row as { partition: number; offset: number; id: string } // As selected.
        this.#db.prepare('DELETE FROM messages WHERE partition = ? AND offset = ?').run(partition, offset)
        this.#db.prepare('DELETE FROM addresses WHERE partition = ? AND offset = ?').run(partition, offset)
        this.#db.prepare('DELETE FROM events WHERE id = ?').run(id)
        this.#db.prepare('DELETE FROM words WHERE rowid = ?').run(rowOf(partition, offset))
      }
      this.#db.prepare('DELETE FROM stored WHERE last < ?').run(before)
      this.#db.prepare('DELETE FROM minutes WHERE minute < ?').run(Math.floor(before / 60_000))
      this.#forgetStrays(before)
      this.rollups.forget(before)
      this.outcomes.forget(before)
    })
    return rows.length
  }

  /** Steps that came after their message was forgotten (somebody read it, or changed a setting of no message); a stretch at a time. */
  #forgetStrays(before: number): void {
    const next = this.#db
      .prepare('SELECT id FROM events WHERE id >= ? ORDER BY id LIMIT 1 OFFSET ?')
      .get(this.#straysTo, strayMax)
    const to = next === undefined ? '\u{10ffff}' : String(next['id'])
    this.#db
      .prepare(
        `DELETE FROM events WHERE id BETWEEN ? AND ? AND at < ?
          AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = events.id)`,
      )
      .run(this.#straysTo, to, before)
    // One id may have more steps than that: it was looked at whole.
    this.#straysTo = next === undefined ? '' : to === this.#straysTo ? `${to}\u0001` : to
  }

  // ---- asking -------------------------------------------------------------------------------------------------------

  /** The counts of a partition, without what stands at `end` or behind it. */
  counts(partition: number, end: number): Counts {
    const counts: Record<keyof Counts, number> = { ...noCounts }
    for (const row of this.#db.prepare('SELECT entry, n FROM counts WHERE partition = ?').all(partition)) {
      const entry = String(row['entry'])
      if (entry in counts) counts[entry as keyof Counts] = Number(row['n'])
    }
    const behind = this.#db
      .prepare(
        `SELECT sum(state = 'forwarded') AS forwarded, sum(state = 'waiting') AS deferred, sum(state = 'dead') AS dead,
        sum(kind <> '') AS classified, sum(mailbox <> '') AS stored, sum(undecodable) AS undecodable
        FROM messages WHERE partition = ? AND offset >= ?`,
      )
      .get(partition, end)
    for (const entry of Object.keys(counts) as (keyof Counts)[]) counts[entry] -= Number(behind?.[entry] ?? 0)
    return counts
  }

  /** How many messages of a range of positions have an outcome of forward; and how many are stored or cannot be. */
  settledBetween(partition: number, from: number, to: number): { forward: number; store: number } {
    const row = this.#db
      .prepare(
        `SELECT sum(state <> '') AS forward, sum(mailbox <> '' OR undecodable = 1) AS store
        FROM messages WHERE partition = ? AND offset >= ? AND offset < ?`,
      )
      .get(partition, from, to)
    return { forward: Number(row?.['forward'] ?? 0), store: Number(row?.['store'] ?? 0) }
  }

  /** Messages by kind and variant since a time. */
  kindsSince(since: number): { kind: string; variant: string; messages: number }[] {
    return this.#db
      .prepare(
        'SELECT kind, variant, sum(n) AS n FROM minutes WHERE minute >= ? GROUP BY kind, variant ORDER BY n DESC',
      )
      .all(Math.floor(since / 60_000))
      .map((row) => ({ kind: String(row['kind']), variant: String(row['variant']), messages: Number(row['n']) }))
  }

  /** Newest first. */
  messages(query: MessageQuery): MessageRow[] {
    const conditions: string[] = []
    const values: (string | number)[] = []
    const where = (condition: string, ...given: (string | number)[]): void => {
      conditions.push(condition)
      values.push(...given)
    }
    if (query.kind !== undefined) where('kind = ?', query.kind)
    if (query.reason !== undefined) where('reason = ?', query.reason)
    // As it stands in the text, so that the index of these few is used.
    if (query.state === 'dead' || query.state === 'waiting') where(`state = '${query.state}'`)
    else if (query.state !== undefined) where('state = ?', query.state === 'accepted' ? '' : query.state)
    if (query.held === true) where('held > 0')
    if (query.dropped !== undefined) where('dropped = ?', query.dropped ? 1 : 0)
    if (query.address !== undefined) {
      where(
        '(partition, offset) IN (SELECT partition, offset FROM addresses WHERE address = ?)',
        query.address.toLowerCase(),
      )
    }
    if (query.domain !== undefined) where('domain = ?', query.domain.toLowerCase())
    if (query.system !== undefined) where('system = ?', query.system)
    if (query.campaign !== undefined) where('campaign = ?', query.campaign)
    if (query.from !== undefined) where('received_at >= ?', query.from)
    if (query.to !== undefined) where('received_at < ?', query.to)
    if (query.text !== undefined) {
      where(
        '(partition, offset) IN (SELECT rowid / 1099511627776, rowid % 1099511627776 FROM words WHERE words MATCH ? LIMIT ?)',
        wordsOf(query.text),
        foundMax,
      )
    }
    if (query.before !== undefined) {
      where(
        '(received_at, partition, offset) < (?, ?, ?)',
        query.before.receivedAt,
        query.before.partition,
        query.before.offset,
      )
    }
    const filter = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
    return this.#db
      .prepare(`SELECT * FROM messages ${filter} ORDER BY received_at DESC, partition DESC, offset DESC LIMIT ?`)
      .all(...values, query.limit)
      .map(toRow)
  }

  /** A message's row; null: not known, or forgotten by now. */
  message(id: string): (MessageRow & { readonly location: Location | null }) | null {
    const row = this.#db.prepare('SELECT * FROM messages WHERE id = ? ORDER BY partition, offset LIMIT 1').get(id)
    if (row === undefined) return null
    const location = String(row['location'])
    return { ...toRow(row), location: location === '' ? null : JSON.parse(location) }
  }

  /** What is stored, by mailbox: messages, bytes as received, when the first and the last of it goes. Epoch milliseconds. */
  stored(now: number): { mailbox: string; messages: number; bytes: number; firstExpiry: number; lastExpiry: number }[] {
    return this.#db
      .prepare('SELECT * FROM stored WHERE last > ? AND n > 0 ORDER BY mailbox DESC LIMIT ?')
      .all(now, mailboxesMax)
      .map((row) => ({
        mailbox: String(row['mailbox']),
        messages: Number(row['n']),
        bytes: Number(row['bytes']),
        firstExpiry: Number(row['first']),
        lastExpiry: Number(row['last']),
      }))
  }

  /** The steps of a message in the order of their times. */
  trace(id: string): object[] {
    return this.#db
      .prepare('SELECT step FROM events WHERE id = ? ORDER BY at, partition, offset LIMIT ?')
      .all(id, traceMax)
      .map((row) => JSON.parse(String(row['step'])))
  }

  close(): void {
    this.#db.close()
  }
}
