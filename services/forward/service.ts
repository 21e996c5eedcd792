/**
 * Forward: every message of `mail.raw` to the legacy system, same envelope, same bytes. It never waits for classify.
 *
 * Order: send, record the outcome (mail.retry, mail.dead, mail.events), commit. So at least once: a message goes twice where
 * we crash between the legacy system's 250 and the commit; nothing is lost. Offsets commit in order while many are in flight.
 */
import { undecodableLetter } from '#lib/letters/dead.ts'
import type { Assignment, Consumer, Log, LogRecord, PartitionHandler } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { hasCode, MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import type { Service } from '#lib/runtime/service.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Raw } from '#schemas/types.ts'
import { Backlog } from './backlog.ts'
import type { ForwardConfig } from './config.ts'
import { clientOptionsOf, Hosts, parseLegacyHost } from './hosts.ts'
import { type ForwardMetrics, forwardMetrics } from './metrics.ts'
import { type Attempted, deadLetter, type OutcomePorts, settle } from './outcome.ts'
import { RecentOutcomes } from './recent.ts'
import { relay } from './relay.ts'
import { RetrySet } from './retry-set.ts'

export const forwardGroup = 'forward'
export const retryGroup = 'forward-retry'

export type ForwardPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

const retryBatch = 50
const retryLookMs = 1_000
const drainMs = 20_000

/** On whose behalf a message is sent: a partition of mail.raw, which may be taken away. */
type Owner = { isRevoked(): boolean; wrote(eventOffset: bigint): void }
/** A retry is bound to no partition of mail.raw. */
const noOwner: Owner = { isRevoked: () => false, wrote: () => {} }

export function startForward(config: ForwardConfig, ports: ForwardPorts): Service {
  return new ForwardService(config, ports)
}

class ForwardService implements Service {
  readonly name = 'forward'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  readonly #config: ForwardConfig
  readonly #ports: ForwardPorts
  readonly #metrics: ForwardMetrics
  readonly #outcome: OutcomePorts
  readonly #recent: RecentOutcomes
  readonly #backlog: Backlog
  readonly #hosts: Hosts
  readonly #retries = new RetrySet()
  readonly #main: Consumer
  readonly #retry: Consumer
  readonly #stopping = new AbortController()
  #retryLoop: Promise<void>
  #retrying = 0
  #stopped: Promise<void> | null = null
  #wake = new AbortController()

  constructor(config: ForwardConfig, ports: ForwardPorts) {
    this.#config = config
    this.#ports = ports
    this.#metrics = forwardMetrics(ports.metrics)
    this.#outcome = {
      log: ports.log,
      objects: ports.objects,
      codec: ports.codec,
      clock: ports.clock,
      metrics: this.#metrics,
      schedule: { firstMs: config.retryFirstMs, maxMs: config.retryMaxMs, ageMs: config.retryAgeMs },
    }
    this.#recent = new RecentOutcomes(ports)
    this.#backlog = new Backlog(forwardGroup, { ...ports, metrics: this.#metrics })
    this.#hosts = new Hosts({
      hosts: config.legacySmtp.map(parseLegacyHost),
      connectionsMax: config.forwardConnections,
      client: clientOptionsOf(config, { user: config.forwardUser, password: config.forwardPassword }),
      clock: ports.clock,
      logger: ports.logger,
      failed: () => this.#metrics.failures.inc(),
      changed: (up) => this.#metrics.hostsUp.set(up),
    })
    this.#main = ports.log.consume({
      group: forwardGroup,
      topics: ['mail.raw'],
      windowRecords: config.forwardWindow,
      windowBytes: config.forwardWindowBytes,
      assign: (assignment) => this.#assign(assignment),
    })
    this.#retry = ports.log.consume({
      group: retryGroup,
      topics: ['mail.retry'],
      from: 'earliest',
      windowRecords: 1_000,
      windowBytes: config.forwardWindowBytes,
      assign: ({ partition }) => ({
        process: async (record) => this.#learnRetry(record),
        revoked: () => this.#retries.removePartition(partition),
      }),
    })
    this.#retryLoop = this.#runRetries()
    this.ready = Promise.all([this.#main.ready, this.#retry.ready]).then(() => {})
    this.done = Promise.all([this.#main.done, this.#retry.done]).then(() => {})
    this.ready.catch(() => {})
    this.done.catch(() => {})
  }

  #assign(assignment: Assignment): PartitionHandler {
    let revoked = false
    const { partition } = assignment
    this.#backlog.assigned(partition)
    const behind = this.#recent.behind(assignment)
    behind.catch(() => {}) // Each record hears it.
    return {
      process: async (record) => {
        this.#backlog.begun(partition, record.offset, record.timestamp, record.value?.length ?? 0)
        const { settled, last, metadata, wrote } = await behind
        // Until what was settled is passed, the next owner has to look where this one looked.
        const where = record.offset < last ? assignment.metadata : metadata()
        if (settled.has(record.offset)) this.#metrics.repeatsDropped.inc()
        else await this.#process(record, { isRevoked: () => revoked, wrote })
        this.#backlog.ended(partition, record.offset)
        return where
      },
      revoked: () => {
        revoked = true
        this.#backlog.revoked(partition)
      },
    }
  }

  async #process(record: LogRecord, owner: Owner): Promise<void> {
    const position = { partition: record.partition, offset: Number(record.offset) }
    let raw: Raw
    try {
      raw = this.#ports.codec.decode('raw', record.value)
    } catch (error) {
      if (error instanceof MailweirError && error.retriable) throw error
      await this.#undecodable(record, error)
      return
    }
    await this.#attempt(
      {
        ...raw,
        position,
        open: raw.envelope.forwardPaths.map((_, index) => index),
        anyDead: false,
        attempts: 0,
      },
      owner,
    )
  }

  async #undecodable(record: LogRecord, error: unknown): Promise<void> {
    const position = { partition: record.partition, offset: Number(record.offset) }
    const why = error instanceof Error ? error.message : String(error)
    this.#ports.logger.error(
      { event: 'record.undecodable', topic: record.topic, ...position, err: error },
      'a record cannot be read: it goes to mail.dead',
    )
    const { key, letter } = undecodableLetter(record, error, 'forward')
    await deadLetter(key, letter, this.#outcome)
    if (record.topic !== 'mail.raw') return
    const messageId = record.key ?? key
    await this.#ports.log.append('mail.events', {
      key: messageId,
      partition: record.partition,
      value: this.#ports.codec.encode(
        'event',
        event({
          messageId,
          type: 'undecodable',
          at: this.#ports.clock.now(),
          service: 'forward',
          position,
          state: 'dead',
          detail: why,
        }),
      ),
    })
  }

  /** Resolves when the outcome is recorded; rejects where it could not be, or we are stopping. */
  async #attempt(message: Attempted, owner: Owner): Promise<'forwarded' | 'waiting' | 'dead'> {
    const result = await relay(message, message.open, {
      hosts: this.#hosts,
      objects: this.#ports.objects,
      lookAlike: this.#config.lookAlike,
      origin: this.#config.forwardOrigin,
      receivedBy: this.#config.forwardReceived ? this.#config.forwardName : null,
      clock: this.#ports.clock,
      isRevoked: owner.isRevoked,
    })
    if (result.kind === 'stopped') throw new MailweirError('LOG_CLOSED', 'Forward is stopping', { retriable: true })
    const { state, eventOffset } = await settle(message, result, this.#outcome)
    owner.wrote(eventOffset)
    this.#ports.logger.info(
      {
        event: `message.${state}`,
        messageId: message.id,
        host: result.kind === 'sent' ? result.host : undefined,
        reply: result.kind === 'sent' ? result.outcomes[0]?.reply.code : undefined,
        attempt: message.attempts + 1,
        durationMs: this.#ports.clock.now() - message.receivedAt,
      },
      'recorded the outcome of an attempt',
    )
    return state
  }

  // ---- mail.retry ---------------------------------------------------------------------------------------------------

  #learnRetry(record: LogRecord): void {
    const key = record.key ?? ''
    if (record.value === null) this.#retries.remove(key)
    else {
      try {
        const { dueAt } = this.#ports.codec.decode('retry', record.value)
        this.#retries.put(key, record.partition, dueAt, record.value)
      } catch (error) {
        if (error instanceof MailweirError && error.retriable) throw error
        // It stays in the topic; a person finds it by this line and the count.
        this.#metrics.dead.inc({ reason: 'undecodable' })
        this.#ports.logger.error(
          {
            event: 'record.undecodable',
            topic: record.topic,
            partition: record.partition,
            offset: record.offset.toString(),
            err: error,
          },
          'a record of mail.retry cannot be read',
        )
      }
    }
    this.#metrics.waiting.set(this.#retries.size)
    this.#wake.abort()
  }

  async #runRetries(): Promise<void> {
    const { clock } = this.#ports
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      if (this.#hosts.anyUp && this.#retrying < retryBatch) {
        for (const { key, value } of this.#retries.takeDue(clock.now(), retryBatch - this.#retrying)) {
          this.#retrying++
          void this.#retryOne(key, value).finally(() => {
            this.#retrying--
            this.#wake.abort()
          })
        }
      }
      const next = this.#retries.nextDueAt()
      const wait = next === null || !this.#hosts.anyUp ? retryLookMs : Math.min(retryLookMs, next - clock.now())
      await clock.sleep(
        Math.max(this.#retrying >= retryBatch ? retryLookMs : 10, wait),
        AbortSignal.any([this.#wake.signal, this.#stopping.signal]),
      )
    }
  }

  async #retryOne(key: string, value: Buffer): Promise<void> {
    try {
      const state = await this.#attempt(this.#ports.codec.decode('retry', value), noOwner)
      if (state !== 'waiting') {
        await this.#ports.log.append('mail.retry', { key, partition: partitionOf(key, fewPartitions), value: null })
      }
    } catch (error) {
      if (!hasCode(error, 'LOG_CLOSED')) {
        this.#ports.logger.warn(
          { event: 'retry.failed', messageId: key, err: error },
          'a retry was not recorded: it is tried again',
        )
      }
      // A pause, or a broken store would be asked without end.
      await this.#ports.clock.sleep(retryLookMs, this.#stopping.signal)
      if (!this.#stopping.signal.aborted) this.#retries.giveBack(key)
    }
  }

  isReady(): boolean {
    return this.#stopped === null && this.#main.isReady() && this.#ports.log.isReady()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#backlog.close()
    // Those that wait for a host will not get one; those being sent are ended and committed.
    if (!this.#hosts.anyUp) this.#hosts.stop()
    await this.#main.stop({ drainMs })
    await this.#retry.stop({ drainMs: 0 })
    this.#hosts.stop()
    await this.#retryLoop
    while (this.#retrying > 0) await this.#ports.clock.sleep(10)
    await this.#hosts.close()
    this.#retries.close()
  }
}
