/** Replays, and the routes that are set. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'

const nameField = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,59}$',
  description: 'lower-case letters, digits and hyphens',
})
const startBody = Type.Object({
  name: nameField,
  from: Type.Integer({ minimum: 0, description: 'epoch milliseconds' }),
  to: Type.Optional(Type.Integer({ minimum: 0, description: 'epoch milliseconds, not in it; absent: now' })),
})
const nameParameter = Type.Object({ name: nameField })
const changesQuery = Type.Object({
  after: Type.Optional(Type.String({ pattern: '^\\d{1,9}-\\d{1,15}$', description: '`next` of the page before' })),
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 100 }),
})

export function replayRoutes(app: FastifyInstance, { replays, routes, changed, now, view }: AppPorts): void {
  app.get('/api/replays', { schema: { summary: 'Replays, the newest last, and the one that runs' } }, () =>
    replays.list(),
  )
  app.post(
    '/api/replays',
    {
      schema: {
        body: startBody,
        summary: 'Reads a stretch of mail.raw through the present classifier; nothing that runs is touched',
      },
    },
    async (request, reply) => {
      const { name, from, to = now() } = request.body as Static<typeof startBody> // Checked by the schema.
      if (from >= to) return reply.code(400).send({ error: 'from has to be before to' })
      const { replays: known } = await replays.list()
      if (known.some((each) => each.name === name))
        return reply.code(409).send({ error: 'There is a replay of this name' })
      if (!replays.start({ name, from, to })) return reply.code(409).send({ error: 'Another replay runs' })
      changed(request, 'replayed-by', name)
      return reply.code(202).send({ name, from, to })
    },
  )
  app.get(
    '/api/replays/:name',
    {
      schema: {
        params: nameParameter,
        querystring: changesQuery,
        summary: 'What a replay would say otherwise; its topic is kept for seven days',
      },
    },
    async (request, reply) => {
      const { name } = request.params as Static<typeof nameParameter> // Checked by the schema.
      const { after = '0-0', limit } = request.query as Static<typeof changesQuery> // Checked by the schema.
      const [partition = 0, offset = 0] = after.split('-').map(Number)
      const found = await replays.changes(name, { partition, offset }, limit)
      if (found === null) return reply.code(404).send({ error: 'There is no such replay, or it is no longer kept' })
      const { changes, next } = found
      return { changes, next: next === null ? null : `${next.partition}-${next.offset}` }
    },
  )
  app.get(
    '/api/routes',
    { schema: { summary: 'The routes as they are set, without their secrets, and what each did in the last hour' } },
    async () => {
      const done = view.outcomes.since(now() - 3_600_000)
      return {
        routes: routes.map((route) => ({ ...route, outcomes: done.filter(({ service }) => service === route.group) })),
      }
    },
  )
}
