/**
 * A message → a record, or a record with a claim. This is where a message becomes ours: `end` resolves to 250 after the log
 * acknowledged the append. If that fails, the client hears a temporary refusal and keeps the message; what a crash leaves behind of
 * it is a claim without a record, which expires.
 */
import { createHash, randomFillSync } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { v7 as uuidv7 } from 'uuid'
import { claimKey } from '#lib/claims/claims.ts'
import type { Log } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { BareLineEndFinder, LookAlikeFinder } from '#lib/smtp/content.ts'
import { SmtpError } from '#lib/smtp/errors.ts'
import { queuedAs, replies } from '#lib/smtp/replies.ts'
import type { Reply } from '#lib/smtp/reply.ts'
import type { Receiver, Transaction } from '#lib/smtp/server.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Envelope, Raw } from '#schemas/types.ts'

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
  readonly bareLineEnds: 'accept' | 'normalise-never' | 'reject'
}

export type Accepted = {
  readonly id: string
  readonly size: number
  readonly isClaim: boolean
  /** Milliseconds from DATA to the end of data, and from there to the acknowledgement. */
  readonly receiveMs: number
  readonly appendMs: number
}

/** Told once for each message, whatever becomes of it. */
export type AcceptHooks = {
  accepted(accepted: Accepted): void
  /** The client hears this; `error` is what lies behind it. */
  refused(reply: Reply, error: unknown): void
  /** The client went away. */
  broken(error: Error): void
  eventLost(error: unknown, id: string): void
}

type Claiming = { readonly key: string; readonly sink: PassThrough; readonly stored: Promise<number> }

/** Received fields stand at the top, so a loop is seen within these bytes. */
const headerBytesLooked = 64 * 1024
/** An event is a summary: the record in mail.raw has all recipients. */
const eventRecipientsMax = 50

/** Random bytes for ids: asking for many at once is cheaper than for each. */
const pool = new Uint8Array(4_096)
let poolAt = pool.length

function newId(): string {
  if (poolAt === pool.length) {
    randomFillSync(pool)
    poolAt = 0
  }
  const random = pool.subarray(poolAt, poolAt + 16)
  poolAt += 16
  return uuidv7({ random })
}

export class Reception implements Receiver {
  readonly #id = newId()
  readonly #transaction: Transaction
  readonly #limits: AcceptLimits
  readonly #ports: AcceptPorts
  readonly #hooks: AcceptHooks
  /** What the accepted event says besides. */
  readonly #detail: string
  readonly #startedAt: number
  readonly #hash = createHash('sha256')
  readonly #finder: LookAlikeFinder | BareLineEndFinder | null
  #chunks: Buffer[] = []
  #size = 0
  #headerLooked = false
  #claim: Claiming | null = null
  #refusal: Reply | null = null
  #over = false

  constructor(transaction: Transaction, detail: string, limits: AcceptLimits, ports: AcceptPorts, hooks: AcceptHooks) {
    this.#transaction = transaction
    this.#detail = detail
    this.#limits = limits
    this.#ports = ports
    this.#hooks = hooks
    this.#startedAt = ports.clock.now()
    this.#finder =
      limits.bareLineEnds === 'accept'
        ? null
        : limits.bareLineEnds === 'reject'
          ? new BareLineEndFinder()
          : new LookAlikeFinder()
  }

