/** Each service by its name: how to start it from the settings and the ports. A process loads only what it starts. */
import { join } from 'node:path'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { HealthAnswer } from '#lib/runtime/health.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Values } from '#lib/runtime/settings.ts'
import type { RouteView } from '#services/console/app.ts'
import type { Ports } from './ports.ts'
import type { serviceSettings } from './settings.ts'

export const serviceNames = ['ingest', 'forward', 'classify', 'routes', 'quarantine', 'imap', 'console'] as const
export type ServiceName = (typeof serviceNames)[number]

/** The consumer groups whose offsets the ledger reads. The services own the names; `cli/services.test.ts` compares. */
export const groups = { forward: 'forward', classify: 'classify', quarantine: 'quarantine' } as const

type ConfigOf<N extends ServiceName> = Values<(typeof serviceSettings)[N]>
type Health = (path: string) => Promise<HealthAnswer | null>

export const start = {
  ingest: async (config: ConfigOf<'ingest'>, ports: Ports) => {
    const { startIngest } = await import('#services/ingest/service.ts')
    return startIngest(config, ports)
  },
  forward: async (config: ConfigOf<'forward'>, ports: Ports) => {
    const { startForward } = await import('#services/forward/service.ts')
    return startForward(config, ports)
  },
  classify: async (config: ConfigOf<'classify'>, ports: Ports) => {
    const { startClassify } = await import('#services/classify/service.ts')
    return startClassify(config, ports)
  },
  routes: async (config: ConfigOf<'routes'>, ports: Ports) => {
    const { startRoutes } = await import('#services/forward/routes/service.ts')
    return startRoutes(config, ports)
  },
  quarantine: async (config: ConfigOf<'quarantine'>, ports: Ports) => {
    const { startQuarantine } = await import('#services/quarantine/service.ts')
    return startQuarantine(config, ports)
  },
  imap: async (config: ConfigOf<'imap'>, ports: Ports) => {
    const { startImap } = await import('#services/quarantine/imap/server.ts')
    const { imapPassword, imapTls } = await import('./account.ts')
    return startImap(
      { ...config, imapPassword: config.imapPassword === '' ? imapPassword(config.dataDir) : config.imapPassword },
      { ...ports, viewPath: join(config.dataDir, 'views', 'imap.sqlite'), tls: await imapTls(config) },
    )
  },
  console: async (config: ConfigOf<'console'>, ports: Ports, health: Health) => {
    const { startConsole } = await import('#services/console/service.ts')
    return startConsole(config, {
      ...ports,
      viewPath: join(config.dataDir, 'views', 'console.sqlite'),
      groups,
      health,
      routes: await routesOf(config.routes, ports.logger),
      replay: async (range, signal) => {
        const { replay } = await import('#services/classify/replay.ts')
        const { checkClassify, classifyOptions } = await import('#services/classify/config.ts')
        // What a console cannot read of it is no reason not to start.
        const [problem] = checkClassify(config)
        if (problem !== undefined) throw new MailweirError('SETTINGS_WRONG', problem.line)
        return replay({ ...range, classify: classifyOptions(config) }, ports, () => {}, signal)
      },
    })
  },
}

/** What a person may see of the routes. */
async function routesOf(given: string, logger: Logger): Promise<readonly RouteView[]> {
  const { readRoutes } = await import('#services/forward/routes/config.ts')
  const { routeGroup } = await import('#services/forward/routes/rules.ts')
  const { routes, problems } = readRoutes(given)
  // What is wrong may quote a secret.
  if (problems.length > 0)
    logger.warn({ event: 'console.routes-unknown', problems: problems.length }, 'the routes cannot be shown')
  return (problems.length > 0 ? [] : routes).map(({ name, when, to }) => ({
    name,
    group: routeGroup(name),
    when,
    kind: to.kind,
    // Some services ask for a token in the query of an address.
    to: (to.kind === 'webhook' ? [to.url.replace(/[?#].*$/s, '')] : to.hosts).map(withoutUser),
    isSigned: to.kind === 'webhook' && to.secret !== '',
  }))
}

const withoutUser = (host: string): string => host.replace(/\/\/[^/@]*@/, '//')
