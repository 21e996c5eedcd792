/**
 * Reads all partitions of a topic for a view. It is the only member of a group that it made for itself, never commits,
 * and seeks to the offsets that the view asks for.
 */
import type { Kafka, Consumer as KafkaJsConsumer } from 'kafkajs'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { backoffDelay, reconnectBackoff } from '#lib/runtime/retry.ts'
import type { Follower, FollowOptions } from '../log.ts'
import { toRecord } from './consumer.ts'

export type FollowerPorts = {
  readonly group: string
  readonly logger: Logger
  readonly clock: Clock
  left(): Promise<void>
}

const fetchWaitMs = 100
const batchRecords = 1_000

export class KafkaFollower implements Follower {
  readonly ready: Promise<void>
  readonly done: Promise<void>
  readonly #kafka: Kafka
  readonly #options: FollowOptions
  readonly #ports: FollowerPorts
  readonly #next: Map<number, bigint>
  #consumer: KafkaJsConsumer | null = null
  #stopping = false
  #settle: { ready: () => void; done: () => void; died: (error: unknown) => void } = {
    ready: () => {},
    done: () => {},
    died: () => {},
  }

  constructor(kafka: Kafka, options: FollowOptions, ports: FollowerPorts) {
    this.#kafka = kafka
    this.#options = options
    this.#ports = ports
    this.#next = new Map(options.from)
    this.done = new Promise((resolve, reject) => {
      this.#settle.done = resolve
      this.#settle.died = reject
    })
    this.done.catch(() => {})
    this.ready = Promise.race([
      new Promise<void>((resolve) => {
        this.#settle.ready = resolve
      }),
      this.done,
    ])
    this.ready.catch(() => {})
    void this.#start(1)
  }

  async #start(attempt: number): Promise<void> {
    const consumer = this.#kafka.consumer({
      groupId: this.#ports.group,
      sessionTimeout: 30_000,
      maxWaitTimeInMs: fetchWaitMs,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => true },
    })
    this.#consumer = consumer
    // Every time that the group was joined (again), kafkajs starts from the earliest offset: put it where the view is.
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      for (const partition of payload.memberAssignment[this.#options.topic] ?? []) {
        const next = this.#next.get(partition)
        if (next !== undefined) {
          consumer.seek({ topic: this.#options.topic, partition, offset: String(next) })
        }
      }
      this.#settle.ready()
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || this.#stopping || consumer !== this.#consumer) return
      void consumer.disconnect().catch(() => {})
      void this.#start(1)
    })
    try {
      await consumer.connect()
      await consumer.subscribe({ topic: this.#options.topic, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 64,
        eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
          const wanted = batch.messages.filter(
            (message) => BigInt(message.offset) >= (this.#next.get(batch.partition) ?? 0n),
          )
          for (let at = 0; at < wanted.length; at += batchRecords) {
            if (!isRunning() || isStale() || this.#stopping) return
            const records = wanted
              .slice(at, at + batchRecords)
              .map((message) => toRecord(batch.topic, batch.partition, message))
            const last = records.at(-1)
            if (last === undefined) break
            try {
              await this.#options.apply(records)
            } catch (error) {
              this.#settle.died(error)
              void this.stop()
              return
            }
            this.#next.set(batch.partition, last.offset + 1n)
            resolveOffset(String(last.offset))
            await heartbeat()
          }
          if (isRunning() && !isStale()) resolveOffset(batch.lastOffset())
        },
      })
    } catch (error) {
      if (this.#stopping || consumer !== this.#consumer) return
      this.#ports.logger.warn(
        { event: 'follower.waiting', topic: this.#options.topic, err: error },
        'cannot read a topic: will try again',
      )
      await consumer.disconnect().catch(() => {})
      await this.#ports.clock.sleep(backoffDelay(reconnectBackoff, attempt))
      if (!this.#stopping && consumer === this.#consumer) await this.#start(attempt + 1)
    }
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.done.catch(() => {})
    this.#stopping = true
    await this.#consumer?.disconnect().catch(() => {})
    await this.#ports.left()
    this.#settle.ready()
    this.#settle.done()
  }
}
