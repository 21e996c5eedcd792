/**
 * The console's HTTP side, without listening, so that tests inject requests. JSON under /api/ (described by /api/openapi.json), one
 * page, and the process's health and metrics, which need no token.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import rateLimit from '@fastify/rate-limit'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { RedriveSummary } from '#lib/letters/redrive.ts'
import type { Lag } from '#lib/log/lag.ts'
import { hasCode, MailweirError } from '#lib/runtime/errors.ts'
import type { HealthAnswer } from '#lib/runtime/health.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Evidence, Location } from '#schemas/types.ts'
import { isRefusal, type Person, personOf, refuseMethod, secure } from './api/access.ts'
import { auditRoutes } from './api/audit.ts'
import { letterRoutes } from './api/letters.ts'
import { messageRoutes } from './api/messages.ts'
import type { NamedMessage } from './api/named.ts'
import { overviewRoutes } from './api/overview.ts'
import { replayRoutes } from './api/replays.ts'
import { suppressionRoutes } from './api/suppressions.ts'
import { takeUploads } from './api/uploads.ts'
import { wordRoutes } from './api/words.ts'
import type { Token } from './config.ts'
import type { Ledger } from './ledger.ts'
import type { Replays } from './replays.ts'
import type { SampleStore } from './samples.ts'
import type { SuppressionBook } from './suppressions/book.ts'
import type { EventView } from './view/view.ts'

/** A route as it is set, without its secret. */
export type RouteView = {
  readonly name: string
  /** Its consumer group. */
  readonly group: string
  readonly when: Readonly<Record<string, readonly string[]>>
  /** A webhook's address without its query, or the hosts. */
  readonly to: readonly string[]
  readonly kind: 'webhook' | 'smtp'
  readonly isSigned: boolean
}

export type AppPorts = {
  readonly view: EventView
  readonly suppressions: Pick<SuppressionBook, 'get' | 'list' | 'all' | 'set' | 'counts'>
  /** Of a line of the legacy system's log that suppresses an address, with the named group `address`. */
  readonly auditLog: RegExp
  readonly logger: Logger
  now(): number
  /** Empty: none is asked for; then only requests that name a loopback host are answered. */
  readonly tokens: readonly Token[]
  ledger(): Promise<Ledger>
  /** Each change that a person makes. */
  changed(request: FastifyRequest, what: string, of: string): void
  /** The exact bytes; null: no longer stored. */
  raw(message: {
    readonly location: Location | null
    readonly partition: number
    readonly offset: number
  }): Promise<Buffer | null>
  /** What the verdict goes by, as it is stored with the message; null: not stored. */
  evidence(message: { readonly location: Location | null }): Promise<readonly Evidence[] | null>
  /** What waits for each consumer group. */
  lag(): Promise<readonly Lag[]>
  /** Dead letters of these messages once more to the legacy system. */
  redrive(ids: readonly string[]): Promise<RedriveSummary>
  /** A person's word on a dead letter, on a verdict, on how long a message is kept: a step of the message's trace. */
  told(
    message: NamedMessage,
    type: 'dropped' | 'corrected' | 'hold-asked' | 'release-asked',
    detail: string,
  ): Promise<void>
  readonly samples: SampleStore
  readonly replays: Pick<Replays, 'list' | 'start' | 'changes'>
  readonly routes: readonly RouteView[]
  /** The signed records of erasures, as they were written. */
  erasures(): Promise<readonly unknown[]>
  health(path: string): Promise<HealthAnswer | null>
}

declare module 'fastify' {
  interface FastifyRequest {
    person: Person
  }
}

const openPaths = new Set(['/healthz', '/readyz', '/metrics'])
/** Requests a minute from one address: a page asks for a few every second. */
const requestsMax = 3_000

export async function createApp(ports: AppPorts): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    routerOptions: { maxParamLength: 400 },
    requestTimeout: 30_000,
    // Who says nothing goes soon: connections are few.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    forceCloseConnections: true,
  })
  app.decorateRequest('person', null as unknown as Person) // Set by the hook below, before any handler.
  app.addHook('onRequest', async (request, reply) => {
    secure(reply)
    if (openPaths.has(pathOf(request))) return
    const person = personOf(request, ports.tokens)
    const refusal = isRefusal(person) ? person : refuseMethod(request, person)
    if (!isRefusal(person)) request.person = person
    if (refusal === null) return
    if (refusal.status === 401) reply.header('www-authenticate', 'Basic realm="Mailweir", charset="UTF-8"')
    return reply.code(refusal.status).send({ error: refusal.error })
  })
  app.setErrorHandler((error, _request, reply) => {
    const status = hasClientFault(error) ? error.statusCode : statusOf(error)
    if (status >= 500) ports.logger.error({ event: 'console.failed', err: error }, 'a request failed')
    const message = status < 500 && error instanceof Error ? error.message : unavailable(error)
    return reply.code(status).send({ error: message })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'There is nothing here' }))
  await app.register(rateLimit, {
    max: requestsMax,
    timeWindow: '1 minute',
    allowList: (request) => openPaths.has(pathOf(request)),
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Mailweir', description: 'The API of the console', version: '0.1.0' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
  await app.register(async (api) => {
    takeUploads(api)
    overviewRoutes(api, ports)
    messageRoutes(api, ports)
    suppressionRoutes(api, ports)
    auditRoutes(api, ports)
    letterRoutes(api, ports)
    wordRoutes(api, ports)
    replayRoutes(api, ports)
    api.get('/api/openapi.json', { schema: { hide: true } }, () => app.swagger())
    api.get('/api/me', { schema: { summary: 'Who asks, and what that token may do' } }, async ({ person }) => ({
      name: person.name,
      role: person.role,
    }))
  })
  for (const path of openPaths) {
    app.get(path, { schema: { hide: true } }, async (_request, reply) => {
      const answer = await ports.health(path)
      if (answer === null) return reply.code(404).send({ error: 'There is nothing here' })
      return reply.code(answer.status).type(answer.type).send(answer.body)
    })
  }
  // The page's one library: preact, its hooks and its templates in 13 KB, without a build step.
  const library = readFileSync(fileURLToPath(import.meta.resolve('htm/preact/standalone')))
  app.get('/vendor/preact.js', { schema: { hide: true } }, (_request, reply) =>
    reply.type('text/javascript').send(library),
  )
  await app.register(fastifyStatic, { root: join(import.meta.dirname, 'web'), cacheControl: false })
  return app
}

const pathOf = (request: FastifyRequest): string => request.url.split('?')[0] ?? ''

const hasClientFault = (error: unknown): error is Error & { statusCode: number } =>
  error instanceof Error &&
  'statusCode' in error &&
  typeof error.statusCode === 'number' &&
  error.statusCode >= 400 &&
  error.statusCode < 500

const isUnavailable = (error: unknown): boolean =>
  (error instanceof MailweirError && error.retriable) || hasCode(error, 'LOG_UNAVAILABLE')

const statusOf = (error: unknown): number =>
  hasCode(error, 'AUDIT_LIST_WRONG') ? 400 : isUnavailable(error) ? 503 : 500

const unavailable = (error: unknown): string =>
  isUnavailable(error)
    ? 'The log or the object store does not answer now'
    : 'This went wrong; the log of the console tells more'
