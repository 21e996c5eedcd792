/**
 * `/healthz` (the process lives), `/readyz` (each service can do its work) and `/metrics` of one process.
 */
import { createServer, type Server } from 'node:http'
import { listenOn } from './listen.ts'
import type { Metrics } from './metrics.ts'
import type { Service } from './service.ts'
import type { ListenAddress } from './settings.ts'

export type HealthAnswer = { readonly status: number; readonly type: string; readonly body: string }

export async function answerHealth(
  path: string,
  services: readonly Pick<Service, 'name' | 'isReady'>[],
  metrics: Metrics,
): Promise<HealthAnswer | null> {
  if (path === '/healthz') return { status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' }
  if (path === '/readyz') {
    const states = services.map((service) => ({ name: service.name, ready: service.isReady() }))
    return {
      status: states.every((state) => state.ready) ? 200 : 503,
      type: 'text/plain; charset=utf-8',
      body: states.map((state) => `${state.name} ${state.ready ? 'ready' : 'not ready'}\n`).join(''),
    }
  }
  if (path === '/metrics') {
    return { status: 200, type: metrics.registry.contentType, body: await metrics.text() }
  }
  return null
}

/** Serves health on an address of its own, for a service that has no other HTTP listener. */
export async function startHealth(
  listen: ListenAddress,
  services: readonly Pick<Service, 'name' | 'isReady'>[],
  metrics: Metrics,
): Promise<{ server: Server; port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    answerHealth(path, services, metrics).then(
      (answer) => {
        if (answer === null) response.writeHead(404).end('not found\n')
        else response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body)
      },
      () => response.writeHead(500).end('cannot collect metrics\n'),
    )
  })
  server.headersTimeout = 10_000
  server.requestTimeout = 10_000
  server.maxConnections = 256
  const port = await listenOn(server, listen, 'HEALTH_LISTEN')
  return {
    server,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
