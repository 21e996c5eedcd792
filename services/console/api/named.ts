/** The message that a request names, and its bytes; where there is none, the request has been answered. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { AppPorts } from '../app.ts'

export const idParameter = Type.Object({ id: Type.String({ maxLength: 200 }) })

export type NamedMessage = NonNullable<ReturnType<AppPorts['view']['message']>>

export function namedBy({ view, raw }: Pick<AppPorts, 'view' | 'raw'>) {
  const message = (request: FastifyRequest, reply: FastifyReply): NamedMessage | null => {
    const { id } = request.params as { id: string } // Checked by the schema.
    const found = view.message(id)
    if (found === null) void reply.code(404).send({ error: 'No message is known by this id' })
    return found
  }
  const bytes = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<{ readonly message: NamedMessage; readonly bytes: Buffer } | null> => {
    const found = message(request, reply)
    if (found === null) return null
    const content = await raw(found)
    if (content === null) void reply.code(410).send({ error: 'The message is no longer stored' })
    return content === null ? null : { message: found, bytes: content }
  }
  return { message, bytes }
}
