/**
 * The console: a view built from `mail.events`, and the HTTP side that answers from it. It listens at once, and is ready when the
 * view has caught up with what the log held when it started.
 */
import type { FastifyInstance } from 'fastify'
import { redrive } from '#lib/letters/redrive.ts'
import { type Lag, lagsOf } from '#lib/log/lag.ts'
import type { Follower, Log } from '#lib/log/log.ts'
import { Progress } from '#lib/log/progress.ts'
import { listAll, type Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { hasCode } from '#lib/runtime/errors.ts'
import type { HealthAnswer } from '#lib/runtime/health.ts'
import { lately } from '#lib/runtime/lately.ts'
import { listenOn } from '#lib/runtime/listen.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import type { Service } from '#lib/runtime/service.ts'
import { SegmentReader } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Location } from '#schemas/types.ts'
import type { NamedMessage } from './api/named.ts'
import { createApp, type RouteView } from './app.ts'
import type { ConsoleConfig } from './config.ts'
import { type Ledger, type LedgerGroups, readLedger } from './ledger.ts'
import { consoleMetrics } from './metrics.ts'
import { type ReplayPorts, Replays } from './replays.ts'
import { Samples } from './samples.ts'
import { SpanExporter } from './spans.ts'
import { SuppressionBook } from './suppressions/book.ts'
import { EventView } from './view/view.ts'

export type ConsolePorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Path of the view's database; empty: a temporary one. */
  readonly viewPath: string
  /** The consumer groups whose offsets the ledger reads. */
  readonly groups: LedgerGroups
  /** As they are set. */
  readonly routes: readonly RouteView[]
  replay: ReplayPorts['replay']
  /** Answers for the whole process. */
  health(path: string): Promise<HealthAnswer | null>
}

export interface Console extends Service {
  readonly port: number
}

const cacheBytes = 16 * 1024 * 1024
const evictMs = 60_000
const catchUpMs = 2_000
const ledgerMs = 500
const lagMs = 5_000
const erasuresMax = 1_000
/** Messages a second. */
const redriveRate = 200
const dayMs = 86_400_000
/** An event of no message. */
const nowhere = { partition: -1, offset: -1 }

export function startConsole(config: ConsoleConfig, ports: ConsolePorts): Console {
  return new ConsoleService(config, ports)
}

class ConsoleService implements Console {
  readonly name = 'console'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  port = 0
  readonly #config: ConsoleConfig
  readonly #ports: ConsolePorts
  readonly #metrics: ReturnType<typeof consoleMetrics>
  readonly #view: EventView
  readonly #reader: SegmentReader
  readonly #suppressions: SuppressionBook
  readonly #progress: Progress
  readonly #replays: Replays
  #app: FastifyInstance | null = null
  #follower: Follower | null = null
  #spans: SpanExporter | null = null
  #eviction: NodeJS.Timeout | null = null
  readonly #readLedger: () => Promise<Ledger>
  readonly #readLag: () => Promise<readonly Lag[]>
  #isCaughtUp = false
  readonly #stopping = new AbortController()
  #stopped: Promise<void> | null = null
  #end: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} }

