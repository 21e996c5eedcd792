/**
 * Quarantine: `mail.classified` → segments in the object store and entries in `mail.index`. `archive/writer.ts` has the order of
 * the steps and what makes their repetition harmless. At start the bucket gets a lifecycle rule for each retention class.
 */
import type { Consumer, Log } from '#lib/log/log.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import { backoffDelay, reconnectBackoff } from '#lib/runtime/retry.ts'
import type { Service } from '#lib/runtime/service.ts'
import { SegmentReader } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { followHolds, holdsGroup } from './archive/holds.ts'
import { lifecycleRules } from './archive/retention.ts'
import { PartitionWriter } from './archive/writer.ts'
import type { QuarantineConfig } from './config.ts'
import { Folders } from './mailbox/folders.ts'
import { quarantineMetrics } from './metrics.ts'

export const quarantineGroup = 'quarantine'

export type QuarantinePorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What waits for a flush is in the window; it has to be larger than a flush. */
const windowRecords = 20_000
const holdWindowRecords = 500
const holdCacheBytes = 8 * 1024 * 1024
const drainMs = 20_000

export function startQuarantine(config: QuarantineConfig, ports: QuarantinePorts): Service {
  return new QuarantineService(config, ports)
}

class QuarantineService implements Service {
  readonly name = 'quarantine'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  readonly #config: QuarantineConfig
  readonly #ports: QuarantinePorts
  readonly #writers = new Set<PartitionWriter>()
  readonly #stopping = new AbortController()
  #consumer: Consumer | null = null
  #holds: Consumer | null = null
  #end: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} }

  constructor(config: QuarantineConfig, ports: QuarantinePorts) {
    this.#config = config
    this.#ports = ports
    this.done = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    this.done.catch(() => {})
    this.ready = this.#start()
    this.ready.catch((error) => this.#end.reject(error))
  }

  async #start(): Promise<void> {
    const { log, codec, clock, logger, metrics } = this.#ports
    await this.#putRules()
    if (this.#stopping.signal.aborted) return
    const [index] = await log.admin.describeTopics(['mail.index'])
    if (!index) {
      throw new MailweirError('LOG_TOPIC_MISSING', 'There is no topic mail.index: run "mailweir topics"', {
        retriable: true,
      })
    }
    const ports = {
      log,
      objects: this.#ports.objects,
      codec,
      clock,
      logger,
      metrics: quarantineMetrics(metrics),
      retention: this.#config.retention,
      holdRules: this.#config.holdRules,
      segmentBytes: this.#config.segmentBytes,
      segmentMs: this.#config.segmentMs,
      indexPartitions: index.partitions,
    }
    this.#consumer = log.consume({
      group: quarantineGroup,
      topics: ['mail.classified'],
      windowRecords,
      windowBytes: this.#config.segmentBytes * 2,
      assign: (assignment) => {
        const writer = new PartitionWriter(assignment, ports)
        this.#writers.add(writer)
        return {
          process: (record) => writer.process(record),
          revoked: () => {
            this.#writers.delete(writer)
            writer.revoked()
          },
        }
      },
    })
    this.#holds = this.#followHolds()
    this.#consumer.done.then(this.#end.resolve, this.#end.reject)
    this.#holds.done.catch(this.#end.reject)
    await this.#consumer.ready
    await this.#holds.ready
  }

  #followHolds(): Consumer {
    const { log, objects, codec, logger } = this.#ports
    // Nobody waits for a view here.
    const shown = { applied: async () => {}, has: () => true }
    const folders = new Folders({ ...this.#ports, ...shown, service: 'quarantine' })
    const ports = { folders, reader: new SegmentReader(objects, holdCacheBytes), codec, logger }
    return log.consume({
      group: holdsGroup,
      topics: ['mail.events'],
      windowRecords: holdWindowRecords,
      windowBytes: holdCacheBytes,
      assign: () => ({ process: (record) => followHolds(record, ports) }),
    })
  }

  /** The store may be gone at start: wait for it. What only a person can mend ends the service with the reason. */
  async #putRules(): Promise<void> {
    const rules = lifecycleRules(this.#config.retention)
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      try {
        await this.#ports.objects.check()
        const now = await this.#ports.objects.lifecycle()
        const same = (a: (typeof rules)[number]) =>
          now.some((b) => b.id === a.id && b.prefix === a.prefix && b.days === a.days)
        if (now.length === rules.length && rules.every(same)) return
        await this.#ports.objects.setLifecycle(rules)
        this.#ports.logger.info({ event: 'lifecycle.set', rules: rules.length }, 'set the lifecycle rules')
        return
      } catch (error) {
        if (!(error instanceof MailweirError) || !error.retriable) throw error
        this.#ports.logger.warn(
          { event: 'quarantine.waiting', err: error },
          'the object store does not answer: will try again',
        )
        await this.#ports.clock.sleep(backoffDelay(reconnectBackoff, attempt), this.#stopping.signal)
      }
    }
  }

  isReady(): boolean {
    return this.#consumer?.isReady() === true && this.#ports.log.isReady()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.ready.catch(() => {})
    for (const writer of this.#writers) writer.finish()
    await Promise.all([this.#consumer?.stop({ drainMs }), this.#holds?.stop({ drainMs })])
    this.#end.resolve()
  }
}
