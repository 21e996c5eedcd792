/** Counts: the ledger, kinds, series by any dimension with the stretch before, tables of two; and what is new, as it comes (SSE). */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { type Dimension, dimensions, type Pair, pairs } from '../view/rollups.ts'

const hourMs = 3_600_000
const stepsMs = { minute: 60_000, hour: hourMs, day: 24 * hourMs } as const
const streamsMax = 100
const streamMs = 1_000

const dimension = Type.Enum([...dimensions])
const text = Type.Optional(Type.String({ maxLength: 300 }))
const overviewQuery = Type.Object({ hours: Type.Integer({ minimum: 1, maximum: 24 * 366, default: 24 }) })
const seriesQuery = Type.Object({
  by: dimension,
  hours: Type.Integer({ minimum: 1, maximum: 24 * 366, default: 24 }),
  to: Type.Optional(Type.Integer({ minimum: 0, description: 'epoch milliseconds; absent: now' })),
  step: Type.Enum(['minute', 'hour', 'day'], {
    default: 'hour',
    description: 'minutes are known of the last six hours',
  }),
  against: Type.Enum(['before', 'day', 'week'], {
    default: 'before',
    description: 'what it is compared with: just before, or a day or a week earlier',
  }),
  limit: Type.Integer({ minimum: 1, maximum: 50, default: 10 }),
  kind: text,
})
const tableQuery = Type.Object({
  of: Type.Enum([...pairs], { description: 'rows/columns' }),
  kind: Type.String({ maxLength: 40, default: 'bounce' }),
  hours: Type.Integer({ minimum: 1, maximum: 24 * 366, default: 24 }),
})

const hostsQuery = Type.Object({ minutes: Type.Integer({ minimum: 1, maximum: 60 * 24 * 31, default: 60 }) })

export function overviewRoutes(app: FastifyInstance, ports: AppPorts): void {
  const { view } = ports
  app.get('/api/ledger', { schema: { summary: 'Accepted against forwarded, waiting, dead, stored' } }, () =>
    ports.ledger(),
  )
  app.get('/api/overview', { schema: { querystring: overviewQuery, summary: 'Messages by kind' } }, async (request) => {
    const { hours } = request.query as { hours: number } // Checked by the schema.
    return { hours, kinds: view.kindsSince(ports.now() - hours * hourMs) }
  })
  app.get(
    '/api/series',
    {
      schema: {
        querystring: seriesQuery,
        summary: 'Counts over time of the largest values of a dimension, beside an earlier stretch',
      },
    },
    async (request) => {
      const {
        by,
        hours,
        to = ports.now(),
        step,
        against,
        limit,
        kind,
      } = request.query as Type.Static<typeof seriesQuery> // Checked by the schema.
      return view.rollups.series(by as Dimension, {
        from: to - hours * hourMs,
        to,
        stepMs: stepsMs[step],
        earlierMs: against === 'before' ? undefined : 24 * hourMs * (against === 'week' ? 7 : 1),
        limit,
        kind,
      })
    },
  )
  app.get(
    '/api/table',
    { schema: { querystring: tableQuery, summary: 'Counts of two dimensions, such as reason by mail system' } },
    async (request) => {
      const { of, kind, hours } = request.query as Type.Static<typeof tableQuery> // Checked by the schema.
      return { cells: view.rollups.table(of as Pair, { from: ports.now() - hours * hourMs, to: ports.now(), kind }) }
    },
  )
  app.get('/api/lag', { schema: { summary: 'What waits for each consumer group, and how old it is' } }, async () => ({
    groups: await ports.lag(),
  }))
  app.get(
    '/api/hosts',
    {
      schema: {
        querystring: hostsQuery,
        summary: 'The legacy hosts, and the targets of routes: what they took, deferred and refused, and the delay',
      },
    },
    async (request) => {
      const { minutes } = request.query as { minutes: number } // Checked by the schema.
      const all = view.outcomes.since(ports.now() - minutes * 60_000)
      return {
        hosts: all.filter(({ service }) => service === 'forward'),
        routes: all.filter(({ service }) => service !== 'forward'),
      }
    },
  )
  app.get(
    '/api/erasures',
    { schema: { summary: 'Signed records of erasures, the newest last; they name nobody' } },
    async () => ({ erasures: await ports.erasures() }),
  )
  app.get(
    '/api/retention',
    { schema: { summary: 'What is stored, by mailbox: messages, bytes, until when' } },
    async () => ({ mailboxes: view.stored(ports.now()) }),
  )
  let streams = 0
  app.get(
    '/api/events',
    { schema: { summary: 'Server-sent events: `change` whenever the view has news' } },
    (request, reply) => {
      if (streams >= streamsMax) return reply.code(503).send({ error: 'Too many streams are open' })
      streams++
      reply.hijack()
      const response = reply.raw
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) response.setHeader(name, value)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      let told = -1
      const tell = (): void => {
        const now = view.applied
        // What is not read yet is not added to.
        if (now === told || response.writableNeedDrain) return
        told = now
        response.write(`event: change\ndata: ${now}\n\n`)
      }
      tell()
      const timer = setInterval(tell, streamMs)
      request.raw.once('close', () => {
        clearInterval(timer)
        streams--
      })
    },
  )
}
