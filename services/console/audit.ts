/**
 * The audit of the black box: the legacy system's own suppression list, or its log, against what the mail says. Pure but for the reading
 * of the list.
 */
import { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { setImmediate as turn } from 'node:timers/promises'
import { type CsvError, parse } from 'csv-parse'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Suppression } from '#schemas/types.ts'

/** A line of the list. */
export type Listed = {
  readonly line: number
  readonly address: string
  readonly at: number | null
  readonly reason: string
}

export type Finding = {
  readonly address: string
  /** supported: mail says so, too; unsupported: no mail does; missed: mail says so, the list does not have it. */
  readonly finding: 'supported' | 'unsupported' | 'missed'
  /** Ours; empty: none. */
  readonly cause: string
  /** Of the list. */
  readonly reason: string
  /** Milliseconds from the first mail that says so to the entry of the list; null: the list has no time. */
  readonly lateMs: number | null
  readonly evidence: readonly string[]
  /** Of the first of the evidence that has one; empty: none. */
  readonly campaign: string
}

export type AuditSummary = {
  readonly listed: number
  readonly supported: number
  readonly unsupported: number
  readonly missed: number
  /** Of the supported with a time, by how much the list came after the mail. */
  readonly late: { readonly count: number; readonly medianMs: number; readonly mostMs: number }
  readonly byReason: readonly { readonly reason: string; readonly supported: number; readonly unsupported: number }[]
  readonly missedByCause: readonly { readonly cause: string; readonly addresses: number }[]
  readonly byCampaign: readonly { readonly campaign: string; readonly supported: number; readonly missed: number }[]
}

const addressNames = ['email', 'address', 'recipient', 'e-mail', 'email_address', 'emailaddress', 'mail']
const timeNames = ['since', 'date', 'created', 'created_at', 'time', 'timestamp', 'suppressed_at', 'added']
const reasonNames = ['reason', 'cause', 'type', 'status', 'category']
const rowBytesMax = 64 * 1024
const rowsMax = 20_000_000
const turnEvery = 1_000

/**
 * Reads a CSV list (RFC 4180) with a header line that names a column of addresses; `,`, `;` and tab are told apart.
 * @throws {MailweirError} AUDIT_LIST_WRONG, with line and column
 */
export async function* readList(source: AsyncIterable<Buffer | string>): AsyncGenerator<Listed> {
  const parser = parse({
    bom: true,
    delimiter: [',', ';', '\t'],
    max_record_size: rowBytesMax,
    relax_column_count: false,
    skip_empty_lines: true,
    trim: true,
    info: true,
  })
  const input = Readable.from(source, { objectMode: false })
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  let columns: { address: number; at: number; reason: number } | null = null
  let rows = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (columns === null) {
        const names = record.map((name) => name.toLowerCase())
        const find = (wanted: readonly string[]): number => names.findIndex((name) => wanted.includes(name))
        columns = { address: find(addressNames), at: find(timeNames), reason: find(reasonNames) }
        if (columns.address < 0)
          throw wrong(info.lines, 1, `expected a header line with one of ${addressNames.join(', ')}`)
        continue
      }
      if (++rows > rowsMax) throw wrong(info.lines, 1, `more than ${rowsMax} lines`)
      const address = (record[columns.address] ?? '').toLowerCase()
      if (!/^[^\s@]+@[^\s@]+$/.test(address))
        throw wrong(info.lines, columns.address + 1, `${JSON.stringify(address.slice(0, 80))} is no address`)
      const time = columns.at < 0 ? '' : (record[columns.at] ?? '')
      const at = time === '' ? null : timeIn(time)
      if (time !== '' && at === null)
        throw wrong(info.lines, columns.at + 1, `${JSON.stringify(time.slice(0, 40))} is no time`)
      yield {
        line: info.lines,
        address,
        at,
        reason: columns.reason < 0 ? '' : (record[columns.reason] ?? '').slice(0, 100),
      }
    }
    if (columns === null) throw wrong(1, 1, 'the list is empty')
  } catch (error) {
    if (error instanceof MailweirError || !isCsvError(error)) throw error
    throw wrong(Number(error['lines'] ?? 1), Number(error['column'] ?? 0) + 1, error.message)
  } finally {
    input.destroy()
    parser.destroy()
  }
}

const isCsvError = (error: unknown): error is CsvError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_')

const wrong = (line: number, column: number, what: string): MailweirError =>
  new MailweirError('AUDIT_LIST_WRONG', `line ${line}, column ${column}: ${what}`, { fields: { line, column } })

/** ISO 8601, or epoch seconds or milliseconds. */
function timeIn(text: string): number | null {
  if (/^\d{10}$/.test(text)) return Number(text) * 1000
  if (/^\d{13}$/.test(text)) return Number(text)
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : at
}

const lineCharactersMax = 2_048

/**
 * Reads a log: of each line that the pattern fits, its named groups `address`, and if it has them `at` and `reason`. Other lines are
 * passed over, and of a line the first 2,048 characters are read.
 */
