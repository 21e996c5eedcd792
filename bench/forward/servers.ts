/** What stands between the load and the sink. */
import { startHaraka } from '#lib/testing/haraka.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { freePort } from '#lib/testing/ports.ts'
import { postfixMissing, startPostfix } from '#lib/testing/postfix.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { family, listens, type Running } from '../measure.ts'

export type Between = {
  readonly name: string
  readonly skip: string | false
  /** Messages of a run: so many that it takes seconds. */
  readonly messages: number
  start(sinkPort: number): Promise<Running>
}

/** Settings of a Mailweir that stands between the load and the sink. */
export const environmentOf = (dataDir: string, port: number, sinkPort: number) => ({
  DATA_DIR: dataDir,
  MAIL_DOMAINS: '*',
  LOG_LEVEL: 'error',
  SMTP_LISTEN: `127.0.0.1:${port}`,
  LEGACY_SMTP: `smtp://127.0.0.1:${sinkPort}`,
})

/** Ingest and forward, a process each, as they are deployed. */
async function mailweir(sinkPort: number, more: Record<string, string>): Promise<Running> {
  const folder = temporaryFolder()
  const port = await freePort()
  const environment = { ...environmentOf(folder.path, port, sinkPort), ...more }
  const ingest = startMailweir(['ingest'], environment)
  await listens(port)
  const health = await freePort()
  const forward = startMailweir(['forward'], { ...environment, HEALTH_LISTEN: `127.0.0.1:${health}` })
  await whenReady(forward, health)
  return {
    port,
    pids: () => [ingest.pid, forward.pid],
    stop: async () => {
      await Promise.all([ingest.end('SIGTERM'), forward.end('SIGTERM')])
      folder[Symbol.dispose]()
    },
  }
}

export const between: readonly Between[] = [
  {
    name: 'nothing',
    skip: false,
    messages: 20_000,
    start: async (port) => ({ port, pids: () => [], stop: async () => {} }),
  },
  { name: 'Mailweir, embedded log', skip: false, messages: 15_000, start: (port) => mailweir(port, {}) },
  {
    name: 'Mailweir, Kafka on the same cores',
    skip: false,
    messages: 12_000,
    start: async (port) => {
      const broker = await startBroker()
      const environment = { KAFKA_BROKERS: broker.brokers, KAFKA_REPLICATION: '1' }
      await runMailweir(['topics'], environment)
      const running = await mailweir(port, environment)
      return { ...running, stop: () => running.stop().then(broker.stop) }
    },
  },
  {
    name: 'Postfix',
    skip: postfixMissing(),
    messages: 4_000,
    start: async (sinkPort) => {
      const port = await freePort()
      const postfix = await startPostfix({ listen: port, relay: true, mailTo: sinkPort })
      await listens(port)
      return { port, pids: () => family(postfix.pid), stop: postfix.stop }
    },
  },
  {
    name: 'Haraka, smtp_forward',
    skip: false,
    messages: 4_000,
    start: async (sinkPort) => {
      const port = await freePort()
      const haraka = await startHaraka({ listen: port, mailTo: sinkPort })
      await listens(port)
      return { port, pids: () => [haraka.pid], stop: async () => haraka.stop() }
    },
  },
]
