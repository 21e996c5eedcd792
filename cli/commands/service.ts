/** `mailweir ingest`, `forward`, `classify`, `quarantine`, `imap`, `console`: one service as a process of its own. */
import { answerHealth, type HealthAnswer, startHealth } from '#lib/runtime/health.ts'
import { runServices } from '#lib/runtime/run.ts'
import type { Service } from '#lib/runtime/service.ts'
import { type Problem, readSettings } from '#lib/runtime/settings.ts'
import { checkClassify } from '#services/classify/config.ts'
import { checkConsole } from '#services/console/config.ts'
import { checkRelay } from '#services/forward/config.ts'
import { checkRoutes, type RoutesConfig } from '#services/forward/routes/config.ts'
import { checkIngest } from '#services/ingest/config.ts'
import { closePorts, openPorts, type Ports, whenLogAnswers } from '../ports.ts'
import { type ServiceName, start } from '../services.ts'
import { checkImap, serviceSettings, sourceOf } from '../settings.ts'
import { answerAsWorker } from './workers.ts'

type Health = (path: string) => Promise<HealthAnswer | null>

const checks: { readonly [N in ServiceName]?: (values: never) => readonly Problem[] } = {
  ingest: checkIngest,
  forward: checkRelay,
  classify: checkClassify,
  routes: (values: RoutesConfig) => [...checkRelay(values), ...checkRoutes(values)],
  imap: checkImap,
  console: checkConsole,
}

export async function runService(name: ServiceName, configFile: string | undefined): Promise<number> {
  // The table pairs each name with its own settings, check and start; the compiler cannot follow that through a variable.
  const check = checks[name] as ((values: unknown) => readonly Problem[]) | undefined
  const values = readSettings(`mailweir ${name}`, serviceSettings[name], sourceOf(configFile), { check })
  const ports = await openPorts(values, name)
  await whenLogAnswers(ports)
  const services: Service[] = []
  const closeAfter = [{ name: 'ports', close: () => closePorts(ports) }]
  ports.metrics.collectProcess()
  const health = (path: string) => answerHealth(path, services, ports.metrics)
  try {
    const begin = start[name] as (config: unknown, ports: Ports, health: Health) => Promise<Service>
    services.push(await begin(values, ports, health))
    const worker = answerAsWorker(() => services.every((service) => service.isReady()), ports.metrics)
    closeAfter.push({ name: 'worker', close: worker.close })
    if (values.healthListen !== null) {
      const server = await startHealth(values.healthListen, services, ports.metrics)
      closeAfter.unshift({ name: 'health', close: server.close })
    }
  } catch (error) {
    for (const service of services) await service.stop().catch(() => {})
    await closePorts(ports)
    throw error
  }
  return runServices({ logger: ports.logger, services, closeAfter, stopMs: values.stopMs })
}
