/**
 * Routes: `mail.classified` → whoever else wants to know. Each route is a consumer group of its own, so none delays another, and
 * none delays the legacy system, which reads mail.raw.
 *
 * Order: deliver, then the event, then commit: at least once. What cannot be delivered within ROUTES_AGE_MS, or is refused for
 * good, goes to mail.dead.
 */

import { bury } from '#lib/letters/dead.ts'
import type { Consumer, LogRecord } from '#lib/log/log.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { type Backoff, backoffDelay } from '#lib/runtime/retry.ts'
import type { Service } from '#lib/runtime/service.ts'
import { event } from '#schemas/events.ts'
import type { Classified } from '#schemas/types.ts'
import type { ForwardPorts } from '../service.ts'
import { type RoutesConfig, readRoutes } from './config.ts'
import { type RoutesMetrics, routesMetrics } from './metrics.ts'
import { mismatch, type Route, routeGroup } from './rules.ts'
import { SmtpDelivery } from './smtp.ts'
import type { Target } from './target.ts'
import { WebhookDelivery } from './webhook.ts'

const backoff: Backoff = { firstMs: 1_000, maxMs: 300_000, factor: 2, jitter: 0.3 }
/** Deliveries under way for each partition of a route. */
const windowRecords = 100
const windowBytes = 16 * 1024 * 1024
const drainMs = 20_000

export function startRoutes(config: RoutesConfig, ports: ForwardPorts): Service {
  const { routes } = readRoutes(config.routes)
  const metrics = routesMetrics(ports.metrics)
  const running = routes.map((route) => new RunningRoute(route, config, ports, metrics))
  const each = (work: (route: RunningRoute) => Promise<void>): Promise<void> =>
    Promise.all(running.map(work)).then(() => {})
  let stopped = (): void => {}
  const stop = new Promise<void>((resolve) => {
    stopped = resolve
  })
  return {
    name: 'routes',
    ready: each((route) => route.consumer.ready),
    // Without a route there is nothing to do until it is stopped.
    done: Promise.all([stop, each((route) => route.consumer.done)]).then(() => {}),
    isReady: () => ports.log.isReady() && running.every((route) => route.consumer.isReady()),
    stop: () => each((route) => route.stop()).then(stopped),
  }
}

class RunningRoute {
  readonly consumer: Consumer
  readonly #route: Route
  readonly #config: RoutesConfig
  readonly #ports: ForwardPorts
  readonly #metrics: RoutesMetrics
  readonly #target: Target
  readonly #stopping = new AbortController()

  constructor(route: Route, config: RoutesConfig, ports: ForwardPorts, metrics: RoutesMetrics) {
    this.#route = route
    this.#config = config
    this.#ports = ports
    this.#metrics = metrics
    this.#target =
      route.to.kind === 'webhook'
        ? new WebhookDelivery(route.to, () => ports.clock.now())
        : new SmtpDelivery(route.to, config, ports)
    this.consumer = ports.log.consume({
      group: routeGroup(route.name),
      topics: ['mail.classified'],
      windowRecords: Math.max(windowRecords, route.to.kind === 'webhook' ? (route.to.batch?.count ?? 0) * 2 : 0),
      windowBytes,
      assign: () => ({ process: (record) => this.#process(record) }),
    })
  }

  async #process(record: LogRecord): Promise<void> {
    let message: Classified
    try {
      message = this.#ports.codec.decode('classified', record.value)
    } catch (error) {
      if (error instanceof MailweirError && error.retriable) throw error
      // Quarantine puts it into mail.dead; here it is only passed over.
      this.#metrics.outcomes.inc({ route: this.#route.name, outcome: 'undecodable' })
      return
    }
    if (mismatch(this.#route, message) !== null) return
    const { clock, logger } = this.#ports
    const since = clock.now()
    for (let attempt = 1; ; attempt++) {
      const delivery = await this.#target.deliver(message)
      if (delivery.kind === 'stopped' || this.#stopping.signal.aborted) {
        if (delivery.kind === 'taken') return this.#record(message, delivery.reply, attempt, 'taken')
        throw new MailweirError('LOG_CLOSED', 'The route is stopping', { retriable: true })
      }
      if (delivery.kind === 'taken') return this.#record(message, delivery.reply, attempt, 'taken')
      const delay = backoffDelay(backoff, attempt)
      const isOver = delivery.kind === 'refused' || clock.now() + delay - since > this.#config.routesAgeMs
      if (isOver) {
        await this.#bury(message, delivery.reply, attempt, delivery.kind === 'refused' ? 'rejected' : 'expired')
        return this.#record(message, delivery.reply, attempt, 'dead')
      }
      this.#metrics.outcomes.inc({ route: this.#route.name, outcome: 'deferred' })
      logger.warn(
        { event: 'route.deferred', route: this.#route.name, messageId: message.id, reply: delivery.reply, attempt },
        'the target of a route does not take a message: will try again',
      )
      await clock.sleep(delay, this.#stopping.signal)
    }
  }

  async #record(message: Classified, reply: string, attempt: number, outcome: 'taken' | 'dead'): Promise<void> {
    const { log, codec, clock } = this.#ports
    this.#metrics.outcomes.inc({ route: this.#route.name, outcome })
    await log.append('mail.events', {
      key: message.id,
      partition: message.position.partition,
      value: codec.encode(
        'event',
        event({
          messageId: message.id,
          type: 'routed',
          at: clock.now(),
          service: routeGroup(this.#route.name),
          position: message.position,
          host: this.#route.to.kind === 'webhook' ? new URL(this.#route.to.url).host : this.#route.to.hosts.join(', '),
          reply,
          attempt,
          detail: outcome === 'taken' ? '' : 'given up: the message is in mail.dead',
        }),
      ),
    })
  }

  async #bury(message: Classified, reply: string, attempts: number, reason: 'rejected' | 'expired'): Promise<void> {
    const service = routeGroup(this.#route.name)
    await bury(
      `${message.id} ${service}`,
      {
        id: message.id,
        position: message.position,
        topic: 'mail.classified',
        service,
        reason,
        reply,
        attempts,
        envelope: message.envelope,
        open: message.envelope.forwardPaths.map((_, index) => index),
        receivedAt: message.receivedAt,
        bytes: message.bytes,
        claim: message.claim,
      },
      this.#ports,
    )
    this.#ports.logger.error(
      { event: 'route.dead', route: this.#route.name, messageId: message.id, reply, attempts },
      'a route gave a message up: it is in mail.dead',
    )
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#target.drain()
    await this.consumer.stop({ drainMs })
    await this.#target.close()
  }
}
