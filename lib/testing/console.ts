/** A console over ports of a test, and how to ask it. */
import { logSettings } from '#lib/log/config.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { replay } from '#services/classify/replay.ts'
import type { RouteView } from '#services/console/app.ts'
import { consoleSettings } from '#services/console/config.ts'
import { startConsole } from '#services/console/service.ts'
import type { TestPorts } from './embedded.ts'

export type TestConsoleOptions = {
  readonly environment?: Readonly<Record<string, string>>
  /** Empty: a view that goes with the process. */
  readonly viewPath?: string
  readonly routes?: readonly RouteView[]
}

export async function startTestConsole(ports: TestPorts, options: TestConsoleOptions = {}) {
  const environment = { CONSOLE_LISTEN: '127.0.0.1:0', ...options.environment }
  const service = startConsole(
    readSettings('test', { ...consoleSettings, otlpEndpoint: logSettings.otlpEndpoint }, { environment }),
    {
      ...ports,
      viewPath: options.viewPath ?? '',
      groups: { forward: 'forward', classify: 'classify', quarantine: 'quarantine' },
      health: async () => null,
      routes: options.routes ?? [],
      replay: (range, signal) => replay({ ...range, classify: {} }, ports, () => {}, signal),
    },
  )
  await service.ready
  const base = `http://127.0.0.1:${service.port}`
  const ask = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${base}${path}`, init)
  return {
    service,
    base,
    ask,
    json: async (path: string, init: RequestInit = {}) => {
      const response = await ask(path, init)
      return { status: response.status, body: (await response.json()) as Record<string, never> }
    },
    [Symbol.asyncDispose]: () => service.stop(),
  }
}

/** An event of message n, which stands at offset n of the first partition: a verdict, unless it is said otherwise. */
export const tellEvent = (ports: TestPorts, n: number, given: Partial<Event>) =>
  ports.log.append('mail.events', {
    key: `m${n}`,
    partition: 0,
    value: ports.codec.encode(
      'event',
      event({
        messageId: `m${n}`,
        at: Date.now(),
        type: 'classified',
        service: 'classify',
        position: { partition: 0, offset: n },
        ...given,
      }),
    ),
  })
