/**
 * What becomes of a message after an attempt: records for mail.retry and mail.dead, and the event. Order: those records, then
 * the event, then the caller commits or writes the tombstone; so a crash repeats an attempt at most, and loses nothing.
 */
import { encodeFitting } from '#lib/claims/claims.ts'
import { bury, type DeadLetter } from '#lib/letters/dead.ts'
import type { Log } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { type Reply, replyLine } from '#lib/smtp/reply.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Claim, Envelope, Position, Retry } from '#schemas/types.ts'
import type { ForwardMetrics } from './metrics.ts'
import type { RecipientOutcome, RelayResult } from './relay.ts'
import { nextAttemptAt, type Schedule } from './schedule.ts'

export type Attempted = {
  readonly id: string
  readonly position: Position
  readonly receivedAt: number
  readonly envelope: Envelope
  readonly size: number
  readonly sha256: Buffer
  readonly bytes: Buffer | null
  readonly claim: Claim | null
  /** Indexes of the recipients that were open before the attempt. */
  readonly open: readonly number[]
  readonly anyDead: boolean
  /** Attempts made before this one. */
  readonly attempts: number
}

export type OutcomePorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly metrics: ForwardMetrics
  readonly schedule: Schedule
}

const replyMax = 500

/** Records the outcome; resolves to the state that the message is in now, and where its event stands. */
export async function settle(
  message: Attempted,
  result: Exclude<RelayResult, { kind: 'stopped' }>,
  ports: OutcomePorts,
): Promise<{ readonly state: 'forwarded' | 'waiting' | 'dead'; readonly eventOffset: bigint }> {
  const now = ports.clock.now()
  const attempts = message.attempts + 1
  const outcomes: readonly RecipientOutcome[] =
    result.kind === 'sent'
      ? result.outcomes
      : message.open.map((index) => ({
          index,
          kind: 'dead',
          reply: { code: 554, enhancedStatus: '5.6.0', text: result.detail },
        }))
  const of = (kind: RecipientOutcome['kind']) => outcomes.filter((outcome) => outcome.kind === kind)
  const delivered = of('delivered')
  let deferred = of('deferred')
  let refused = of('dead')
  let reason: 'rejected' | 'expired' | 'claim-missing' | 'look-alike' =
    result.kind === 'sent' ? 'rejected' : result.reason
  let dueAt: number | null = null
  if (deferred.length > 0) {
    dueAt = nextAttemptAt(ports.schedule, { now, receivedAt: message.receivedAt, attempts })
    if (dueAt === null) {
      reason = refused.length === 0 ? 'expired' : reason
      refused = [...refused, ...deferred]
      deferred = []
    }
  }
  const anyDead = message.anyDead || refused.length > 0
  const state = deferred.length > 0 ? 'waiting' : anyDead ? 'dead' : 'forwarded'
  if (refused.length > 0) {
    await deadLetter(
      message.id,
      {
        id: message.id,
        position: message.position,
        topic: 'mail.raw',
        service: 'forward',
        reason,
        reply: shortReply(refused[0]?.reply),
        attempts,
        envelope: message.envelope,
        open: refused.map((outcome) => outcome.index),
        receivedAt: message.receivedAt,
        bytes: message.bytes,
        claim: message.claim,
      },
      ports,
    )
  }
  if (deferred.length > 0 && dueAt !== null) {
    const retry: Retry = {
      id: message.id,
      position: message.position,
      receivedAt: message.receivedAt,
      envelope: message.envelope,
      open: deferred.map((outcome) => outcome.index),
      anyDead,
      attempts,
      dueAt,
      reply: shortReply(deferred[0]?.reply),
      size: message.size,
      sha256: message.sha256,
      bytes: message.bytes,
      claim: message.claim,
    }
    await ports.log.append('mail.retry', {
      key: message.id,
      partition: partitionOf(message.id, fewPartitions),
      value: await encodeFitting(
        retry,
        (each) => ports.codec.encode('retry', each),
        { key: message.id, at: now },
        ports,
      ),
    })
    ports.metrics.deferred.inc()
  }
  const decisive = refused[0] ?? deferred[0] ?? delivered[0]
  const host = result.kind === 'sent' ? result.host : ''
  const written = await ports.log.append('mail.events', {
    key: message.id,
    partition: message.position.partition,
    value: ports.codec.encode(
      'event',
      event({
        messageId: message.id,
        type: refused.length > 0 ? 'rejected' : deferred.length > 0 ? 'deferred' : 'forwarded',
        at: now,
        service: 'forward',
        position: message.position,
        host,
        reply: shortReply(decisive?.reply),
        attempt: attempts,
        addedDelayMs: delivered.length > 0 ? Math.max(0, now - message.receivedAt) : 0,
        legacyMs: result.kind === 'sent' ? Math.max(0, now - result.handedAt) : 0,
        dueAt: dueAt ?? 0,
        state,
        recipients: outcomes.slice(0, eventRecipientsMax).map((outcome) => ({
          address: message.envelope.forwardPaths[outcome.index]?.address ?? '',
          status: outcome.reply.enhancedStatus,
          reason: outcome.kind,
          permanent: outcome.kind === 'dead',
          reply: shortReply(outcome.reply),
        })),
        detail:
          result.kind === 'unsendable'
            ? result.detail
            : result.normalised
              ? 'Line ends were made CR LF, because the message holds a look-alike of the end of data'
              : '',
      }),
    ),
  })
  if (result.kind === 'sent' && delivered.length > 0) {
    const handed = Math.max(0, result.handedAt - message.receivedAt)
    ports.metrics.waited.observe(handed / 1000)
    ports.metrics.answered.observe({ host }, Math.max(0, now - result.handedAt) / 1000)
  }
  if (state === 'forwarded') {
    ports.metrics.forwarded.inc()
    ports.metrics.addedDelay.observe({ host }, Math.max(0, now - message.receivedAt) / 1000)
  }
  if (result.kind === 'sent' && result.normalised) ports.metrics.normalised.inc()
  return { state, eventOffset: written.offset }
}

const eventRecipientsMax = 50
const shortReply = (reply: Reply | undefined): string =>
  reply === undefined ? '' : replyLine(reply).slice(0, replyMax)

/** Buries it, and counts it. */
export async function deadLetter(
  key: string,
  letter: DeadLetter,
  ports: Pick<OutcomePorts, 'log' | 'objects' | 'codec' | 'clock' | 'metrics'>,
): Promise<void> {
  await bury(key, letter, ports)
  ports.metrics.dead.inc({ reason: letter.reason })
}
