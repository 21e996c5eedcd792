/**
 * A stretch of mail.raw, by time, through the present classifier. The verdicts go to a topic of their own; no consumer group is touched,
 * nothing is sent, and what was known before stays as it is. What it came to is kept below `replays/`.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Log, LogRecord } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Codec } from '#schemas/codec.ts'
import { decodeOrNull } from '#schemas/read.ts'
import { replayClaimKey, replayKey, replayRetentionDays, replayTopic } from '#schemas/topics.ts'
import type { Event, Raw, Replay } from '#schemas/types.ts'
import { type ClassifyOptions, classify } from './classify.ts'
import { claimBytesRead, classifiedEvent } from './service.ts'

export type ReplayOptions = {
  /** Epoch milliseconds; `to` is not in the range. */
  readonly from: number
  readonly to: number
  readonly name: string
  readonly classify: ClassifyOptions
}

export type ReplaySummary = {
  readonly messages: number
  /** Verdicts that differ from the ones known before. */
  readonly changed: number
  /** Messages of which no verdict is known. */
  readonly unknown: number
  readonly undecodable: number
  readonly topic: string
}

type ReplayPorts = { readonly log: Log; readonly objects: Objects; readonly codec: Codec }

const appendsMax = 200

export async function replay(
  options: ReplayOptions,
  ports: ReplayPorts,
  changed: (record: Replay) => void,
  signal?: AbortSignal,
): Promise<ReplaySummary> {
  if (!/^[a-z0-9][a-z0-9-]{0,59}$/.test(options.name)) {
    throw new MailweirError(
      'SETTINGS_WRONG',
      `The name ${JSON.stringify(options.name)} of a replay: expected lower-case letters, digits and hyphens, at most 60`,
    )
  }
  const { log } = ports
  const topic = replayTopic(options.name)
  const raw = await log.admin.offsets('mail.raw')
  await log.admin.ensureTopics([
    { name: topic, partitions: raw.length, cleanup: 'delete', retentionMs: replayRetentionDays * 86_400_000 },
  ])
  // Of two that begin at once, here or in another process, one has the name.
  if ((await ports.objects.put(replayClaimKey(options.name), Buffer.alloc(0))) === 'exists') {
    throw new MailweirError('SETTINGS_WRONG', `${topic} holds a replay already: choose another name`)
  }
  const first = await log.admin.offsetsAt('mail.raw', options.from)
  const behind = await log.admin.offsetsAt('mail.raw', options.to)
  const events = await log.admin.offsetsAt('mail.events', options.from)
  const eventEnds = new Map((await log.admin.offsets('mail.events')).map(({ partition, end }) => [partition, end]))
  const erased = await erasedIds(ports, events, eventEnds)
  const summary = { messages: 0, changed: 0, unknown: 0, undecodable: 0, topic }
  for (const { partition, earliest, end } of raw) {
    const known = new KnownVerdicts(ports, partition, events.get(partition) ?? 0n, eventEnds.get(partition) ?? 0n)
    const range = {
      from: new Map([[partition, first.get(partition) ?? earliest]]),
      to: new Map([[partition, behind.get(partition) ?? end]]),
    }
    let appends: Promise<unknown>[] = []
    for await (const records of log.read('mail.raw', range, signal)) {
      // Others in this process have their turn.
      await turn()
      for (const record of records) {
        const message = decodeOrNull(ports.codec, 'raw', record.value, () => summary.undecodable++)
        if (message === null) continue
        if (erased.has(message.id)) continue
        const position = { partition, offset: Number(record.offset) }
        const result = await again(message, position, await known.at(position.offset), options.classify, ports)
        summary.messages++
        if (result.before === '') summary.unknown++
        if (result.changed) {
          summary.changed++
          changed(result)
        }
        appends.push(log.append(topic, { key: result.id, partition, value: ports.codec.encode('replay', result) }))
        if (appends.length >= appendsMax) {
          await Promise.all(appends)
          appends = []
        }
      }
    }
    await Promise.all(appends)
    await known.close()
  }
  const kept = { name: options.name, from: options.from, to: options.to, at: Date.now(), ...summary }
  if (!signal?.aborted) await ports.objects.put(replayKey(options.name), Buffer.from(JSON.stringify(kept)))
  return summary
}

/** What was erased does not come back, while mail.raw still has it. */
async function erasedIds(
  { log, codec }: ReplayPorts,
  from: ReadonlyMap<number, bigint>,
  to: ReadonlyMap<number, bigint>,
): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for await (const record of recordsOf(log.read('mail.events', { from, to }))) {
    const event = decodeOrNull(codec, 'event', record.value)
    if (event?.type === 'erased') ids.add(event.messageId)
  }
  return ids
}

async function* recordsOf(batches: AsyncIterable<readonly LogRecord[]>): AsyncGenerator<LogRecord> {
  for await (const records of batches) yield* records
}

async function again(
  raw: Raw,
  position: Replay['position'],
  before: string,
  options: ClassifyOptions,
  ports: ReplayPorts,
): Promise<Replay> {
  const bytes =
    raw.bytes ??
    (raw.claim === null ? null : await ports.objects.get(raw.claim.key, { offset: 0, length: claimBytesRead })) ??
    Buffer.alloc(0)
  const verdict = classify(bytes, raw.envelope, options)
  // Through the same event that the live classifier writes, so that what is compared was cut in the same way.
  const after = summaryOf(classifiedEvent({ id: raw.id, position, verdict }, '', 0))
  return { id: raw.id, position, changed: before !== '' && before !== after, before, after, verdict }
}

const summaryOf = ({ kind, variant, recipients }: Event): string =>
  [
    variant === '' ? kind : `${kind}/${variant}`,
    ...recipients.map(({ address, status, reason, permanent }) =>
      [address, status, reason, permanent ? 'permanent' : 'temporary'].filter((part) => part !== '').join(' '),
    ),
  ].join('; ')

/**
 * The verdicts of one partition as mail.events has them. Classify writes them in the order of mail.raw, so the two are read side by
 * side and nothing has to be kept; repeats after a crash only go back.
 */
class KnownVerdicts {
  readonly #records: AsyncGenerator<Event>
  #current: Event | null = null
  #ended = false

  constructor(ports: ReplayPorts, partition: number, from: bigint, to: bigint) {
    this.#records = classifiedEvents(ports, partition, from, to)
  }

  /** The summary of the verdict of a position; empty: none is known. Positions are asked for in rising order. */
  async at(offset: number): Promise<string> {
    while (!this.#ended && (this.#current === null || this.#current.position.offset < offset)) {
      const next = await this.#records.next()
      if (next.done) this.#ended = true
      else this.#current = next.value
    }
    return this.#current?.position.offset === offset ? summaryOf(this.#current) : ''
  }

  async close(): Promise<void> {
    await this.#records.return(undefined)
  }
}

async function* classifiedEvents(
  { log, codec }: ReplayPorts,
  partition: number,
  from: bigint,
  to: bigint,
): AsyncGenerator<Event> {
  const range = { from: new Map([[partition, from]]), to: new Map([[partition, to]]) }
  for await (const records of log.read('mail.events', range)) {
    for (const record of records) {
      const event = decodeOrNull(codec, 'event', record.value)
      if (event?.type === 'classified' && event.service === 'classify') yield event
    }
  }
}
