/** All settings, by the command that reads them. `mailweir config` and docs/CONFIGURATION.md are made from this. */
import { existsSync } from 'node:fs'
import { logSettings } from '#lib/log/config.ts'
import { objectsSettings } from '#lib/objects/config.ts'
import { logLevels } from '#lib/runtime/logger.ts'
import * as setting from '#lib/runtime/settings.ts'
import { checkClassify, classifySettings } from '#services/classify/config.ts'
import { checkConsole, consoleSettings } from '#services/console/config.ts'
import { checkRelay, forwardOnlySettings, forwardSettings, relaySettings } from '#services/forward/config.ts'
import { checkRoutes, routesSettings } from '#services/forward/routes/config.ts'
import { checkIngest, ingestSettings } from '#services/ingest/config.ts'
import { imapSettings, quarantineSettings } from '#services/quarantine/config.ts'
import { standInSettings } from './stand-in.ts'

export const processSettings = {
  logLevel: setting.choice('LOG_LEVEL', logLevels, 'info', {
    meaning: 'least severe lines of the log that are written; warn with npm start',
  }),
  healthListen: setting.optionalListen('HEALTH_LISTEN', {
    meaning: '/healthz, /readyz and /metrics of this process; absent: off',
  }),
  stopMs: setting.integer('STOP_MS', 50_000, {
    unit: 'milliseconds',
    min: 1_000,
    max: 600_000,
    meaning: 'after SIGTERM all has to be drained by then, or the process ends as it is',
  }),
} as const

/** What every command that touches the log or the store reads. */
export const portSettings = { ...processSettings, ...logSettings, ...objectsSettings } as const

export const serviceSettings = {
  ingest: { ...portSettings, ...ingestSettings },
  forward: { ...portSettings, ...forwardSettings },
  classify: { ...portSettings, ...classifySettings },
  routes: { ...portSettings, ...relaySettings, ...routesSettings },
  quarantine: { ...portSettings, ...quarantineSettings },
  imap: { ...portSettings, ...imapSettings },
  // What a replay goes by, and the routes that it shows.
  console: { ...portSettings, ...classifySettings, ...routesSettings, ...consoleSettings },
} as const

export const upSettings = {
  ...serviceSettings.ingest,
  ...forwardSettings,
  ...classifySettings,
  ...routesSettings,
  ...quarantineSettings,
  ...imapSettings,
  ...consoleSettings,
  ...standInSettings,
} as const

export type PortValues = setting.Values<typeof portSettings>
export type UpValues = setting.Values<typeof upSettings>

/** Where `mailweir up` has other defaults than the services on their own. */
export const upFallbacks: Readonly<Record<string, string>> = {
  MAIL_DOMAINS: '*',
  LOG_LEVEL: 'warn',
  SEGMENT_MS: '1000',
  CLASSIFY_THREADS: '1',
  KAFKA_REPLICATION: '1',
}

export type Section = { readonly title: string; readonly readBy: string; readonly settings: setting.Settings }

export const sections: readonly Section[] = [
  { title: 'Every process', readBy: 'all', settings: processSettings },
  { title: 'Record log', readBy: 'all', settings: logSettings },
  { title: 'Object store', readBy: 'all', settings: objectsSettings },
  { title: 'Ingest', readBy: 'ingest, up', settings: ingestSettings },
  { title: 'Sending', readBy: 'forward, routes, up', settings: relaySettings },
  { title: 'Forward', readBy: 'forward, up', settings: forwardOnlySettings },
  { title: 'Routes', readBy: 'routes, console, up', settings: routesSettings },
  { title: 'Classify', readBy: 'classify, replay, console, up', settings: classifySettings },
  { title: 'Quarantine', readBy: 'quarantine, up', settings: quarantineSettings },
  { title: 'IMAP', readBy: 'imap, up', settings: imapSettings },
  { title: 'Console', readBy: 'console, up', settings: consoleSettings },
  { title: 'Stand-in for the legacy system', readBy: 'stand-in, up', settings: standInSettings },
]

export function checkUp(values: UpValues): readonly setting.Problem[] {
  return [
    ...checkIngest(values),
    ...checkRelay(values),
    ...checkClassify(values),
    ...checkRoutes(values),
    ...checkConsole(values),
    ...checkImap(values),
  ]
}

type ImapValues = setting.Values<typeof imapSettings> & { readonly kafkaBrokers: readonly string[] }

/** A password is made up only where one process is all there is: replicas would make up different ones. */
export function checkImap(values: ImapValues): readonly setting.Problem[] {
  const problems: setting.Problem[] = []
  if (values.imapPassword === '' && values.kafkaBrokers.length > 0) {
    problems.push({
      variable: 'IMAP_PASSWORD',
      line: 'IMAP_PASSWORD is not set: expected a password, because with Kafka none is made up',
    })
  }
  if ((values.imapTlsCert === null) !== (values.imapTlsKey === null)) {
    problems.push({ variable: 'IMAP_TLS_CERT', line: 'IMAP_TLS_CERT and IMAP_TLS_KEY: expected both or none' })
  }
  for (const [variable, path] of [
    ['IMAP_TLS_CERT', values.imapTlsCert],
    ['IMAP_TLS_KEY', values.imapTlsKey],
  ] as const) {
    if (path !== null && !existsSync(path)) {
      problems.push({ variable, line: `${variable}=${JSON.stringify(path)}: expected a file that exists` })
    }
  }
  return problems
}

export const sourceOf = (configFile: string | undefined): setting.Source =>
  configFile === undefined
    ? { environment: process.env }
    : { environment: process.env, file: setting.readSettingsFile(configFile) }
