/**
 * The console's HTTP side, without listening, so that tests inject requests. JSON under /api/, one page, and the process's health
 * and metrics, which need no token.
 */
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { hasCode, MailweirError } from '#lib/runtime/errors.ts'
import type { HealthAnswer } from '#lib/runtime/health.ts'
import { isLoopbackHost } from '#lib/runtime/listen.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { isSameSecret } from '#lib/runtime/secret.ts'
import type { Location } from '#schemas/types.ts'
import { readContent } from './content.ts'
import type { Ledger } from './ledger.ts'
import type { EventView, MessageRow } from './view/view.ts'

export type AppPorts = {
  readonly view: EventView
  readonly logger: Logger
  now(): number
  /** Empty: none is asked for; then only requests that name a loopback host are answered. */
  readonly token: string
  ledger(): Promise<Ledger>
  /** The exact bytes; null: no longer stored. */
  raw(message: {
    readonly location: Location | null
    readonly partition: number
    readonly offset: number
  }): Promise<Buffer | null>
  health(path: string): Promise<HealthAnswer | null>
}

const pageMax = 200
const hourMs = 3_600_000
const openPaths = new Set(['/healthz', '/readyz', '/metrics'])

const idParameter = Type.Object({ id: Type.String({ maxLength: 200 }) })
const messagesQuery = Type.Object({
  address: Type.Optional(Type.String({ minLength: 1, maxLength: 320 })),
  kind: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
  state: Type.Optional(Type.Enum(['accepted', 'waiting', 'forwarded', 'dead'])),
  before: Type.Optional(Type.String({ pattern: '^\\d{1,15}-\\d{1,6}-\\d{1,15}$' })),
  limit: Type.Integer({ minimum: 1, maximum: pageMax, default: 50 }),
})
const overviewQuery = Type.Object({ hours: Type.Integer({ minimum: 1, maximum: 24 * 366, default: 24 }) })

export async function createApp(ports: AppPorts): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    routerOptions: { maxParamLength: 200 },
    requestTimeout: 30_000,
    forceCloseConnections: true,
  })
  app.addHook('onRequest', async (request, reply) => {
    secure(reply)
    if (openPaths.has(pathOf(request))) return
    const refusal = ports.token === '' ? refuseHost(request) : refuseToken(request, ports.token)
    if (refusal === null) return
    if (refusal.status === 401) reply.header('www-authenticate', 'Basic realm="Mailweir", charset="UTF-8"')
    return reply.code(refusal.status).send({ error: refusal.error })
  })
  app.setErrorHandler((error, _request, reply) => {
    const status = hasClientFault(error) ? error.statusCode : isUnavailable(error) ? 503 : 500
    if (status >= 500) ports.logger.error({ event: 'console.failed', err: error }, 'a request failed')
    const message = status < 500 && error instanceof Error ? error.message : unavailable(error)
    return reply.code(status).send({ error: message })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'There is nothing here' }))

  app.get('/api/ledger', () => ports.ledger())
  app.get('/api/overview', { schema: { querystring: overviewQuery } }, async (request) => {
    const { hours } = request.query as { hours: number } // Checked by the schema.
    return { hours, kinds: ports.view.kindsSince(ports.now() - hours * hourMs) }
  })
  app.get('/api/messages', { schema: { querystring: messagesQuery } }, async (request) => {
    const { before, ...query } = request.query as Type.Static<typeof messagesQuery> // Checked by the schema.
    const messages = ports.view.messages({ ...query, before: before === undefined ? undefined : parseCursor(before) })
    const last = messages.at(-1)
    return { messages, next: messages.length < query.limit || last === undefined ? null : cursorOf(last) }
  })
  app.get('/api/messages/:id', { schema: { params: idParameter } }, async (request, reply) => {
    const { id } = request.params as { id: string } // Checked by the schema.
    const message = ports.view.message(id)
    if (message === null) return reply.code(404).send({ error: 'No message is known by this id' })
    return { ...message, trace: ports.view.trace(id) }
  })
  app.get('/api/messages/:id/raw', { schema: { params: idParameter } }, async (request, reply) => {
    const { id } = request.params as { id: string } // Checked by the schema.
    const message = ports.view.message(id)
    if (message === null) return reply.code(404).send({ error: 'No message is known by this id' })
    const bytes = await ports.raw(message)
    if (bytes === null) return reply.code(410).send({ error: 'The message is no longer stored' })
    return reply
      .type('message/rfc822')
      .header('content-disposition', `attachment; filename="${id.replace(/[^A-Za-z0-9-]/g, '_')}.eml"`)
      .send(bytes)
  })
  app.get('/api/messages/:id/content', { schema: { params: idParameter } }, async (request, reply) => {
    const { id } = request.params as { id: string } // Checked by the schema.
    const message = ports.view.message(id)
    if (message === null) return reply.code(404).send({ error: 'No message is known by this id' })
    const bytes = await ports.raw(message)
    if (bytes === null) return reply.code(410).send({ error: 'The message is no longer stored' })
    return readContent(bytes)
  })
  for (const path of openPaths) {
    app.get(path, async (_request, reply) => {
      const answer = await ports.health(path)
      if (answer === null) return reply.code(404).send({ error: 'There is nothing here' })
      return reply.code(answer.status).type(answer.type).send(answer.body)
    })
  }
  await app.register(fastifyStatic, { root: join(import.meta.dirname, 'web'), cacheControl: false })
  return app
}

const pathOf = (request: FastifyRequest): string => request.url.split('?')[0] ?? ''

function secure(reply: FastifyReply): void {
  reply.headers({
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    'cross-origin-resource-policy': 'same-origin',
  })
}

type Refusal = { readonly status: 401 | 403; readonly error: string } | null

/** Without a token: a page of another site must not read mail through a name that it points at loopback. */
function refuseHost(request: FastifyRequest): Refusal {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return isLoopbackHost(host) ? null : { status: 403, error: 'Ask for this page as localhost, or set CONSOLE_TOKEN' }
}

function refuseToken(request: FastifyRequest, token: string): Refusal {
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ')
  const given =
    scheme?.toLowerCase() === 'bearer'
      ? value
      : scheme?.toLowerCase() === 'basic'
        ? Buffer.from(value, 'base64')
            .toString('utf8')
            .replace(/^[^:]*:/, '')
        : ''
  return isSameSecret(given, token) ? null : { status: 401, error: 'This needs the token of CONSOLE_TOKEN' }
}

const hasClientFault = (error: unknown): error is Error & { statusCode: number } =>
  error instanceof Error &&
  'statusCode' in error &&
  typeof error.statusCode === 'number' &&
  error.statusCode >= 400 &&
  error.statusCode < 500

const isUnavailable = (error: unknown): boolean =>
  (error instanceof MailweirError && error.retriable) || hasCode(error, 'LOG_UNAVAILABLE')

const unavailable = (error: unknown): string =>
  isUnavailable(error)
    ? 'The log or the object store does not answer now'
    : 'This went wrong; the log of the console tells more'

const cursorOf = (row: MessageRow): string => `${row.receivedAt}-${row.partition}-${row.offset}`

function parseCursor(cursor: string): { receivedAt: number; partition: number; offset: number } {
  const [receivedAt = 0, partition = 0, offset = 0] = cursor.split('-').map(Number)
  return { receivedAt, partition, offset }
}
