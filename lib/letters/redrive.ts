/**
 * Dead letters once more to the legacy system, by way of mail.retry, so that forward treats them like any that it deferred: the recipients
 * that were refused, alone. Or, as history, whatever is in mail.raw still, to all of its recipients, whether it was taken or not. What was
 * driven again once is passed over, and so is what is still retried.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log, LogRecord } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import { readAll } from '#lib/log/read-all.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import { decodeOrNull } from '#schemas/read.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Dead, Envelope } from '#schemas/types.ts'

export type RedriveFilter = {
  /** Empty: any. */
  readonly ids: readonly string[]
  /** As in mail.dead: rejected, expired, claim-missing, look-alike. */
  readonly reason: string | null
  /** Part of the reply that refused it. */
  readonly reply: string | null
  /** Of the dead letter, epoch milliseconds; `to` is not in the range. */
  readonly from: number
  readonly to: number
}

export type RedriveOptions = RedriveFilter & {
  readonly dryRun: boolean
  /** Also what was driven again before. */
  readonly again: boolean
  /** Messages a second. */
  readonly rate: number
  /** Of mail.raw instead of mail.dead. */
  readonly history: boolean
}

export type RedriveSummary = {
  readonly redriven: number
  /** No message: an undecodable record. */
  readonly unsendable: number
  /** Driven again before. */
  readonly before: number
  /** In mail.retry at this moment. */
  readonly retried: number
}

type RedrivePorts = {
  readonly log: Log
  readonly codec: Codec
  readonly clock: Clock
  /** Places of letters that were driven again; absent: all of mail.events is asked. */
  redrivenBefore?(): ReadonlySet<string>
}

export async function redrive(
  options: RedriveOptions,
  ports: RedrivePorts,
  each: (letter: Dead) => void,
): Promise<RedriveSummary> {
  const summary = { redriven: 0, unsendable: 0, before: 0, retried: 0 }
  const before = options.again ? new Set<string>() : (ports.redrivenBefore?.() ?? (await redrivenBefore(ports)))
  const retried = await retriedNow(ports)
  const letters = options.history ? history(options, ports) : deadLetters(options, ports)
  for await (const { letter, place } of letters) {
    if (letter.envelope === null || letter.id === '' || letter.topic !== 'mail.raw') summary.unsendable++
    else if (before.has(place)) summary.before++
    else if (retried.has(letter.id)) summary.retried++
    else {
      summary.redriven++
      // Of one message there may be two letters: the second waits until the first is settled.
      retried.add(letter.id)
      each(letter)
      if (options.dryRun) continue
      await drive(letter, letter.envelope, place, ports)
      await sleep(1000 / options.rate)
    }
  }
  return summary
}

type Found = { readonly letter: Dead; readonly place: string }

async function* deadLetters(options: RedriveOptions, { log, codec }: RedrivePorts): AsyncGenerator<Found> {
  for await (const record of readAll(log, 'mail.dead')) {
    const letter = decodeOrNull(codec, 'dead', record.value)
    if (letter !== null && fits(letter, options)) yield { letter, place: placeOf(record) }
  }
}

/** Messages of mail.raw as if each were a dead letter of all its recipients. */
async function* history({ ids, from, to }: RedriveOptions, { log, codec }: RedrivePorts): AsyncGenerator<Found> {
  const range = { from: await log.admin.offsetsAt('mail.raw', from), to: await log.admin.offsetsAt('mail.raw', to) }
  for await (const records of log.read('mail.raw', range)) {
    for (const record of records) {
      if (ids.length > 0 && !ids.includes(record.key ?? '')) continue
      const raw = decodeOrNull(codec, 'raw', record.value)
      if (raw === null) continue
      const position = { partition: record.partition, offset: Number(record.offset) }
      const open = raw.envelope.forwardPaths.map((_, index) => index)
      const letter = { ...raw, position, open, topic: 'mail.raw', service: '', at: raw.receivedAt, reason: 'history' }
      yield { letter: { ...letter, reply: '', attempts: 0 }, place: placeOf(record) }
    }
  }
}

const fits = (letter: Dead, { ids, reason, reply, from, to }: RedriveFilter): boolean =>
  (ids.length === 0 || ids.includes(letter.id)) &&
  (reason === null || letter.reason === reason) &&
  (reply === null || letter.reply.includes(reply)) &&
  letter.at >= from &&
  letter.at < to

/** First the event, then the record: the console has to know that it waits before forward says what became of it. */
async function drive(
  letter: Dead,
  envelope: Envelope,
  place: string,
  { log, codec, clock }: RedrivePorts,
): Promise<void> {
  const at = clock.now()
  await log.append('mail.events', {
    key: letter.id,
    partition: letter.position.partition,
    value: codec.encode(
      'event',
      event({
        messageId: letter.id,
        type: 'redriven',
        at,
        service: 'redrive',
        position: letter.position,
        state: 'waiting',
        dueAt: at,
        detail: place,
      }),
    ),
  })
  await log.append('mail.retry', {
    key: letter.id,
    partition: partitionOf(letter.id, fewPartitions),
    value: codec.encode('retry', {
      id: letter.id,
      position: letter.position,
      // Its age counts from now: otherwise it would be too old for a second try.
      receivedAt: at,
      envelope,
      open: letter.open,
      anyDead: false,
      attempts: 0,
      dueAt: at,
      reply: letter.reply,
      size: letter.bytes?.length ?? letter.claim?.size ?? 0,
      sha256: letter.claim?.sha256 ?? Buffer.alloc(32),
      bytes: letter.bytes,
      claim: letter.claim,
    }),
  })
}

const placeOf = ({ topic, partition, offset }: LogRecord): string => `${topic} ${partition}-${offset}`

async function redrivenBefore({ log, codec }: RedrivePorts): Promise<Set<string>> {
  const places = new Set<string>()
  for await (const record of readAll(log, 'mail.events')) {
    const told = decodeOrNull(codec, 'event', record.value)
    if (told?.type === 'redriven') places.add(told.detail)
  }
  return places
}

async function retriedNow({ log }: RedrivePorts): Promise<Set<string>> {
  const ids = new Set<string>()
  for await (const { key, value } of readAll(log, 'mail.retry')) {
    if (key === null) continue
    if (value === null) ids.delete(key)
    else ids.add(key)
  }
  return ids
}
