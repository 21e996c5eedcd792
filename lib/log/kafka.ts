/**
 * The record log on Kafka 3.x and 4.x, through kafkajs.
 *
 * Owns one producer, one admin client and the consumers that it hands out. kafkajs has no linger, so `kafka/producer.ts`
 * gathers; its consumer waits for whole batches, so `kafka/consumer.ts` lets many records be in flight and commits in order.
 * Views and bounded reads use a group of their own that never commits and is deleted afterwards: kafkajs cannot read
 * without one. No live group is ever touched by them.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin, type Kafka, type SASLOptions } from 'kafkajs'
import { systemClock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { packZstd, unpackZstd } from '#lib/runtime/zstd.ts'
import { KafkaConsumer } from './kafka/consumer.ts'
import { kafkaError, kafkaLogCreator } from './kafka/errors.ts'
import { KafkaFollower } from './kafka/follower.ts'
import { GatheringProducer } from './kafka/producer.ts'
import type {
  AppendRecord,
  Committed,
  ConsumeOptions,
  Consumer,
  Follower,
  FollowOptions,
  Log,
  LogAdmin,
  LogRecord,
  PartitionOffsets,
  Position,
  TopicState,
} from './log.ts'

export type KafkaOptions = {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly logger: Logger
  /** Largest record, bytes of key and value. */
  readonly recordBytesMax: number
  readonly compression: 'none' | 'gzip' | 'zstd'
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | null
  readonly sasl: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  } | null
  /** For topics that we make. */
  readonly replicationFactor: number
  readonly sessionTimeoutMs: number
  /** A request that got no answer for so long has failed. */
  readonly requestTimeoutMs: number
  /** Records about messages carry a `traceparent`. */
  readonly hasTraceContext: boolean
}

const { CompressionTypes, CompressionCodecs, ConfigResourceTypes } = kafkajs
/** No batch of a well-meaning producer is larger once it is unpacked. */
const unpackedBytesMax = 256 * 1024 * 1024

CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => packZstd(buffer),
  decompress: (buffer: Buffer) => unpackZstd(buffer, unpackedBytesMax),
})

const probeMs = 1_000
const leaderMs = 100
const adminRetries = 3

/** What kafkajs makes of a partition whose leader it knows wrong, or not at all. */
const isOutOfDate = (error: unknown): boolean =>
  error instanceof TypeError ||
  (error instanceof kafkajs.KafkaJSProtocolError &&
    (error.type === 'NOT_LEADER_FOR_PARTITION' || error.type === 'LEADER_NOT_AVAILABLE'))

export function openKafkaLog(options: KafkaOptions): Log {
  return new KafkaLog(options)
}

class KafkaLog implements Log {
  readonly adapter = 'kafka'
  readonly recordBytesMax: number
  readonly #options: KafkaOptions
  readonly #kafka: Kafka
  readonly #producer: GatheringProducer
  readonly #open = new Set<{ stop(): Promise<void> }>()
  /** Topics that the admin client knows, and the first question about one. */
  readonly #known = new Set<string>()
  #learning: Promise<unknown> = Promise.resolve()
  #adminClient: Promise<Admin> | null = null
  #closed = false
  #failing = false
  #probe: NodeJS.Timeout | null = null

