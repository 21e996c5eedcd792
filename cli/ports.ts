/** The ports of a process: opened before its services, closed after them. */

import type { Log } from '#lib/log/log.ts'
import { openLog } from '#lib/log/open.ts'
import type { Objects } from '#lib/objects/objects.ts'
import { openObjects } from '#lib/objects/open.ts'
import { type Clock, systemClock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { createLogger, type Logger } from '#lib/runtime/logger.ts'
import { Metrics } from '#lib/runtime/metrics.ts'
import { persist } from '#lib/runtime/retry.ts'
import { type Codec, openCodec } from '#schemas/codec.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { writeEpoch } from '#services/quarantine/mailbox/epoch.ts'
import type { PortValues } from './settings.ts'

export type Ports = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

export async function openPorts(values: PortValues, service: string): Promise<Ports> {
  const logger = createLogger({ level: values.logLevel, service })
  const log = await openLog(values, service, logger)
  try {
    const ports: Ports = {
      log,
      objects: await openObjects(values, logger),
      codec: await openCodec({ registryUrl: values.schemaRegistryUrl }),
      clock: systemClock,
      logger,
      metrics: new Metrics(),
    }
    // On one machine nobody should have to make topics first.
    if (log.adapter === 'embedded') await makeTopics(ports, values.partitions)
    return ports
  } catch (error) {
    await log.close()
    throw error
  }
}

/** Resolves when the log answers, however long that takes: nobody should have to start things in order. */
export async function whenLogAnswers({ log, clock, logger }: Ports): Promise<void> {
  await persist(() => log.admin.describeTopics(['mail.raw']), {
    clock,
    signal: new AbortController().signal,
    failed: (err) => {
      if (!(err instanceof MailweirError) || !err.retriable) throw err
      logger.warn({ event: 'log.waiting', err }, 'the log does not answer: will try again')
    },
  })
}

/** Makes the topics that are missing. A new mail.index starts a new epoch, so that no mail program trusts what it remembers. */
export async function makeTopics(
  ports: Pick<Ports, 'log' | 'codec' | 'clock'>,
  partitions: number,
): Promise<readonly string[]> {
  const { created } = await ports.log.admin.ensureTopics(topicSpecs(partitions))
  if (created.includes('mail.index')) await writeEpoch(ports.log, ports.codec, ports.clock)
  return created
}

export async function closePorts(ports: Ports): Promise<void> {
  await ports.log.close()
  await ports.objects.close()
}
