/** Dead letters: what nobody has dealt with yet; drive some once more, or set them aside with a reason. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { cursorOf, cursorPattern, parseCursor } from './cursor.ts'

const idsMax = 100
const ids = Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: idsMax })
const listQuery = Type.Object({
  dropped: Type.Boolean({ default: false, description: 'those that were set aside instead' }),
  before: Type.Optional(Type.String({ pattern: cursorPattern, description: '`next` of the page before' })),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
})
const redriveBody = Type.Object({ ids })
const dropBody = Type.Object({ ids, reason: Type.String({ minLength: 1, maxLength: 500 }) })

export function letterRoutes(app: FastifyInstance, { view, changed, redrive, told }: AppPorts): void {
  app.get(
    '/api/dead-letters',
    { schema: { querystring: listQuery, summary: 'Messages that the legacy system refused for good, newest first' } },
    async (request) => {
      const { before, dropped, limit } = request.query as Static<typeof listQuery> // Checked by the schema.
      const cursor = before === undefined ? undefined : parseCursor(before)
      const letters = view.messages({ state: 'dead', dropped, before: cursor, limit })
      const last = letters.at(-1)
      return { letters, next: letters.length < limit || last === undefined ? null : cursorOf(last) }
    },
  )
  app.post(
    '/api/dead-letters/redrive',
    { schema: { body: redriveBody, summary: 'Once more to the legacy system, to the recipients that were refused' } },
    async (request) => {
      const body = request.body as Static<typeof redriveBody> // Checked by the schema.
      const summary = await redrive(body.ids)
      changed(request, 'redriven-by', `${summary.redriven} of ${body.ids.length}`)
      return summary
    },
  )
  app.post(
    '/api/dead-letters/drop',
    {
      schema: {
        body: dropBody,
        summary: 'Set aside with a reason; they stay dead, and in mail.dead for its retention',
      },
    },
    async (request) => {
      const body = request.body as Static<typeof dropBody> // Checked by the schema.
      let dropped = 0
      for (const id of body.ids) {
        const message = view.message(id)
        if (message?.state !== 'dead') continue
        await told(message, 'dropped', `${request.person.name}: ${body.reason}`)
        dropped++
      }
      changed(request, 'dropped-by', `${dropped} of ${body.ids.length}`)
      return { dropped }
    },
  )
}
