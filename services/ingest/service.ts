/**
 * Ingest: SMTP in, `mail.raw` out. It decides whether to take a message, never what it is.
 *
 * Order: append, then 250, so a message that was answered 250 is in the log; one whose 250 was lost may be there twice,
 * under two ids, because its client sends it again.
 */
import { readFileSync } from 'node:fs'
import type { Log } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { Gate } from '#lib/runtime/gate.ts'
import { listenOn } from '#lib/runtime/listen.ts'
import { addressForLog, type Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import type { Service } from '#lib/runtime/service.ts'
import { createEngine, type DataStream, type Transaction } from '#lib/smtp/engine.ts'
import { replyFor, SmtpError } from '#lib/smtp/errors.ts'
import { queuedAs, replies } from '#lib/smtp/replies.ts'
import { type Reply, replyLine } from '#lib/smtp/reply.ts'
import type { Codec } from '#schemas/codec.ts'
import { accept } from './accept.ts'
import type { IngestConfig } from './config.ts'
import { ingestMetrics } from './metrics.ts'
import { Policy } from './policy.ts'

export type IngestPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** A message is counted with this many bytes until its size is known. */
const messageBytesGuess = 64 * 1024
const drainMs = 20_000

export interface Ingest extends Service {
  /** The port that it listens on, once it is ready. */
  readonly port: number
}

export function startIngest(config: IngestConfig, ports: IngestPorts): Ingest {
  return new IngestService(config, ports)
}

class IngestService implements Ingest {
  readonly name = 'ingest'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  port = 0
  readonly #config: IngestConfig
  readonly #ports: IngestPorts
  readonly #metrics: ReturnType<typeof ingestMetrics>
  readonly #policy: Policy
  readonly #gate: Gate
  readonly #byAddress = new Map<string, number>()
  readonly #counted = new Map<string, string>()
  readonly #server: ReturnType<typeof createEngine>
  #listening = false
  #stopping: Promise<void> | null = null
  #transactions = 0
  #end = (): void => {}

  constructor(config: IngestConfig, ports: IngestPorts) {
    this.#config = config
    this.#ports = ports
    this.#metrics = ingestMetrics(ports.metrics)
    this.#policy = new Policy({
      domains: config.mailDomains,
      messageBytesMax: config.messageBytesMax,
      recipientsMax: config.recipientsMax,
      connectionsPerAddressMax: config.connectionsPerAddressMax,
    })
    this.#gate = new Gate({ countMax: config.connectionsMax, bytesMax: config.inFlightBytesMax })
    this.#server = createEngine({
      name: config.smtpName,
      sizeMax: config.messageBytesMax,
      connectionsMax: config.connectionsMax,
      idleMs: config.idleMs,
      tls: readTls(config),
      connect: (client) => {
        if (this.#stopping !== null) return this.#refuse(replies.shuttingDown)
        const count = (this.#byAddress.get(client.address) ?? 0) + 1
        const reply = this.#policy.connect(count)
        if (reply !== null) return this.#refuse(reply)
        this.#byAddress.set(client.address, count)
        this.#counted.set(client.session, client.address)
        this.#metrics.connections.set(this.#counted.size)
        return null
      },
      disconnected: (client) => {
        const address = this.#counted.get(client.session)
        if (address === undefined) return
        this.#counted.delete(client.session)
        const count = (this.#byAddress.get(address) ?? 1) - 1
        if (count <= 0) this.#byAddress.delete(address)
        else this.#byAddress.set(address, count)
        this.#metrics.connections.set(this.#counted.size)
      },
      mail: (path) => this.#refuse(this.#stopping !== null ? replies.shuttingDown : this.#policy.mail(path)),
      rcpt: (path, transaction) => this.#refuse(this.#policy.rcpt(path, transaction.forwardPaths.length)),
      data: (transaction, stream) => this.#data(transaction, stream),
      failed: (error) => this.#ports.logger.debug({ event: 'smtp.failed', err: error }, 'a session failed'),
    })
    this.done = new Promise((resolve) => {
      this.#end = resolve
    })
    this.ready = this.#start()
    this.ready.catch(() => {})
  }

  async #start(): Promise<void> {
    await this.#warnOfWeakTopic()
    this.port = await listenOn(this.#server.server, this.#config.smtpListen, 'SMTP_LISTEN')
    this.#listening = true
    this.#ports.logger.info(
      { event: 'ingest.listening', host: this.#config.smtpListen.host, port: this.port },
      'accepting mail',
    )
  }

  /** Fails where the topic is missing; warns where one lost broker would lose what was acknowledged. */
  async #warnOfWeakTopic(): Promise<void> {
    const [state] = await this.#ports.log.admin.describeTopics(['mail.raw'])
    if (!state) {
      throw new MailweirError('LOG_TOPIC_MISSING', 'There is no topic mail.raw: run "mailweir topics"', {
        retriable: true,
      })
    }
    if (this.#ports.log.adapter === 'kafka' && state.minInsyncReplicas < 2) {
      this.#ports.logger.warn(
        { event: 'topic.weak', topic: 'mail.raw', minInsyncReplicas: state.minInsyncReplicas },
        'min.insync.replicas is 1: the loss of one broker can lose accepted mail',
      )
    }
  }

  #refuse(reply: Reply | null): Reply | null {
    if (reply !== null) this.#metrics.refused.inc({ reply: `${reply.code} ${reply.enhancedStatus}` })
    return reply
  }

  async #data(transaction: Transaction, stream: DataStream): Promise<Reply> {
    const { logger, clock } = this.#ports
    const started = clock.now()
    let received = started
    // What is promised is what the gate counts; streams that go on to the object store stay within it.
    const declared = Number(transaction.reversePath.parameters['SIZE'] ?? messageBytesGuess)
    const bytes = Math.min(Number.isFinite(declared) ? declared : messageBytesGuess, this.#config.claimBytes)
    if (!this.#gate.tryTake(bytes)) {
      stream.resume()
      this.#refuse(replies.overloaded)
      return replies.overloaded
    }
    this.#transactions++
    this.#metrics.inFlight.set(this.#gate.bytes)
    try {
      const accepted = await accept(
        transaction,
        stream,
        {
          claimBytes: this.#config.claimBytes,
          appendMs: this.#config.appendMs,
          receivedFieldsMax: this.#config.receivedFieldsMax,
        },
        this.#ports,
        {
          received: () => {
            received = clock.now()
          },
          eventLost: (error, messageId) => {
            this.#metrics.eventsLost.inc()
            logger.warn({ event: 'event.lost', messageId, err: error }, 'an accepted event was not appended')
          },
        },
      )
      this.#metrics.accepted.inc()
      this.#metrics.acceptedBytes.inc(accepted.size)
      if (accepted.isClaim) this.#metrics.claims.inc()
      this.#metrics.receive.observe((received - started) / 1000)
      this.#metrics.append.observe((clock.now() - received) / 1000)
      logger.info(
        {
          event: 'message.accepted',
          messageId: accepted.id,
          bytes: accepted.size,
          client: transaction.client.address,
          reversePath: addressForLog(transaction.reversePath.address),
          recipients: transaction.forwardPaths.length,
          durationMs: clock.now() - started,
        },
        'accepted a message',
      )
      return queuedAs(accepted.id)
    } catch (error) {
      if (stream.destroyed && !stream.readableEnded) this.#metrics.broken.inc()
      const reply = replyFor(error)
      this.#refuse(reply)
      logger.warn(
        {
          event: 'message.refused',
          reply: replyLine(reply),
          client: transaction.client.address,
          err: error instanceof SmtpError ? undefined : error,
        },
        'refused a message',
      )
      if (!stream.readableEnded && !stream.destroyed) stream.resume()
      return Promise.reject(new SmtpError(reply, { cause: error }))
    } finally {
      this.#gate.release(bytes)
      this.#transactions--
      this.#metrics.inFlight.set(this.#gate.bytes)
    }
  }

  isReady(): boolean {
    return this.#listening && this.#stopping === null && this.#ports.log.isReady()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.ready.catch(() => {})
    if (this.#listening) {
      this.#server.server.close()
      const until = this.#ports.clock.now() + drainMs
      // Sessions within a transaction may end it; the idle hear 421 now.
      const dismiss = (): void => {
        for (const connection of [...this.#server.connections]) {
          if (isIdle(connection)) connection.send(421, replyLine(replies.shuttingDown).slice(4))
        }
      }
      dismiss()
      while (this.#server.connections.size > 0 && this.#ports.clock.now() < until) {
        await this.#ports.clock.sleep(20)
        dismiss()
      }
      for (const connection of [...this.#server.connections]) {
        connection.send(421, replyLine(replies.shuttingDown).slice(4))
        connection.close()
      }
    }
    while (this.#transactions > 0) await this.#ports.clock.sleep(20)
    this.#end()
  }
}

/** No MAIL was accepted since the last transaction ended. */
const isIdle = (connection: unknown): boolean =>
  // The engine keeps the transaction in the session; false stands for none.
  (connection as { session?: { envelope?: { mailFrom?: unknown } } }).session?.envelope?.mailFrom === false

function readTls(config: IngestConfig): { cert: Buffer; key: Buffer } | null {
  if (config.tlsCert === null || config.tlsKey === null) return null
  try {
    return { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) }
  } catch (error) {
    throw new MailweirError('SETTINGS_WRONG', 'Cannot read SMTP_TLS_CERT or SMTP_TLS_KEY', { cause: error })
  }
}
