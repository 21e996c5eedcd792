/** Messages: search, one with its trace, its content, its bytes. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { readAttachment, readContent, readHtml } from '../content.ts'
import { framed } from './access.ts'
import { cursorOf, cursorPattern, parseCursor } from './cursor.ts'
import { idParameter, namedBy } from './named.ts'

const pageMax = 200
const text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }))
const attachmentParameters = Type.Object({
  ...idParameter.properties,
  index: Type.Integer({ minimum: 0, maximum: 99 }),
})
const messagesQuery = Type.Object({
  address: text(320),
  kind: text(40),
  reason: text(40),
  state: Type.Optional(Type.Enum(['accepted', 'waiting', 'forwarded', 'dead'])),
  held: Type.Optional(Type.Boolean({ description: 'true: those that are kept past their expiry' })),
  domain: text(255),
  system: text(120),
  campaign: text(300),
  text: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'words of the diagnostic or the subject' }),
  ),
  from: Type.Optional(Type.Integer({ minimum: 0, description: 'epoch milliseconds' })),
  to: Type.Optional(Type.Integer({ minimum: 0 })),
  before: Type.Optional(Type.String({ pattern: cursorPattern, description: '`next` of the page before' })),
  limit: Type.Integer({ minimum: 1, maximum: pageMax, default: 50 }),
})

export function messageRoutes(app: FastifyInstance, { view, raw, evidence }: AppPorts): void {
  app.get(
    '/api/messages',
    { schema: { querystring: messagesQuery, summary: 'Messages, newest first' } },
    async (request) => {
      const { before, ...query } = request.query as Static<typeof messagesQuery> // Checked by the schema.
      const messages = view.messages({ ...query, before: before === undefined ? undefined : parseCursor(before) })
      const last = messages.at(-1)
      return { messages, next: messages.length < query.limit || last === undefined ? null : cursorOf(last) }
    },
  )
  const named = namedBy({ view, raw })
  app.get(
    '/api/messages/:id',
    { schema: { params: idParameter, summary: 'A message with its trace' } },
    async (request, reply) => {
      const message = named.message(request, reply)
      return message === null ? reply : { ...message, trace: view.trace(message.id) }
    },
  )
  app.get(
    '/api/messages/:id/raw',
    { schema: { params: idParameter, summary: 'The exact bytes' } },
    async (request, reply) => {
      const found = await named.bytes(request, reply)
      if (found === null) return reply
      const { id } = request.params as Static<typeof idParameter> // Checked by the schema.
      return reply
        .type('message/rfc822')
        .header('content-disposition', `attachment; filename="${id.replace(/[^A-Za-z0-9-]/g, '_')}.eml"`)
        .send(found.bytes)
    },
  )
  app.get(
    '/api/messages/:id/content',
    { schema: { params: idParameter, summary: 'What a person reads, as text' } },
    async (request, reply) => {
      const found = await named.bytes(request, reply)
      return found === null ? reply : readContent(found.bytes)
    },
  )
  app.get(
    '/api/messages/:id/html',
    { schema: { params: idParameter, summary: 'Its HTML, for a frame without scripts and without network' } },
    async (request, reply) => {
      const found = await named.bytes(request, reply)
      if (found === null) return reply
      framed(reply)
      return reply.type('text/html; charset=utf-8').send(await readHtml(found.bytes))
    },
  )
  app.get(
    '/api/messages/:id/attachments/:index',
    { schema: { params: attachmentParameters, summary: 'An attachment, to be saved' } },
    async (request, reply) => {
      const found = await named.bytes(request, reply)
      if (found === null) return reply
      const { index } = request.params as Static<typeof attachmentParameters> // Checked by the schema.
      const attachment = await readAttachment(found.bytes, index)
      if (attachment === null) return reply.code(404).send({ error: 'The message has no such attachment' })
      // RFC 6266, 8187: the name is encoded; nothing of it can end the field.
      const name = encodeURIComponent(attachment.name || `attachment-${index}`).replace(/['()*]/g, '_')
      return reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename*=UTF-8''${name}`)
        .send(attachment.content)
    },
  )
  app.get(
    '/api/messages/:id/evidence',
    { schema: { params: idParameter, summary: 'The bytes that the verdict goes by' } },
    async (request, reply) => {
      const message = named.message(request, reply)
      return message === null ? reply : { evidence: (await evidence(message)) ?? [] }
    },
  )
}
