import { createServer } from 'node:http'

/** The two calls of a Confluent-compatible registry that we make, over real HTTP. */
export async function startRegistry() {
  const schemas: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      response.setHeader('content-type', 'application/vnd.schemaregistry.v1+json')
      const byId = /^\/schemas\/ids\/(\d+)$/.exec(request.url ?? '')
      if (request.method === 'POST' && /^\/subjects\/[a-z.]+-value\/versions$/.test(request.url ?? '')) {
        const { schema } = JSON.parse(body)
        if (!schemas.includes(schema)) schemas.push(schema)
        response.end(JSON.stringify({ id: schemas.indexOf(schema) + 1 }))
      } else if (byId && schemas[Number(byId[1]) - 1] !== undefined) {
        response.end(JSON.stringify({ schema: schemas[Number(byId[1]) - 1] }))
      } else {
        response.statusCode = 404
        response.end('{"error_code":40403,"message":"Schema not found"}')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/`,
    schemas,
    [Symbol.dispose]: () => void server.close(),
  }
}
