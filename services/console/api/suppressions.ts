/** Suppressions: list, explain, add, lift, export, import; and the audit of the legacy system's own list. */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Suppression } from '#schemas/types.ts'
import type { AppPorts } from '../app.ts'
import { audit, csvCell, type Finding, type Listed, readList } from '../audit.ts'
import { isSuppressed } from '../suppressions/policy.ts'

const pageMax = 500
const exportPage = 1_000
/** A list of a million addresses with time and reason. */
const uploadBytesMax = 128 * 1024 * 1024
const findingsMax = 2_000
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
  app.addContentTypeParser(['text/csv', 'application/octet-stream'], (_request, payload, done) => done(null, payload))

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
        for (const known of all(suppressions)) {
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
      for await (const { address, reason } of listOf(request)) {
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
  app.post(
    '/api/audit',
    { bodyLimit: uploadBytesMax, schema: { summary: 'The legacy system’s list (CSV) against what the mail says' } },
    async (request) => {
      const findings: Finding[] = []
      const summary = await audit(
        listOf(request),
        { get: (address) => suppressions.get(address), all: () => all(suppressions) },
        (finding) => {
          if (finding.finding !== 'supported' && findings.length < findingsMax) findings.push(finding)
        },
      )
      return { ...summary, findings }
    },
  )
}

function* all(book: AppPorts['suppressions']): Generator<Suppression> {
  let after = ''
  for (;;) {
    const page = book.list({ after, limit: exportPage })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < exportPage) return
    after = last.address
  }
}

/** Refused while it arrives where it is too large. */
async function* limited(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > uploadBytesMax) throw Object.assign(new Error('The list is too large'), { statusCode: 413 })
    yield chunk
  }
}

function listOf(request: FastifyRequest): AsyncGenerator<Listed> {
  const body = request.body
  if (!(body instanceof Readable)) throw Object.assign(new Error('Send the list as text/csv'), { statusCode: 415 })
  return readList(limited(body))
}
