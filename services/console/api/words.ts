/** A person's word on a message: the verdict is wrong, and the samples that come of it; keep it, or let it go. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { idParameter, namedBy } from './named.ts'

const kinds = ['bounce', 'auto-reply', 'opt-out', 'complaint', 'report', 'reply', 'unknown'] as const
const labelBody = Type.Object({
  kind: Type.Enum([...kinds]),
  reason: Type.String({ maxLength: 40, default: '' }),
  note: Type.String({ maxLength: 500, default: '' }),
})
const listQuery = Type.Object({
  after: Type.Optional(Type.String({ maxLength: 512, description: '`next` of the page before' })),
})

export function wordRoutes(app: FastifyInstance, { view, raw, samples, told, now }: AppPorts): void {
  const named = namedBy({ view, raw })
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
      const { kind, reason, note } = request.body as Static<typeof labelBody> // Checked by the schema.
      const found = await named.bytes(request, reply)
      if (found === null) return reply
      const { message, bytes } = found
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
  const keep = (type: 'hold-asked' | 'release-asked') => async (request: FastifyRequest, reply: FastifyReply) => {
    const message = named.message(request, reply)
    if (message === null) return reply
    if (type === 'hold-asked' && message.location === null)
      return reply.code(409).send({ error: 'The message is not stored yet, or no longer' })
    await told(message, type, request.person.name)
    return reply.code(202).send({ asked: type })
  }
  const schema = { params: idParameter }
  const held = 'Keep it past its expiry, in the mailbox Hold; it is done within seconds, and a step of its trace'
  app.put('/api/messages/:id/hold', { schema: { ...schema, summary: held } }, keep('hold-asked'))
  app.delete(
    '/api/messages/:id/hold',
    { schema: { ...schema, summary: 'End the hold that a rule or this API asked for; copies of mail programs stay' } },
    keep('release-asked'),
  )
}
