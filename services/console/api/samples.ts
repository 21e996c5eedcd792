/** "Wrong verdict": what a person says instead; and the samples that come of it. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'

const kinds = ['bounce', 'auto-reply', 'opt-out', 'complaint', 'report', 'reply', 'unknown'] as const
const idParameter = Type.Object({ id: Type.String({ maxLength: 200 }) })
const labelBody = Type.Object({
  kind: Type.Enum([...kinds]),
  reason: Type.String({ maxLength: 40, default: '' }),
  note: Type.String({ maxLength: 500, default: '' }),
})
const listQuery = Type.Object({
  after: Type.Optional(Type.String({ maxLength: 512, description: '`next` of the page before' })),
})

export function sampleRoutes(app: FastifyInstance, { view, raw, samples, told, now }: AppPorts): void {
  app.post(
    '/api/messages/:id/label',
    {
      schema: {
        params: idParameter,
        body: labelBody,
        summary: 'The verdict is wrong: keep a sample with what is right',
      },
    },
    async (request, reply) => {
      const { id } = request.params as Static<typeof idParameter> // Checked by the schema.
      const { kind, reason, note } = request.body as Static<typeof labelBody> // Checked by the schema.
      const message = view.message(id)
      if (message === null) return reply.code(404).send({ error: 'No message is known by this id' })
      const bytes = await raw(message)
      if (bytes === null) return reply.code(410).send({ error: 'The message is no longer stored' })
      const { name } = request.person
      const said = { kind: message.kind, variant: message.variant, reason: message.reason }
      await samples.add({ id: message.id, at: now(), person: name, kind, reason, note, said }, bytes)
      await told(message, 'corrected', [`${name}: ${kind}`, reason, note].filter((text) => text !== '').join(', '))
      return { kept: message.id }
    },
  )
  app.get('/api/samples', { schema: { querystring: listQuery, summary: 'Labelled samples' } }, async (request) => {
    const { after } = request.query as Static<typeof listQuery> // Checked by the schema.
    return samples.list(after)
  })
}
