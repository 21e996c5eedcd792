/**
 * The gathering producer. Records go into lanes: one for each topic whose partition is ours to pick, one for each
 * (topic, partition) that the caller picked. What arrives while a lane's sends are in flight makes up its next batch,
 * bounded by count and bytes; no timer. A lane with an explicit partition has one send in flight, so that order holds
 * over failures; a free lane has a few, each batch to another partition.
 */
import type { CompressionTypes, Kafka, Producer } from 'kafkajs'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { AppendRecord, Position } from '../log.ts'
import { traceparentOf } from '../trace-context.ts'
import { kafkaError } from './errors.ts'

type Pending = {
  readonly record: AppendRecord
  readonly bytes: number
  readonly resolve: (position: Position) => void
  readonly reject: (error: unknown) => void
}

type Lane = {
  readonly topic: string
  readonly partition: number | undefined
  pending: Pending[]
  inFlight: number
  scheduled: boolean
  /** Of the send that failed in this turn of the event loop; null: none did. */
  failure: MailweirError | null
}

export type ProducerOptions = {
  readonly compression: CompressionTypes
  readonly recordBytesMax: number
  /** Records about messages carry a `traceparent`. */
  readonly hasTraceContext: boolean
  partitions(topic: string): Promise<number>
  /** Told after each send, for readiness. */
  outcome(ok: boolean): void
}

const batchRecordsMax = 500
const batchBytesMax = 1024 * 1024
const freeLaneSendsMax = 4
const partitionsAgeMs = 60_000

export class GatheringProducer {
  readonly #producer: Producer
  readonly #options: ProducerOptions
  readonly #lanes = new Map<string, Lane>()
  readonly #partitions = new Map<string, { count: number; at: number }>()
  #connected: Promise<void> | null = null
  #turn = Math.floor(Math.random() * 1_000_000)
  readonly #idle = new Set<() => void>()
  #sends = 0

  constructor(kafka: Kafka, options: ProducerOptions) {
    this.#options = options
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      // A caller waits a bounded time: three tries within the request timeout each, then it hears.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
      metadataMaxAge: 60_000,
    })
    this.#producer.on(this.#producer.events.DISCONNECT, () => {
      this.#connected = null
    })
  }

  append(topic: string, record: AppendRecord): Promise<Position> {
    return new Promise((resolve, reject) => {
      const bytes = (record.value?.length ?? 0) + (record.key?.length ?? 0)
      if (bytes > this.#options.recordBytesMax) {
        reject(
          new MailweirError(
            'LOG_RECORD_TOO_LARGE',
            `A record for ${topic} has ${bytes} bytes; the log takes ${this.#options.recordBytesMax}`,
            { fields: { topic, bytes, max: this.#options.recordBytesMax } },
          ),
        )
        return
      }
      const key = record.partition === undefined ? topic : `${topic} ${record.partition}`
      let lane = this.#lanes.get(key)
      if (lane === undefined) {
        lane = { topic, partition: record.partition, pending: [], inFlight: 0, scheduled: false, failure: null }
        this.#lanes.set(key, lane)
      }
      if (lane.failure !== null) return reject(lane.failure)
      lane.pending.push({ record, bytes, resolve, reject })
      this.#schedule(lane)
    })
  }

  #headers(key: string | null): { headers?: { traceparent: string } } {
    const traceparent = this.#options.hasTraceContext ? traceparentOf(key) : null
    return traceparent === null ? {} : { headers: { traceparent } }
  }

  #schedule(lane: Lane): void {
    const sendsMax = lane.partition === undefined ? freeLaneSendsMax : 1
    if (lane.scheduled || lane.pending.length === 0 || lane.inFlight >= sendsMax) return
    lane.scheduled = true
    // After the input of this turn of the event loop: sessions that were read together are sent together.
    setImmediate(() => {
      lane.scheduled = false
      void this.#send(lane)
    })
  }

  async #send(lane: Lane): Promise<void> {
    let count = 0
    let bytes = 0
    while (count < lane.pending.length && count < batchRecordsMax) {
      bytes += lane.pending[count]?.bytes ?? 0
      if (count > 0 && bytes > batchBytesMax) break
      count++
    }
    if (count === 0) return
    const batch = lane.pending.splice(0, count)
    lane.inFlight++
    this.#sends++
    this.#schedule(lane)
    try {
      await this.#connect()
      const partition = lane.partition ?? this.#turn++ % (await this.#partitionsOf(lane.topic))
      const [result] = await this.#producer.send({
        topic: lane.topic,
        acks: -1,
        compression: this.#options.compression,
        messages: batch.map(({ record: { key, value } }) => ({ key, value, partition, ...this.#headers(key) })),
      })
      const base = BigInt(result?.baseOffset ?? -1)
      batch.forEach(({ resolve }, index) => {
        resolve({ topic: lane.topic, partition, offset: base + BigInt(index) })
      })
      this.#options.outcome(true)
    } catch (error) {
      const failure = error instanceof MailweirError ? error : kafkaError(`append to ${lane.topic}`, error)
      this.#partitions.delete(lane.topic)
      if (failure.code === 'LOG_RECORD_TOO_LARGE' && batch.length > 1 && lane.partition === undefined) {
        // One record too many, or one too large: alone, only the one that is too large fails.
        for (const pending of batch) this.append(lane.topic, pending.record).then(pending.resolve, pending.reject)
      } else {
        if (failure.retriable) this.#options.outcome(false)
        for (const { reject } of batch) reject(failure)
        if (lane.partition !== undefined) this.#failBehind(lane, failure)
      }
    } finally {
      lane.inFlight--
      this.#sends--
      if (lane.pending.length > 0) this.#schedule(lane)
      else this.#forget(lane)
      if (this.#sends === 0) for (const idle of this.#idle) idle()
    }
  }

  /** Order within a partition must not have a gap: those that wait behind it fail too, and those that are called before anyone has seen it. */
  #failBehind(lane: Lane, failure: MailweirError): void {
    for (const { reject } of lane.pending.splice(0)) reject(failure)
    lane.failure = failure
    setImmediate(() => {
      lane.failure = null
      this.#forget(lane)
    })
  }

  #forget(lane: Lane): void {
    if (lane.inFlight === 0 && lane.pending.length === 0 && lane.failure === null) this.#lanes.delete(keyOf(lane))
  }

  async #partitionsOf(topic: string): Promise<number> {
    const known = this.#partitions.get(topic)
    if (known !== undefined && Date.now() - known.at < partitionsAgeMs) return known.count
    const count = await this.#options.partitions(topic)
    this.#partitions.set(topic, { count, at: Date.now() })
    return count
  }

  #connect(): Promise<void> {
    if (this.#connected === null) {
      this.#connected = this.#producer.connect()
      this.#connected.catch(() => {
        this.#connected = null
      })
    }
    return this.#connected
  }

  async close(): Promise<void> {
    while (this.#sends > 0 || [...this.#lanes.values()].some((lane) => lane.pending.length > 0)) {
      await new Promise<void>((resolve) => {
        const idle = () => {
          this.#idle.delete(idle)
          resolve()
        }
        this.#idle.add(idle)
        setTimeout(idle, 100)
      })
    }
    await this.#producer.disconnect().catch(() => {})
  }
}

const keyOf = (lane: Lane): string => (lane.partition === undefined ? lane.topic : `${lane.topic} ${lane.partition}`)