export async function* readLog(source: AsyncIterable<Buffer | string>, pattern: RegExp): AsyncGenerator<Listed> {
  let line = 0
  for await (const text of linesOf(source)) {
    if (++line > rowsMax) throw wrong(line, 1, `more than ${rowsMax} lines`)
    const groups = pattern.exec(text)?.groups
    const address = groups?.['address']?.toLowerCase() ?? ''
    if (!/^[^\s@]+@[^\s@]+$/.test(address)) continue
    yield { line, address, at: timeIn(groups?.['at'] ?? ''), reason: (groups?.['reason'] ?? '').trim().slice(0, 100) }
  }
}

async function* linesOf(source: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8')
  let begun = ''
  for await (const chunk of source) {
    const lines = (typeof chunk === 'string' ? chunk : decoder.write(chunk)).split('\n')
    for (const [index, piece] of lines.entries()) {
      if (begun.length < lineCharactersMax) begun += piece.slice(0, lineCharactersMax - begun.length)
      if (index === lines.length - 1) break
      yield begun.replace(/\r$/, '')
      begun = ''
    }
  }
  if (begun !== '') yield begun
}

/** What was not decided by mail is a person's word, and no evidence. */
const isEvident = (known: Suppression): boolean => known.cause !== 'person' && known.state === 'suppressed'

export async function audit(
  list: AsyncIterable<Listed>,
  book: {
    get(address: string): Suppression | null
    all(): Iterable<Suppression>
    /** Of a message; empty: none is known. */
    campaignOf(id: string): string
  },
  /** A promise is waited for. */
  found: (finding: Finding) => unknown,
): Promise<AuditSummary> {
  const listed = new Set<string>()
  const late: number[] = []
  const byReason = new Map<string, { supported: number; unsupported: number }>()
  let [supported, unsupported, missed] = [0, 0, 0]
  const byCampaign = new Map<string, { supported: number; missed: number }>()
  const campaignOf = (ids: readonly string[]): string => ids.map(book.campaignOf).find((name) => name !== '') ?? ''
  const count = (campaign: string, what: 'supported' | 'missed'): void => {
    const of = byCampaign.get(campaign) ?? { supported: 0, missed: 0 }
    if (byCampaign.size < 1_000 || byCampaign.has(campaign)) byCampaign.set(campaign, of)
    of[what]++
  }
  for await (const { address, at, reason } of list) {
    if (listed.has(address)) continue
    listed.add(address)
    const known = book.get(address)
    const isSupported = known !== null && isEvident(known)
    const lateMs = isSupported && at !== null ? at - known.since : null
    if (isSupported) supported++
    else unsupported++
    if (lateMs !== null) late.push(lateMs)
    const of = byReason.get(reason) ?? { supported: 0, unsupported: 0 }
    if (byReason.size < 1_000 || byReason.has(reason)) byReason.set(reason, of)
    if (isSupported) of.supported++
    else of.unsupported++
    const campaign = known === null ? '' : campaignOf(known.evidence)
    if (isSupported) count(campaign, 'supported')
    await found({
      address,
      finding: isSupported ? 'supported' : 'unsupported',
      cause: known?.cause ?? '',
      reason,
      lateMs,
      evidence: known?.evidence ?? [],
      campaign,
    })
  }
  const missedByCause = new Map<string, number>()
  let read = 0
  for (const known of book.all()) {
    // Others have their turn.
    if (++read % turnEvery === 0) await turn()
    if (!isEvident(known) || listed.has(known.address)) continue
    missed++
    const campaign = campaignOf(known.evidence)
    count(campaign, 'missed')
    missedByCause.set(known.cause, (missedByCause.get(known.cause) ?? 0) + 1)
    await found({
      address: known.address,
      finding: 'missed',
      cause: known.cause,
      reason: '',
      lateMs: null,
      evidence: known.evidence,
      campaign,
    })
  }
  late.sort((a, b) => a - b)
  return {
    listed: listed.size,
    supported,
    unsupported,
    missed,
    late: {
      count: late.filter((ms) => ms > 0).length,
      medianMs: late[Math.floor(late.length / 2)] ?? 0,
      mostMs: late.at(-1) ?? 0,
    },
    byReason: [...byReason]
      .map(([reason, counts]) => ({ reason, ...counts }))
      .sort((a, b) => b.supported + b.unsupported - a.supported - a.unsupported),
    missedByCause: [...missedByCause].map(([cause, addresses]) => ({ cause, addresses })),
    byCampaign: [...byCampaign]
      .map(([campaign, counts]) => ({ campaign, ...counts }))
      .sort((a, b) => b.supported + b.missed - a.supported - a.missed),
  }
}

/** A cell that no spreadsheet takes for a formula, quoted as RFC 4180 has it. */
export function csvCell(value: string | number): string {
  const text = String(value)
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export const findingNames = ['address', 'finding', 'cause', 'reason', 'campaign', 'late_hours', 'evidence'] as const

/** A finding as a line of CSV. */
export const findingLine = ({ address, finding, cause, reason, campaign, lateMs, evidence }: Finding): string =>
  `${[address, finding, cause, reason, campaign, lateMs === null ? '' : (lateMs / 3_600_000).toFixed(2), evidence.join(' ')].map(csvCell).join(',')}\r\n`
