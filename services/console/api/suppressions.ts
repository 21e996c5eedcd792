/** Suppressions: list, explain, add, lift, export, import. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { csvCell, readList } from '../audit.ts'
import { isSuppressed } from '../suppressions/policy.ts'
import { uploadBytesMax, uploadOf } from './uploads.ts'

const pageMax = 500
const importsAtOnce = 100

const addressParameter = Type.Object({ address: Type.String({ maxLength: 320, pattern: '^[^\\s@]+@[^\\s@]+$' }) })
const listQuery = Type.Object({
  state: Type.Optional(Type.Enum(['suppressed', 'watched', 'lifted'])),
  cause: Type.Optional(Type.Enum(['hard-bounce', 'soft-bounces', 'complaint', 'opt-out', 'person'])),
  text: Type.Optional(Type.String({ minLength: 1, maxLength: 320 })),
  after: Type.Optional(Type.String({ maxLength: 320 })),
  limit: Type.Integer({ minimum: 1, maximum: pageMax, default: 100 }),
})
const exportQuery = Type.Object({ format: Type.Enum(['csv', 'jsonl'], { default: 'csv' }) })
const note = Type.Object({ note: Type.String({ maxLength: 500, default: '' }) })

export function suppressionRoutes(app: FastifyInstance, { suppressions, view, now, changed }: AppPorts): void {
  app.get(
    '/api/suppressions',
    { schema: { querystring: listQuery, summary: 'Suppressions in the order of their addresses' } },
    async (request) => {
      const query = request.query as Type.Static<typeof listQuery> // Checked by the schema.
      const found = suppressions.list(query)
      const last = found.at(-1)
      return {
        suppressions: found,
        counts: suppressions.counts(),
        next: found.length < query.limit || last === undefined ? null : last.address,
      }
    },
  )
  app.get(
    '/api/suppressions/export',
    { schema: { querystring: exportQuery, summary: 'All that may not be written to' } },
    async (request, reply) => {
      const { format } = request.query as Type.Static<typeof exportQuery> // Checked by the schema.
      const at = now()
      const lines = function* (): Generator<string> {
        if (format === 'csv') yield 'address,cause,since,until,count\r\n'
        for (const known of suppressions.all()) {
          if (!isSuppressed(known, at)) continue
          const { address, cause, since, until, count } = known
          const times = [new Date(since).toISOString(), until === 0 ? '' : new Date(until).toISOString()] as const
          yield format === 'csv'
            ? `${[address, cause, ...times, count].map(csvCell).join(',')}\r\n`
            : `${JSON.stringify({ address, cause, since: times[0], until: times[1] || null, count })}\n`
        }
      }
      return reply
        .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/jsonl')
        .header('content-disposition', `attachment; filename="suppressions.${format}"`)
        .send(Readable.from(lines()))
    },
  )
  app.get(
    '/api/suppressions/:address',
    { schema: { params: addressParameter, summary: 'What is known of an address, and by which messages' } },
    async (request, reply) => {
      const { address } = request.params as { address: string } // Checked by the schema.
      const known = suppressions.get(address)
      if (known === null) return reply.code(404).send({ error: 'Nothing is known of this address' })
      return {
        ...known,
        suppressed: isSuppressed(known, now()),
        messages: known.evidence.map((id) => view.message(id) ?? { id }),
      }
    },
  )
  for (const [method, state] of [
    ['PUT', 'suppressed'],
    ['DELETE', 'lifted'],
  ] as const) {
    app.route({
      method,
      url: '/api/suppressions/:address',
      schema: {
        params: addressParameter,
        ...(method === 'PUT' && { body: note }),
        summary:
          state === 'lifted' ? 'Lifts it: the same old mail does not bring it back' : 'Suppresses by a person’s word',
      },
      handler: async (request) => {
        const { address } = request.params as { address: string } // Checked by the schema.
        const given = (request.body ?? {}) as { note?: string } // Checked by the schema.
        const made = await suppressions.set(address, state, given.note ?? '')
        changed(request, state, address)
        return made
      },
    })
  }
  app.post(
    '/api/suppressions/import',
    { bodyLimit: uploadBytesMax, schema: { summary: 'Suppresses every address of a CSV list' } },
    async (request) => {
      let imported = 0
      let waiting: Promise<unknown>[] = []
      for await (const { address, reason } of readList(uploadOf(request))) {
        waiting.push(suppressions.set(address, 'suppressed', `imported ${reason}`.trim()))
        imported++
        if (waiting.length < importsAtOnce) continue
        await Promise.all(waiting)
        waiting = []
      }
      await Promise.all(waiting)
      changed(request, 'imported', String(imported))
      return { imported }
    },
  )
}
