/**
 * A message → a record, or a record with a claim. This is where a message becomes ours: `accept` resolves after the log
 * acknowledged the append, and only then the client hears 250. If it rejects, the client hears a temporary refusal and
 * keeps the message; what a crash leaves behind of it is a claim without a record, which expires.
 */
import { createHash } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { v7 as uuidv7 } from 'uuid'
import type { Log } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { DataStream, Transaction } from '#lib/smtp/engine.ts'
import { SmtpError } from '#lib/smtp/errors.ts'
import { replies } from '#lib/smtp/replies.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Claim, Envelope, Raw } from '#schemas/types.ts'

export type AcceptPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
}

export type AcceptLimits = {
  readonly claimBytes: number
  readonly appendMs: number
  readonly receivedFieldsMax: number
}

export type Accepted = {
  readonly id: string
  readonly size: number
  readonly isClaim: boolean
  readonly receivedAt: number
}

export const claimKey = (receivedAt: number, id: string): string =>
  `claims/${new Date(receivedAt).toISOString().slice(0, 10)}/${id}`

/** Reads the message to its end. Rejects with `SmtpError` where the reply is known. */
export async function receive(
  stream: DataStream,
  limits: AcceptLimits,
  ports: AcceptPorts,
): Promise<{ id: string; size: number; sha256: Buffer; bytes: Buffer | null; claim: Claim | null }> {
  const id = uuidv7()
  const hash = createHash('sha256')
  const chunks: Buffer[] = []
  let size = 0
  let headerDone = false
  let claim: { key: string; sink: PassThrough; stored: Promise<number> } | null = null
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length
      if (stream.sizeExceeded) {
        claim?.sink.destroy(new Error('too large'))
        claim = null
        chunks.length = 0
        continue // Read to the end of data: the reply comes there.
      }
      hash.update(chunk)
      if (claim === null) {
        chunks.push(chunk)
        if (!headerDone && size >= headerBytesLooked) {
          headerDone = true
          refuseLoop(Buffer.concat(chunks), limits.receivedFieldsMax)
        }
        if (size > limits.claimBytes) {
          const key = claimKey(ports.clock.now(), id)
          const sink = new PassThrough()
          claim = { key, sink, stored: ports.objects.putStream(key, sink) }
          claim.stored.catch((error: unknown) => sink.destroy(error instanceof Error ? error : undefined))
          for (const held of chunks.splice(0)) sink.write(held)
        }
      } else if (!claim.sink.write(chunk)) await drained(claim.sink)
    }
  } catch (error) {
    claim?.sink.destroy(error instanceof Error ? error : undefined)
    await claim?.stored.catch(() => {})
    if (error instanceof SmtpError) stream.resume()
    throw error
  }
  if (stream.sizeExceeded) throw new SmtpError(replies.messageTooLarge)
  const sha256 = hash.digest()
  if (claim !== null) {
    claim.sink.end()
    await claim.stored
    return { id, size, sha256, bytes: null, claim: { key: claim.key, size, sha256 } }
  }
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
  if (!headerDone) refuseLoop(bytes, limits.receivedFieldsMax)
  return { id, size, sha256, bytes, claim: null }
}

/** Received fields stand at the top, so a loop is seen within these bytes. */
const headerBytesLooked = 64 * 1024

function refuseLoop(start: Buffer, receivedFieldsMax: number): void {
  const header = start.toString('latin1', 0, headerBytesLooked)
  const blank = /\r?\n\r?\n/.exec(header)
  const fields = (blank === null ? header : header.slice(0, blank.index)).match(/^received:/gim)
  if ((fields?.length ?? 0) > receivedFieldsMax) throw new SmtpError(replies.looping)
}

const drained = (sink: PassThrough): Promise<void> =>
  new Promise((resolve, reject) => {
    const go = (): void => {
      sink.removeListener('drain', go)
      sink.removeListener('close', go)
      if (sink.destroyed) reject(sink.errored ?? new Error('the object store broke off'))
      else resolve()
    }
    if (sink.destroyed) return go()
    sink.once('drain', go)
    sink.once('close', go)
  })

export const envelopeOf = ({ client, reversePath, forwardPaths }: Transaction): Envelope => ({
  reversePath: reversePath.address,
  // The size is said anew by whoever sends it on.
  parameters: Object.fromEntries(Object.entries(reversePath.parameters).filter(([name]) => name !== 'SIZE')),
  forwardPaths: forwardPaths.map(({ address, parameters }) => ({ address, parameters })),
  client: { address: client.address, port: client.port, name: client.name, tls: client.tls },
})

export async function accept(
  transaction: Transaction,
  stream: DataStream,
  limits: AcceptLimits,
  ports: AcceptPorts,
  timing: { received(): void; eventLost(error: unknown, id: string): void },
): Promise<Accepted> {
  const { id, size, sha256, bytes, claim } = await receive(stream, limits, ports)
  timing.received()
  const receivedAt = ports.clock.now()
  const envelope = envelopeOf(transaction)
  const raw: Raw = { id, receivedAt, envelope, size, sha256, bytes, claim }
  const position = await within(
    limits.appendMs,
    ports.log.append('mail.raw', { key: id, value: ports.codec.encode('raw', raw) }),
  )
  // The message is safe now; its event tells of it. A lost event is counted, and made up for by those of later stages.
  ports.log
    .append('mail.events', {
      key: id,
      partition: position.partition,
      value: ports.codec.encode(
        'event',
        event({
          messageId: id,
          type: 'accepted',
          at: receivedAt,
          service: 'ingest',
          position: { partition: position.partition, offset: Number(position.offset) },
          size,
          clientAddress: envelope.client.address,
          reversePath: envelope.reversePath,
          recipients: envelope.forwardPaths
            .slice(0, eventRecipientsMax)
            .map(({ address }) => ({ address, status: '', reason: '', permanent: false, reply: '' })),
        }),
      ),
    })
    .catch((error: unknown) => timing.eventLost(error, id))
  return { id, size, isClaim: claim !== null, receivedAt }
}

/** An event is a summary: the record in mail.raw has all of them. */
const eventRecipientsMax = 50

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new MailweirError('LOG_UNAVAILABLE', `The log did not acknowledge within ${ms} ms`, { retriable: true }),
        ),
      ms,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
