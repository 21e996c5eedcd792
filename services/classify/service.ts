/**
 * Classify: partition p of `mail.raw` → partition p of `mail.classified`, in order.
 *
 * Order: append the verdict, append the event, commit. After a crash some verdicts are written again; whoever reads
 * mail.classified tells them by the position that each carries, which only works because no record is ever appended
 * behind one that failed.
 */
import { encodeFitting } from '#lib/claims/claims.ts'
import { bury, undecodableLetter } from '#lib/letters/dead.ts'
import type { Consumer, Log, LogRecord, PartitionHandler } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { hasCode, MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import type { Service } from '#lib/runtime/service.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Classified, Event, Raw } from '#schemas/types.ts'
import type { ClassifyConfig } from './config.ts'
import { classifyMetrics } from './metrics.ts'
import { type Answer, type Classifier, openClassifier } from './pool.ts'

export const classifyGroup = 'classify'

export type ClassifyPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Of a message in the object store, so much is read: what decides stands at the front. */
export const claimBytesRead = 2 * 1024 * 1024
const drainMs = 10_000

export function startClassify(config: ClassifyConfig, ports: ClassifyPorts): Service {
  return new ClassifyService(config, ports)
}

/** What is appended for a record, encoded: verdicts taken apart would be many objects, and many are in flight. */
type Prepared = {
  readonly partition: number
  readonly key: string
  /** Null: there is none, since what was read is not readable. */
  readonly classified: Buffer | null
  /** For mail.events. */
  readonly told: Buffer
}

/** Of a record that waits for those in front of it; null: for its own verdict. */
type Turn = { prepared: Prepared | null; resolve(): void; reject(error: unknown): void }

class ClassifyService implements Service {
  readonly name = 'classify'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  readonly #ports: ClassifyPorts
  readonly #classifier: Classifier
  readonly #metrics: ReturnType<typeof classifyMetrics>
  readonly #consumer: Consumer

  constructor(config: ClassifyConfig, ports: ClassifyPorts) {
    this.#ports = ports
    this.#metrics = classifyMetrics(ports.metrics)
    this.#classifier = openClassifier(config, { ...ports, lost: () => this.#metrics.threadsLost.inc() })
    this.#consumer = ports.log.consume({
      group: classifyGroup,
      topics: ['mail.raw'],
      windowRecords: config.classifyWindow,
      windowBytes: config.classifyWindowBytes,
      assign: () => this.#partition(),
    })
    this.ready = this.#consumer.ready
    this.done = this.#consumer.done
  }

  #partition(): PartitionHandler {
    // Appends are called in the order of the records; their acknowledgements are not waited for.
    const turns: Turn[] = []
    let failure: unknown = null
    const fail = (error: unknown): void => {
      failure ??= error
      for (const { reject } of turns.splice(0)) reject(failure)
    }
    const goOn = (): void => {
      for (let next = turns[0]; next !== undefined && next.prepared !== null; next = turns[0]) {
        turns.shift()
        this.#write(next.prepared, next, fail)
      }
    }
    return {
      process: (record) =>
        new Promise((resolve, reject) => {
          if (failure !== null) return reject(failure)
          const turn: Turn = { prepared: null, resolve, reject }
          turns.push(turn)
          this.#prepare(record).then((prepared) => {
            turn.prepared = prepared
            goOn()
          }, fail)
        }),
      revoked: () => fail(new MailweirError('LOG_UNAVAILABLE', 'The partition was taken away', { retriable: true })),
    }
  }

  /** Appends what became of a record; `fail` hears that it could not be, before anything else of the partition is appended. */
  #write(
    { partition, key, classified, told }: Prepared,
    { resolve, reject }: Turn,
    fail: (error: unknown) => void,
  ): void {
    const { log } = this.#ports
    let waiting = classified === null ? 1 : 2
    const written = (): void => {
      if (--waiting === 0) resolve()
    }
    const failed = (error: unknown): void => {
      reject(error)
      fail(error)
    }
    if (classified !== null) log.append('mail.classified', { key, partition, value: classified }).then(written, failed)
    log.append('mail.events', { key, partition, value: told }).then(written, failed)
  }

  async #prepare(record: LogRecord): Promise<Prepared> {
    const position = { partition: record.partition, offset: Number(record.offset) }
    let raw: Raw
    try {
      raw = this.#ports.codec.decode('raw', record.value)
    } catch (error) {
      if (error instanceof MailweirError && error.retriable) throw error
      return this.#undecodable(record, error)
    }
    const { verdict, subject } = await this.#classify(raw)
    this.#metrics.classified.inc({ kind: verdict.kind })
    this.#ports.logger.info(
      {
        event: 'message.classified',
        messageId: raw.id,
        kind: verdict.kind,
        variant: verdict.variant,
        recipients: verdict.recipients.length,
      },
      'classified a message',
    )
    const classified: Classified = {
      id: raw.id,
      position,
      receivedAt: raw.receivedAt,
      envelope: raw.envelope,
      size: raw.size,
      sha256: raw.sha256,
      verdict,
      bytes: raw.bytes,
      claim: raw.claim,
    }
    try {
      const at = this.#ports.clock.now()
      const value = await encodeFitting(
        classified,
        (each) => this.#ports.codec.encode('classified', each),
        { key: raw.id, at },
        this.#ports,
      )
      return this.#prepared(record, value, classifiedEvent(classified, subject, at))
    } catch (error) {
      if (!hasCode(error, 'LOG_RECORD_TOO_LARGE')) throw error
      return this.#undecodable(record, error)
    }
  }

  #prepared({ partition }: LogRecord, classified: Buffer | null, told: Event): Prepared {
    return { partition, key: told.messageId, classified, told: this.#ports.codec.encode('event', told) }
  }

  async #classify(raw: Raw): Promise<Answer> {
    const bytes =
      raw.bytes ??
      (raw.claim === null ? null : await this.#ports.objects.get(raw.claim.key, { offset: 0, length: claimBytesRead }))
    if (bytes === null) {
      this.#metrics.claimsMissing.inc()
      this.#ports.logger.error({ event: 'claim.missing', messageId: raw.id }, 'the claim of a message is not there')
    }
    const answer = await this.#classifier.ask({ id: raw.id, bytes: bytes ?? Buffer.alloc(0), envelope: raw.envelope })
    this.#metrics.duration.observe(answer.seconds)
    return answer
  }

  /** The record stays whole in mail.dead; the partition goes on. */
  async #undecodable(record: LogRecord, error: unknown): Promise<Prepared> {
    const position = { partition: record.partition, offset: Number(record.offset) }
    const why = error instanceof Error ? error.message : String(error)
    this.#metrics.undecodable.inc()
    this.#ports.logger.error(
      { event: 'record.undecodable', topic: record.topic, ...position, err: error },
      'a record cannot be read: it goes to mail.dead',
    )
    const { key, letter } = undecodableLetter(record, error, this.name)
    await bury(key, letter, this.#ports)
    const at = this.#ports.clock.now()
    const told = { messageId: record.key ?? key, type: 'undecodable' as const, at, service: this.name, position }
    return this.#prepared(record, null, event({ ...told, detail: why }))
  }

  isReady(): boolean {
    return this.#consumer.isReady() && this.#ports.log.isReady()
  }

  async stop(): Promise<void> {
    await this.#consumer.stop({ drainMs })
    await this.#classifier.close()
  }
}

const eventRecipientsMax = 50

export const classifiedEvent = (
  { id, position, verdict }: Pick<Classified, 'id' | 'position' | 'verdict'>,
  subject: string,
  at: number,
): Event =>
  event({
    messageId: id,
    type: 'classified',
    at,
    service: 'classify',
    position,
    kind: verdict.kind,
    variant: verdict.variant,
    confidence: verdict.confidence,
    version: verdict.version,
    subject,
    original: verdict.original,
    reporter: verdict.reporter,
    recipients: verdict.recipients.slice(0, eventRecipientsMax).map((recipient) => ({
      address: recipient.address,
      status: recipient.status,
      reason: recipient.reason,
      permanent: recipient.permanent,
      reply: recipient.diagnostic.slice(0, 500),
    })),
  })
