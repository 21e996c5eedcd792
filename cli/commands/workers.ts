/**
 * `mailweir ingest --workers N`: one core is one process, so N processes share the listeners (node:cluster). The first process
 * accepts no mail: it starts the others, starts them again when they die, answers for all of them, and stops them.
 */
import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { startHealth } from '#lib/runtime/health.ts'
import { createLogger } from '#lib/runtime/logger.ts'
import { Metrics } from '#lib/runtime/metrics.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { checkIngest } from '#services/ingest/config.ts'
import { serviceSettings, sourceOf } from '../settings.ts'

/** What a worker and the first process say to each other. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly ready: boolean }
  | { readonly kind: 'metrics?'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly values: unknown[] }

const restartMs = 1_000
const metricsMs = 2_000

export async function runWorkers(count: number, configFile: string | undefined): Promise<number> {
  const values = readSettings('mailweir ingest', serviceSettings.ingest, sourceOf(configFile), { check: checkIngest })
  const logger = createLogger({ level: values.logLevel, service: 'ingest' })
  const metrics = new Metrics()
  metrics.collectProcess()
  const restarts = metrics.counter('mailweir_worker_restarts_total', 'Workers that died and were started again.')
  const ready = new Map<Worker, boolean>()
  const asked = new Map<number, (values: unknown[]) => void>()
  let stopping = false
  let code = 0
  let question = 0

  // Workers accept by themselves: a connection that is handed from process to process is lost with the one that dies.
  cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({
    exec: process.argv[1] ?? '',
    args: [...(configFile === undefined ? [] : ['--config', configFile]), 'ingest'],
  })
  const begin = (): void => {
    // Health is answered here, for all.
    const worker = cluster.fork({ HEALTH_LISTEN: '' })
    ready.set(worker, false)
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') ready.set(worker, message.ready)
      else if (message.kind === 'metrics') asked.get(message.id)?.(message.values)
    })
    worker.on('exit', (exitCode, signal) => {
      ready.delete(worker)
      if (stopping) {
        code ||= exitCode ?? 1
        return
      }
      // What a person has to mend is not mended by starting again.
      if (exitCode === 78) {
        code = exitCode
        stop()
        return
      }
      restarts.inc()
      logger.error({ event: 'worker.died', exitCode, signal }, 'a worker died: it is started again')
      setTimeout(() => {
        if (!stopping) begin()
      }, restartMs)
    })
  }
  const stop = (): void => {
    stopping = true
    for (const worker of ready.keys()) worker.process.kill('SIGTERM')
  }

  const ask = (worker: Worker): Promise<unknown[]> =>
    new Promise((resolve) => {
      const id = ++question
      const done = (values: unknown[]): void => {
        clearTimeout(timer)
        asked.delete(id)
        resolve(values)
      }
      const timer = setTimeout(() => done([]), metricsMs)
      asked.set(id, done)
      worker.send({ kind: 'metrics?', id } satisfies WorkerMessage)
    })
  metrics.join(async () => (await Promise.all([...ready.keys()].map(ask))).flat())

  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, stop)
  for (let number = 0; number < count; number++) begin()
  const all = { name: 'ingest', isReady: () => !stopping && ready.size === count && [...ready.values()].every(Boolean) }
  const health = values.healthListen === null ? null : await startHealth(values.healthListen, [all], metrics)
  while (!stopping) await sleep(200)
  const until = Date.now() + values.stopMs
  while (ready.size > 0 && Date.now() < until) await sleep(50)
  for (const worker of ready.keys()) worker.process.kill('SIGKILL')
  await health?.close()
  return code
}

/** The side of the worker: says whether it is ready, and answers for its metrics. */
export function answerAsWorker(isReady: () => boolean, metrics: Metrics): { close(): Promise<void> } {
  if (!cluster.isWorker) return { close: async () => {} }
  const say = (message: WorkerMessage): void => {
    if (process.connected) process.send?.(message)
  }
  const timer = setInterval(() => say({ kind: 'ready', ready: isReady() }), 200)
  process.on('message', (message: WorkerMessage) => {
    if (message.kind !== 'metrics?') return
    void metrics.registry.getMetricsAsJSON().then((values) => say({ kind: 'metrics', id: message.id, values }))
  })
  return {
    close: async () => {
      clearInterval(timer)
      if (process.connected) process.disconnect()
    },
  }
}
