/** The servers that are compared: each starts, says where it listens and which processes it is, and stops. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imapTls } from '#cli/account.ts'
import { startHaraka } from '#lib/testing/haraka.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { listenSettings, runMailweir, startMailweir } from '#lib/testing/mailweir.ts'
import { freePort } from '#lib/testing/ports.ts'
import { postfixMissing, startPostfix } from '#lib/testing/postfix.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { family, listens, type Running } from '../measure.ts'

export type Rival = { readonly name: string; readonly skip: string | false; start(): Promise<Running> }

async function certificate(folder: string): Promise<string> {
  const path = join(folder, 'both.pem')
  writeFileSync(path, (await imapTls({ dataDir: folder, imapTlsCert: null, imapTlsKey: null })).cert)
  return path
}

async function mailweir(more: Record<string, string>): Promise<Running> {
  const folder = temporaryFolder()
  const pem = await certificate(folder.path)
  const { ports, settings } = await listenSettings()
  const environment = {
    ...settings,
    DATA_DIR: folder.path,
    MAIL_DOMAINS: '*',
    LOG_LEVEL: 'warn',
    SMTP_CONNECTIONS_MAX: '10000',
    SMTP_CONNECTIONS_PER_ADDRESS_MAX: '10000',
    SMTP_CONNECTIONS_PER_NETWORK_MAX: '10000',
    SMTP_TLS_CERT: pem,
    SMTP_TLS_KEY: pem,
    ...more,
  }
  const process = startMailweir(['ingest'], environment)
  await listens(ports.smtp)
  return {
    port: ports.smtp,
    pids: () => [process.pid],
    stop: async () => {
      await process.end('SIGTERM')
      folder[Symbol.dispose]()
    },
  }
}

async function smtpServer(withFile: boolean): Promise<Running> {
  const folder = temporaryFolder()
  const port = await freePort()
  const pem = await certificate(folder.path)
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'rival.ts'), String(port), withFile ? join(folder.path, 'file') : '', pem],
    { stdio: 'inherit' },
  )
  await listens(port)
  return {
    port,
    pids: () => [child.pid ?? 0],
    stop: async () => {
      child.kill('SIGKILL')
      folder[Symbol.dispose]()
    },
  }
}

export const rivals: readonly Rival[] = [
  { name: 'Mailweir, embedded log', skip: false, start: () => mailweir({}) },
  {
    name: 'Mailweir, Kafka on the same cores',
    skip: false,
    start: async () => {
      const broker = await startBroker()
      const environment = { KAFKA_BROKERS: broker.brokers, KAFKA_REPLICATION: '1' }
      await runMailweir(['topics'], environment)
      const running = await mailweir(environment)
      return { ...running, stop: () => running.stop().then(broker.stop) }
    },
  },
  { name: 'smtp-server, empty handler', skip: false, start: () => smtpServer(false) },
  { name: 'smtp-server, file, group sync', skip: false, start: () => smtpServer(true) },
  {
    name: 'Postfix, accepting to its queue',
    skip: postfixMissing(),
    start: async () => {
      const port = await freePort()
      const postfix = await startPostfix({ listen: port })
      await listens(port)
      return { port, pids: () => family(postfix.pid), stop: postfix.stop }
    },
  },
  {
    name: 'Haraka, its own queue',
    skip: false,
    start: async () => {
      const port = await freePort()
      const haraka = await startHaraka({ listen: port })
      await listens(port)
      return { port, pids: () => [haraka.pid], stop: async () => haraka.stop() }
    },
  },
]
