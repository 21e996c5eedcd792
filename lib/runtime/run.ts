/**
 * The process around services: starts them, waits for a signal or a death, stops them in order, sets the exit code.
 */
import { describeError, MailweirError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { Service } from './service.ts'

/** sysexits.h */
export const exitCodes = { settings: 78, unavailable: 69, failed: 1 } as const

const lingerMs = 1_000

export type RunOptions = {
  readonly logger: Logger
  /** In the order in which they are stopped: upstream first. */
  readonly services: readonly Service[]
  /** Closed after the services: ports, health. */
  readonly closeAfter: readonly { readonly name: string; close(): Promise<unknown> }[]
  /** All of it has to be done by then; Kubernetes kills after terminationGracePeriodSeconds. */
  readonly stopMs: number
}

/** Resolves to the exit code. */
export async function runServices(options: RunOptions): Promise<number> {
  const { logger, services } = options
  let code = 0
  const signal = new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name))
  })
  const died = Promise.race(
    services.map((service) =>
      service.done.then(
        () => `${service.name} ended`,
        (error: unknown) => {
          code = exitCodeOf(error)
          logger.error({ event: 'service.died', name: service.name, err: error }, 'a service died')
          return `${service.name} died`
        },
      ),
    ),
  )
  try {
    await Promise.race([Promise.all(services.map((service) => service.ready)), signal])
    const why = await Promise.race([signal, died])
    logger.info({ event: 'process.stopping', why }, 'stopping')
  } catch (error) {
    code = exitCodeOf(error)
    logger.error({ event: 'service.failed', err: error }, 'a service did not start')
    process.stderr.write(`${describeError(error)}\n`)
  }
  const late = setTimeout(() => {
    logger.error({ event: 'process.late' }, 'did not stop in time')
    process.exit(code || exitCodes.failed)
  }, options.stopMs)
  for (const service of services) {
    await service.stop().catch((error: unknown) => {
      logger.error({ event: 'service.stop.failed', name: service.name, err: error }, 'a service did not stop cleanly')
    })
  }
  for (const { name, close } of options.closeAfter) {
    await close().catch((error: unknown) => {
      logger.error({ event: 'close.failed', name, err: error }, 'did not close cleanly')
    })
  }
  clearTimeout(late)
  logger.info({ event: 'process.stopped' }, 'stopped')
  // Everything is closed. A socket or timer that a library forgot must not keep the process: it is killed for that only minutes later.
  setTimeout(() => process.exit(code), lingerMs).unref()
  return code
}

export const exitCodeOf = (error: unknown): number =>
  error instanceof MailweirError && (error.code === 'SETTINGS_WRONG' || error.code === 'ADDRESS_IN_USE')
    ? exitCodes.settings
    : error instanceof MailweirError && error.retriable
      ? exitCodes.unavailable
      : exitCodes.failed
