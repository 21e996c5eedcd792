/** Each service by its name: how to start it from the settings and the ports. */
import { join } from 'node:path'
import type { HealthAnswer } from '#lib/runtime/health.ts'
import type { Values } from '#lib/runtime/settings.ts'
import { classifyGroup, startClassify } from '#services/classify/service.ts'
import { startConsole } from '#services/console/service.ts'
import { forwardGroup, startForward } from '#services/forward/service.ts'
import { startIngest } from '#services/ingest/service.ts'
import { startImap } from '#services/quarantine/imap/server.ts'
import { quarantineGroup, startQuarantine } from '#services/quarantine/service.ts'
import { imapPassword, imapTls } from './account.ts'
import type { Ports } from './ports.ts'
import type { serviceSettings } from './settings.ts'

export const groups = { forward: forwardGroup, classify: classifyGroup, quarantine: quarantineGroup } as const

export const serviceNames = ['ingest', 'forward', 'classify', 'quarantine', 'imap', 'console'] as const
export type ServiceName = (typeof serviceNames)[number]

type ConfigOf<N extends ServiceName> = Values<(typeof serviceSettings)[N]>

type Health = (path: string) => Promise<HealthAnswer | null>

export const start = {
  ingest: async (config: ConfigOf<'ingest'>, ports: Ports) => startIngest(config, ports),
  forward: async (config: ConfigOf<'forward'>, ports: Ports) => startForward(config, ports),
  classify: async (config: ConfigOf<'classify'>, ports: Ports) => startClassify(config, ports),
  quarantine: async (config: ConfigOf<'quarantine'>, ports: Ports) => startQuarantine(config, ports),
  imap: async (config: ConfigOf<'imap'>, ports: Ports) =>
    startImap(
      { ...config, imapPassword: config.imapPassword === '' ? imapPassword(config.dataDir) : config.imapPassword },
      { ...ports, viewPath: join(config.dataDir, 'views', 'imap.sqlite'), tls: await imapTls(config) },
    ),
  console: async (config: ConfigOf<'console'>, ports: Ports, health: Health) =>
    startConsole(config, { ...ports, viewPath: join(config.dataDir, 'views', 'console.sqlite'), groups, health }),
}