  constructor(config: ConsoleConfig, ports: ConsolePorts) {
    this.#config = config
    this.#ports = ports
    this.#metrics = consoleMetrics(ports.metrics)
    this.#progress = new Progress(ports.clock)
    this.#replays = new Replays(ports)
    this.#reader = new SegmentReader(ports.objects, cacheBytes)
    this.#readLedger = lately(ledgerMs, ports.clock, () => this.#askLedger())
    // It reads records.
    this.#readLag = lately(lagMs, ports.clock, () => lagsOf(ports.log, ports.groups, ports.clock.now()))
    this.#view = new EventView({
      path: ports.viewPath,
      codec: ports.codec,
      logger: ports.logger,
      undecodable: () => this.#metrics.undecodable.inc(),
    })
    this.#suppressions = new SuppressionBook(config.suppressionPolicy, {
      ...ports,
      undecodable: () => this.#metrics.undecodable.inc(),
      changed: (state) => this.#metrics.suppressions.inc({ state }),
      failed: (error) => this.#end.reject(error),
    })
    this.done = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    this.done.catch(() => {})
    this.ready = this.#start()
    this.ready.catch((error) => this.#end.reject(error))
  }

  async #start(): Promise<void> {
    const { log, clock, logger } = this.#ports
    this.#app = await createApp({
      view: this.#view,
      logger,
      now: () => clock.now(),
      suppressions: this.#suppressions,
      tokens: [
        ...(this.#config.consoleToken === ''
          ? []
          : [{ name: 'console', role: 'admin' as const, token: this.#config.consoleToken }]),
        ...this.#config.consoleTokens,
      ],
      changed: ({ person }, what, of) => this.#changed(person.name, what, of),
      ledger: () => this.#readLedger(),
      raw: (message) => this.#raw(message),
      evidence: async ({ location }) =>
        location === null ? null : ((await this.#reader.record(location))?.verdict.evidence ?? null),
      lag: () => this.#readLag(),
      redrive: (ids) => this.#redrive(ids),
      told: (message, type, detail) => this.#told(message, type, detail),
      samples: new Samples(this.#ports.objects),
      replays: this.#replays,
      routes: this.#ports.routes,
      auditLog: this.#config.auditLog,
      erasures: () => this.#erasures(),
      health: async (path) => {
        // The gauges tell what the ledger says now; where it cannot be read, they tell what it said last.
        if (path === '/metrics') await this.#readLedger().catch(() => {})
        return this.#ports.health(path)
      },
    })
    await this.#app.ready()
    const ends = await this.#openBooks()
    this.#follower = this.#progress.follow(log, {
      topic: 'mail.events',
      from: new Map(this.#progress.all()),
      apply: (records) => {
        this.#view.apply(records)
        this.#metrics.applied.inc(records.length)
      },
      logger,
      signal: this.#stopping.signal,
    })
    this.#follower.done.then(() => {}, this.#end.reject)
    const evict = (): void => {
      try {
        this.#view.evict(clock.now() - this.#config.consoleDays * dayMs, this.#config.consoleMessagesMax)
      } catch (err) {
        logger.warn({ event: 'console.eviction-failed', err }, 'the view forgets nothing now: will try again')
      }
    }
    this.#eviction = setInterval(evict, evictMs)
    // A stranger's connections are not to take the files that the others in this process need.
    this.#app.server.maxConnections = this.#config.consoleConnectionsMax
    this.#app.server.on('drop', () => this.#metrics.refused.inc())
    this.port = await listenOn(this.#app.server, this.#config.consoleListen, 'CONSOLE_LISTEN')
    logger.info({ event: 'console.listening', port: this.port }, 'serving the console')
    const { otlpEndpoint } = this.#config
    if (otlpEndpoint !== null) {
      const told = (outcome: string, spans: number): void => this.#metrics.spans.inc({ outcome }, spans)
      this.#spans = new SpanExporter(otlpEndpoint, { ...this.#ports, told })
      this.#spans.ready.catch(this.#end.reject)
      this.#spans.done.catch(this.#end.reject)
    }
    await this.#progress.reached(ends, null)
    await this.#suppressions.ready
    this.#isCaughtUp = true
  }

  /** Where the follower starts. A view that knows more than the log holds is of another log. */
  async #openBooks(): Promise<Map<number, bigint>> {
    const offsets = await this.#ports.log.admin.offsets('mail.events')
    for (const [partition, next] of this.#view.progress()) this.#progress.set(partition, next)
    if (offsets.some(({ partition, end }) => (this.#progress.next(partition) ?? 0n) > end)) {
      this.#ports.logger.warn({ event: 'console.reset' }, 'mail.events was made anew: the view starts again')
      this.#view.reset()
      this.#progress.clear()
    }
    for (const { partition, earliest } of offsets) {
      if (earliest === 0n && this.#progress.next(partition) === null) this.#view.setBase(partition, 0)
      if ((this.#progress.next(partition) ?? 0n) < earliest) this.#progress.set(partition, earliest)
    }
    return new Map(offsets.map(({ partition, end }) => [partition, end]))
  }

  async #askLedger(): Promise<Ledger> {
    const ledger = await readLedger({
      log: this.#ports.log,
      view: this.#view,
      groups: this.#ports.groups,
      caughtUp: (ends) => this.#progress.reached(ends, catchUpMs),
    })
    const { current: _current, balanced, partitions: _partitions, ...entries } = ledger
    for (const [entry, messages] of Object.entries(entries)) this.#metrics.ledger.set({ entry }, messages)
    this.#metrics.balanced.set(balanced ? 1 : 0)
    return ledger
  }

  async #erasures(): Promise<readonly unknown[]> {
    const records: unknown[] = []
    const keys: string[] = []
    // They are named by their time: the last are the newest.
    for await (const { key } of listAll(this.#ports.objects, 'erasures/')) keys.push(key)
    for (const key of keys.slice(-erasuresMax)) {
      const bytes = await this.#ports.objects.get(key)
      if (bytes !== null) records.push(JSON.parse(bytes.toString('utf8')))
    }
    return records
  }

  #redrive(ids: readonly string[]): ReturnType<typeof redrive> {
    const steps = ids.flatMap((id) => this.#view.trace(id)) as { type?: string; detail?: string }[]
    const before = new Set(steps.flatMap(({ type, detail }) => (type === 'redriven' && detail ? [detail] : [])))
    const which = { ids, reason: null, reply: null, from: 0, to: Number.MAX_SAFE_INTEGER }
    const how = { dryRun: false, again: false, rate: redriveRate, history: false }
    return redrive({ ...which, ...how }, { ...this.#ports, redrivenBefore: () => before }, () => {})
  }

  async #told(
    message: NamedMessage,
    type: 'dropped' | 'corrected' | 'hold-asked' | 'release-asked',
    detail: string,
  ): Promise<void> {
    const { log, codec, clock } = this.#ports
    const position = { partition: message.partition, offset: message.offset }
    const location = type === 'hold-asked' ? message.location : null
    await log.append('mail.events', {
      key: message.id,
      partition: message.partition,
      value: codec.encode(
        'event',
        event({ messageId: message.id, type, at: clock.now(), service: 'console', position, location, detail }),
      ),
    })
  }

  /** From the archive; what is not stored yet, from the log. */
  async #raw(message: { location: Location | null; partition: number; offset: number }): Promise<Buffer | null> {
    if (message.location !== null) {
      const bytes = await this.#reader.message(message.location)
      if (bytes !== null) return bytes
    }
    const { log, codec, objects } = this.#ports
    const from = new Map([[message.partition, BigInt(message.offset)]])
    const to = new Map([[message.partition, BigInt(message.offset) + 1n]])
    for await (const records of log.read('mail.raw', { from, to })) {
      for (const record of records) {
        if (record.partition !== message.partition || Number(record.offset) !== message.offset) continue
        try {
          const raw = codec.decode('raw', record.value)
          return raw.bytes ?? (raw.claim === null ? null : await objects.get(raw.claim.key))
        } catch (error) {
          // A record that is no message is shown as it is.
          if (hasCode(error, 'RECORD_UNDECODABLE')) return record.value
          throw error
        }
      }
    }
    return null
  }

  /** A person's change is an event, and a line of the log. */
  #changed(person: string, what: string, of: string): void {
    const { log, codec, clock, logger } = this.#ports
    logger.info({ event: 'console.changed', user: person, what }, 'a person changed something')
    const value = codec.encode(
      'event',
      event({
        messageId: '',
        type: what,
        at: clock.now(),
        service: 'console',
        position: nowhere,
        detail: `${person} ${of}`,
      }),
    )
    log.append('mail.events', { key: person, value }).catch((err: unknown) => {
      logger.warn({ event: 'console.audit.failed', err }, 'an event was not appended')
    })
  }

  isReady(): boolean {
    return this.#isCaughtUp && this.#stopped === null && this.#ports.log.isReady()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#progress.stop()
    if (this.#eviction !== null) clearInterval(this.#eviction)
    await this.ready.catch(() => {})
    // Fastify ends the connections of what it listens on itself; whoever left in the middle of an answer would be waited for.
    const closed = this.#app?.close()
    this.#app?.server.closeAllConnections()
    await closed
    await this.#replays.stop()
    await this.#spans?.stop()
    await this.#suppressions.stop()
    await this.#follower?.stop()
    this.#view.close()
    this.#end.resolve()
  }
}
