/** `mailweir stand-in`: the stand-in for the legacy system as a process of its own. */

import { logSettings } from '#lib/log/config.ts'
import { startHealth } from '#lib/runtime/health.ts'
import { createLogger } from '#lib/runtime/logger.ts'
import { Metrics } from '#lib/runtime/metrics.ts'
import { runServices } from '#lib/runtime/run.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { processSettings, sourceOf } from '../settings.ts'
import { standInSettings, startStandIn } from '../stand-in.ts'

export async function runStandIn(configFile: string | undefined): Promise<number> {
  const values = readSettings(
    'mailweir stand-in',
    { ...processSettings, dataDir: logSettings.dataDir, ...standInSettings },
    sourceOf(configFile),
  )
  const logger = createLogger({ level: values.logLevel, service: 'stand-in' })
  const standIn = startStandIn(values, logger)
  await standIn.ready
  const closeAfter = []
  if (values.healthListen !== null) {
    const metrics = new Metrics()
    metrics.collectProcess()
    const server = await startHealth(values.healthListen, [standIn], metrics)
    closeAfter.push({ name: 'health', close: server.close })
  }
  logger.info({ event: 'stand-in.listening', port: standIn.port }, 'taking mail')
  return runServices({ logger, services: [standIn], closeAfter, stopMs: values.stopMs })
}