  constructor(options: KafkaOptions) {
    this.#options = options
    this.recordBytesMax = options.recordBytesMax
    this.#kafka = new kafkajs.Kafka({
      clientId: options.clientId,
      brokers: [...options.brokers],
      ssl:
        options.tls === null
          ? false
          : { ca: options.tls.ca ? [options.tls.ca] : undefined, cert: options.tls.cert, key: options.tls.key },
      // The union of kafkajs ties each mechanism to the same two fields.
      sasl: options.sasl === null ? undefined : (options.sasl as SASLOptions),
      connectionTimeout: 3_000,
      requestTimeout: options.requestTimeoutMs,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: adminRetries },
      logCreator: kafkaLogCreator(options.logger),
    })
    this.#producer = new GatheringProducer(this.#kafka, {
      compression:
        options.compression === 'zstd'
          ? CompressionTypes.ZSTD
          : options.compression === 'gzip'
            ? CompressionTypes.GZIP
            : CompressionTypes.None,
      hasTraceContext: options.hasTraceContext,
      recordBytesMax: options.recordBytesMax,
      partitions: async (topic) => (await this.admin.offsets(topic)).length,
      outcome: (ok) => this.#heard(ok),
    })
  }

  /** One admin client for all; a failed connect is forgotten, so that the next call tries again. */
  #admin(): Promise<Admin> {
    if (this.#closed) return Promise.reject(new MailweirError('LOG_CLOSED', 'The log is closed'))
    if (this.#adminClient === null) {
      const admin = this.#kafka.admin()
      const client = admin.connect().then(() => admin)
      this.#adminClient = client
      client.catch(() => {
        if (this.#adminClient === client) this.#adminClient = null
      })
    }
    return this.#adminClient
  }

  /** A leader that is new, or about to be: kafkajs asks the one it knows, so another client is asked, for as long as a request may take. */
  async #ask<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const until = performance.now() + this.#options.requestTimeoutMs
    for (;;) {
      const client = this.#admin()
      try {
        return await question(await client)
      } catch (error) {
        if (this.#closed || performance.now() > until || !isOutOfDate(error))
          throw error instanceof MailweirError ? error : kafkaError(what, error)
        this.#replace(client)
        await sleep(leaderMs)
      }
    }
  }

  #replace(client: Promise<Admin>): void {
    if (this.#adminClient !== client) return
    this.#adminClient = null
    this.#known.clear()
    // Others may still be asking it.
    setTimeout(
      () => client.then((admin) => admin.disconnect()).catch(() => {}),
      2 * this.#options.requestTimeoutMs,
    ).unref()
  }

  /**
   * A question about the offsets of a topic. kafkajs shares one refresh of its metadata among callers, without the topics of those who
   * came later, and then finds no partitions: so the first question about each topic comes alone.
   */
  async #askOf<T>(topic: string, what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    if (this.#known.has(topic)) return this.#ask(what, question)
    const turn = this.#learning.then(() => this.#ask(what, question))
    this.#learning = turn.catch(() => {})
    const answer = await turn
    this.#known.add(topic)
    return answer
  }

  // ---- appending ----------------------------------------------------------------------------------------------------

  append(topic: string, record: AppendRecord): Promise<Position> {
    if (this.#closed) return Promise.reject(new MailweirError('LOG_CLOSED', 'The log is closed'))
    return this.#producer.append(topic, record)
  }

  #heard(ok: boolean): void {
    this.#failing = !ok
    if (ok || this.#probe !== null || this.#closed) return
    // Readiness is false now, so nobody will append: ask ourselves until the brokers answer again.
    this.#probe = setInterval(() => {
      this.#ask('describe the cluster', (admin) => admin.describeCluster()).then(
        () => {
          this.#failing = false
          if (this.#probe !== null) clearInterval(this.#probe)
          this.#probe = null
        },
        () => {},
      )
    }, probeMs)
    this.#probe.unref()
  }

  isReady(): boolean {
    return !this.#closed && !this.#failing
  }

  // ---- reading ------------------------------------------------------------------------------------------------------

  consume(options: ConsumeOptions): Consumer {
    const consumer = new KafkaConsumer(this.#kafka, options, {
      sessionTimeoutMs: this.#options.sessionTimeoutMs,
      logger: this.#options.logger,
      clock: systemClock,
      committed: (topic) => this.admin.committed(options.group, topic),
      left: () => this.#open.delete(consumer),
    })
    this.#open.add(consumer)
    return consumer
  }

  follow(options: FollowOptions): Follower {
    const group = `mailweir-view-${randomUUID()}`
    const follower = new KafkaFollower(this.#kafka, options, {
      group,
      logger: this.#options.logger,
      clock: systemClock,
      left: async () => {
        this.#open.delete(follower)
        if (!this.#closed) await this.#ask('delete a group', (admin) => admin.deleteGroups([group])).catch(() => {})
      },
    })
    this.#open.add(follower)
    return follower
  }

  async *read(
    topic: string,
    range: { readonly from: ReadonlyMap<number, bigint>; readonly to: ReadonlyMap<number, bigint> },
    signal?: AbortSignal,
  ): AsyncIterable<readonly LogRecord[]> {
    const wanted = new Map<number, bigint>()
    const from = new Map<number, bigint>()
    for (const { partition, earliest, end } of await this.admin.offsets(topic)) {
      const start = range.from.get(partition) ?? 0n
      const stop = range.to.get(partition) ?? 0n
      const first = start > earliest ? start : earliest
      const last = stop < end ? stop : end
      // A partition that is not wanted is followed from its end, where it gives nothing.
      from.set(partition, first < last ? first : end)
      if (first < last) wanted.set(partition, last)
    }
    if (wanted.size === 0) return
    let deliver: (step: { records: readonly LogRecord[]; resume: () => void } | null) => void = () => {}
    const steps: Promise<{ records: readonly LogRecord[]; resume: () => void } | null>[] = []
    const arm = (): void => {
      steps.push(
        new Promise((resolve) => {
          deliver = resolve
        }),
      )
    }
    arm()
    /** Those that wait until their records were taken. */
    const applying = new Set<() => void>()
    let over = false
    const follower = this.follow({
      topic,
      from,
      // One batch at a time: the follower waits until this one was taken. What comes behind the range is not waited for.
      apply: async (records) => {
        if (over || !wanted.has(records[0]?.partition ?? -1)) return
        await new Promise<void>((resolve) => {
          const resume = (): void => {
            applying.delete(resume)
            resolve()
          }
          applying.add(resume)
          const give = deliver
          arm()
          give({ records, resume })
        })
      },
    })
    const failed = follower.done.then(() => null)
    const aborted = new Promise<null>((resolve) =>
      signal?.addEventListener('abort', () => resolve(null), { once: true }),
    )
    try {
      while (wanted.size > 0 && !signal?.aborted) {
        const step = await Promise.race([steps[0] ?? null, failed, aborted])
        steps.shift()
        if (step === null) break
        const partition = step.records[0]?.partition ?? -1
        const end = wanted.get(partition)
        const last = step.records.at(-1)
        if (end !== undefined && last !== undefined) {
          const records = step.records.filter((record) => record.offset < end)
          if (last.offset + 1n >= end) wanted.delete(partition)
          if (records.length > 0) yield records
        }
        step.resume()
      }
    } finally {
      over = true
      deliver(null)
      for (const resume of applying) resume()
      await follower.stop()
    }
  }

  // ---- admin --------------------------------------------------------------------------------------------------------

  readonly admin: LogAdmin = {
    ensureTopics: async (specs) => {
      const states = await this.admin.describeTopics(specs.map((spec) => spec.name))
      const missing = specs.filter((_, index) => states[index] === null)
      for (const [index, spec] of specs.entries()) {
        const state = states[index]
        if (state && state.partitions !== spec.partitions) {
          throw new MailweirError(
            'LOG_TOPIC_MISSING',
            `Topic ${spec.name} has ${state.partitions} partitions, not ${spec.partitions}: set PARTITIONS, or make the topic again`,
            { fields: { topic: spec.name } },
          )
        }
      }
      if (missing.length > 0) {
        await this.#ask('create topics', (admin) =>
          admin.createTopics({
            waitForLeaders: true,
            topics: missing.map((spec) => ({
              topic: spec.name,
              numPartitions: spec.partitions,
              replicationFactor: this.#options.replicationFactor,
              configEntries: [
                { name: 'cleanup.policy', value: spec.cleanup },
                { name: 'retention.ms', value: String(spec.cleanup === 'compact' ? -1 : (spec.retentionMs ?? -1)) },
                { name: 'max.message.bytes', value: String(topicMessageBytesMax(this.#options.recordBytesMax)) },
                { name: 'min.insync.replicas', value: String(Math.min(2, this.#options.replicationFactor)) },
              ],
            })),
          }),
        )
      }
      return { created: missing.map((spec) => spec.name) }
    },
    describeTopics: (names) =>
      this.#ask('describe topics', async (admin) => {
        const existing = new Set(await admin.listTopics())
        const present = names.filter((name) => existing.has(name))
        if (present.length === 0) return names.map(() => null)
        const { topics } = await admin.fetchTopicMetadata({ topics: [...present] })
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: present.map((name) => ({
            type: ConfigResourceTypes.TOPIC,
            name,
            configNames: ['cleanup.policy', 'retention.ms', 'min.insync.replicas'],
          })),
        })
        return names.map((name): TopicState | null => {
          const topic = topics.find((candidate) => candidate.name === name)
          if (topic === undefined) return null
          const entries = resources.find((resource) => resource.resourceName === name)?.configEntries ?? []
          const value = (key: string) => entries.find((entry) => entry.configName === key)?.configValue
          const retention = Number(value('retention.ms') ?? -1)
          return {
            name,
            partitions: topic.partitions.length,
            cleanup: value('cleanup.policy')?.includes('compact') ? 'compact' : 'delete',
            retentionMs: retention < 0 ? null : retention,
            minInsyncReplicas: Number(value('min.insync.replicas') ?? 1),
            replicationFactor: Math.min(...topic.partitions.map((partition) => partition.replicas.length)),
          }
        })
      }),
    offsets: (topic) =>
      this.#askOf(
        topic,
        `read the offsets of ${topic}`,
        async (admin): Promise<readonly PartitionOffsets[]> =>
          (await admin.fetchTopicOffsets(topic))
            .map(({ partition, low, high }) => ({ partition, earliest: BigInt(low), end: BigInt(high) }))
            .sort((a, b) => a.partition - b.partition),
      ),
    offsetsAt: async (topic, at) => {
      const ends = new Map((await this.admin.offsets(topic)).map(({ partition, end }) => [partition, end]))
      const found = await this.#askOf(topic, `read the offsets of ${topic} by time`, (admin) =>
        admin.fetchTopicOffsetsByTimestamp(topic, at),
      )
      return new Map(
        found.map(({ partition, offset }) => [
          partition,
          BigInt(offset) < 0n ? (ends.get(partition) ?? 0n) : BigInt(offset),
        ]),
      )
    },
    committed: (group, topic) =>
      this.#ask(`read the offsets of group ${group}`, async (admin): Promise<readonly Committed[]> => {
        const [entry] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
        return (entry?.partitions ?? [])
          .map(({ partition, offset, metadata }) => ({
            partition,
            offset: BigInt(offset) < 0n ? null : BigInt(offset),
            metadata: metadata ?? '',
          }))
          .sort((a, b) => a.partition - b.partition)
      }),
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const reader of [...this.#open]) await reader.stop()
    await this.#producer.close()
    this.#closed = true
    if (this.#probe !== null) clearInterval(this.#probe)
    const admin = await this.#adminClient?.catch(() => null)
    await admin?.disconnect().catch(() => {})
  }
}

/** A batch holds at least one record, with headers and room for what compression cannot shrink. */
export const topicMessageBytesMax = (recordBytesMax: number): number =>
  Math.max(2 * 1024 * 1024, recordBytesMax + 65_536)
