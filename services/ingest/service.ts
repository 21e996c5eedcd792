/**
 * Ingest: SMTP in, `mail.raw` out. It decides whether to take a message, never what it is.
 *
 * Order: append, then 250, so a message that was answered 250 is in the log; one whose 250 was lost may be there twice,
 * under two ids, because its client sends it again.
 */
import type { Log } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { Gate } from '#lib/runtime/gate.ts'
import { listenOn } from '#lib/runtime/listen.ts'
import { addressForLog, type Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import type { Service } from '#lib/runtime/service.ts'
import { Certificate } from '#lib/smtp/certificate.ts'
import { replies } from '#lib/smtp/replies.ts'
import { type Reply, replyLine } from '#lib/smtp/reply.ts'
import {
  createSmtpServer,
  type Receiver,
  type SmtpClient,
  type SmtpServer,
  type Transaction,
} from '#lib/smtp/server.ts'
import type { Codec } from '#schemas/codec.ts'
import { Reception } from './accept.ts'
import { blockListOf, type IngestConfig } from './config.ts'
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
  /** The ports that it listens on, once it is ready. */
  readonly port: number
  readonly tlsPort: number
}

export function startIngest(config: IngestConfig, ports: IngestPorts): Ingest {
  return new IngestService(config, ports)
}