  write(chunk: Buffer): boolean {
    if (this.#refusal !== null) return true // Read to the end of data: the reply comes there.
    this.#size += chunk.length
    this.#hash.update(chunk)
    this.#finder?.feed(chunk)
    if (this.#claim !== null) return this.#claim.sink.write(chunk)
    this.#chunks.push(chunk)
    if (!this.#headerLooked && this.#size >= headerBytesLooked) this.#lookAtHeader(Buffer.concat(this.#chunks))
    if (this.#size > this.#limits.claimBytes && this.#refusal === null) return this.#startClaim()
    return true
  }

  #lookAtHeader(start: Buffer): void {
    this.#headerLooked = true
    if (receivedFields(start) <= this.#limits.receivedFieldsMax) return
    this.#refusal = replies.looping
    this.#chunks = []
  }

  #startClaim(): boolean {
    const key = claimKey(this.#startedAt, this.#id)
    const sink = new PassThrough()
    const stored = this.#ports.objects.putStream(key, sink)
    stored.catch((error: unknown) => sink.destroy(error instanceof Error ? error : undefined))
    sink.on('error', () => {}) // `ready` and `end` tell.
    this.#claim = { key, sink, stored }
    let room = true
    for (const held of this.#chunks) room = sink.write(held)
    this.#chunks = []
    return room
  }

  ready(): Promise<void> {
    return this.#claim === null ? Promise.resolve() : drained(this.#claim.sink)
  }

  async end(): Promise<Reply> {
    const receivedAt = this.#ports.clock.now()
    try {
      const accepted = await this.#accept(receivedAt)
      this.#over = true
      this.#hooks.accepted(accepted)
      return queuedAs(this.#id)
    } catch (error) {
      const reply = error instanceof SmtpError ? error.reply : replies.localError
      this.#over = true
      this.#hooks.refused(reply, error instanceof SmtpError ? undefined : error)
      return reply
    }
  }

  abort(error: Error): void {
    this.#claim?.sink.destroy(error)
    if (this.#over) return
    this.#over = true
    this.#hooks.broken(error)
  }

  async #accept(receivedAt: number): Promise<Accepted> {
    const whole = this.#claim === null ? joined(this.#chunks) : null
    this.#chunks = []
    if (whole !== null && !this.#headerLooked) this.#lookAtHeader(whole)
    if (this.#finder?.found)
      this.#refusal ??= this.#limits.bareLineEnds === 'reject' ? replies.bareLineEnd : replies.lookAlike
    if (this.#refusal !== null) {
      this.#claim?.sink.destroy(new Error('refused'))
      throw new SmtpError(this.#refusal)
    }
    const sha256 = this.#hash.digest()
    if (this.#claim !== null) {
      this.#claim.sink.end()
      await this.#claim.stored
    }
    const raw: Raw = {
      id: this.#id,
      receivedAt,
      envelope: envelopeOf(this.#transaction),
      size: this.#size,
      sha256,
      bytes: whole,
      claim: this.#claim === null ? null : { key: this.#claim.key, size: this.#size, sha256 },
    }
    const { log, codec, clock } = this.#ports
    const position = await within(
      this.#limits.appendMs,
      log.append('mail.raw', { key: this.#id, value: codec.encode('raw', raw) }),
    )
    this.#tell(raw, { partition: position.partition, offset: Number(position.offset) })
    return {
      id: this.#id,
      size: this.#size,
      isClaim: raw.claim !== null,
      receiveMs: receivedAt - this.#startedAt,
      appendMs: clock.now() - receivedAt,
    }
  }

  /** The message is safe now; its event tells of it. A lost event is counted, and made up for by those of later stages. */
  #tell({ envelope, receivedAt }: Raw, position: { partition: number; offset: number }): void {
    const { log, codec } = this.#ports
    const value = codec.encode(
      'event',
      event({
        messageId: this.#id,
        type: 'accepted',
        at: receivedAt,
        service: 'ingest',
        position,
        size: this.#size,
        clientAddress: envelope.client.address,
        reversePath: envelope.reversePath,
        recipients: envelope.forwardPaths
          .slice(0, eventRecipientsMax)
          .map(({ address }) => ({ address, status: '', reason: '', permanent: false, reply: '' })),
        detail: this.#detail,
      }),
    )
    log
      .append('mail.events', { key: this.#id, partition: position.partition, value })
      .catch((error: unknown) => this.#hooks.eventLost(error, this.#id))
  }
}

const joined = (chunks: readonly Buffer[]): Buffer =>
  chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)

/** Received fields in a header (RFC 5321 section 6.3): those in front of the first empty line. */
function receivedFields(start: Buffer): number {
  const header = start.toString('latin1', 0, headerBytesLooked)
  const blank = /\r?\n\r?\n/.exec(header)
  return (blank === null ? header : header.slice(0, blank.index)).match(/^received:/gim)?.length ?? 0
}

const drained = (sink: PassThrough): Promise<void> =>
  new Promise((resolve, reject) => {
    const go = (): void => {
      sink.removeListener('drain', go)
      sink.removeListener('close', go)
      if (sink.destroyed) reject(sink.errored ?? new Error('the object store broke off'))
      else resolve()
    }
    if (sink.destroyed || !sink.writableNeedDrain) return go()
    sink.once('drain', go)
    sink.once('close', go)
  })

const envelopeOf = ({ client, reversePath, forwardPaths }: Transaction): Envelope => ({
  reversePath: reversePath.address,
  // The size is said anew by whoever sends it on.
  parameters: Object.fromEntries(Object.entries(reversePath.parameters).filter(([name]) => name !== 'SIZE')),
  forwardPaths: forwardPaths.map(({ address, parameters }) => ({ address, parameters })),
  client: { address: client.address, port: client.port, name: client.name, tls: client.tls },
})

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
