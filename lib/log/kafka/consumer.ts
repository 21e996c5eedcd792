/**
 * One member of a Kafka consumer group with many records in flight for each partition.
 *
 * kafkajs hands over batches and holds up every partition of a fetch until the slowest batch returns. So a batch is only
 * fed into the partition's window (`../window.ts`); when that stays full the partition is paused and the rest of the batch
 * fetched again later. Offsets are committed by a timer of our own, in order, and never by kafkajs.
 *
 * Over a rebalance the windows of partitions that this member keeps stay as they are: kafkajs reads again from the
 * committed offset, and what is already in flight is passed over. A new member id means that the group went on
 * without us: then every window is dropped.
 */
import type { EachBatchPayload, Kafka, Consumer as KafkaJsConsumer } from 'kafkajs'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { backoffDelay, reconnectBackoff } from '#lib/runtime/retry.ts'
import type { Assignment, Committed, ConsumeOptions, Consumer, LogRecord } from '../log.ts'
import { Window } from '../window.ts'

export type ConsumerPorts = {
  readonly sessionTimeoutMs: number
  readonly logger: Logger
  readonly clock: Clock
  committed(topic: string): Promise<readonly Committed[]>
  left(): void
}

const commitMs = 200
/** How long a batch waits for room before its partition is paused. */
const roomWaitMs = 250
const fetchWaitMs = 100
const fetchBytesPerPartition = 2 * 1024 * 1024

export class KafkaConsumer implements Consumer {
  readonly ready: Promise<void>
  readonly done: Promise<void>
  readonly #kafka: Kafka
  readonly #options: ConsumeOptions
  readonly #ports: ConsumerPorts
  readonly #windows = new Map<string, Window>()
  readonly #opening = new Map<string, Promise<Window | null>>()
  readonly #paused = new Set<string>()
  readonly #attempts = new Map<string, number>()
  readonly #resting = new Map<string, Assignment>()
  readonly #waiters = new Set<() => void>()
  #consumer: KafkaJsConsumer
  #assigned = new Set<string>()
  #memberId = ''
  #joined = false
  #stopping = false
  #timer: NodeJS.Timeout
  #committing: Promise<void> = Promise.resolve()
  #settleReady: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} }
  #settleDone: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} }

  constructor(kafka: Kafka, options: ConsumeOptions, ports: ConsumerPorts) {
    this.#kafka = kafka
    this.#options = options
    this.#ports = ports
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    this.done = new Promise((resolve, reject) => {
      this.#settleDone = { resolve, reject }
    })
    this.ready.catch(() => {})
    this.done.catch(() => {})
    this.#consumer = this.#make()
    this.#timer = setInterval(() => this.#tick(), commitMs)
    void this.#start(1)
  }

  isReady(): boolean {
    return this.#joined && !this.#stopping
  }

