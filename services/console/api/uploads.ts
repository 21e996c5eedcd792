/** Lists that people send: read as they arrive, refused where they are too large. */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** A list of a million addresses with time and reason. */
export const uploadBytesMax = 128 * 1024 * 1024

/** Bodies of these types come as they arrive. */
export function takeUploads(app: FastifyInstance): void {
  for (const type of ['text/csv', 'text/plain', 'application/octet-stream']) {
    app.removeContentTypeParser(type)
    app.addContentTypeParser(type, (_request, payload, done) => done(null, payload))
  }
}

/** @throws an error with status 415 for a body of another type, and 413 on the way */
export async function* uploadOf(request: FastifyRequest): AsyncGenerator<Buffer> {
  const { body } = request
  if (!(body instanceof Readable))
    throw Object.assign(new Error('Send a list as text/csv, a log as text/plain'), { statusCode: 415 })
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > uploadBytesMax) throw Object.assign(new Error('The list is too large'), { statusCode: 413 })
    yield chunk
  }
}
