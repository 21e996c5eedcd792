/**
 * The steps of messages as OpenTelemetry spans, by OTLP over HTTP as JSON (OpenTelemetry protocol specification 1.5), where an endpoint is
 * set. A message's id is a UUID, so its 16 bytes are the trace id: who has the id of a message has its trace. Records carry it as `traceparent`,
 * for services of other makers (lib/log/trace-context.ts). Addresses are not told.
 *
 * A consumer group of its own: what the collector has not taken is not committed, so nothing is lost while it is away, within the
 * retention of mail.events.
 */
import type { Consumer, Log, LogRecord } from '#lib/log/log.ts'
import { spanIdOf, traceIdOf } from '#lib/log/trace-context.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { persist } from '#lib/runtime/retry.ts'
import type { Codec } from '#schemas/codec.ts'
import { decodeOrNull } from '#schemas/read.ts'
import type { Event } from '#schemas/types.ts'

export const spansGroup = 'spans'

export type SpanPorts = {
  readonly log: Log
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  told(outcome: 'sent' | 'refused', spans: number): void
}

const batchMax = 500
const batchMs = 200
const requestMs = 10_000
const windowRecords = 2_000

type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: object }[]
  readonly status: { readonly code: number }
}

/** Null: the event is of no message, or of one whose id is no UUID. */
export function spanOf(event: Event): Span | null {
  const traceId = traceIdOf(event.messageId)
  if (traceId === null) return null
  const isRoot = event.type === 'accepted'
  const took = event.type === 'forwarded' ? event.addedDelayMs : 0
  const attributes: Record<string, string | number> = {
    'messaging.system': 'mailweir',
    'messaging.message.id': event.messageId,
    'messaging.message.body.size': event.size,
    'server.address': event.host,
    'mailweir.kind': event.kind,
    'mailweir.variant': event.variant,
    'mailweir.reason': event.recipients[0]?.reason ?? '',
    'mailweir.attempt': event.attempt,
    'mailweir.legacy_ms': event.legacyMs,
    'mailweir.mailbox': event.mailbox,
    'mailweir.state': event.state,
  }
  return {
    traceId,
    spanId: isRoot ? spanIdOf(traceId) : spanIdOf(`${traceId} ${event.type} ${event.at} ${event.attempt}`),
    ...(!isRoot && { parentSpanId: spanIdOf(traceId) }),
    name: event.type,
    // SERVER, CLIENT, INTERNAL.
    kind: isRoot ? 2 : event.host === '' ? 1 : 3,
    startTimeUnixNano: nano(event.at - took),
    endTimeUnixNano: nano(event.at),
    attributes: Object.entries(attributes)
      .filter(([, value]) => value !== '' && value !== 0)
      .map(([key, value]) => ({
        key,
        value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
      })),
    status: { code: event.type === 'rejected' || event.type === 'undecodable' ? 2 : 0 },
  }
}

const nano = (at: number): string => `${Math.max(0, Math.round(at))}000000`

export class SpanExporter {
  readonly #url: string
  readonly #ports: SpanPorts
  readonly #stopping = new AbortController()
  readonly #consumer: Consumer
  #waiting: { readonly service: string; readonly span: Span; readonly done: () => void }[] = []
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> = Promise.resolve()

  /** @param endpoint base URL, as OTEL_EXPORTER_OTLP_ENDPOINT has it */
  constructor(endpoint: string, ports: SpanPorts) {
    this.#url = `${endpoint.replace(/\/+$/, '')}/v1/traces`
    this.#ports = ports
    this.#consumer = ports.log.consume({
      group: spansGroup,
      topics: ['mail.events'],
      windowRecords,
      windowBytes: 8 * 1024 * 1024,
      assign: () => ({ process: (record) => this.#take(record) }),
    })
  }

  get ready(): Promise<void> {
    return this.#consumer.ready
  }

  get done(): Promise<void> {
    return this.#consumer.done
  }

  async #take(record: LogRecord): Promise<void> {
    const event = decodeOrNull(this.#ports.codec, 'event', record.value)
    const span = event === null ? null : spanOf(event)
    if (event === null || span === null) return
    await new Promise<void>((done) => {
      this.#waiting.push({ service: event.service, span, done })
      if (this.#waiting.length >= batchMax) this.#flush()
      else this.#timer ??= setTimeout(() => this.#flush(), batchMs)
    })
  }

  /** One batch at a time: a slow collector makes the consumer wait. */
  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const batch = this.#waiting
    this.#waiting = []
    this.#sending = this.#sending.then(async () => {
      const outcome = await persist(() => this.#send(batch), {
        clock: this.#ports.clock,
        signal: this.#stopping.signal,
        failed: (err, attempt) =>
          this.#ports.logger.warn(
            { event: 'spans.waiting', attempt, err },
            'the collector takes no spans: will try again',
          ),
      })
      if (outcome === null) return // What was not sent is not committed.
      this.#ports.told(outcome, batch.length)
      for (const { done } of batch) done()
    })
  }

  /** `refused`: the collector will never take this batch, so it is counted and passed over. Throws where it may later. */
  async #send(batch: readonly { readonly service: string; readonly span: Span }[]): Promise<'sent' | 'refused'> {
    const services = Map.groupBy(batch, ({ service }) => service)
    const body = {
      resourceSpans: [...services].map(([service, spans]) => ({
        resource: { attributes: [{ key: 'service.name', value: { stringValue: `mailweir-${service}` } }] },
        scopeSpans: [{ scope: { name: 'mailweir' }, spans: spans.map(({ span }) => span) }],
      })),
    }
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([AbortSignal.timeout(requestMs), this.#stopping.signal]),
    })
    await response.body?.cancel()
    if (response.ok) return 'sent'
    // OTLP/HTTP: 429, 502, 503 and 504 may be tried again; any other refusal must not.
    if ([429, 502, 503, 504].includes(response.status)) throw new Error(`the collector answers ${response.status}`)
    this.#ports.logger.warn({ event: 'spans.refused', status: response.status }, 'the collector refuses spans')
    return 'refused'
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#sending
    await this.#consumer.ready.catch(() => {})
    await this.#consumer.stop({ drainMs: 0 })
  }
}
