/**
 * One message → one outcome for each open recipient. The bytes and the envelope are those that came in; the one
 * exception is a message with a look-alike of the end of data, which is never sent as it is by DATA: it goes as a chunk where
 * that is offered, otherwise with its line ends made CR LF, or not at all.
 */

import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { SmtpConnectionError } from '#lib/smtp/connect.ts'
import { hasLookAlike, LineEndNormaliser, LookAlikeFinder } from '#lib/smtp/content.ts'
import { receivedField } from '#lib/smtp/origin.ts'
import { isPositive, isTransient, type Reply } from '#lib/smtp/reply.ts'
import type { Claim, Envelope } from '#schemas/types.ts'
import type { Hosts } from './hosts.ts'

export type Relayed = {
  readonly id: string
  readonly envelope: Envelope
  readonly size: number
  readonly bytes: Buffer | null
  readonly claim: Claim | null
  readonly receivedAt: number
}

export type RecipientOutcome = {
  /** Index into envelope.forwardPaths. */
  readonly index: number
  readonly kind: 'delivered' | 'deferred' | 'dead'
  readonly reply: Reply
}

export type RelayResult =
  | {
      readonly kind: 'sent'
      readonly host: string
      readonly outcomes: readonly RecipientOutcome[]
      readonly normalised: boolean
      /** When the first command went out, epoch milliseconds. */
      readonly handedAt: number
    }
  /** The claim is gone or the message may not be sent as it is. */
  | { readonly kind: 'unsendable'; readonly reason: 'claim-missing' | 'look-alike'; readonly detail: string }
  /** We are stopping, or the partition is another's; the message stays where it is. */
  | { readonly kind: 'stopped' }

export type RelayPorts = {
  readonly hosts: Hosts
  readonly objects: Objects
  readonly lookAlike: 'normalise' | 'dead'
  /** How hosts are told who gave us the message. */
  readonly origin: 'xforward' | 'xclient' | 'off'
  /** Our name in a Received field; null: none is added. */
  readonly receivedBy: string | null
  readonly clock: Clock
  /** The message is no longer ours to send. */
  isRevoked(): boolean
}

export async function relay(message: Relayed, open: readonly number[], ports: RelayPorts): Promise<RelayResult> {
  const lookAlike =
    message.bytes !== null ? hasLookAlike(message.bytes) : await claimHasLookAlike(message.claim, ports.objects)
  if (lookAlike === null) {
    return { kind: 'unsendable', reason: 'claim-missing', detail: `The object ${message.claim?.key} is not there` }
  }
  for (;;) {
    const lease = await ports.hosts.take()
    if (lease === null) return { kind: 'stopped' }
    if (ports.isRevoked()) {
      lease.release()
      return { kind: 'stopped' }
    }
    try {
      // A chunk has a length: nothing in it can be taken for its end.
      const normalise = lookAlike && !lease.connection.offers('CHUNKING')
      if (normalise && ports.lookAlike === 'dead') {
        lease.release()
        return { kind: 'unsendable', reason: 'look-alike', detail: 'The message holds a look-alike of the end of data' }
      }
      const content = await contentOf(message, normalise, ports.objects)
      if (content === null) {
        lease.release()
        return { kind: 'unsendable', reason: 'claim-missing', detail: `The object ${message.claim?.key} is not there` }
      }
      const handedAt = ports.clock.now()
      const replies = await lease.connection.send({
        reversePath: { address: message.envelope.reversePath, parameters: message.envelope.parameters },
        forwardPaths: open.flatMap((index) => message.envelope.forwardPaths[index] ?? []),
        size: Buffer.isBuffer(content) ? content.length : message.size,
        content,
        ...(ports.receivedBy === null ? {} : { prefix: receivedOf(message, ports.receivedBy) }),
        ...(ports.origin === 'off' ? {} : { origin: { ...message.envelope.client, by: ports.origin } }),
      })
      lease.release()
      const outcomes = open.map((index, at): RecipientOutcome => {
        const reply = replies[at] ?? { code: 451, enhancedStatus: '4.3.0', text: 'no reply for this recipient' }
        return { index, reply, kind: isPositive(reply) ? 'delivered' : isTransient(reply) ? 'deferred' : 'dead' }
      })
      return { kind: 'sent', host: lease.host, outcomes, normalised: normalise, handedAt }
    } catch (error) {
      if (error instanceof SmtpConnectionError) {
        lease.fail(error)
        continue // The host failed, not the message: another host, or this one when it is back.
      }
      // What failed is on our side (the object store): the connection was left in the middle of it.
      if (lease.connection.isUsable) lease.release()
      else lease.fail(null)
      throw error
    }
  }
}

const receivedOf = ({ id, envelope, receivedAt }: Relayed, by: string): Buffer =>
  receivedField({
    origin: envelope.client,
    tls: envelope.client.tls !== null,
    utf8: 'SMTPUTF8' in envelope.parameters,
    by,
    id,
    at: receivedAt,
  })

async function contentOf(message: Relayed, normalise: boolean, objects: Objects): Promise<Buffer | Readable | null> {
  if (message.bytes !== null) {
    if (!normalise) return message.bytes
    const normaliser = new LineEndNormaliser()
    const body = normaliser.normalise(message.bytes)
    return message.bytes.at(-1) === 0x0d ? Buffer.concat([body, Buffer.from('\r\n')]) : body
  }
  if (message.claim === null)
    throw new MailweirError('MESSAGE_GONE', `Message ${message.id} has neither bytes nor a claim`)
  const stream = await objects.getStream(message.claim.key)
  if (stream === null || !normalise) return stream
  return pipeline(stream, new LineEndNormaliser(), () => {}) as Readable // The last of the pipeline, a Transform.
}

async function claimHasLookAlike(claim: Claim | null, objects: Objects): Promise<boolean | null> {
  const stream = claim === null ? null : await objects.getStream(claim.key)
  if (stream === null) return null
  const finder = new LookAlikeFinder()
  for await (const chunk of stream as AsyncIterable<Buffer>) finder.feed(chunk)
  return finder.found
}