class IngestService implements Ingest {
  readonly name = 'ingest'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  port = 0
  tlsPort = 0
  readonly #config: IngestConfig
  readonly #ports: IngestPorts
  readonly #metrics: ReturnType<typeof ingestMetrics>
  readonly #policy: Policy
  readonly #gate: Gate
  readonly #certificate: Certificate | null
  readonly #server: SmtpServer
  #connections = 0
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
      recipientsMax: config.recipientsMax,
      connectionsPerAddressMax: config.connectionsPerAddressMax,
      connectionsPerNetworkMax: config.connectionsPerNetworkMax,
      ratePerAddressMax: config.ratePerAddressMax,
      recipientPatterns: config.recipientPatterns,
      batvKeys: config.batvKeys,
      recipientCheck: config.recipientCheck,
    })
    this.#gate = new Gate({ countMax: config.connectionsMax, bytesMax: config.inFlightBytesMax })
    this.#certificate =
      config.tlsCert === null || config.tlsKey === null
        ? null
        : new Certificate(config.tlsCert, config.tlsKey, (err) =>
            ports.logger.error(
              { event: 'certificate.failed', err },
              'the certificate changed and cannot be read: the last one stays',
            ),
          )
    this.#certificateTold()
    this.#server = createSmtpServer({
      name: config.smtpName,
      sizeMax: config.messageBytesMax,
      connectionsMax: config.connectionsMax,
      limits: {
        idleMs: config.idleMs,
        transactionMs: config.transactionMs,
        errorsMax: config.errorsMax,
        idleCommandsMax: config.idleCommandsMax,
      },
      tls: () => {
        const context = this.#certificate?.context ?? null
        this.#certificateTold()
        return context
      },
      proxies: config.proxyNetworks.length === 0 ? null : blockListOf(config.proxyNetworks),
      connect: (client) => this.#connect(client),
      disconnected: (client) => {
        this.#policy.disconnected(client.address)
        this.#metrics.connections.set(--this.#connections)
      },
      mail: (_path, client) =>
        this.#refuse(
          this.#stopping !== null ? replies.shuttingDown : this.#policy.mail(client.address, ports.clock.now()),
        ),
      rcpt: (path, transaction) => this.#refuse(this.#policy.rcpt(path, transaction.forwardPaths, ports.clock.now())),
      data: (transaction) => this.#data(transaction),
      dismissed: (reply, client) => {
        this.#metrics.dismissed.inc({ reply: `${reply.code} ${reply.enhancedStatus}` })
        ports.logger.info(
          { event: 'session.dismissed', reply: replyLine(reply), client: client.address },
          'ended a session',
        )
      },
      failed: (error) => ports.logger.debug({ event: 'smtp.failed', err: error }, 'a session failed'),
    })
    this.done = new Promise((resolve) => {
      this.#end = resolve
    })
    this.ready = this.#start()
    this.ready.catch(() => {})
  }

  /** The gauge exists where there is a certificate, and follows one that was changed. */
  #certificateTold(): void {
    if (this.#certificate !== null) this.#metrics.certificate.set(this.#certificate.expiresAt / 1000)
  }

  async #start(): Promise<void> {
    await this.#warnOfWeakTopic()
    const { smtpListen, smtpsListen } = this.#config
    this.port = await listenOn(this.#server.plain, smtpListen, 'SMTP_LISTEN')
    if (smtpsListen !== null) this.tlsPort = await listenOn(this.#server.secure, smtpsListen, 'SMTPS_LISTEN')
    this.#listening = true
    this.#ports.logger.info(
      { event: 'ingest.listening', host: smtpListen.host, port: this.port, tlsPort: this.tlsPort },
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

  #connect(client: SmtpClient): Reply | null {
    const reply = this.#stopping !== null ? replies.shuttingDown : this.#policy.connect(client.address)
    if (reply === null) this.#metrics.connections.set(++this.#connections)
    return this.#refuse(reply)
  }

  #refuse(reply: Reply | null): Reply | null {
    if (reply !== null) this.#metrics.refused.inc({ reply: `${reply.code} ${reply.enhancedStatus}` })
    return reply
  }

  /** Over the high-water mark the connection waits, unread; where no room comes, 452. */
  #data(transaction: Transaction): Receiver | Reply | Promise<Receiver | Reply> {
    // What is promised is what the gate counts; streams that go on to the object store stay within it.
    const declared = Number(transaction.reversePath.parameters['SIZE'] ?? messageBytesGuess)
    const bytes = Math.min(declared, this.#config.claimBytes)
    if (this.#gate.tryTake(bytes)) return this.#receive(transaction, bytes)
    return this.#gate.takeWithin(bytes, this.#config.overloadMs).then((room) => {
      if (room) return this.#receive(transaction, bytes)
      this.#refuse(replies.overloaded)
      return replies.overloaded
    })
  }

  #receive(transaction: Transaction, bytes: number): Receiver {
    const { logger } = this.#ports
    const client = transaction.client
    this.#transactions++
    this.#metrics.inFlight.set(this.#gate.bytes)
    const over = (): void => {
      this.#gate.release(bytes)
      this.#transactions--
      this.#metrics.inFlight.set(this.#gate.bytes)
    }
    const { forwardPaths } = transaction
    const unknown =
      this.#config.recipientCheck === 'mark' &&
      !forwardPaths.every(({ address }) => this.#policy.isKnown(address, this.#ports.clock.now()))
    return new Reception(transaction, unknown ? 'a recipient fits no pattern' : '', this.#config, this.#ports, {
      accepted: ({ id, size, isClaim, receiveMs, appendMs }) => {
        over()
        this.#metrics.accepted.inc()
        this.#metrics.acceptedBytes.inc(size)
        this.#metrics.tls.inc({ version: client.tls?.protocol ?? 'none' })
        if (isClaim) this.#metrics.claims.inc()
        this.#metrics.receive.observe(receiveMs / 1000)
        this.#metrics.append.observe(appendMs / 1000)
        logger.info(
          {
            event: 'message.accepted',
            messageId: id,
            bytes: size,
            client: client.address,
            reversePath: addressForLog(transaction.reversePath.address),
            recipients: forwardPaths.length,
            durationMs: receiveMs + appendMs,
          },
          'accepted a message',
        )
      },
      refused: (reply, err) => {
        over()
        this.#refuse(reply)
        logger.warn(
          { event: 'message.refused', reply: replyLine(reply), client: client.address, err },
          'refused a message',
        )
      },
      broken: (error) => {
        over()
        this.#metrics.broken.inc()
        logger.info(
          { event: 'message.broken', client: client.address, why: error.message },
          'a message did not come to its end',
        )
      },
      eventLost: (err, messageId) => {
        this.#metrics.eventsLost.inc()
        logger.warn({ event: 'event.lost', messageId, err }, 'an accepted event was not appended')
      },
    })
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
    this.#server.close()
    const { clock } = this.#ports
    const until = clock.now() + drainMs
    // Sessions within a transaction may end it; the idle hear 421 now.
    while (this.#server.sessions.size > 0) {
      const late = clock.now() >= until
      for (const session of [...this.#server.sessions]) {
        if (late || session.isIdle) session.dismiss(replies.shuttingDown)
      }
      if (late) break
      await clock.sleep(20)
    }
    while (this.#transactions > 0 && clock.now() < until + drainMs) await clock.sleep(20)
    this.#end()
  }
}
