/**
 * `mailweir up`: every service in one process. Without settings it is complete on one machine: the embedded log, the files store,
 * and a stand-in for the legacy system, all below DATA_DIR and on loopback.
 */
import { answerHealth, startHealth } from '#lib/runtime/health.ts'
import { createLogger } from '#lib/runtime/logger.ts'
import { runServices } from '#lib/runtime/run.ts'
import type { Service } from '#lib/runtime/service.ts'
import { readSettings, type Values } from '#lib/runtime/settings.ts'
import type { Console } from '#services/console/service.ts'
import type { Ingest } from '#services/ingest/service.ts'
import type { Imap } from '#services/quarantine/imap/server.ts'
import { imapPassword } from '../account.ts'
import { closePorts, makeTopics, openPorts, whenLogAnswers } from '../ports.ts'
import { start } from '../services.ts'
import { checkUp, sourceOf, upFallbacks, upSettings } from '../settings.ts'
import { type StandIn, standInHost, startStandIn } from '../stand-in.ts'

type Listening = { readonly ingest: Ingest; readonly imap: Imap; readonly console: Console }

export async function runUp(configFile: string | undefined): Promise<number> {
  const values = readSettings('mailweir up', upSettings, sourceOf(configFile), {
    fallbacks: { ...upFallbacks, LEGACY_SMTP: standInHost },
    check: checkUp,
  })
  const password = values.imapPassword === '' ? imapPassword(values.dataDir) : values.imapPassword
  const ports = await openPorts(values, 'up')
  await whenLogAnswers(ports)
  const services: Service[] = []
  const closeAfter = [{ name: 'ports', close: () => closePorts(ports) }]
  ports.metrics.collectProcess()
  const health = (path: string) => answerHealth(path, services, ports.metrics)
  let standIn: StandIn | null = null
  let listening: Listening
  try {
    if (ports.log.adapter === 'kafka') await makeTopics(ports, values.partitions)
    if (ports.objects.adapter === 's3') await ports.objects.prepare()
    let legacySmtp = values.legacySmtp
    if (legacySmtp[0] === standInHost) {
      standIn = startStandIn(values, createLogger({ level: values.logLevel, service: 'stand-in' }))
      services.push(standIn)
      await standIn.ready
      legacySmtp = [`smtp://${values.standInListen.host}:${standIn.port}`]
    }
    const imapConfig = { ...values, imapPassword: password }
    const ingest = await start.ingest(values, ports)
    services.push(ingest)
    services.push(await start.forward({ ...values, legacySmtp }, ports))
    services.push(await start.classify(values, ports))
    services.push(await start.routes(values, ports))
    services.push(await start.quarantine(values, ports))
    const imap = await start.imap(imapConfig, ports)
    services.push(imap)
    const view = await start.console(values, ports, health)
    services.push(view)
    if (values.healthListen !== null) {
      const server = await startHealth(values.healthListen, services, ports.metrics)
      closeAfter.unshift({ name: 'health', close: server.close })
    }
    listening = { ingest, imap, console: view }
    // The stand-in is downstream of all: it stops last.
    if (standIn !== null) services.push(...services.splice(services.indexOf(standIn), 1))
  } catch (error) {
    for (const service of services) await service.stop().catch(() => {})
    await closePorts(ports)
    throw error
  }
  void Promise.all(services.map((service) => service.ready)).then(
    () => process.stdout.write(describe(values, password, listening, standIn)),
    () => {}, // runServices tells it.
  )
  return runServices({ logger: ports.logger, services, closeAfter, stopMs: values.stopMs })
}

function describe(
  values: Values<typeof upSettings>,
  password: string,
  listening: Listening,
  standIn: StandIn | null,
): string {
  const at = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`
  const user = `user ${values.imapUser}, password ${values.imapPassword === '' ? password : '(as set)'}`
  const rows: [string, string][] = [
    ['send', `smtp://${at(values.smtpListen.host, listening.ingest.port)}`],
    [
      'read',
      `imap://${at(values.imapListen.host, listening.imap.port)} and imaps://${at(values.imapsListen.host, listening.imap.tlsPort)}, ${user}`,
    ],
    ['look', `http://${at(values.consoleListen.host, listening.console.port)}/`],
    [
      'legacy',
      standIn === null
        ? values.legacySmtp.join(', ')
        : `the built-in stand-in on ${at(values.standInListen.host, standIn.port)}, which writes ${standIn.path}`,
    ],
    ['log', values.kafkaBrokers.length > 0 ? values.kafkaBrokers.join(', ') : `${values.dataDir}/log.sqlite`],
    ['store', values.s3Bucket !== null ? `bucket ${values.s3Bucket}` : `${values.dataDir}/objects`],
  ]
  return `Mailweir is up.\n${rows.map(([name, text]) => `  ${name.padEnd(7)}${text}`).join('\n')}\nTry: npm run demo\n`
}