  assigned() {
    return [...this.#assigned].map((key) => {
      const at = key.lastIndexOf(' ')
      return { topic: key.slice(0, at), partition: Number(key.slice(at + 1)) }
    })
  }

  #make(): KafkaJsConsumer {
    const consumer = this.#kafka.consumer({
      groupId: this.#options.group,
      sessionTimeout: this.#ports.sessionTimeoutMs,
      heartbeatInterval: Math.min(3_000, Math.floor(this.#ports.sessionTimeoutMs / 4)),
      rebalanceTimeout: 30_000,
      maxWaitTimeInMs: fetchWaitMs,
      maxBytesPerPartition: fetchBytesPerPartition,
      allowAutoTopicCreation: false,
      metadataMaxAge: 30_000,
      // kafkajs restarts itself after what it can retry; what it cannot is handled at CRASH.
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => true },
    })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#rejoined(payload.memberId, payload.memberAssignment))
    consumer.on(consumer.events.REBALANCING, () => {
      this.#joined = false
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#joined = false
      if (payload.restart || this.#stopping || consumer !== this.#consumer) return
      this.#ports.logger.warn(
        { event: 'consumer.crashed', group: this.#options.group, err: payload.error },
        'the Kafka consumer stopped: a new one takes its place',
      )
      this.#rejoined('', {})
      void consumer.disconnect().catch(() => {})
      this.#consumer = this.#make()
      void this.#start(1)
    })
    return consumer
  }

  async #start(attempt: number): Promise<void> {
    const consumer = this.#consumer
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 64,
        eachBatch: (payload) => this.#batch(payload),
      })
    } catch (error) {
      if (this.#stopping || consumer !== this.#consumer) return
      this.#ports.logger.warn(
        { event: 'consumer.waiting', group: this.#options.group, err: error },
        'cannot join the consumer group: will try again',
      )
      await this.#ports.clock.sleep(backoffDelay(reconnectBackoff, attempt))
      if (!this.#stopping && consumer === this.#consumer) await this.#start(attempt + 1)
    }
  }

  #rejoined(memberId: string, assignment: Readonly<Record<string, number[]>>): void {
    const assigned = new Set(
      Object.entries(assignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => `${topic} ${partition}`),
      ),
    )
    const sameMember = memberId !== '' && memberId === this.#memberId
    this.#memberId = memberId
    this.#assigned = assigned
    for (const [key, window] of this.#windows) {
      if (sameMember && assigned.has(key)) continue
      window.close()
      this.#windows.delete(key)
    }
    for (const key of [...this.#resting.keys()]) if (!sameMember || !assigned.has(key)) this.#resting.delete(key)
    this.#opening.clear()
    if (memberId !== '') {
      this.#joined = true
      this.#settleReady.resolve()
      // Pauses belong to the subscription and outlive a rebalance.
      for (const key of [...this.#paused]) if (!this.#windows.has(key) && !this.#resting.has(key)) this.#resume(key)
    }
    this.#notify()
  }

  #notify(): void {
    for (const waiter of this.#waiters) waiter()
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#waiters.add(done)
    })
  }

  /** The window of a partition; made at its first batch, because only then its first offset is known. */
  async #window(topic: string, partition: number, firstOffset: bigint): Promise<Window | null> {
    const key = `${topic} ${partition}`
    const known = this.#windows.get(key)
    if (known !== undefined) return known
    let opening = this.#opening.get(key)
    if (opening === undefined) {
      opening = this.#openWindow(key, topic, partition, firstOffset)
      this.#opening.set(key, opening)
      const forget = () => {
        if (this.#opening.get(key) === opening) this.#opening.delete(key)
      }
      opening.then(forget, forget)
    }
    return opening
  }

  async #openWindow(key: string, topic: string, partition: number, firstOffset: bigint): Promise<Window | null> {
    const resting = this.#resting.get(key)
    let assignment: Assignment = resting ?? { topic, partition, offset: firstOffset, metadata: '' }
    const member = this.#memberId
    if (resting === undefined && this.#options.from !== 'earliest') {
      const committed = (await this.#ports.committed(topic)).find((entry) => entry.partition === partition)
      assignment = {
        topic,
        partition,
        offset: committed?.offset ?? firstOffset,
        metadata: committed?.metadata ?? '',
      }
    }
    if (member !== this.#memberId || !this.#assigned.has(key) || this.#stopping) return null
    this.#resting.delete(key)
    const window = new Window(
      assignment,
      (given) => this.#options.assign(given),
      { records: this.#options.windowRecords, bytes: this.#options.windowBytes },
      () => this.#changed(key),
    )
    this.#windows.set(key, window)
    return window
  }

  async #batch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload
    const key = `${batch.topic} ${batch.partition}`
    if (this.#resting.has(key) && this.#paused.has(key)) return
    const window = await this.#window(
      batch.topic,
      batch.partition,
      BigInt(batch.firstOffset() ?? batch.messages[0]?.offset ?? 0),
    )
    if (window === null) return
    for (const message of batch.messages) {
      let waited = 0
      while (!window.hasRoom) {
        if (this.#windows.get(key) !== window) return
        if (waited >= roomWaitMs) return this.#pause(key, batch.topic, batch.partition)
        const before = this.#ports.clock.now()
        await this.#change(roomWaitMs - waited)
        waited += Math.max(1, this.#ports.clock.now() - before)
        await heartbeat()
      }
      if (!isRunning() || isStale() || this.#stopping || this.#windows.get(key) !== window) return
      window.offer(toRecord(batch.topic, batch.partition, message))
      resolveOffset(message.offset)
    }
    this.#attempts.delete(key)
    await heartbeat()
  }

  #pause(key: string, topic: string, partition: number): void {
    this.#paused.add(key)
    this.#consumer.pause([{ topic, partitions: [partition] }])
  }

  #resume(key: string): void {
    const at = key.lastIndexOf(' ')
    this.#paused.delete(key)
    this.#consumer.resume([{ topic: key.slice(0, at), partitions: [Number(key.slice(at + 1))] }])
  }

  /** A record of this partition finished or failed. */
  #changed(key: string): void {
    const window = this.#windows.get(key)
    if (window?.failed !== undefined) this.#restart(key, window)
    else if (window?.hasRoom && this.#paused.has(key) && window.inFlight * 2 <= this.#options.windowRecords) {
      this.#resume(key)
    }
    this.#notify()
  }

  #restart(key: string, window: Window): void {
    const { topic, partition } = window
    const attempt = (this.#attempts.get(key) ?? 0) + 1
    this.#attempts.set(key, attempt)
    this.#ports.logger.warn(
      { event: 'partition.restarted', group: this.#options.group, topic, partition, err: window.failed },
      'a record failed: the partition starts again from its committed offset',
    )
    const taken = window.takeCommittable()
    if (taken !== null && this.#options.from !== 'earliest') this.#commitOne(window, taken)
    const from = this.#options.from === 'earliest' ? { offset: 0n, metadata: '' } : window.resumeAt
    this.#windows.delete(key)
    window.close()
    this.#resting.set(key, { topic, partition, ...from })
    this.#pause(key, topic, partition)
    const consumer = this.#consumer
    void this.#ports.clock.sleep(backoffDelay(reconnectBackoff, attempt)).then(() => {
      const resting = this.#resting.get(key)
      if (this.#stopping || consumer !== this.#consumer || resting === undefined) return
      consumer.seek({ topic, partition, offset: String(resting.offset) })
      this.#resume(key)
    })
  }

  // ---- committing ---------------------------------------------------------------------------------------------------

  #tick(): void {
    if (!this.#joined) return
    for (const window of this.#windows.values()) {
      if (this.#options.from === 'earliest') continue
      const taken = window.takeCommittable()
      if (taken !== null) this.#commitOne(window, taken)
    }
  }

  /** Commits one after the other, so that an older offset never lands behind a newer one. */
  #commitOne(window: Window, taken: { offset: bigint; metadata: string }): void {
    const consumer = this.#consumer
    const { topic, partition } = window
    this.#committing = this.#committing.then(async () => {
      if (!this.#assigned.has(`${topic} ${partition}`)) return
      try {
        await consumer.commitOffsets([{ topic, partition, offset: String(taken.offset), metadata: taken.metadata }])
      } catch (error) {
        window.putBack(taken)
        this.#ports.logger.debug(
          { event: 'commit.failed', group: this.#options.group, topic, partition, err: error },
          'cannot commit an offset: will try again, or the records come again',
        )
      }
    })
  }

  async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    if (this.#stopping) return this.done.catch(() => {})
    this.#stopping = true
    const until = this.#ports.clock.now() + (options.drainMs ?? 5_000)
    for (const key of this.#assigned) {
      const at = key.lastIndexOf(' ')
      try {
        this.#consumer.pause([{ topic: key.slice(0, at), partitions: [Number(key.slice(at + 1))] }])
      } catch {
        break // It never got so far as to run.
      }
    }
    while ([...this.#windows.values()].some((window) => window.inFlight > 0) && this.#ports.clock.now() < until) {
      await this.#change(50)
    }
    clearInterval(this.#timer)
    this.#tick()
    await this.#committing
    for (const window of this.#windows.values()) window.close()
    this.#windows.clear()
    await this.#consumer.disconnect().catch(() => {})
    this.#ports.left()
    this.#settleReady.resolve()
    this.#settleDone.resolve()
  }
}

export function toRecord(
  topic: string,
  partition: number,
  message: { key: Buffer | null; value: Buffer | null; offset: string; timestamp: string },
): LogRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key === null ? null : message.key.toString('utf8'),
    value: message.value,
    timestamp: Number(message.timestamp),
  }
}
